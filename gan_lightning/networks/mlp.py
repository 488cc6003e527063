import math
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import HeadedDiscriminator, StretchedSigmoid, VectorNorm, hidden_layers, join

Output = Literal["tanh", "sigmoid"]

OUTPUT_LAYER = -3  # of the generator, before the output activation and the reshaping

OUTPUTS: dict[Output, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": StretchedSigmoid}


class MLPGenerator(nn.Module):
    """Fully connected generator: z and y -> images (N, C, H, W) in [-1, 1].

    Args:
        image_shape: Channels, height and width of the images.
        latent_dim: Number of coordinates of z.
        condition_dim: Number of coordinates of the condition y; 0 for none.
        hidden: Number of units of each hidden layer.
        norm: Normalisation of the hidden layers.
        norm_after: Whether the norm follows LeakyReLU instead of preceding it.
        slope: Negative slope of LeakyReLU; 0 is ReLU.
        output: Output activation: tanh, or a sigmoid stretched to [-1, 1].
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
    """Fully connected discriminator: images (N, C, H, W) -> logits (N,).

    Args:
        image_shape: Channels, height and width of the images.
        hidden: Number of units of each hidden layer.
        norm: Normalisation of the hidden layers except the first.
        slope: Negative slope of LeakyReLU; 0 is ReLU.
    """

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
