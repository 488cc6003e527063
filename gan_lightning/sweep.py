import logging
import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)


class SweepSummary(Callback):
    """After a sweep, a line for each job and all of them side by side; the command fails when one of them did."""

    def __init__(self) -> None:
        self.words: dict[Path, list[str]] = {}

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Remember what made the job."""
        self.words[Path(config.hydra.runtime.output_dir)] = list(job_return.overrides or [])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read the jobs' status files."""
        from gan_lightning.report.comparison import compare, distinct
        from gan_lightning.training.run_folder import (
            RunFolder,  # brings torch, which composing a configuration does without
        )

        folder = Path(config.hydra.sweep.dir)
        jobs = {job: words for job, words in self.words.items() if RunFolder(job).status_file.is_file()}
        log.info("\nsweep in %s", folder)
        statuses = {job: RunFolder(job).status() for job in jobs}
        titles = distinct(jobs) if len(jobs) > 1 else {}
        for job, status in statuses.items():
            name = f"{job.name} ({titles[job]})" if job in titles else job.name
            steps = f"{status.get('generator_steps', 0):,} generator steps"
            log.info("  %-11s %s  %s", status.get("state", "unknown"), name, status.get("error") or steps)
        if jobs:
            for file in compare(jobs, folder):
                log.info("  %-11s %s", "comparison", file)
        if any(status.get("state") != "finished" for status in statuses.values()):
            sys.exit(1)
