"""The command interpolate: images on the way from one latent vector to another, as a film or side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from gan_lightning.cli.drawing import DrawOptions, LabelsOption, check_new_file, load_generator, read_labels
from gan_lightning.cli.options import keyed, parse, read_options
from gan_lightning.config.values import PathName

if TYPE_CHECKING:
    from torch import Tensor


class Options(DrawOptions):
    """Draw images on the way from one latent vector to another.

      python -m gan_lightning interpolate run=FOLDER out=film.gif
      python -m gan_lightning interpolate run=FOLDER out=rows.png     a row for each path

    The film runs forth and back.
    """

    n: Annotated[int, Field(ge=1, le=100)] = Field(9, description="Number of paths.")
    steps: Annotated[int, Field(ge=2, le=100)] = Field(10, description="Images of each path, both ends included.")
    kind: Literal["spherical", "linear"] | None = Field(
        None, description="spherical (an arc) or linear; null: an arc where the latent vectors are normal."
    )
    labels: LabelsOption = Field(
        None, description="Class of every path, by number or name, or a list to take in turn; null: every class."
    )
    out: PathName = Field("interpolation.gif", description="FILE.gif for a film, FILE.png for a row for each path.")


def main(words: list[str]) -> None:
    """Draw the paths that the words ask for, and write them."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    kind = check_new_file(out, (".gif", ".png"))
    generator = load_generator(options)
    labels = read_labels(options.labels)
    images = generator.interpolate(options.n, options.steps, options.seed, options.kind, labels)
    (write_film if kind == ".gif" else write_rows)(images, out)
    print(f"{options.n} paths of {options.steps} images by {generator.checkpoint} (seed {options.seed}) in {out}")


def write_rows(images: "Tensor", out: Path) -> None:
    """Write a picture with a row for each path."""
    from gan_lightning.images import grid, save_grid

    save_grid(grid(images.flatten(0, 1), images.shape[1]), "", out)


def write_film(images: "Tensor", out: Path) -> None:
    """Write a film whose frames show all paths at the same place, forth and back."""
    from gan_lightning.files import replacing
    from gan_lightning.images import Frame, encode_gif, grid, to_pil

    forth = [Frame(to_pil(grid(step)), "") for step in images.unbind(1)]
    with replacing(out) as file:
        file.write(encode_gif([*forth, *forth[-2::-1]]))
