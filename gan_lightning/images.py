"""Images between the data and the run folder: float (N, C, H, W) in [-1, 1]; uint8 at rest and on the wire."""

import base64
import io
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor
from torchvision.utils import make_grid

from gan_lightning.files import replacing
from gan_lightning.floats import at_least_float32

log = logging.getLogger(__name__)

ImageShape = tuple[int, int, int]
"""Channels, height, width."""

Item = TypeVar("Item")

LARGEST_GRID = 20_000_000
"""Pixels of the largest grid that is read back."""

RESIZE_BATCH_SIZE = 1000  # so few images' floats take little memory

SHOWN_SIZE = 750
"""Pixels of a grid's longer side on the screen, about: from 500 to 1,000, or as many as it has."""

BACKGROUND = 32
"""Gray level, 0 to 255, of what is no image: gaps, empty cells and captions."""

GAP = 2
"""Pixels between two images of a grid, and around all."""

CAPTION_HEIGHT = 36

BAR_WIDTH = 12
"""Pixels of the white bar between pictures that stand side by side."""

FILM_SIZE = 500
"""Pixels of a film's longer side, about; a GIF of larger frames takes several megabytes."""

FILM_COLORS = {"L": 16, "RGB": 64}  # few compress well, and these frames are looked at for a moment

FILM_BYTES = 1_000_000
"""Bytes that a film may take; a longer one has fewer frames, but no fewer than `LEAST_FRAMES`."""

LEAST_FRAMES = 8

FILM_SECONDS = 4.0


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


def grid(images: Tensor, columns: int | None = None, gap: int = GAP, background: int = BACKGROUND) -> Tensor:
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


def beside(pictures: Sequence[Tensor]) -> Tensor:
    """uint8 pictures (C, H, W) side by side, with a white bar between two; lower ones stand at the top."""
    height = max(picture.shape[1] for picture in pictures)
    padded = [F.pad(picture, (0, 0, 0, height - picture.shape[1]), value=255) for picture in pictures]
    bar = torch.full((len(padded[0]), height, BAR_WIDTH), 255, dtype=torch.uint8)
    return torch.cat([part for picture in padded for part in (bar, picture)][1:], dim=2)


def to_pil(picture: Tensor) -> Image.Image:
    """A uint8 (C, H, W) picture as a Pillow image: one channel gray, three RGB."""
    array = picture.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def enlarge(picture: Image.Image, size: int) -> Image.Image:
    """A picture each of whose pixels is a square of k x k, so that its longer side is about `size`."""
    times = magnification(*picture.size, size)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def magnification(width: int, height: int, size: int = SHOWN_SIZE) -> int:
    """The whole number, 1 or more, by which a picture is to be enlarged for its longer side to be about `size`."""
    return max(1, round(size / max(width, height)))


def add_caption(picture: Image.Image, text: str) -> Image.Image:
    """A gray or RGB picture with a line of text in a strip under it; without text, as it is."""
    if not text:
        return picture
    captioned = Image.new(picture.mode, (picture.width, picture.height + CAPTION_HEIGHT), gray(picture, BACKGROUND))
    captioned.paste(picture)
    font = ImageFont.load_default(CAPTION_HEIGHT * 5 / 9)
    place = (picture.width / 2, picture.height + CAPTION_HEIGHT / 2)
    ImageDraw.Draw(captioned).text(place, text, fill=gray(picture, 230), font=font, anchor="mm")
    return captioned


def gray(picture: Image.Image, level: int) -> int | tuple[int, ...]:
    """A gray level as a color of the picture's mode."""
    return level if picture.mode == "L" else (level,) * 3


def save_grid(picture: Tensor, text: str, path: Path) -> Tensor:
    """Write a grid (C, H, W) as a person looks at it: enlarged, with a caption in a strip under it; returns that.

    Its pixels can be had back: the PNG's text fields `magnification` and `caption` say how they are shown.
    """
    grid_itself = to_pil(picture)
    shown = add_caption(enlarge(grid_itself, SHOWN_SIZE), text)
    fields = PngImagePlugin.PngInfo()
    fields.add_text("magnification", str(magnification(*grid_itself.size)))
    fields.add_text("caption", text)
    with replacing(path) as file:
        shown.save(file, format="png", pnginfo=fields)
    return pil_to_tensor(shown)


def save_png(picture: Tensor, path: Path) -> None:
    """Write a uint8 (C, H, W) picture; the folder is made when it is missing."""
    with replacing(path) as file:
        to_pil(picture).save(file, format="png")


class Frame(NamedTuple):
    """A grid as it was before it was enlarged, gray or RGB, and its caption."""

    picture: Image.Image
    caption: str


def read_frame(file: Path) -> Frame | None:
    """What `save_grid` has written, or any other picture as it is; None when it cannot be read."""
    try:
        with Image.open(file, formats=("PNG",)) as picture:
            if picture.width * picture.height > LARGEST_GRID:
                raise ValueError(f"it is {picture.width}x{picture.height}")
            times, caption = int(picture.info.get("magnification", 1)), picture.info.get("caption", "")
            width, height = picture.width, picture.height - (CAPTION_HEIGHT if caption else 0)
            pixels = picture.convert("L" if picture.mode == "L" else "RGB").crop((0, 0, width, height))
            return Frame(pixels.resize((width // times, height // times), Image.Resampling.NEAREST), caption)
    except (OSError, SyntaxError, ValueError, ArithmeticError, Image.DecompressionBombError) as error:
        log.warning("WARNING: %s cannot be read (%s) and is left out", file, error)
        return None


def save_gif(files: list[Path], path: Path) -> None:
    """Join grids into an endless film of about `FILM_SECONDS`, whose last frame stays for two seconds more.

    It has few colors, and no more frames than fit into `FILM_BYTES`, the first and the last always among them.
    Files that are no whole pictures, or not of the last one's size, are reported and left out; without any, nothing is
    written.
    """
    frames = [frame for frame in map(read_frame, files) if frame is not None]
    frames = [frame for frame in frames if frame.picture.size == frames[-1].picture.size]
    if not frames:
        return
    film = encode_gif(frames)
    if len(film) > FILM_BYTES and len(frames) > LEAST_FRAMES:
        film = encode_gif(spread(frames, max(LEAST_FRAMES, len(frames) * FILM_BYTES // len(film))))
    with replacing(path) as file:
        file.write(film)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """`count` of the items, 2 or more, at even distances, from the first to the last."""
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


def encode_gif(frames: Sequence[Frame]) -> bytes:
    """The frames, enlarged and captioned, as a GIF."""
    pictures = [add_caption(enlarge(frame.picture, FILM_SIZE), frame.caption) for frame in frames]
    palette = make_palette(pictures)
    colors = (picture.convert("RGB") for picture in pictures)  # Pillow gives grays no palette
    first, *others = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in colors]
    each = round(1000 * FILM_SECONDS / len(frames))
    film = io.BytesIO()
    first.save(film, "gif", save_all=True, append_images=others, duration=[each] * len(others) + [each + 2000], loop=0)
    return film.getvalue()


def make_palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """A picture whose palette all frames share: grays at even distances, or colors of the middle and the last frame."""
    middle, last = pictures[len(pictures) // 2], pictures[-1]
    if last.mode == "RGB":
        both = Image.new("RGB", (last.width, 2 * last.height))
        both.paste(middle)
        both.paste(last, (0, last.height))
        return both.quantize(FILM_COLORS["RGB"], Image.Quantize.MEDIANCUT)
    grays = FILM_COLORS["L"]
    palette = Image.new("P", (1, 1))
    palette.putpalette([255 * level // (grays - 1) for level in range(grays) for _ in range(3)])
    return palette


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    file = io.BytesIO()
    picture.save(file, format="png")
    return file.getvalue()


def data_uri(picture: Image.Image) -> str:
    """A picture as the address of an img, with the PNG file in it."""
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
