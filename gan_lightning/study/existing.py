"""Runs that exist already, taken into a study where they are what one of its jobs would train."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from gan_lightning.errors import UserError
from gan_lightning.report.reading import find_run_folders
from gan_lightning.study.plan import Job
from gan_lightning.training.ending import readable
from gan_lightning.training.lock import locked_run
from gan_lightning.training.resumable import differing_values, settle_folder
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

LEFT_BEHIND = shutil.ignore_patterns(".lock", ".lock.json", "wandb")
"""What belongs to the run in its own place."""


def take_runs(jobs: Sequence[Job], composed: Mapping[tuple[str, str], DictConfig], places: Sequence[str]) -> None:
    """Copy finished runs into the folders of the jobs whose configuration is theirs; these are not trained then.

    Args:
        jobs: The jobs of the study; one that has a folder is left alone.
        composed: The configuration of each arm on each data set.
        places: Run folders, or folders of them.

    Raises:
        UserError: A place holds no finished run.
    """
    runs = [run for place in places for run in finished_runs(Path(place))]
    for job in jobs:
        if not runs or job.folder.exists():
            continue
        cfg = composed[job.arm, job.data].copy()
        cfg.seed = job.seed
        same = next((run for run in runs if is_same(cfg, run)), None)
        if same is not None:
            copy_run(same, job.folder, cfg)
            log.info("%s is %s: copied", job.name, readable(same.path))


def finished_runs(place: Path) -> list[RunFolder]:
    """The finished runs that are in a folder, or in the folders in it.

    Raises:
        UserError: There are none.
    """
    runs = [RunFolder(folder.resolve()) for folder in find_run_folders(place)]
    finished = [run for run in runs if run.status().get("state") == "finished"]
    if not finished:
        raise UserError(f"runs={place} holds no finished run; type a run folder, a folder of them, or leave it out")
    return finished


def is_same(cfg: DictConfig, run: RunFolder) -> bool:
    """Whether a run is what a configuration would train; one that cannot be read is not."""
    try:
        return not differing_values(cfg, run)
    except UserError as error:
        log.warning("WARNING: %s", error)
        return False


def copy_run(run: RunFolder, folder: Path, cfg: DictConfig) -> None:
    """Copy a run; its folder has its name when it is whole, and the configuration is the study's own.

    Where numbers are sent to may differ, and is the one thing in which a stranger's run could name code.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with locked_run(run.path):
        shutil.copytree(run.path, part, ignore=LEFT_BEHIND)
    settle_folder(cfg)
    RunFolder(part).write_config(cfg)
    part.rename(folder)
