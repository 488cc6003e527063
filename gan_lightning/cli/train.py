"""The command train: one run, or a sweep of several, under Hydra."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from gan_lightning.cli.options import CommandOptions
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from gan_lightning.loggers import RunLabel
    from gan_lightning.training.run import Result
    from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

FAILED = sys.float_info.max
"""The objective of a job that failed: the worst there is, and finite, as sweepers need it."""


class Options(CommandOptions):
    """Train a GAN; with -m, one for each combination of the values given.

      python -m gan_lightning model=wgan_gp data=fashion_mnist
      python -m gan_lightning -m model=gan,wgan seed=0,1,2
      python -m gan_lightning model=wgan --cfg job     print every option with its value, and train nothing

    Every option that --cfg job prints can be typed as key=value. `python -m gan_lightning list` names the choices of
    model=, network=, loss=, data= and the other groups. +key=value adds a key, ~key removes one.

    A run that was killed before its first checkpoint is started over by the same command with its hydra.run.dir=; one
    that has a checkpoint goes on by `resume`. A sweep that was stopped goes on by the same command with its
    hydra.sweep.dir=: finished jobs are skipped.

    A sweep needs no more than commas. With objective=frechet (and callbacks.evaluation.every_n_epochs=1), each of its
    jobs returns that score to Hydra's sweeper, so that one for Optuna, Ax or Nevergrad can minimize it.
    """


def main(words: list[str]) -> None:
    """Train what the words say.

    Raises:
        UserError: The words say nothing that can be trained, or the one run failed.
        SystemExit: A job of a sweep failed; the others have run.
    """
    import hydra

    from gan_lightning.cli.options import check_choices, expand, take_path_literally
    from gan_lightning.config.compose import CONF_DIR
    from gan_lightning.config.messages import explained
    from gan_lightning.config.stored import import_from_here

    words = expand(words)
    check_folders(words)
    import_from_here()
    check_choices(words)
    words = sorted(
        map(take_path_literally, words), key=lambda word: word not in ("-m", "--multirun")
    )  # Hydra takes no flag between overrides
    sys.argv[1:] = words  # what Hydra, and the helper processes of a several-process run, read
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing them
    errors: list[Exception] = []
    with explained(words):
        swept = swept_keys(words)
        hydra.main(str(CONF_DIR), "train", version_base="1.3")(lambda cfg: run_job(cfg, errors, swept))()
    if errors:
        raise errors[0]


def check_folders(words: list[str]) -> None:
    """Refuse the folder of a run in a sweep, and that of a sweep in a run: it would have no effect.

    Raises:
        UserError: The message says which word names the folder.
    """
    from gan_lightning.config.aliases import FOLDERS, is_sweep

    sweeping = is_sweep(words)
    for word in words:
        key, _, name = word.partition("=")
        if key == FOLDERS[not sweeping]:
            kind = "a sweep (-m)" if sweeping else "a run without -m"
            raise UserError(f"{word} has no effect in {kind}: type {FOLDERS[sweeping]}={name}")


def run_job(cfg: DictConfig, errors: list[Exception], swept: set[str]) -> float | None:
    """Hydra's task: train one run, in the folder that Hydra made for it.

    Args:
        cfg: The composed configuration.
        errors: Takes the error that the command ends with. Errors of a sweep's jobs are recorded in their folders
            instead, so that the other jobs go on.
        swept: Keys that have several values on the command line.

    Returns:
        The value of the score that `objective` names, lower always better, which Hydra's sweepers minimize: `FAILED`
        for a run that failed; None without an objective.

    Raises:
        KeyboardInterrupt: The user stopped the run; the jobs of a sweep that were to follow do not start.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from gan_lightning.loggers import make_label
    from gan_lightning.training.run_folder import RunFolder

    hydra_cfg = HydraConfig.get()
    try:
        check_hydra(hydra_cfg)
    except UserError as error:
        errors.append(error)
        return FAILED
    sweeping = hydra_cfg.mode == RunMode.MULTIRUN
    folder = RunFolder(Path(hydra_cfg.runtime.output_dir))
    group = Path(hydra_cfg.sweep.dir).name if sweeping else None
    swept = swept.union(hydra_cfg.sweeper.get("params") or {})
    label = make_label(hydra_cfg.runtime.choices, cfg.seed, hydra_cfg.overrides.task, swept, group)
    try:
        result = start_job(cfg, folder, label, sweeping)
    except Exception as error:
        record_failure(error, folder, sweeping, errors)
        return FAILED
    finally:
        gc.collect()
    if result.state == "interrupted":
        raise KeyboardInterrupt
    return result.objective


def start_job(cfg: DictConfig, folder: "RunFolder", label: "RunLabel", sweeping: bool) -> "Result":
    """Train a run, or what is left of a sweep's job.

    Args:
        cfg: The composed configuration.
        folder: The run's folder.
        label: What dashboards call the run.
        sweeping: Whether the run is a job of a sweep.
    """
    from gan_lightning.config.schema import check
    from gan_lightning.training.resumable import train_job
    from gan_lightning.training.run import refuse_used, train

    if sweeping:
        check(cfg)
        check_single_process(cfg)
        return train_job(cfg, folder, label)
    if "LOCAL_RANK" not in os.environ:  # a helper process shares the folder of the first
        refuse_used(folder)
    return train(cfg, folder, label)


def swept_keys(words: list[str]) -> set[str]:
    """Keys that have several values on the command line, commas between them."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    typed = [word for word in words if "=" in word and not word.startswith("-")]  # others are Hydra's flags
    overrides = OverridesParser.create().parse_overrides(typed)
    return {override.key_or_group for override in overrides if override.is_sweep_override()}


def check_hydra(hydra_cfg: Any) -> None:
    """Refuse options of Hydra's own that would have no effect, and the one that breaks relative paths.

    Raises:
        UserError: The message names the option.
    """
    from hydra.conf import HydraConf

    if hydra_cfg.job.chdir:
        raise UserError("hydra.job.chdir=true changes what relative paths mean, such as data.dir=; leave it out")
    added = next(keys_beyond(HydraConf, hydra_cfg, "hydra"), None)
    if added is not None:
        raise UserError(f"{added} is not an option of Hydra's; leave it out")


def keys_beyond(schema: type, cfg: DictConfig, path: str) -> Iterator[str]:
    """Full keys in one of Hydra's nodes that its schema, a dataclass, does not have."""
    known = {field.name: field.type for field in fields(schema)}
    for name in map(str, cfg):
        if name not in known and (path, name) != ("hydra", "env"):  # a group of Hydra's that its schema leaves out
            yield f"{path}.{name}"
        elif isinstance(inner := known.get(name), type) and is_dataclass(inner):
            yield from keys_beyond(inner, cfg[name], f"{path}.{name}")


def record_failure(error: Exception, folder: "RunFolder", sweeping: bool, errors: list[Exception]) -> None:
    """Report a job's error: in a sweep now and in the summary, otherwise as the command's own."""
    from gan_lightning.training.lock import LockedError
    from gan_lightning.training.run import RunExistsError

    if not sweeping:
        errors.append(error)
        if not folder.status() and folder.path.is_dir() and not any(folder.path.iterdir()):
            folder.path.rmdir()
        return
    log.error("%s: %s", folder.path.name, error, exc_info=None if isinstance(error, UserError) else error)
    earlier = folder.status()
    if isinstance(error, LockedError | RunExistsError) or (folder.is_used() and earlier.get("state") != "failed"):
        errors.append(error)  # status.json is that of another run, or of this one before it was repeated with a mistake
        return
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_status(earlier | {"state": "failed", "error": str(error)})


def check_single_process(cfg: DictConfig) -> None:
    """Refuse runs of several processes in a sweep: Lightning starts them by repeating the command line, the sweep."""
    if cfg.trainer.devices != 1:
        raise UserError(
            f"a sweep cannot start runs of several processes (trainer.devices={cfg.trainer.devices}); "
            "type trainer.devices=1, or start the runs one by one"
        )
