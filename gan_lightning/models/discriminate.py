"""How the discriminator sees images: augmentation, packing, the network and its heads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.augment import NoAugment
from gan_lightning.floats import at_least_float32
from gan_lightning.networks.layers import DiscriminatorOutput
from gan_lightning.networks.statistics import find_batch_coupling, pack


class Sample(NamedTuple):
    """A batch of images and what they are conditional on.

    x: Images (N, C, H, W) in [-1, 1].
    y: Condition (N, condition_dim): one-hot labels, latent codes, or of width 0.
    """

    x: Tensor
    y: Tensor

    def detach(self) -> "Sample":
        """The same images without a graph."""
        return Sample(self.x.detach(), self.y)


class Discriminate:
    """Runs a discriminator on samples: augment, pack, network and head, outputs in float32 at least.

    Args:
        discriminator: Network (images, condition) -> DiscriminatorOutput.
        augment: Augmentation of images (N, C, H, W) in both networks' steps.
        pack: Number of images that the discriminator sees at once, side by side as channels (PacGAN); 1 for one.
    """

    def __init__(self, discriminator: nn.Module, augment: NoAugment, pack: int) -> None:
        self.discriminator = discriminator
        self.augment = augment
        self.pack = pack
        self.couples_samples = find_batch_coupling(discriminator) is not None

    def __call__(self, sample: Sample) -> DiscriminatorOutput:
        """The discriminator's output on samples, augmented anew."""
        return self.output(self.augment(sample.x), sample.y)

    def both(self, real: Sample, fake: Sample) -> tuple[DiscriminatorOutput, DiscriminatorOutput]:
        """Outputs on real images and on fakes: in one pass, unless the discriminator would mix the two."""
        if self.couples_samples:
            return self(real), self(fake)
        images = torch.cat([self.augment(real.x), self.augment(fake.x)])
        return self.output(images, torch.cat([real.y, fake.y])).chunk()

    def output(self, images: Tensor, y: Tensor) -> DiscriminatorOutput:
        """Output on augmented images; no loss is averaged in bfloat16."""
        logits, aux = self.discriminator(pack(images, self.pack) if self.pack > 1 else images, y)
        return DiscriminatorOutput(at_least_float32(logits), None if aux is None else at_least_float32(aux))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through the network and leave none in its parameters."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
