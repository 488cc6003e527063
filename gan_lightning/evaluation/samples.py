"""Samples of any program, read from an .npz file or a folder of pictures, and subsets of images."""

import logging
import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from gan_lightning.data import Batch
from gan_lightning.data.image_data import SPLIT_SEED
from gan_lightning.data.image_folder import describe_skipped, find_images
from gan_lightning.data.pictures import GRAY_MODES, decode, read_header
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape, to_uint8

log = logging.getLogger(__name__)

ROUNDING = 1e-3
"""Amount by which floats may exceed their range."""

DARKEST = -0.25
"""Floats in [-1, 1] of which none is below are taken for floats in [0, 1], a few of which are a little below 0."""

LARGEST_ARRAY = 2**32
"""Bytes of the largest array that is read from an .npz file."""

LONGEST_HEADER = 10_000
"""Characters of the longest header of an array that is parsed, as NumPy has it."""


def subset(part: Batch, n: int) -> Batch:
    """n images drawn by a fixed seed, in their original order, or all of them.

    Args:
        part: Images and labels.
        n: Number of images, at most as many as there are.
    """
    if n == len(part.images):
        return part
    chosen = torch.randperm(len(part.images), generator=torch.Generator().manual_seed(SPLIT_SEED))[:n].sort().values
    return Batch(part.images[chosen], part.labels[chosen])


def read_samples(source: Path, shape: ImageShape, classes: int) -> tuple[Tensor, Tensor | None]:
    """Images uint8 (n, C, H, W) of a given shape, and labels (n,) in 0..classes - 1 when an .npz file holds them.

    An .npz file holds `images`: whole numbers 0..255 or floats in [-1, 1], (n, C, H, W), (n, H, W, C) or, when gray,
    (n, H, W). Nothing else in it is read. A folder holds pictures.

    Args:
        source: The .npz file or the folder.
        shape: Shape (C, H, W) of the real images, which the samples must have too.
        classes: Number of classes of the real images; labels are ignored when it is below 2.

    Raises:
        UserError: When the source does not exist, or does not hold images of this shape in an allowed range.
    """
    if source.is_dir():
        return read_pictures(source, shape), None
    if source.suffix != ".npz":
        raise UserError(f"images={source} is neither an .npz file nor a folder of pictures")
    if not source.is_file():
        raise UserError(f"images={source} cannot be read as an .npz file (there is no such file)")
    try:
        images, labels = read_arrays(source, shape, with_labels=classes >= 2)
    except UserError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy fail in many ways
        raise UserError(f"images={source} cannot be read as an .npz file ({error})") from error
    converted = convert_to_uint8(order_axes(images, shape, source), source)
    return converted, None if labels is None else read_labels(labels, len(images), classes, source)


def read_arrays(source: Path, shape: ImageShape, with_labels: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """The arrays `images` and, where they are wanted and there, `labels` of an .npz file, once their headers pass."""
    with zipfile.ZipFile(source) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if "images" not in names:
            raise UserError(
                f"images={source} holds {', '.join(names[:9]) or 'nothing'}, not `images`; save it by "
                "numpy.savez_compressed(FILE, images=array)"
            )
        found, _, _ = read_array_header(archive, "images")
        check_shape(found, shape, source)
        images = read_array(archive, "images", source)
        return images, read_array(archive, "labels", source) if with_labels and "labels" in names else None


def read_array_header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order of the axes and type of an array, without reading it."""
    with archive.open(f"{name}.npy") as file:
        return parse_header(file)


def parse_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """What stands at the beginning of an .npy file; the file is then at its first number."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file, max_header_size=LONGEST_HEADER)


def read_array(archive: zipfile.ZipFile, name: str, source: Path) -> np.ndarray:
    """An array of an .npz file, unless it is too large or holds Python objects.

    Raises:
        UserError: The header promises more than is read, or than the file holds.
    """
    with archive.open(f"{name}.npy") as file:
        shape, fortran_order, kind = parse_header(file)
        if kind.hasobject:
            raise UserError(f"images={source} holds Python objects in `{name}`; numbers are allowed")
        size = math.prod(shape) * kind.itemsize
        if size > LARGEST_ARRAY:
            raise UserError(
                f"images={source} holds {size / 2**30:,.1f} GiB in `{name}`; at most {LARGEST_ARRAY / 2**30:.0f} GiB "
                "are read: save fewer images, or whole numbers from 0 to 255 as uint8"
            )
        if archive.getinfo(f"{name}.npy").file_size < size:
            raise ValueError(f"the header of `{name}` promises {size:,} bytes, and there are fewer")
        flat = np.empty(math.prod(shape), kind)
        if file.readinto(flat.view(np.uint8)) < size:  # type: ignore[attr-defined]
            raise ValueError(f"`{name}` ends before the {size:,} bytes that its header promises")
    return flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)


def read_labels(labels: np.ndarray, count: int, classes: int, source: Path) -> Tensor | None:
    """Labels as int64 (n,); None for data without classes."""
    if classes < 2:
        return None
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"images={source} holds {count:,} images but labels of shape {labels.shape} and type {labels.dtype}; "
            "one whole number for each image is required"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"images={source} holds labels from {labels.min()} to {labels.max()}; 0 to {classes - 1} are allowed"
        )
    return torch.from_numpy(labels.astype(np.int64))


def read_pictures(folder: Path, shape: ImageShape) -> Tensor:
    """Picture files as uint8 (n, C, H, W); images of another size are refused, not resized."""
    files, skipped = find_images(folder, option="images")
    for line in describe_skipped(skipped):
        log.info(line)
    for file in files:
        (width, height), mode = read_header(file)
        if shape[0] == 1 and mode not in GRAY_MODES:
            raise UserError(f"{file} is coloured ({mode}); the real images are gray")
        if (height, width) != shape[1:]:
            raise UserError(f"{file} is {width}x{height}; the real images are {shape[2]}x{shape[1]}")
    return torch.from_numpy(np.stack([decode(file, shape) for file in files]))


def check_shape(got: tuple[int, ...], shape: ImageShape, source: Path) -> None:
    """Refuse an array that holds no images of the shape (C, H, W)."""
    channels, height, width = shape
    allowed = [(channels, height, width), (height, width, channels), *([(height, width)] if channels == 1 else [])]
    if not got or got[0] < 1 or got[1:] not in allowed:
        raise UserError(
            f"images={source} holds an array of shape {got}; the real images are {shape} (C, H, W), so (n, C, H, W), "
            "(n, H, W, C) or, when gray, (n, H, W) is allowed, n at least 1"
        )


def order_axes(images: np.ndarray, shape: ImageShape, source: Path) -> np.ndarray:
    """An array (n, C, H, W), (n, H, W, C) or (n, H, W) as (n, C, H, W)."""
    check_shape(images.shape, shape, source)
    if images.ndim == 3:
        return images[:, None]
    return images if images.shape[1:] == shape else images.transpose(0, 3, 1, 2)


def convert_to_uint8(images: np.ndarray, source: Path) -> Tensor:
    """Whole numbers 0..255 or floats in [-1, 1] as uint8.

    Raises:
        UserError: The numbers are of another type or range, or look as if they were meant in another.
    """
    whole, real = np.issubdtype(images.dtype, np.integer), np.issubdtype(images.dtype, np.floating)
    if not (whole or real):
        raise UserError(f"images={source} holds numbers of type {images.dtype}; whole numbers or floats are allowed")
    if real and not np.isfinite(images).all():
        count = int((~np.isfinite(images)).any((1, 2, 3)).sum())
        raise UserError(f"images={source}: {count:,} of {len(images):,} images hold numbers that are not finite (NaN)")
    low, high = images.min(), images.max()
    if whole and low >= 0 and high <= 255 and high != 1:
        return torch.from_numpy(np.ascontiguousarray(images, np.uint8))
    if real and -1 - ROUNDING <= low < DARKEST and high <= 1 + ROUNDING:
        return to_uint8(torch.from_numpy(np.ascontiguousarray(images, np.float32)))
    raise UserError(
        f"images={source} holds {'whole numbers' if whole else 'floats'} from {low:g} to {high:g}; floats from -1 to 1 "
        "(0 is mid-gray) or whole numbers from 0 to 255 are allowed"
        f"{advise_on_range(float(low), float(high), whole)}"
    )


def advise_on_range(low: float, high: float, whole: bool) -> str:
    """What to save instead of images whose numbers are in a range that another program uses."""
    if low >= -ROUNDING - 0.1 and high <= 1 + ROUNDING + 0.1:
        return (
            ": for whole numbers 0 and 1 save 255 * images" if whole else ": for floats from 0 to 1 save 2 * images - 1"
        )
    if not whole and low >= DARKEST and high <= 255:
        return ": for floats from 0 to 255 save images.round().astype(numpy.uint8)"
    if not whole and high <= 1 + ROUNDING:
        return ": where 0 is mid-gray, no pixel is dark; save 2 * images - 1 if 0 is black"
    return ""
