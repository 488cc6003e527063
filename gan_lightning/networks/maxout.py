import math
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import HeadedDiscriminator, VectorNorm, norm_1d
from gan_lightning.networks.mlp import OUTPUT_LAYER, MLPGenerator


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


class MaxoutGenerator(MLPGenerator):
    """Generator of the 2014 paper's MNIST run (arXiv:1406.2661): ReLU layers and a sigmoid output.

    Args:
        init_bound: weights ~ U(-init_bound, init_bound).
        options: of every fully connected generator.
    """

    def __init__(self, *, init_bound: float, **options: Any) -> None:
        super().__init__(**options)
        self.apply(lambda module: uniform_init(module, init_bound))

    @torch.no_grad()
    def fit_to_data(self, images: Tensor) -> None:
        """Start from the mean image: output biases that are squashed to each pixel's mean.

        The authors' code does so; started from gray noise instead, the generator never catches up with D.
        """
        total = sum(part.double().sum(0) for part in images.split(1000))  # not all in float64 at once
        means = total.flatten() / len(images) / 255
        output: Any = self.layers[OUTPUT_LAYER]
        steepness = 2 if isinstance(self.layers[OUTPUT_LAYER + 1], nn.Tanh) else 1  # tanh(v) = 2 sigmoid(2 v) - 1
        output.bias.copy_(torch.logit(means.clamp(1e-7, 1 - 1e-7)) / steepness)


class MaxoutDiscriminator(HeadedDiscriminator):
    """Discriminator of the 2014 paper's MNIST run: two maxout layers under dropout, pixels read in [0, 1]."""

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: list[PositiveInt],
        pieces: PositiveInt,
        input_dropout: float,
        hidden_dropout: float,
        norm: VectorNorm,
        init_bound: float,
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

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the last maxout layer (N, F), under dropout."""
        return self.layers((x + 1) / 2)
