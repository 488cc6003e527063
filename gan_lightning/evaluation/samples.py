"""Samples of any program, read from an .npz file or a folder of pictures, and subsets of images."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data import Batch
from gan_lightning.data.image_data import SPLIT_SEED
from gan_lightning.data.image_folder import decode, find_images, read_header
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape, to_uint8

ROUNDING = 1e-3
"""Amount by which floats may exceed their range."""


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
    (n, H, W). A folder holds PNG or JPEG files.

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
        raise UserError(f"images={source} is neither an .npz file nor a folder of PNG or JPEG files")
    try:
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"images={source} cannot be read as an .npz file ({error})") from error
    if "images" not in arrays:
        raise UserError(
            f"images={source} holds {', '.join(arrays) or 'nothing'}, not `images`; save it by "
            "numpy.savez_compressed(FILE, images=array)"
        )
    images = convert_to_uint8(order_axes(arrays["images"], shape, source), source)
    return images, read_labels(arrays["labels"], len(images), classes, source) if "labels" in arrays else None


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
    """PNG or JPEG files as uint8 (n, C, H, W); images of another size are refused, not resized."""
    files = find_images(folder, option="images")
    for file in files:
        (width, height), _ = read_header(file)
        if (height, width) != shape[1:]:
            raise UserError(f"{file} is {width}x{height}; the real images are {shape[2]}x{shape[1]}")
    return torch.from_numpy(np.stack([decode(file, shape) for file in files]))


def order_axes(images: np.ndarray, shape: ImageShape, source: Path) -> np.ndarray:
    """An array (n, C, H, W), (n, H, W, C) or (n, H, W) as (n, C, H, W)."""
    got = images.shape
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and got[1:] != shape and got[1:] == (*shape[1:], shape[0]):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise UserError(
            f"images={source} holds an array of shape {got}; the real images are {shape} (C, H, W), so (n, C, H, W), "
            "(n, H, W, C) or, when gray, (n, H, W) is allowed, n at least 1"
        )
    return images


def convert_to_uint8(images: np.ndarray, source: Path) -> Tensor:
    """Whole numbers 0..255 or floats in [-1, 1] as uint8."""
    whole, real = np.issubdtype(images.dtype, np.integer), np.issubdtype(images.dtype, np.floating)
    if not (whole or real):
        raise UserError(f"images={source} holds numbers of type {images.dtype}; whole numbers or floats are allowed")
    if real and not np.isfinite(images).all():
        count = int((~np.isfinite(images)).any((1, 2, 3)).sum())
        raise UserError(f"images={source}: {count:,} of {len(images):,} images hold numbers that are not finite (NaN)")
    low, high = images.min(), images.max()
    if whole and low >= 0 and high <= 255:
        return torch.from_numpy(np.ascontiguousarray(images, np.uint8))
    if real and -1 - ROUNDING <= low < 0 and high <= 1 + ROUNDING:
        return to_uint8(torch.from_numpy(np.ascontiguousarray(images, np.float32)))
    raise UserError(
        f"images={source} holds numbers from {low:g} to {high:g}; floats from -1 to 1 (0 is mid-gray) or whole numbers "
        "from 0 to 255 are allowed: for floats from 0 to 1 save 2 * images - 1"
    )
