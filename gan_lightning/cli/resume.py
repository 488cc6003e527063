"""The command resume: go on where a run stopped, in its own folder and W&B run."""

import copy
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from pydantic import Field

from gan_lightning.cli.options import RUN, RunOptions, check_choices, expand, keyed, parse, read_options
from gan_lightning.config.compose import compose
from gan_lightning.config.messages import did_you_mean, explained
from gan_lightning.config.schema import check
from gan_lightning.config.stored import check_places, check_state_places
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError
from gan_lightning.runs import find_run

if TYPE_CHECKING:
    from gan_lightning.training.run_folder import RunFolder

CHANGEABLE = ("trainer.", "max_images", "max_generator_steps", "precision", "callbacks.", "data.dir")
"""What may change: what the weights, the optimizers and the order of the data do not depend on."""

ACCELERATOR_KEYS = ("accelerator", "devices", "strategy", "sync_batchnorm")
"""What the files of conf/accelerator set."""


SMALLEST = {"accelerator": "accelerator=auto", "logger": "logger=csv"}
"""The choice of a group that asks for the least."""


class Options(RunOptions):
    """Go on where a run stopped, in its own folder.

      python -m gan_lightning resume run=FOLDER trainer.max_epochs=20

    A run goes on with the configuration it was started with. What can change is typed as in training: max_images=,
    max_generator_steps=, precision=, trainer.KEY=, callbacks.NAME.KEY=, data.dir=, accelerator= and logger=.
    """

    run: PathName = Field(description=RUN)


def main(words: list[str]) -> None:
    """Resume the run that the words name, some of its options changed.

    Raises:
        UserError: The folder holds no run, an option cannot change, or there is nothing left to train.
        KeyboardInterrupt: The user stopped the run.
    """
    overrides = parse(expand(words))
    options = read_options(Options, keyed(it for it in overrides if it.key_or_group in Options.model_fields))
    run = find_run(options.run)

    from gan_lightning.build import check_weights
    from gan_lightning.loggers import read_label
    from gan_lightning.training.lock import locked_run
    from gan_lightning.training.resumable import SpentError, check_resumable, finish_killed
    from gan_lightning.training.run import train
    from gan_lightning.training.run_folder import open_run, read_checkpoint

    folder, _ = open_run(run)
    with locked_run(folder.path):
        folder, checkpoint = open_run(run)  # another process may have written it until now
        if Path(run).is_file():
            refuse_earlier_checkpoint(folder, checkpoint, run)
        cfg = folder.config(options.trust)
        changes = [it for it in overrides if it.key_or_group not in Options.model_fields]
        if not options.trust:
            check_places(without(cfg, changes), folder.path)
            check_nodes(cfg, changes)
        apply_overrides(cfg, changes)
        content = read_checkpoint(checkpoint)
        if not options.trust:
            check_state_places(content, folder.path)
        check_weights(cfg, content, checkpoint)
        try:
            check_resumable(cfg, content, run)
        except SpentError:
            finish_killed(cfg, folder, content)
            raise
        file = logging.FileHandler(folder.path / "train.log", delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger().addHandler(file)
        folder.set_aside_damaged()
        if train(cfg, folder, read_label(folder), checkpoint).state == "interrupted":
            raise KeyboardInterrupt


def refuse_earlier_checkpoint(folder: "RunFolder", checkpoint: Path, run: str) -> None:
    """Refuse a checkpoint file that is not the last one, unless the last ones cannot be read."""
    from gan_lightning.training.checkpoint_file import DamagedCheckpointError

    with suppress(DamagedCheckpointError):
        newest = folder.newest_checkpoint()
        if newest is not None and checkpoint.resolve() != newest:
            raise UserError(f"{run} is not the run's last checkpoint, and going on from it would undo later ones")


def check_nodes(cfg: DictConfig, overrides: Iterable[Override]) -> None:
    """Refuse to wait for other machines unless the user says so again.

    Raises:
        UserError: The run was trained on several.
    """
    nodes = cfg.trainer.get("num_nodes", 1)
    if nodes != 1 and all(override.key_or_group != "trainer.num_nodes" for override in overrides):
        raise UserError(f"the run waits for {nodes} machines; type trainer.num_nodes={nodes}, or trainer.num_nodes=1")


# Changes


def without(cfg: DictConfig, overrides: Iterable[Override]) -> DictConfig:
    """A configuration without what the user types anew, which is his own."""
    kept = copy.deepcopy(cfg)
    for override in overrides:
        with suppress(OmegaConfBaseException):
            OmegaConf.update(kept, override.key_or_group, None)
    return kept


def apply_overrides(cfg: DictConfig, overrides: Iterable[Override]) -> DictConfig:
    """Change options of a run's configuration, in place.

    Raises:
        UserError: An option does not exist, or the checkpoint depends on it.
    """
    for override in overrides:
        key = override.key_or_group
        if key in ("accelerator", "logger"):
            choose(cfg, key, override)
        elif key.startswith(CHANGEABLE):
            with explained():
                change(cfg, override)
        else:
            raise fixed_option_error(cfg, key)
    check(cfg)
    return cfg


def fixed_option_error(cfg: DictConfig, key: str) -> UserError:
    """The error for an option that cannot change, or does not exist."""
    allowed = [*(f"{name}KEY" if name.endswith(".") else name for name in CHANGEABLE), "accelerator", "logger"]
    if key.split(".")[0] not in cfg:
        return UserError(f"{key} is not a valid option.{did_you_mean(key, allowed)}")
    return UserError(
        f"{key} cannot change when a run goes on: its weights, optimizers and data order are settled; "
        f"start a new run, or change one of {', '.join(allowed)}"
    )


def choose(cfg: DictConfig, group: str, override: Override) -> None:
    """Take another choice of the groups `accelerator` and `logger`."""
    word = str(override.input_line)
    if override.type is OverrideType.DEL:
        raise UserError(f"{word}: every run has one; type {group}=NAME, such as {SMALLEST[group]}")
    check_choices([word])
    with explained([word]):
        chosen = compose(word)
    chooses = "logger" in chosen if group == "logger" else set(ACCELERATOR_KEYS) <= set(chosen.trainer)
    if not chooses:
        raise UserError(f"{word} chooses nothing; type {group}=NAME, such as {SMALLEST[group]}")
    if group == "logger":
        cfg.logger = chosen.logger
    else:
        cfg.trainer.update({name: chosen.trainer[name] for name in ACCELERATOR_KEYS})


def change(cfg: DictConfig, override: Override) -> None:
    """Change, add (+key=value) or remove (~key) one option."""
    key = override.key_or_group
    if override.type is not OverrideType.DEL:
        OmegaConf.update(cfg, key, override.value(), force_add=override.type is not OverrideType.CHANGE)
        return
    parent, _, name = key.rpartition(".")
    with open_dict(cfg):
        node = OmegaConf.select(cfg, parent)
        if node is None or name not in node:
            raise UserError(f"{override.input_line}: {key} is not an option of this run; leave {key} out")
        del node[name]
