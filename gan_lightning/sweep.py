import logging
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)


class SweepSummary(Callback):
    """After a sweep, a line for each job; the command fails when one of them did."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read the jobs' status files."""
        from gan_lightning.runs import RunFolder  # brings torch, which composing a configuration does without

        folder = Path(config.hydra.sweep.dir)
        statuses = {file.parent: RunFolder(file.parent).status() for file in sorted(folder.glob("*/status.json"))}
        log.info("\nsweep in %s", folder)
        for job, status in statuses.items():
            steps = f"{status.get('generator_steps', 0):,} generator steps"
            log.info("  %-11s %s  %s", status["state"], job.name, status.get("error") or steps)
        if any(status["state"] != "finished" for status in statuses.values()):
            sys.exit(1)
