"""The user's own pictures as a data set."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveInt

from gan_lightning.config.values import PathName
from gan_lightning.data.image_data import ImageData, Splits
from gan_lightning.data.loader import Batch
from gan_lightning.data.pictures import (
    GRAY_MODES,
    SUFFIXES,
    Background,
    check_file_size,
    decode_bytes,
    read_header,
)
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.sizes import Size, allowed_sides, as_typed, nearest_size, read_size

HASH_RANGE = 2**64

NAMED = 5
"""Skipped files that a message names before it only counts them."""


class Found(NamedTuple):
    """What a folder of pictures holds.

    Attributes:
        files: The pictures, sorted by name.
        skipped: Reason for leaving out each other file or folder, by its path inside the folder.
    """

    files: list[Path]
    skipped: dict[str, str]


class ImageFolder(ImageData):
    """The user's own picture files, gray or RGB, of any size that networks can take (`sizes.SIDES`) or resized to one.

    Files directly in the folder have no classes; with sub-folders each is a class, named by the folder. Which split a
    picture is in depends on the bytes of its file alone, so that new files never move old ones, and copies of a
    picture are in one split.

    Args:
        dir: Folder of the images.
        size: Side of the square, or height and width, that the central part of each image is resized to; None takes
            the files' own size, which must be the same for all.
        channels: Number of channels, 1 (gray) or 3 (RGB); None means gray when every file is gray, else RGB.
        held_out: Probability with which an image is in the validation split, and again in the test split.
        background: Colour that shows where an image is transparent.
        options: Options that every data set has: `batch_size`, `seed`, `balanced`.
    """

    def __init__(
        self,
        dir: PathName | None = None,
        size: PositiveInt | list[PositiveInt] | None = None,
        channels: Literal[1, 3] | None = None,
        held_out: Annotated[float, Field(ge=0)] = 0.1,
        background: Background = "black",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if dir is None:
            raise UserError("data=image_folder needs the folder of your images: type data.dir=FOLDER")
        if held_out >= 0.5:
            raise UserError(
                f"data.held_out={held_out}, taken twice (validation and test), leaves nothing to train on; "
                "type data.held_out=0.1"
            )
        self.dir = Path(dir).expanduser()
        self.held_out = held_out
        self.background: Background = background
        self.files, self.skipped = find_images(self.dir)
        self.shape = common_shape(self.files, size, channels)

    @property
    def short_name(self) -> str:
        """The folder's name."""
        return re.sub(r"\W+", "_", self.dir.resolve().name.lower()) or "images"

    @property
    def image_shape(self) -> ImageShape:
        """Read from the files' headers."""
        return self.shape

    @property
    def class_names(self) -> list[str]:
        """The sub-folders' names, sorted; empty when files lie in the folder itself."""
        return sorted({file.parent.name for file in self.files if file.parent != self.dir})

    @property
    def location(self) -> Path:
        """The user's folder."""
        return self.dir

    def fetch(self) -> None:
        """The files are the user's: nothing to fetch."""

    def load(self) -> Splits:
        """Decode every file once into one uint8 tensor, and split it by the files' hashes."""
        images, places = np.empty((len(self.files), *self.shape), np.uint8), np.empty(len(self.files))
        for index, file in enumerate(self.files):
            check_file_size(file)
            content = file.read_bytes()
            images[index] = decode_bytes(file, content, self.shape, self.background)
            places[index] = place_of(content)
        names = {name: label for label, name in enumerate(self.class_names)}
        labels = torch.tensor([names.get(file.parent.name, 0) for file in self.files])
        return split_by_place(Batch(torch.from_numpy(images), labels), torch.from_numpy(places), self.held_out)

    def describe(self) -> str:
        """Also what was left out, and why."""
        return "\n".join([super().describe(), *describe_skipped(self.skipped)])


# Splits


def place_of(content: bytes) -> float:
    """A number in [0, 1) that depends on a file's bytes alone, uniformly distributed over files."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") / HASH_RANGE


def split_by_place(data: Batch, places: torch.Tensor, held_out: float) -> Splits:
    """The images with places in [0, h) for test, [h, 2 h) for validation and the others for training.

    Args:
        data: All images, in the order of their files.
        places: Number in [0, 1) of each, float64 (N,).
        held_out: Probability h.

    Raises:
        UserError: No image is left for training.
    """
    test, validation = places < held_out, (places >= held_out) & (places < 2 * held_out)
    training = ~(test | validation)
    if not training.any():
        raise UserError(
            f"all {len(places):,} images are held out by data.held_out={held_out}; add images, or type data.held_out=0"
        )
    return Splits(*(Batch(data.images[part], data.labels[part]) for part in (training, validation, test)))


# Files


def find_images(folder: Path, option: str = "data.dir") -> Found:
    """Picture files of a folder, or of its sub-folders when it has none itself, and what else is there.

    Hidden files and folders are left out, `__MACOSX` (which macOS puts into archives) and whatever is no regular file.
    """
    if not folder.is_dir():
        raise UserError(f"{option}={folder} is not a folder; type {option}=FOLDER with the folder of your images")
    here = sort_entries(folder, folder)
    if here.files:
        return Found(here.files, {**here.skipped, **dict.fromkeys(names_of(folders_of(folder), folder), BESIDE_IMAGES)})
    inside = [sort_entries(each, folder, nested=True) for each in folders_of(folder)]
    files = [file for each in inside for file in each.files]
    skipped = here.skipped | {name: why for each in inside for name, why in each.skipped.items()}
    if files:
        return Found(files, skipped)
    suffixes = ", ".join(sorted(SUFFIXES))
    raise UserError(
        "\n".join(
            [
                f"{option}={folder} holds no image; {suffixes} files are read, from it or its sub-folders",
                *describe_skipped(skipped),
            ]
        )
    )


BESIDE_IMAGES = "a folder beside images, which therefore have no classes"


def sort_entries(folder: Path, root: Path, nested: bool = False) -> Found:
    """The pictures directly in a folder, and why its other entries are left out; folders only where they are nested."""
    files, skipped = [], {}
    for entry in sorted(folder.iterdir()):
        reason = reason_to_skip(entry, nested)
        if reason is None and entry.is_file():
            files.append(entry)
        elif reason is not None:
            skipped.update(dict.fromkeys(names_of([entry], root), reason))
    if nested and not files:
        skipped.update(dict.fromkeys(names_of([folder], root), "a folder without images"))
    return Found(files, skipped)


def reason_to_skip(entry: Path, nested: bool) -> str | None:
    """Why an entry of a folder is no picture; None for a picture, and for a folder that may hold some."""
    if is_hidden(entry):
        return "hidden"
    if entry.is_dir():
        return "a folder inside a class's folder" if nested else None
    if not entry.is_file():
        return "not a regular file"
    return None if entry.suffix.lower() in SUFFIXES else f"{entry.suffix or 'no suffix'}: not a format that is read"


def is_hidden(entry: Path) -> bool:
    """Whether programs other than the user put it there: .DS_Store, .ipynb_checkpoints, __MACOSX."""
    return entry.name.startswith(".") or entry.name == "__MACOSX"


def folders_of(folder: Path) -> list[Path]:
    """The sub-folders that may be classes, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if not is_hidden(entry) and entry.is_dir())


def names_of(entries: Sequence[Path], root: Path) -> list[str]:
    """Paths inside the folder, a / behind those of folders."""
    return [f"{entry.relative_to(root)}{'/' if entry.is_dir() else ''}" for entry in entries]


def describe_skipped(skipped: dict[str, str]) -> list[str]:
    """A line for each reason to leave something out, with the first few names."""
    lines = []
    for reason in dict.fromkeys(skipped.values()):
        names = [name for name, why in skipped.items() if why == reason]
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        lines.append(f"left out    {', '.join(names[:NAMED])}{more} ({reason})")
    return lines


# Shapes


def common_shape(files: list[Path], size: int | list[int] | None, channels: int | None) -> ImageShape:
    """The one shape all images are given, from their headers and the user's wishes."""
    wanted = None if size is None else read_size(size)
    headers = [read_header(file) for file in files] if wanted is None or channels is None else []
    if channels is None:
        channels = 1 if all(mode in GRAY_MODES for _, mode in headers) else 3
    if wanted is None:
        wanted = common_size(files, [dimensions for dimensions, _ in headers])
    return (channels, *wanted)


def common_size(files: list[Path], dimensions: list[tuple[int, int]]) -> Size:
    """Height and width of images, given as (width, height), that are all of one size, which networks can take."""
    width, height = dimensions[0]
    nearest = as_typed(nearest_size((height, width)))
    for file, other in zip(files, dimensions, strict=True):
        if other != (width, height):
            raise UserError(
                f"images of mixed size: {files[0]} is {width}x{height}, {file} is {other[0]}x{other[1]} "
                f"(width x height); type data.size={nearest}, or another size, to crop and resize them all"
            )
    if nearest_size((height, width)) != (height, width):
        raise UserError(
            f"images are {width}x{height} (width x height), and each side may be {allowed_sides()} pixels, which "
            f"networks can halve down to 4 to 7; type data.size={nearest} to crop and resize them all"
        )
    return height, width
