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

    def sample(self, count: int, seed: int = 0, labels: Tensor | None = None) -> Tensor:
        """Images uint8 (count, C, H, W) on the CPU.

        Args:
            count: Number of images.
            seed: Seed of their latent vectors.
            labels: Class of each image, int (count,); None for all classes equally often.

        Raises:
            UserError: when the generator gives numbers that are not finite.
        """
        z, y = self.sample_inputs(count, seed, labels)
        parts = zip(z.split(SAMPLE_BATCH_SIZE), y.split(SAMPLE_BATCH_SIZE), strict=True)
        return torch.cat([to_finite_uint8(self.generate(Inputs(*part))) for part in parts])

    def labels(self, count: int) -> Tensor | None:
        """Classes of `count` images that are drawn without `labels`; None where there are no classes."""
        return self.conditioning.labels(count)

    def sample_inputs(self, count: int, seed: int, labels: Tensor | None = None) -> Inputs:
        """Inputs of `count` images, the same for the same seed and labels, on the generator's device."""
        random = torch.Generator().manual_seed(seed)
        device = next(self.generator.parameters()).device
        z = self.prior.sample(count, device, random)
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
