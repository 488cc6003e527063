import math
from itertools import pairwise

from pydantic import PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import VectorNorm, norm_1d


def hidden_layers(sizes: list[int], slope: float, norm: VectorNorm, *, norm_first: bool = True) -> list[nn.Module]:
    """Linear + norm + LeakyReLU blocks; the norm of the first block is left out unless `norm_first`."""
    layers: list[nn.Module] = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        block_norm = norm if norm_first or index > 0 else "none"
        layers += [nn.Linear(inputs, outputs), norm_1d(block_norm, outputs), nn.LeakyReLU(slope)]
    return layers


class MLPGenerator(nn.Module):
    """Fully connected generator: latent (N, latent_dim) -> images (N, C, H, W) in [-1, 1]."""

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        hidden: list[PositiveInt],
        norm: VectorNorm = "batch",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *hidden_layers([latent_dim, *hidden], slope, norm),
            nn.Linear([latent_dim, *hidden][-1], math.prod(image_shape)),
            nn.Tanh(),
            nn.Unflatten(1, image_shape),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Images in [-1, 1] of latent vectors."""
        return self.layers(latent)


class MLPDiscriminator(nn.Module):
    """Fully connected discriminator: images (N, C, H, W) -> logits (N,). The first layer has no norm."""

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: list[PositiveInt],
        norm: VectorNorm = "none",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        sizes = [math.prod(image_shape), *hidden]
        self.layers = nn.Sequential(
            nn.Flatten(),
            *hidden_layers(sizes, slope, norm, norm_first=False),
            nn.Linear(sizes[-1], 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        return self.layers(images).squeeze(1)
