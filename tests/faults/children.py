"""Processes to be killed: forked from one that has imported everything, so that each takes no time to start."""

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers import SHORT, run

TRIALS = float(os.environ.get("GAN_LIGHTNING_FAULTS", "0.06"))
"""Share of the long run's trials; `make faults` sets it to 1."""

WORDS = (*SHORT, "data.batch_size=400", "callbacks.samples.first=10", "callbacks.checkpoints.every_minutes=0.002")
"""Ten batches an epoch, a checkpoint every 0.12 seconds."""

STEPS = "max_generator_steps=40"

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.faults.children", "gan_lightning.training.resumable", "gan_lightning.build"])


def trials(long: int) -> int:
    """How many trials to make of those that the long run makes."""
    return max(2, round(long * TRIALS))


def start(what: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own, whose words are not shown.

    As that of the command line, its exit status is 2 after an error of the user's or of the disk's; `process.errors`
    then receives the message.
    """
    errors, sender = context.Pipe(duplex=False)
    process: Any = context.Process(target=quietly, args=(dict(os.environ), sender, what, *arguments))
    process.start()
    process.errors = errors
    return process


def quietly(environment: dict[str, str], errors: Any, what: Callable[..., Any], *arguments: Any) -> None:
    """Run in the child."""
    import torch

    from gan_lightning.errors import UserError

    torch.set_num_threads(1)
    os.environ.update(environment)
    with contextlib.redirect_stdout(Path(os.devnull).open("w")):
        try:
            what(*arguments)
        except (UserError, OSError) as error:
            errors.send(str(error))
            sys.exit(2)


def train(folder: Path, *words: str) -> None:
    """Train from the beginning."""
    run(folder, *WORDS, *words)


def resume(folder: Path, *words: str) -> None:
    """Go on from the last checkpoint."""
    from gan_lightning.__main__ import run_command

    run_command("resume", f"run={folder}", *words)
