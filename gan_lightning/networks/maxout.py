import math

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import HeadedDiscriminator, VectorNorm, norm_1d


def uniform_init(module: nn.Module, bound: float) -> None:
    """Weights ~ U(-bound, bound), biases 0 (pylearn2's `irange`)."""
    if isinstance(module, nn.Linear):
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)


class Maxout(nn.Module):
    """Maxout layer (Goodfellow et al. 2013, arXiv:1302.4389): the largest of `pieces` affine maps, per unit."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) -> (N, units)."""
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


class MaxoutGenerator(nn.Module):
    """Generator of the 2014 paper's MNIST run (arXiv:1406.2661): ReLU layers and a sigmoid output.

    The sigmoid's range [0, 1] is stretched to this project's [-1, 1].
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        hidden: list[PositiveInt],
        num_classes: NonNegativeInt = 0,
        norm: VectorNorm = "none",
        init_bound: float = 0.05,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = latent_dim + num_classes
        for outputs in hidden:
            layers += [nn.Linear(inputs, outputs), norm_1d(norm, outputs), nn.ReLU()]
            inputs = outputs
        self.output = nn.Linear(inputs, math.prod(image_shape))
        self.layers = nn.Sequential(*layers)
        self.image_shape = image_shape
        self.apply(lambda module: uniform_init(module, init_bound))

    @torch.no_grad()
    def fit_to_data(self, images: Tensor) -> None:
        """Start from the mean image: output biases such that sigmoid(bias) is each pixel's mean in [0, 1].

        The authors' code does so; started from gray noise instead, the generator never catches up with D.
        """
        means = images.double().mean(0).flatten() / 255
        self.output.bias.copy_(torch.logit(means.clamp(1e-7, 1 - 1e-7)))

    def forward(self, latent: Tensor) -> Tensor:
        """Latent (N, latent_dim + num_classes) -> images (N, C, H, W) in [-1, 1]."""
        pixels = torch.sigmoid(self.output(self.layers(latent)))
        return 2 * pixels.unflatten(1, self.image_shape) - 1


class MaxoutDiscriminator(HeadedDiscriminator):
    """Discriminator of the 2014 paper's MNIST run: two maxout layers under dropout, pixels read in [0, 1]."""

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: list[PositiveInt],
        pieces: PositiveInt = 5,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
        norm: VectorNorm = "none",
        init_bound: float = 0.005,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten(), nn.Dropout(input_dropout)]
        inputs = math.prod(image_shape)
        for outputs in hidden:
            layers += [Maxout(inputs, outputs, pieces), norm_1d(norm, outputs), nn.Dropout(hidden_dropout)]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, 1)
        self.apply(lambda module: uniform_init(module, init_bound))

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the last maxout layer (N, F), under dropout."""
        return self.layers((images + 1) / 2)
