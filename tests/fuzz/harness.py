"""Running commands in this process, up to the point where something would be trained, fetched or scored."""

import argparse
import collections
import contextlib
import io
import logging
import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytorch_lightning import Trainer

from gan_lightning.__main__ import dispatch
from gan_lightning.data import sources
from gan_lightning.errors import UserError


class Reached(SystemExit):
    """The command line is valid: training, or what else takes minutes, would start now."""


def stop(*arguments: object, **options: object) -> None:
    raise Reached


def offline(*arguments: object, **options: object) -> None:
    raise OSError("no network")


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Nothing is trained, fetched or scored; what a command prints is thrown away, and what it sets is set back."""
    from torchvision.datasets import EMNIST, MNIST, QMNIST

    root, patch = logging.getLogger(), pytest.MonkeyPatch()
    level, handlers, arguments, folder = root.level, list(root.handlers), sys.argv[:], Path.cwd()
    try:
        patch.setattr(Trainer, "fit", stop)
        for module, names in STOPS.items():
            for name in names:
                patch.setattr(f"{module}.{name}", stop)
        patch.setattr(sources, "download_debian", offline)
        for kind in (MNIST, EMNIST, QMNIST):
            patch.setattr(kind, "download", offline)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        patch.undo()
        sys.argv[:] = arguments
        os.chdir(folder)
        root.setLevel(level)
        root.handlers[:] = handlers


STOPS = {
    "gan_lightning.evaluation.scorer": ("extractor_for", "load_inception"),
    "gan_lightning.evaluation.extractor": ("train_extractor", "train_classifier"),
    "gan_lightning.evaluation.score_sources": ("score_sources",),
}


def outcome(action: Callable[[], object]) -> str | None:
    """Where an action fails other than by a message for the user; None where it does not."""
    try:
        action()
    except (UserError, OSError, SystemExit, KeyboardInterrupt):
        return None
    except BaseException as error:
        return where(error)
    return None


def where(error: BaseException) -> str:
    """The kind of an error and the last line of this project on the way to it: one for each mistake in the program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "gan_lightning" in frame.filename and "tests" not in frame.filename] or frames
    return (
        f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno} {own[-1].name}: {str(error)[:150]}"
    )


def run_words(words: list[str]) -> str | None:
    """Run a command line; where it ends in a traceback, or None."""
    with guarded():
        return outcome(lambda: dispatch(list(words)))


def limit_memory(size: int = 12 * 2**30) -> None:
    """Have this process fail to allocate more, as a machine without so much memory would."""
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


class Tally:
    """Counts of outcomes, with an example of each."""

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.examples: dict[str, object] = {}
        self.total = 0

    def add(self, trouble: str | None, example: object) -> None:
        """Count one case."""
        self.total += 1
        if trouble is not None:
            place = trouble.split(": ", 1)[0]
            self.counts[place] += 1
            self.examples.setdefault(place, (example, trouble))

    def __str__(self) -> str:
        lines = [f"{sum(self.counts.values())} tracebacks at {len(self.counts)} places in {self.total:,} cases"]
        for place, count in self.counts.most_common():
            example, trouble = self.examples[place]
            lines += [f"{count:5} {trouble}", f"      {example!r}"]
        return "\n".join(lines)


def parse_arguments(what: str) -> argparse.Namespace:
    """How many cases to count, from which seed on."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    return parser.parse_args()
