"""What is checked before the first job of a study starts: that every arm composes, and what its folder holds."""

import logging
from collections.abc import Mapping, Sequence
from itertools import product

from omegaconf import DictConfig

from gan_lightning.build import build_data, build_module
from gan_lightning.callbacks.evaluation import check_monitors
from gan_lightning.cli.options import check_choices, parse, take_path_literally
from gan_lightning.cli.train import check_single_process
from gan_lightning.config.compose import compose
from gan_lightning.config.messages import explained
from gan_lightning.config.schema import check
from gan_lightning.errors import UserError
from gan_lightning.study.plan import Job, Study, words_of
from gan_lightning.training.objective import check_objective
from gan_lightning.training.resumable import differing_values, flat
from gan_lightning.training.run import build_callbacks, settle_budget, trainer_options
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

OF_THE_STUDY = {
    "seed": "seeds=[0,1,2]",
    "data": "data=[mnist,fashion_mnist]",
    "max_images": "budget.max_images=",
    "max_generator_steps": "budget.max_generator_steps=",
    "trainer.max_steps": "budget.max_generator_steps=",
    "trainer.max_epochs": "budget.max_images=",
    "trainer.max_time": "budget.minutes=",
    "hydra.run.dir": "out=FOLDER",
    "hydra.sweep.dir": "out=FOLDER",
}
"""Options that are the same for all arms, and how a study says them."""

Composed = dict[tuple[str, str], DictConfig]
"""The checked configuration of each arm on each data set, with the first seed."""


def check_arms(study: Study) -> Composed:
    """Compose and build every arm on every data set, so that whatever is wrong is said before anything is trained.

    Raises:
        UserError: The message names each arm that cannot be trained, and what to type.
    """
    refuse_shared(study.overrides)
    composed: Composed = {}
    errors: dict[str, str] = {}
    for arm, data in product(study.arms, study.data):
        try:
            refuse_shared(study.arms[arm])
            composed[arm, data] = compose_checked(words_of(study, arm, data, study.seeds[0]))
        except UserError as error:
            errors.setdefault(arm, f"  {arm} ({' '.join(study.arms[arm])}), on {data}: {error}")
    if errors:
        raise UserError(
            "\n".join([f"{len(errors)} of {len(study.arms)} arms cannot be trained, and none was:", *errors.values()])
        )
    refuse_same(composed, study)
    return composed


def refuse_shared(words: Sequence[str]) -> None:
    """Refuse options of an arm that belong to the study as a whole.

    Raises:
        UserError: The message says how the study takes them.
    """
    for override in parse(words):
        key = override.key_or_group
        if key in OF_THE_STUDY:
            raise UserError(f"{override.input_line} is the same for all arms: type {OF_THE_STUDY[key]} for the study")


def compose_checked(words: Sequence[str]) -> DictConfig:
    """The configuration of a job, whose parts have been built once.

    Raises:
        UserError: Something in it is not allowed, or does not go together.
    """
    check_choices(words)
    with explained(words):
        cfg = compose(*map(take_path_literally, words))
    check(cfg)
    check_single_process(cfg)
    settle_budget(cfg)
    data = build_data(cfg)
    build_module(cfg, data.image_shape, len(data.class_names))
    callbacks = build_callbacks(cfg)
    check_monitors(callbacks)
    check_objective(cfg.objective, callbacks, len(data.class_names))
    trainer_options(cfg)
    return cfg


def refuse_same(composed: Composed, study: Study) -> None:
    """Refuse two arms that are one and the same run.

    Raises:
        UserError: The message names both.
    """
    seen: dict[str, str] = {}
    for arm in study.arms:
        values = repr(sorted(flat(composed[arm, study.data[0]]).items()))
        if values in seen:
            raise UserError(f"the arms {seen[values]} and {arm} are the same run: leave one out")
        seen[values] = arm


def refuse_other_study(jobs: Sequence[Job], composed: Mapping[tuple[str, str], DictConfig]) -> None:
    """Refuse a folder whose jobs were started with other options; what cannot be read fails when its job starts.

    Raises:
        UserError: The message names the job, the options and what to type.
    """
    for job in jobs:
        folder = RunFolder(job.folder)
        if not folder.config_file.is_file():
            continue
        cfg = composed[job.arm, job.data].copy()
        cfg.seed = job.seed
        try:
            differing = differing_values(cfg, folder)
        except UserError as error:
            log.warning("WARNING: %s", error)
            continue
        if differing:
            told = ", ".join(f"{key}={theirs}, now {ours}" for key, (ours, theirs) in list(differing.items())[:5])
            raise UserError(
                f"{job.folder} holds a run of other options ({told}): type the options it was started with, or another "
                "out=FOLDER"
            )


def prepare_data(composed: Composed, study: Study) -> None:
    """Fetch and verify every data set once, before several jobs need it."""
    for data in study.data:
        build_data(composed[next(iter(study.arms)), data]).prepare_data()
