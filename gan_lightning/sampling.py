"""Drawing images from a trained generator: the one way in which callbacks, commands and scores get them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.floats import at_least_float32
from gan_lightning.images import to_uint8

if TYPE_CHECKING:  # models draw their samples by this module
    from gan_lightning.models.conditioning import Unconditional
    from gan_lightning.models.prior import Prior

SAMPLE_BATCH_SIZE = 250  # images drawn at once; larger batches gain no speed

LATENTS_BLOCK_SIZE = 100_000
"""Images whose latent vectors are drawn at once: of more images, only so many latent vectors are in memory."""


class Inputs(NamedTuple):
    """What a generator makes images from: latent vectors z (N, latent_dim) and conditions y (N, condition_dim)."""

    z: Tensor
    y: Tensor


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """The network in eval mode and without gradients; its own mode comes back afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        network.train(was_training)


class Sampler:
    """A generator with its prior and its conditioning: all it takes to draw images.

    Drawing leaves training's random numbers, the generator's mode and its batch-norm statistics as they are.

    Args:
        generator: Network (z, y) -> images (N, C, H, W) in [-1, 1].
        prior: Distribution of z.
        conditioning: What y is.
    """

    def __init__(self, generator: nn.Module, prior: "Prior", conditioning: "Unconditional") -> None:
        self.generator = generator
        self.prior = prior
        self.conditioning = conditioning

    def sample(
        self, count: int, seed: int = 0, labels: Tensor | None = None, truncation: float | None = None
    ) -> Tensor:
        """Images uint8 (count, C, H, W) on the CPU.

        Args:
            count: Number of images.
            seed: Seed of their latent vectors.
            labels: Classes that the images take in turn, int (K,); None for all classes equally often.
            truncation: Factor in (0, 1] by which normal latent vectors are scaled toward 0; None leaves them as drawn.

        Raises:
            UserError: when the generator gives numbers that are not finite, or its prior is not normal.
        """
        return torch.cat(list(self.batches(count, seed, labels, truncation)))

    def batches(
        self, count: int, seed: int = 0, labels: Tensor | None = None, truncation: float | None = None
    ) -> Iterator[Tensor]:
        """The images of `sample` in batches, in memory that does not grow with their number."""
        random = torch.Generator().manual_seed(seed)
        for start in range(0, count, LATENTS_BLOCK_SIZE):
            size = min(LATENTS_BLOCK_SIZE, count - start)
            z, y = self.draw_inputs(size, random, self.classes(start, size, labels), truncation)
            for part in zip(z.split(SAMPLE_BATCH_SIZE), y.split(SAMPLE_BATCH_SIZE), strict=True):
                yield to_finite_uint8(self.generate(Inputs(*part)))

    def classes(self, start: int, count: int, labels: Tensor | None = None) -> Tensor | None:
        """Classes of the images from number `start` on, (count,): those of `labels` in turn, or every class in turn."""
        every = self.labels(self.conditioning.num_classes)
        turns = every if labels is None else labels
        return None if turns is None else turns[torch.arange(start, start + count) % len(turns)]

    def labels(self, count: int) -> Tensor | None:
        """Classes of `count` images that are drawn without `labels`; None where there are no classes."""
        return self.conditioning.labels(count)

    def sample_inputs(
        self, count: int, seed: int, labels: Tensor | None = None, truncation: float | None = None
    ) -> Inputs:
        """Inputs of `count` images, the same for the same seed and labels, on the generator's device."""
        return self.draw_inputs(count, torch.Generator().manual_seed(seed), labels, truncation)

    def draw_inputs(
        self, count: int, random: torch.Generator, labels: Tensor | None = None, truncation: float | None = None
    ) -> Inputs:
        """Inputs of `count` images, the next ones of a random generator."""
        device = next(self.generator.parameters()).device
        z = self.prior.sample(count, device, random)
        if truncation is not None:
            z = self.prior.truncate(z, truncation)
        return Inputs(z, self.conditioning.of_samples(count, labels, random).to(device))

    def generate(self, inputs: Inputs) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], float32 at least, in eval mode: each depends on its own input alone."""
        with evaluating(self.generator) as generator:
            return at_least_float32(generator(inputs.z, inputs.y))

    def traversals(self, seed: int) -> dict[str, Inputs]:
        """Inputs of pictures, by name, in which one latent code varies along each row and z is the same everywhere."""
        if self.conditioning.columns is None:
            return {}
        z, y = self.sample_inputs(self.conditioning.columns, seed)
        pictures = self.conditioning.traversals(y)
        return {name: Inputs(z[:1].expand(len(codes), -1), codes) for name, codes in pictures.items()}


def to_finite_uint8(images: Tensor) -> Tensor:
    """Images as uint8 on the CPU, unless some pixels are not finite."""
    if not images.isfinite().all():
        raise UserError("the generator gives images that are not finite: its training diverged; use another run")
    return to_uint8(images).cpu()
