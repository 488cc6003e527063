"""The Python API of a trained generator: load it, draw from it, interpolate, and find the image nearest to another."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.export import Trained, read_trained
from gan_lightning.images import SHOWN_SIZE, ImageShape, data_uri, enlarge, grid, png, to_float, to_pil
from gan_lightning.interpolation import Kind, paths
from gan_lightning.labels import Labels, to_numbers
from gan_lightning.models.module import Weights
from gan_lightning.projection import Projection, project
from gan_lightning.runs import find_run
from gan_lightning.sampling import Inputs, to_finite_uint8
from gan_lightning.targets import ImageLike, read_target


def load(run: str | Path, weights: Weights = "ema", trust: bool = False, device: str = "cpu") -> "Generator":
    """The trained generator of a run or of an exported file; no data is needed.

    Args:
        run: Run folder, one of its checkpoint files, `latest`, a part of the name of a run in runs/ or multirun/, a
            file that `export format=safetensors` wrote, or `pretrained/NAME` for one that comes with this project.
        weights: "ema" for the averaged generator, where there is one; "raw" for the generator as it was trained.
        trust: Whether what is read may name code from outside this project, which is then run.
        device: Device of torch's that draws: "cpu", "cuda", "mps".

    Raises:
        UserError: There is no such run or file, it has no checkpoint, or that cannot be read.
    """
    if weights not in ("ema", "raw"):
        raise UserError(f"weights={weights} is not allowed; type weights=ema or weights=raw")
    trained = read_trained(find_run(str(run)), weights, trust)
    trained.sampler.generator.to(device)
    return Generator(trained)


class Generator:
    """A trained generator.

    All images are uint8 tensors (n, C, H, W) on the CPU, 0 to 255; `.numpy()` gives the array. The same seed gives the
    same images. A notebook shows a generator as a grid of samples.

    Args:
        trained: What was read of a run or an exported file.

    Attributes:
        sampler: The network with its prior and conditioning, for what this class does not do.
        facts: What it was trained on, how and for how long, and its scores.
        checkpoint: The file it was read from.
    """

    def __init__(self, trained: Trained) -> None:
        self.sampler, self.facts, self.checkpoint = trained

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height and width of the images."""
        return self.facts.image_shape

    @property
    def num_classes(self) -> int:
        """Number of classes that `labels` can name; 0 where the generator is not class-conditional."""
        return self.facts.num_classes

    @property
    def class_names(self) -> list[str]:
        """The name of each class; its number where the data set is no longer there to tell."""
        return self.facts.drawn_classes

    def to_numbers(self, labels: Labels | None) -> Tensor | None:
        """Labels as numbers, int64 (K,); None for None."""
        return None if labels is None else to_numbers(labels, self.class_names)

    def sample(self, n: int, seed: int = 0, labels: Labels | None = None, truncation: float | None = None) -> Tensor:
        """Images, uint8 (n, C, H, W).

        Args:
            n: Number of images.
            seed: Seed of their latent vectors.
            labels: Class of every image, by number or name, or several that images take in turn; None for every class
                in turn.
            truncation: Factor in (0, 1] by which normal latent vectors are scaled toward 0: more typical images, and
                less different ones. None leaves them as drawn.

        Raises:
            UserError: There is no such class, the prior is not normal, or the images are not finite.
        """
        check_count("n", n)
        return self.sampler.sample(n, seed, self.to_numbers(labels), truncation)

    def batches(
        self, n: int, seed: int = 0, labels: Labels | None = None, truncation: float | None = None
    ) -> Iterator[Tensor]:
        """The images of `sample` in batches, for more of them than fit into memory."""
        check_count("n", n)
        return self.sampler.batches(n, seed, self.to_numbers(labels), truncation)

    def interpolate(
        self, n: int, steps: int = 10, seed: int = 0, kind: Kind | None = None, labels: Labels | None = None
    ) -> Tensor:
        """Images along n paths between two latent vectors each, uint8 (n, steps, C, H, W).

        The condition stays the same along a path.

        Args:
            n: Number of paths.
            steps: Number of images of each, both ends included.
            seed: Seed of the latent vectors at the ends.
            kind: "spherical" for an arc, which normal latent vectors need, "linear" for a straight line; None for what
                suits the generator's prior.
            labels: Class of every path, or several that paths take in turn; None for every class in turn.

        Raises:
            UserError: There is no such class, or no path of that kind or number of steps.
        """
        check_count("n", n)
        check_count("steps", steps, least=2)
        if kind not in (None, "spherical", "linear"):
            raise UserError(f"kind={kind} is not allowed; type kind=spherical or kind=linear")
        suited: Kind = "spherical" if self.sampler.prior.distribution == "normal" else "linear"
        classes = self.sampler.classes(0, n, self.to_numbers(labels))
        z, y = self.sampler.sample_inputs(2 * n, seed, None if classes is None else classes.repeat(2))
        images = [
            to_finite_uint8(self.sampler.generate(Inputs(latents, condition.expand(steps, -1))))
            for latents, condition in zip(paths(z[:n], z[n:], steps, kind or suited), y[:n], strict=True)
        ]
        return torch.stack(images)

    def project(
        self, image: ImageLike, labels: Labels | None = None, steps: int = 300, starts: int = 8, seed: int = 0
    ) -> Projection:
        """The generator's image that is nearest to a given one: its latent vector, the image and their distance.

        Args:
            image: Picture's file, picture of Pillow's, or uint8 array or tensor of the generator's image shape.
            labels: Classes to try; None for all.
            steps: Number of optimisation steps.
            starts: Number of samples that the optimisation starts from; the best end is kept.
            seed: Seed of these samples.

        Raises:
            UserError: The image is of another shape, which is never resized, or there is no such class.
        """
        check_count("steps", steps)
        check_count("starts", starts)
        device = next(self.sampler.generator.parameters()).device
        target = to_float(read_target(image, self.image_shape)).to(device)
        return project(self.sampler, target, self.to_numbers(labels), steps, starts, seed)

    def grid(
        self,
        n: int = 64,
        seed: int = 0,
        labels: Labels | None = None,
        truncation: float | None = None,
        columns: int | None = None,
    ) -> Image.Image:
        """The images of `sample` as one picture of Pillow's, which a notebook shows and `.save(FILE)` keeps.

        Args:
            n: Number of images.
            seed: Seed of their latent vectors.
            labels: Class of every image, or several that images take in turn; None for every class in turn.
            truncation: Factor in (0, 1] by which normal latent vectors are scaled toward 0; None leaves them.
            columns: Number of images in each row; None for a square, or for a column for each class.
        """
        shown = columns or (self.sampler.conditioning.columns if labels is None else None)
        picture = to_pil(grid(self.sample(n, seed, labels, truncation), shown))
        return enlarge(picture, SHOWN_SIZE)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        return f"Generator({self.checkpoint}, {self.facts.weights} weights, {shape}{classes})"

    def _repr_png_(self) -> bytes:
        """What Jupyter shows where it shows pictures only."""
        return png(self.grid())

    def _repr_html_(self) -> str:
        """What Jupyter shows: a grid of samples, and what drew them."""
        facts = f"{self!r}, {self.facts.generator_steps:,} generator steps, seed 0"
        return (
            f'<figure style="margin:0"><img alt="samples" width="480" src="{data_uri(self.grid())}">'
            f"<figcaption>{escape(facts)}</figcaption></figure>"
        )


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Refuse a number of images or steps that is none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{name}={value} is not allowed: type a whole number, {least} or more")
