"""What the commands that draw images share: their options, loading the generator, and batches with a progress bar."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt

from gan_lightning.cli.options import GENERATOR, RunOptions
from gan_lightning.config.values import PathName, Seed
from gan_lightning.errors import UserError
from gan_lightning.runs import find_run

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.generator import Generator

MOST_IMAGES = 100_000_000
"""Images that a command draws at most: more is a slip of the keyboard, and would fill the disk."""


class DrawOptions(RunOptions):
    """The options of a command that draws from a trained generator."""

    run: PathName = Field(description=GENERATOR)
    seed: Seed = Field(0, description="Seed of the latent vectors; the same seed draws the same images.")
    weights: Literal["ema", "raw"] = Field("ema", description="Averaged weights of the generator, or those as trained.")


LabelsOption = list[NonNegativeInt | str] | NonNegativeInt | str | None
"""Classes by number or name; null for every class."""


def load_generator(options: DrawOptions) -> "Generator":
    """The generator that the words name."""
    run = find_run(options.run)  # a typo does not wait for torch

    from gan_lightning.generator import load

    return load(run, options.weights, options.trust)


def origin(generator: "Generator") -> str:
    """The checkpoint that a generator was read from, as one would type it here."""
    from gan_lightning.training.ending import readable

    return readable(generator.checkpoint)


def read_labels(labels: LabelsOption) -> list[int | str] | int | str | None:
    """Labels as typed, those of digits alone as numbers."""
    return int(labels) if isinstance(labels, str) and labels.isdecimal() else labels


def watched(batches: "Iterator[Tensor]", total: int) -> "Iterator[Tensor]":
    """The batches, with a progress bar in a terminal when they take longer than two seconds."""
    from tqdm import tqdm

    with tqdm(total=total, unit=" images", delay=2, disable=None) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch))


def check_new_file(out: Path, suffixes: tuple[str, ...]) -> str:
    """The suffix of a file to write, in lower case, when it is one of those allowed."""
    if out.suffix.lower() not in suffixes or out.is_dir():
        raise UserError(f"out={out} is not allowed: type out=FILE{' or out=FILE'.join(suffixes)}")
    return out.suffix.lower()
