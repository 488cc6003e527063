"""The command sample: draw images from a trained generator."""

import re
import zipfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from gan_lightning.cli.drawing import (
    MOST_IMAGES,
    DrawOptions,
    LabelsOption,
    load_generator,
    origin,
    read_labels,
    watched,
)
from gan_lightning.cli.options import keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    Classes = Callable[[int, int], Tensor | None]  # of so many images from a number on


class Options(DrawOptions):
    """Draw images from a trained generator.

      python -m gan_lightning sample run=FOLDER n=100 out=grid.png
      python -m gan_lightning sample run=FOLDER n=1000000 out=FOLDER     in constant memory, as out=FILE.npz is

    A run folder is what training names at its end.
    """

    n: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = Field(64, description="Number of images.")
    labels: LabelsOption = Field(
        None, description="Class of every image, by number or name, or a list to take in turn; null: every class."
    )
    truncation: float | None = Field(
        None, description="Factor in (0, 1] that scales normal latent vectors toward 0; null: as drawn."
    )
    replace: bool = Field(False, description="Whether to delete the samples that the FOLDER out= holds already.")
    out: PathName = Field(
        "samples.png", description="FILE.png for a grid, FILE.npz for an array, or a FOLDER of PNG files."
    )


def main(words: list[str]) -> None:
    """Draw the images that the words ask for, and write them."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    kind = "" if out.is_dir() else out.suffix.lower()
    earlier = check_out(out, kind, options.replace)
    generator = load_generator(options)
    if kind == ".png":
        check_grid(options.n, generator.image_shape)
    labels = generator.to_numbers(read_labels(options.labels))
    batches = watched(generator.sampler.batches(options.n, options.seed, labels, options.truncation), options.n)
    first = next(batches)
    out.parent.mkdir(parents=True, exist_ok=True)
    for file in earlier:
        file.unlink()
    WRITERS[kind](
        chain([first], batches), lambda start, count: generator.sampler.classes(start, count, labels), options.n, out
    )
    weights = f"{generator.facts.weights} weights, seed {options.seed}"
    print(f"{options.n} samples of {origin(generator)} ({weights}) in {out}")


def check_out(out: Path, kind: str, replace: bool) -> list[Path]:
    """Refuse a name under which no samples can be written, and a folder in which they would mix with others.

    Returns:
        The earlier samples, which the new ones replace.

    Args:
        out: Where to write.
        kind: A key of `WRITERS`, or anything else.
        replace: Whether earlier samples in the folder are deleted.
    """
    if kind not in WRITERS:
        raise UserError(f"out={out} is not allowed: type out=FILE.png (a grid), out=FILE.npz (an array) or out=FOLDER")
    if kind == "" and out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file; type out=FOLDER, or out={out}.png for a grid")
    if kind or not out.is_dir():
        return []
    earlier = [file for file in out.iterdir() if SAMPLE_FILE.fullmatch(file.name)] if replace else []
    pictures = [file for file in sorted(out.iterdir()) if file.suffix.lower() in (".png", ".jpg", ".jpeg")]
    pictures = [file for file in pictures if file not in earlier]
    if pictures:
        hint = "" if replace else "; or replace=true to delete samples of an earlier time"
        raise UserError(f"out={out} holds pictures already, such as {pictures[0].name}; type another folder{hint}")
    return earlier


def check_grid(count: int, shape: tuple[int, int, int]) -> None:
    """Refuse a grid of so many images that no program would show it."""
    from gan_lightning.images import GAP, LARGEST_GRID

    _, height, width = shape
    most = max(1, LARGEST_GRID // ((height + GAP) * (width + GAP)))
    if count > most:
        raise UserError(
            f"n={count:,} images are too many for one picture, which holds {most:,} of {width}x{height}; type "
            f"n={most}, or out=FILE.npz or out=FOLDER for any number"
        )


def write_grid(batches: "Iterator[Tensor]", classes: "Classes", count: int, out: Path) -> None:
    """Write one picture of all images."""
    import torch

    from gan_lightning.images import grid, save_grid

    save_grid(grid(torch.cat(list(batches))), "", out)


def write_array(batches: "Iterator[Tensor]", classes: "Classes", count: int, out: Path) -> None:
    """Write `images`, uint8 (n, C, H, W), and `labels`, int64 (n,), where there are any, batch by batch."""
    from gan_lightning.files import replacing
    from gan_lightning.sampling import LATENTS_BLOCK_SIZE

    starts = range(0, count, LATENTS_BLOCK_SIZE)
    labels = (classes(start, min(LATENTS_BLOCK_SIZE, count - start)) for start in starts)
    known = (part for part in labels if part is not None)
    with replacing(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        write_member(archive, "images", batches, count)
        write_member(archive, "labels", known, count)


def write_member(archive: zipfile.ZipFile, name: str, parts: "Iterator[Tensor]", count: int) -> None:
    """Write an array of an .npz file part by part; of no parts, nothing."""
    from numpy.lib import format as npy

    first = next(parts, None)
    if first is None:
        return
    header = {
        "descr": npy.dtype_to_descr(first.numpy().dtype), "fortran_order": False, "shape": (count, *first.shape[1:]),
    }  # fmt: skip
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        npy.write_array_header_1_0(member, header)
        for part in chain([first], parts):
            member.write(part.contiguous().numpy().data)


def write_folder(batches: "Iterator[Tensor]", classes: "Classes", count: int, out: Path) -> None:
    """Write a PNG file for each image."""
    from gan_lightning.images import save_png

    for index, image in enumerate(image for batch in batches for image in batch):
        save_png(image, out / f"{index:06d}.png")


SAMPLE_FILE = re.compile(r"\d{6,9}\.png", re.ASCII)
"""The names that `write_folder` gives."""

WRITERS: dict[str, "Callable[[Iterator[Tensor], Classes, int, Path], None]"] = {
    ".png": write_grid,
    ".npz": write_array,
    "": write_folder,
}
"""How samples are written, by the suffix of `out=`."""
