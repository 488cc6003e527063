"""Images that a user gives, as a generator of the same shape makes them; none is resized."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_lightning.data.pictures import GRAY_MODES, decode, eight_bits, opaque, read_header
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape

ImageLike = str | Path | Image.Image | np.ndarray | Tensor
"""A picture's file, a picture of Pillow's, or whole numbers from 0 to 255 of shape (H, W), (C, H, W) or (H, W, C)."""


def read_target(image: ImageLike, shape: ImageShape) -> Tensor:
    """An image as uint8 (C, H, W).

    Args:
        image: The image.
        shape: Channels, height and width that it must have.

    Raises:
        UserError: It is of another size, coloured where the generator's images are gray, or no image.
    """
    if isinstance(image, str | Path):
        file = Path(image)
        if not file.is_file():
            raise UserError(f"image={image} is not a file; type image=FILE with a picture, such as digit.png")
        (width, height), mode = read_header(file)
        check_picture(str(file), (height, width), mode, shape)
        return torch.from_numpy(decode(file, shape).copy())
    if isinstance(image, Image.Image):
        check_picture("the picture", (image.height, image.width), image.mode, shape)
        pixels = opaque(eight_bits(image, None), "black").convert("L" if shape[0] == 1 else "RGB")
        return order_axes(np.array(pixels), shape)
    return order_axes(image.cpu().numpy() if isinstance(image, Tensor) else np.asarray(image), shape)


def check_picture(name: str, size: tuple[int, int], mode: str, shape: ImageShape) -> None:
    """Refuse a picture of another size than a generator's, and a coloured one where its images are gray."""
    channels, height, width = shape
    if size != (height, width):
        raise UserError(
            f"{name} is {size[1]}x{size[0]} (width x height), and this generator makes images of {width}x{height}; "
            f"nothing is resized here: crop or resize it to {width}x{height} first, as the training images were"
        )
    if channels == 1 and mode not in GRAY_MODES:
        raise UserError(f"{name} is coloured ({mode}), and this generator's images are gray; convert it to gray first")


def order_axes(array: np.ndarray, shape: ImageShape) -> Tensor:
    """An array (H, W), (C, H, W), (1, C, H, W) or (H, W, C) of whole numbers from 0 to 255 as uint8 (C, H, W)."""
    channels, height, width = shape
    pixels = array[0] if array.ndim == 4 and len(array) == 1 else array
    if pixels.dtype != np.uint8:
        raise UserError(
            f"the image holds numbers of type {pixels.dtype}; whole numbers from 0 to 255 of type uint8 are allowed"
        )
    if pixels.shape == (channels, height, width):
        return torch.from_numpy(pixels.copy())
    if pixels.shape == (height, width, channels):
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    if pixels.shape == (height, width) and channels == 1:
        return torch.from_numpy(pixels[None].copy())
    raise UserError(
        f"the image is of shape {array.shape}, and this generator's images are {shape} (C, H, W); nothing is resized "
        "here: crop or resize it first, as the training images were"
    )
