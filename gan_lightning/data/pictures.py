"""Pictures in files of the user's: which are read, and what is refused before it is decoded."""

import io
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageOps

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jfif"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pgm", ".pnm", ".ppm", ".pbm"),
}
"""Pillow's names of the formats that are read, and their suffixes; of an animation, the first picture."""

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)

GRAY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})

LARGEST_PICTURE = 50_000_000
"""Pixels of the largest picture that is decoded: a camera's have fewer, a decompression bomb's have more."""

LARGEST_FILE = 2**28
"""Bytes of the largest file that is read."""

Background = Literal["black", "gray", "white"]
"""What shows through where a picture is transparent."""

GRAY_LEVELS: dict[Background, int] = {"black": 0, "gray": 128, "white": 255}


SIDEWAYS = range(5, 9)
"""Values of the EXIF tag "orientation" of pictures that are shown with height and width exchanged."""


def read_header(file: Path) -> tuple[tuple[int, int], str]:
    """(width, height) as it is shown, and colour mode; only an oblong PNG's pixels are decoded."""
    check_file_size(file)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=tuple(FORMATS)) as image:
            check_pixels(file, image.size)
            size, mode = shown_size(image), image.mode
    except UserError:
        raise
    except Exception as error:  # Pillow's plugins fail in many ways
        raise unreadable(file, error) from error
    return size, mode


def shown_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of a picture that is turned as its EXIF data say."""
    width, height = image.size
    sideways = width != height and image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
    return (height, width) if sideways else (width, height)


def decode(file: Path, shape: ImageShape, background: Background = "black") -> np.ndarray:
    """One file as uint8 (C, H, W): its central part of that shape, resized when its size differs."""
    check_file_size(file)
    return decode_bytes(file, file.read_bytes(), shape, background)


def decode_bytes(file: Path, content: bytes, shape: ImageShape, background: Background = "black") -> np.ndarray:
    """The content of a picture's file as uint8 (C, H, W): its central part of that shape, resized if need be.

    Args:
        file: Where the content is from, for messages.
        content: The bytes of the file.
        shape: Channels, height and width to give the picture.
        background: Colour behind its transparent parts.

    Raises:
        UserError: The content is no picture, only part of one, or too large a one.
    """
    channels, height, width = shape
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as opened,
        ):
            check_pixels(file, opened.size)
            image = opaque(eight_bits(ImageOps.exif_transpose(opened), opened.format), background)
            image = image.convert("L" if channels == 1 else "RGB")
            if image.size != (width, height):
                image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    except UserError:
        raise
    except Exception as error:  # Pillow's plugins fail in many ways
        raise unreadable(file, error) from error
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def eight_bits(image: Image.Image, kind: str | None) -> Image.Image:
    """A 16-bit gray picture scaled to 8 bits (Pillow would cut every value above 255); any other as it is.

    Args:
        image: The picture.
        kind: Pillow's name of its format: that of PNG has at most 16 bits, whatever the mode says.

    Raises:
        ValueError: The picture's numbers are floats or have 32 bits: their range is not known.
    """
    if image.mode == "F" or (image.mode == "I" and kind not in ("PNG", "PPM")):
        raise ValueError("its pixels are floats or have 32 bits; save them as 8-bit numbers")
    if image.mode not in ("I", "I;16", "I;16B", "I;16L"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))


def opaque(image: Image.Image, background: Background) -> Image.Image:
    """A picture without transparency as it is; one with it, laid on a background."""
    if not image.has_transparency_data:
        return image
    behind = Image.new("RGBA", image.size, (*[GRAY_LEVELS[background]] * 3, 255))
    return Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")


def check_file_size(file: Path) -> None:
    """Refuse what is no regular file, and a file larger than any picture."""
    if not file.is_file():
        raise UserError(f"{file} is not a regular file; delete it or replace it")
    if file.stat().st_size > LARGEST_FILE:
        raise UserError(f"{file} has {file.stat().st_size:,} bytes; pictures of at most {LARGEST_FILE:,} are read")


def check_pixels(file: Path, size: tuple[int, int]) -> None:
    """Refuse a picture whose header promises so many pixels that it may be a decompression bomb."""
    width, height = size
    if width * height > LARGEST_PICTURE:
        raise UserError(f"{file} is {width}x{height}; pictures of at most {LARGEST_PICTURE:,} pixels are read")


def unreadable(file: Path, error: Exception) -> UserError:
    """The error for a file that is no image or only part of one."""
    return UserError(f"{file} cannot be read as an image ({error}); delete it or replace it")
