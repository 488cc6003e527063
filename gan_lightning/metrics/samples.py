"""Samples of any program, read from an .npz file or a folder of pictures."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.image_folder import decode, find_images, read_header
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape, to_uint8


def read_samples(source: Path, shape: ImageShape, classes: int) -> tuple[Tensor, Tensor | None]:
    """Images uint8 (n, C, H, W) of a given shape, and labels (n,) in 0..classes - 1 when an .npz file holds them.

    An .npz file holds `images`: whole numbers 0..255 or floats in [-1, 1], (n, C, H, W), (n, H, W, C) or, when gray,
    (n, H, W). A folder holds PNG or JPEG files.

    Raises:
        UserError: when there is no such source, or its shape, range or numbers are no images of this shape.
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
    images = eight_bits(in_order(arrays["images"], shape, source), source)
    labels = torch.from_numpy(arrays["labels"]).long() if "labels" in arrays else None
    if labels is not None and labels.shape != (len(images),):
        raise UserError(f"images={source} holds {len(images):,} images but labels of shape {tuple(labels.shape)}")
    if labels is not None and not ((labels >= 0) & (labels < classes)).all():
        raise UserError(
            f"images={source} holds labels from {labels.min()} to {labels.max()}; 0 to {classes - 1} are allowed"
        )
    return images, labels


def read_pictures(folder: Path, shape: ImageShape) -> Tensor:
    """PNG or JPEG files as uint8 (n, C, H, W); none is resized."""
    files = find_images(folder, option="images")
    for file in files:
        (width, height), _ = read_header(file)
        if (height, width) != shape[1:]:
            raise UserError(f"{file} is {width}x{height}; the real images are {shape[2]}x{shape[1]}")
    return torch.from_numpy(np.stack([decode(file, shape) for file in files]))


def in_order(images: np.ndarray, shape: ImageShape, source: Path) -> Tensor:
    """An array as (n, C, H, W)."""
    got = images.shape
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and got[1:] != shape and got[1:] == (*shape[1:], shape[0]):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1:] != shape:
        raise UserError(
            f"images={source} holds an array of shape {got}; the real images are {shape} (C, H, W), so (n, C, H, W), "
            "(n, H, W, C) or, when gray, (n, H, W) is allowed"
        )
    return torch.from_numpy(np.ascontiguousarray(images))


def eight_bits(images: Tensor, source: Path) -> Tensor:
    """Whole numbers 0..255 or floats in [-1, 1] as uint8."""
    if images.dtype == torch.uint8:
        return images
    if not images.isfinite().all():
        count = int((~images.isfinite()).flatten(1).any(1).sum())
        raise UserError(f"images={source}: {count:,} of {len(images):,} images hold numbers that are not finite (NaN)")
    low, high = images.min().item(), images.max().item()
    if not images.is_floating_point() and 0 <= low <= high <= 255:
        return images.to(torch.uint8)
    if images.is_floating_point() and -1 <= low < 0 and high <= 1:
        return to_uint8(images)
    raise UserError(
        f"images={source} holds numbers from {low:g} to {high:g}; floats from -1 to 1 (0 is mid-gray) or whole numbers "
        "from 0 to 255 are allowed: for floats from 0 to 1 save 2 * images - 1"
    )
