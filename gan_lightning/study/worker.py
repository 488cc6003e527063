"""A job of a study, in a process of its own: trains a run, or what is left of it, and scores it.

    python -m gan_lightning.study.worker '{"name": "A", "group": "B", "scores": ["frechet"], "n": null}' WORD ...

It stops, everything saved, when the process that started it ends: its standard input ends with it.
"""

import _thread
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan_lightning.cli.evaluate import Options as EvaluateOptions
from gan_lightning.cli.evaluate import evaluate_run
from gan_lightning.cli.train import record_failure
from gan_lightning.config.stored import import_from_here
from gan_lightning.errors import UserError
from gan_lightning.loggers import RunLabel
from gan_lightning.study.results import read_outcome, slow_scores
from gan_lightning.trained_run import compose_run, logged, words_of_command
from gan_lightning.training.lock import LockedError, locked_run
from gan_lightning.training.resumable import train_job
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

ERROR = "error: "
"""What the last lines of a failed job's output begin with."""

SECONDS_TO_STOP = 60.0
"""How long a job may take to save its last step when its study has ended, before it is ended without."""

SECONDS_TO_WAIT = 90.0
"""How long a job waits for the lock on its folder, which may be held by one that is just stopping."""


def main(settings: str, *words: str) -> int:
    """Run a job; the exit status is 0, 130 when it was stopped, or 1 when it failed.

    Args:
        settings: The names of the run and of the study, its scores and number of samples, as JSON.
        words: The words of a training's command line, the folder among them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell switches it off for what runs in the background
    threading.Thread(target=stop_with_parent, daemon=True).start()
    try:
        import_from_here()
        train_and_score(list(words), **json.loads(settings))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        known = isinstance(error, UserError | OSError)
        if not known:
            traceback.print_exc()
        print(f"{ERROR}{error}" if known else f"{ERROR}{type(error).__name__}: {error}", flush=True)
        return 1
    return 0


def stop_with_parent() -> None:
    """Wait until the process that started this one has ended, then end as after Ctrl-C."""
    os.read(sys.stdin.fileno(), 1)
    _thread.interrupt_main()
    time.sleep(SECONDS_TO_STOP)
    os._exit(130)


def train_and_score(words: Sequence[str], name: str, group: str, scores: Sequence[str], n: int | None) -> None:
    """Train the run that the words say, unless it is trained, and score it, unless it is scored.

    Args:
        words: The words of a training's command line, the folder among them.
        name: Name of the run in dashboards and reports.
        group: Name of the study.
        scores: Scores that are asked for.
        n: Number of samples to score; None for as many as there are test images, at most 10,000.

    Raises:
        KeyboardInterrupt: The run was stopped.
        UserError: The run cannot be trained or scored.
    """
    cfg, folder, label = compose_run(words)
    wait_for_lock(folder.path)
    with logged(folder), words_of_command(list(words)):
        train(cfg, folder, replace(label, name=name, group=group))
        if not read_outcome(folder, scores, n).finished:
            slow: dict[str, Any] = dict.fromkeys(slow_scores(scores), True)
            evaluate_run(str(folder.path), EvaluateOptions(run=str(folder.path), trust=True, n=n, **slow), [])


def train(cfg: DictConfig, folder: RunFolder, label: RunLabel) -> None:
    """Train the run, or what is left of it; what goes wrong stands in its status.json."""
    try:
        result = train_job(cfg, folder, label)
    except Exception as error:
        record_failure(error, folder, True, [])
        raise
    if result.state == "interrupted":
        raise KeyboardInterrupt


def wait_for_lock(folder: Path) -> None:
    """Wait until no other process works on the folder.

    Raises:
        LockedError: Another process has worked on it for too long.
    """
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while True:
        try:
            with locked_run(folder):
                return
        except LockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
