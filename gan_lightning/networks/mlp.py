import math
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import HeadedDiscriminator, StretchedSigmoid, VectorNorm, hidden_layers, join

Output = Literal["tanh", "sigmoid"]

OUTPUT_LAYER = -3  # of the generator's, before the squashing and the shaping

OUTPUTS: dict[Output, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": StretchedSigmoid}


class MLPGenerator(nn.Module):
    """Fully connected generator: latent vectors -> images (N, C, H, W) in [-1, 1].

    Args:
        image_shape: of the images.
        latent_dim: size of z.
        condition_dim: size of the label's code behind z.
        hidden: units of each hidden layer.
        norm: of the hidden layers.
        norm_after: the norm follows LeakyReLU, instead of standing before it.
        slope: of LeakyReLU; 0 is ReLU.
        output: tanh, or a sigmoid stretched to [-1, 1].
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        condition_dim: NonNegativeInt,
        hidden: list[PositiveInt],
        norm: VectorNorm,
        norm_after: bool,
        slope: NonNegativeFloat,
        output: Output,
    ) -> None:
        super().__init__()
        sizes = [latent_dim + condition_dim, *hidden]
        self.layers = nn.Sequential(
            *hidden_layers(sizes, slope, norm, norm_after=norm_after),
            nn.Linear(sizes[-1], math.prod(image_shape)),
            OUTPUTS[output](),
            nn.Unflatten(1, image_shape),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, latent_dim) and conditions y (N, condition_dim) -> images (N, C, H, W) in [-1, 1]."""
        return self.layers(join(z, y))


class MLPDiscriminator(HeadedDiscriminator):
    """Fully connected discriminator: images (N, C, H, W) -> logits (N,). The first layer has no norm."""

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: list[PositiveInt],
        norm: VectorNorm,
        slope: NonNegativeFloat,
    ) -> None:
        super().__init__()
        sizes = [math.prod(image_shape), *hidden]
        self.layers = nn.Sequential(nn.Flatten(), *hidden_layers(sizes, slope, norm, norm_first=False))
        self.head = nn.Linear(sizes[-1], 1)

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the last hidden layer (N, F)."""
        return self.layers(x)
