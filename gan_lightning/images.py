"""Images between the data and the run folder: float (N, C, H, W) in [-1, 1]; uint8 at rest and on the wire."""

import logging
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan_lightning.files import replacing
from gan_lightning.floats import at_least_float32

log = logging.getLogger(__name__)

ImageShape = tuple[int, int, int]
"""Channels, height, width."""

RESIZE_BATCH_SIZE = 1000  # so few images' floats take little memory


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 -> [-1, 1], in torch's default type: float32, unless another is set."""
    return images.to(torch.get_default_dtype()).div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Float [-1, 1] -> uint8 0..255, rounded; a fixed range, so pictures of different runs compare."""
    return at_least_float32(images).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 images (N, C, H, W) resized bilinearly to a height and width; of that size already, as they are."""
    if images.shape[2:] == size:
        return images
    smaller = any(after < before for after, before in zip(size, images.shape[2:], strict=True))
    parts = (F.interpolate(part.float(), size, mode="bilinear", antialias=smaller)
             for part in images.split(RESIZE_BATCH_SIZE))  # fmt: skip
    return torch.cat([part.round().to(torch.uint8) for part in parts])


def grid(images: Tensor, columns: int | None = None, gap: int = 2, background: int = 32) -> Tensor:
    """Tile uint8 images (N, C, H, W) row by row into one (C, height, width) picture.

    Cells left over show the background. Fewer images than `columns` make a narrower picture, and one makes itself.

    Args:
        images: Images to show, in the order of the cells.
        columns: Number of images in each row; None makes the smallest square that holds all.
        gap: Pixels between two images, and around all.
        background: Gray level, 0 to 255, of the gaps and of the cells left over.
    """
    count, channels = images.shape[:2]
    columns = columns or math.ceil(math.sqrt(count))
    picture = make_grid(images.cpu(), nrow=columns, padding=gap, pad_value=background)
    return picture[:channels]  # torchvision makes three equal channels of one


def to_pil(picture: Tensor) -> Image.Image:
    """A uint8 (C, H, W) picture as a Pillow image: one channel gray, three RGB."""
    array = picture.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def save_png(picture: Tensor, path: Path) -> None:
    """Write a uint8 (C, H, W) picture; the folder is made when it is missing."""
    with replacing(path) as file:
        to_pil(picture).save(file, format="png")


def save_gif(frames: list[Path], path: Path, milliseconds: int = 120, hold: int = 2000) -> None:
    """Join pictures into an endless GIF whose last frame stays for `hold` milliseconds.

    Files that are no whole pictures, or not of the last one's size, are reported and left out; without any, nothing is
    written.
    """
    pictures = [picture for picture in map(read_frame, frames) if picture is not None]
    pictures = [picture for picture in pictures if picture.size == pictures[-1].size]
    if not pictures:
        return
    durations = [milliseconds] * (len(pictures) - 1) + [hold]
    with replacing(path) as file:
        pictures[0].save(file, format="gif", save_all=True, append_images=pictures[1:], duration=durations, loop=0)


def read_frame(file: Path) -> Image.Image | None:
    """A picture with a palette, as GIFs have; None when it cannot be read."""
    try:
        with Image.open(file) as picture:
            return picture.convert("P")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        log.warning("WARNING: %s cannot be read (%s) and is left out", file, error)
        return None
