import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

if TYPE_CHECKING:
    from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)


class SweepSummary(Callback):
    """After a sweep, a line for each job and a report of them all; the command fails when one of them did."""

    def __init__(self) -> None:
        self.jobs: list[Path] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Remember where the job was trained."""
        self.jobs.append(Path(config.hydra.runtime.output_dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read the jobs' folders, whichever process trained them."""
        from gan_lightning.loggers.label import read_label
        from gan_lightning.report.reading import find_run_folders, sort_key
        from gan_lightning.training.run_folder import (
            RunFolder,  # brings torch, which composing a configuration does without
        )

        folder = Path(config.hydra.sweep.dir)
        found = self.jobs or find_run_folders(folder)  # some launchers' jobs end in other processes
        jobs = [RunFolder(job) for job in sorted(found, key=sort_key) if RunFolder(job).status_file.is_file()]
        log.info("\nsweep in %s", folder)
        for job in jobs:
            status = job.status()
            steps = f"{status.get('generator_steps', 0):,} generator steps"
            name = f"{job.path.name} ({read_label(job).name})"
            log.info("  %-11s %s  %s", status.get("state", "unknown"), name, status.get("error") or steps)
        if jobs:
            report(jobs, folder)
        if any(job.status().get("state") != "finished" for job in jobs):
            sys.exit(1)


def report(jobs: "list[RunFolder]", folder: Path) -> None:
    """Write report.html of a sweep's jobs into its folder; an error is reported only."""
    from gan_lightning.report.page import write_report

    try:
        page, *_ = write_report([job.path for job in jobs], folder / "report.html")
        log.info("  %-11s %s", "report", page)
    except Exception as error:
        log.warning("WARNING: the report could not be written: %s", error)
