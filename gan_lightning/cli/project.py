"""The command project: the generator's image that is nearest to a given one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from gan_lightning.cli.drawing import DrawOptions, LabelsOption, check_new_file, load_generator, origin, read_labels
from gan_lightning.cli.options import keyed, parse, read_options
from gan_lightning.config.values import PathName

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.projection import Projection


class Options(DrawOptions):
    """Find the generator's image that is nearest to a given one, and its latent vector, by optimisation.

      python -m gan_lightning project run=FOLDER image=digit.png
      python -m gan_lightning project run=FOLDER image=digit.png out=FILE.npz

    The distance is the root mean squared difference of the pixels, from 0 (the same) to 1 (black against white).
    """

    image: PathName = Field(description="FILE of a picture of the generator's own size; nothing is resized.")
    steps: Annotated[int, Field(ge=1, le=100_000)] = Field(300, description="Steps of the optimisation.")
    starts: Annotated[int, Field(ge=1, le=1000)] = Field(
        8, description="Samples that it starts from, the nearest ones."
    )
    labels: LabelsOption = Field(None, description="Classes to try, by number or name; null: all.")
    out: PathName = Field(
        "projection.png",
        description="FILE.png: both images side by side; FILE.npz: latent, condition, image, distance.",
    )


def main(words: list[str]) -> None:
    """Project the image that the words name, and write what was found."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    kind = check_new_file(out, (".png", ".npz"))
    generator = load_generator(options)
    from gan_lightning.targets import read_target

    target = read_target(options.image, generator.image_shape)
    labels = read_labels(options.labels)
    found = generator.project(target, labels, options.steps, options.starts, options.seed)
    (write_pair if kind == ".png" else write_arrays)(target, found, out)
    print(f"{options.image}: distance {found.distance:.3f} by {origin(generator)}, in {out}")


def write_pair(target: "Tensor", found: "Projection", out: Path) -> None:
    """Write the given image, the one found, and their distance under them."""
    import torch

    from gan_lightning.images import grid, save_grid

    text = f"given, and nearest: distance {found.distance:.3f}"
    save_grid(grid(torch.stack([target, found.image]), 2), text, out)


def write_arrays(target: "Tensor", found: "Projection", out: Path) -> None:
    """Write what was found as an .npz file."""
    import numpy as np

    from gan_lightning.files import replacing

    arrays: Any = {"latent": found.latent, "condition": found.condition, "image": found.image}
    with replacing(out) as file:
        np.savez(file, distance=found.distance, **arrays)
