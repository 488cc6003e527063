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
    """Maxout layer (Goodfellow et al. 2013, arXiv:1302.4389): each unit is the maximum of several affine maps.

    Args:
        inputs: Number of inputs.
        units: Number of units.
        pieces: Number of affine maps of each unit.
    """

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
        init_bound: Bound of the initial weights, which are uniform in [-init_bound, init_bound].
        options: Arguments of `MLPGenerator`.
    """

    def __init__(self, *, init_bound: float, **options: Any) -> None:
        super().__init__(**options)
        self.apply(lambda module: uniform_init(module, init_bound))

    @torch.no_grad()
    def fit_to_data(self, images: Tensor) -> None:
        """Set the output biases so that the generator starts at the mean image, as in the authors' code.

        Started from gray noise instead, the generator never catches up with D.

        Args:
            images: Training images, uint8 (N, C, H, W).
        """
        total = sum(part.double().sum(0) for part in images.split(1000))  # not all in float64 at once
        means = total.flatten() / len(images) / 255
        output: Any = self.layers[OUTPUT_LAYER]
        steepness = 2 if isinstance(self.layers[OUTPUT_LAYER + 1], nn.Tanh) else 1  # tanh(v) = 2 sigmoid(2 v) - 1
        output.bias.copy_(torch.logit(means.clamp(1e-7, 1 - 1e-7)) / steepness)


class MaxoutDiscriminator(HeadedDiscriminator):
    """Discriminator of the 2014 paper's MNIST run: maxout layers under dropout, on pixels rescaled to [0, 1].

    Args:
        image_shape: Channels, height and width of the images.
        hidden: Number of units of each maxout layer.
        pieces: Number of affine maps of each maxout unit.
        input_dropout: Probability that a pixel is dropped.
        hidden_dropout: Probability that a hidden unit is dropped.
        norm: Normalisation of the maxout layers.
        init_bound: Bound of the initial weights, which are uniform in [-init_bound, init_bound].
    """

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
