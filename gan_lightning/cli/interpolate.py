"""The command interpolate: images on the way from one latent vector to another, as a film or side by side."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from gan_lightning.cli.drawing import DrawOptions, LabelsOption, check_new_file, load_generator, origin, read_labels
from gan_lightning.cli.options import keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


class Options(DrawOptions):
    """Draw images on the way from one latent vector to another.

      python -m gan_lightning interpolate run=FOLDER out=film.gif
      python -m gan_lightning interpolate run=FOLDER out=film.mp4 n=25 steps=60     smoother; needs pip install av
      python -m gan_lightning interpolate run=FOLDER out=rows.png                   a row for each path

    A film shows all paths at once, and runs forth and back.
    """

    n: Annotated[int, Field(ge=1, le=100)] = Field(9, description="Number of paths.")
    steps: Annotated[int, Field(ge=2, le=100)] = Field(10, description="Images of each path, both ends included.")
    kind: Literal["spherical", "linear"] | None = Field(
        None, description="spherical (an arc) or linear; null: an arc where the latent vectors are normal."
    )
    labels: LabelsOption = Field(
        None, description="Class of every path, by number or name, or a list to take in turn; null: every class."
    )
    out: PathName = Field(
        "interpolation.gif", description="FILE.gif or FILE.mp4 for a film, FILE.png for a row for each path."
    )


def main(words: list[str]) -> None:
    """Draw the paths that the words ask for, and write them."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    kind = check_new_file(out, tuple(WRITERS))
    if kind == ".mp4" and importlib.util.find_spec("av") is None:
        raise UserError(f"out={out} needs the package av: pip install av, or type out={out.stem}.gif")
    generator = load_generator(options)
    labels = read_labels(options.labels)
    images = generator.interpolate(options.n, options.steps, options.seed, options.kind, labels)
    WRITERS[kind](images, out)
    print(f"{options.n} paths of {options.steps} images by {origin(generator)} (seed {options.seed}) in {out}")


def write_rows(images: "Tensor", out: Path) -> None:
    """Write a picture with a row for each path."""
    from gan_lightning.images import grid, save_grid

    save_grid(grid(images.flatten(0, 1), images.shape[1]), "", out)


def write_gif(images: "Tensor", out: Path) -> None:
    """Write a film as a GIF."""
    from gan_lightning.files import replacing
    from gan_lightning.images import Frame, encode_gif

    with replacing(out) as file:
        file.write(encode_gif([Frame(picture, "") for picture in frames(images)]))


def write_mp4(images: "Tensor", out: Path) -> None:
    """Write a film as an MP4 (H.264), in which colors are exact to a few levels, and frames may be many."""
    import av

    from gan_lightning.files import replacing
    from gan_lightning.images import FILM_SECONDS, FILM_SIZE, enlarge

    pictures = [enlarge(picture.convert("RGB"), FILM_SIZE) for picture in frames(images)]
    width, height = (size - size % 2 for size in pictures[0].size)  # H.264 halves the resolution of colors
    with replacing(out) as file, av.open(file, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=max(1, round(len(pictures) / FILM_SECONDS)), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"  # what every video program shows
        for picture in pictures:
            film.mux(stream.encode(av.VideoFrame.from_image(picture.crop((0, 0, width, height)))))
        film.mux(stream.encode())


def frames(images: "Tensor") -> "list[Image]":
    """A film's pictures: all paths at the same place, forth and back."""
    from gan_lightning.images import grid, to_pil

    forth = [to_pil(grid(step)) for step in images.unbind(1)]
    return [*forth, *forth[-2::-1]]


WRITERS: "dict[str, Callable[[Tensor, Path], None]]" = {".gif": write_gif, ".mp4": write_mp4, ".png": write_rows}
"""How paths are written, by the suffix of `out=`."""
