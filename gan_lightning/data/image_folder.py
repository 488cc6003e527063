import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from pydantic import NonNegativeFloat

from gan_lightning.data.image_data import ImageData, Splits, hold_out
from gan_lightning.data.loader import Batch
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape

SUFFIXES = {".png", ".jpg", ".jpeg"}
SIZES = (28, 32, 64)
GRAY_MODES = {"1", "L", "LA", "I", "I;16"}


class ImageFolder(ImageData):
    """The user's own PNG or JPEG files, gray or RGB, of 28, 32 or 64 pixels, or resized to one of these.

    Files directly in the folder have no classes; with sub-folders each is a class, named by the folder.

    Args:
        dir: Folder of the images.
        size: Height and width that each image's central square is resized to; None takes the files' own size, which
            must be the same for all.
        channels: Number of channels, 1 (gray) or 3 (RGB); None means gray when every file is gray, else RGB.
        held_out: Share of the images in the validation split, and again in the test split.
        options: Options that every data set has: `batch_size`, `seed`, `balanced`.
    """

    def __init__(
        self,
        dir: str | None = None,
        size: Literal[28, 32, 64] | None = None,
        channels: Literal[1, 3] | None = None,
        held_out: NonNegativeFloat = 0.1,
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
        self.files = find_images(self.dir)
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
        """Decode every file once into one uint8 tensor."""
        images = np.empty((len(self.files), *self.shape), np.uint8)
        for index, file in enumerate(self.files):
            images[index] = decode(file, self.shape)
        names = {name: label for label, name in enumerate(self.class_names)}
        labels = torch.tensor([names.get(file.parent.name, 0) for file in self.files])
        count = int(len(self.files) * self.held_out)
        rest, test = hold_out(Batch(torch.from_numpy(images), labels), count)
        return Splits(*hold_out(rest, count), test)


def find_images(folder: Path, option: str = "data.dir") -> list[Path]:
    """PNG and JPEG files of a folder, or of its sub-folders when it has none itself, sorted by name."""
    if not folder.is_dir():
        raise UserError(f"{option}={folder} is not a folder; type {option}=FOLDER with the folder of your images")
    for pattern in ("*", "*/*"):
        files = sorted(file for file in folder.glob(pattern) if file.suffix.lower() in SUFFIXES)
        if files:
            return files
    raise UserError(
        f"{option}={folder} holds no image; {', '.join(sorted(SUFFIXES))} files are read, from it or its sub-folders"
    )


def common_shape(files: list[Path], size: int | None, channels: int | None) -> ImageShape:
    """The one shape all images are given, from their headers and the user's wishes."""
    headers = [read_header(file) for file in files] if size is None or channels is None else []
    if channels is None:
        channels = 1 if all(mode in GRAY_MODES for _, mode in headers) else 3
    if size is None:
        size = common_size(files, [dimensions for dimensions, _ in headers])
    return (channels, size, size)


def common_size(files: list[Path], dimensions: list[tuple[int, int]]) -> int:
    """The size of images that are all square, of one size and of a size the networks take."""
    width, height = dimensions[0]
    for file, other in zip(files, dimensions, strict=True):
        if other != (width, height):
            raise UserError(
                f"images of mixed size: {files[0]} is {width}x{height}, {file} is {other[0]}x{other[1]}; "
                "type data.size=28, 32 or 64 to crop and resize them all"
            )
    if width != height or width not in SIZES:
        raise UserError(
            f"images are {width}x{height}; 28x28, 32x32 and 64x64 can be used: "
            "type data.size=28, 32 or 64 to crop and resize them all"
        )
    return width


def read_header(file: Path) -> tuple[tuple[int, int], str]:
    """(width, height) and colour mode, without decoding the pixels."""
    try:
        with Image.open(file) as image:
            return image.size, image.mode
    except OSError as error:
        raise unreadable(file, error) from error


def decode(file: Path, shape: ImageShape) -> np.ndarray:
    """One file as uint8 (C, H, W): central square, resized when its size differs."""
    channels, height, width = shape
    try:
        with Image.open(file) as opened:
            image = eight_bits(ImageOps.exif_transpose(opened)).convert("L" if channels == 1 else "RGB")
    except (OSError, SyntaxError) as error:
        raise unreadable(file, error) from error
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit gray picture scaled to 8 bits (Pillow would cut every value above 255); any other as it is."""
    if image.mode not in ("I", "I;16", "I;16B", "I;16L"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))


def unreadable(file: Path, error: Exception) -> UserError:
    """The error for a file that is no image or only part of one."""
    return UserError(f"{file} cannot be read as an image ({error}); delete it or replace it")
