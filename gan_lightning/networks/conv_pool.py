import math

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.dcgan import refuse
from gan_lightning.networks.layers import (
    FlattenPixels,
    HeadedDiscriminator,
    Norm,
    UnflattenPixels,
    VectorNorm,
    join,
    norm_1d,
    norm_2d,
    xavier_init,
)


class ConvPoolGenerator(nn.Module):
    """Two fully connected layers, then two transposed convolutions: latent vectors -> images (N, C, H, W) in [-1, 1].

    Each hidden layer is followed by ReLU and then the norm. Weights as in `xavier_init`.

    Args:
        image_shape: Channels, height and width of the images; height and width are multiples of 4.
        latent_dim: Number of coordinates of z.
        condition_dim: Number of coordinates of the condition y; 0 for none.
        hidden: Number of units of the first fully connected layer.
        width: Number of channels of the last hidden layer; the one before has twice as many.
        norm: Normalisation of the hidden layers.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        condition_dim: NonNegativeInt,
        hidden: PositiveInt,
        width: PositiveInt,
        norm: VectorNorm,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        if any(side % 4 for side in sides):
            raise refuse(image_shape[1:], "have a side that is no multiple of 4")
        height, breadth = (side // 4 for side in sides)
        pixels = 2 * width * height * breadth
        self.layers = nn.Sequential(
            nn.Linear(latent_dim + condition_dim, hidden), nn.ReLU(), norm_1d(norm, hidden),
            nn.Linear(hidden, pixels), nn.ReLU(), norm_1d(norm, pixels),
            UnflattenPixels(2 * width, (height, breadth)),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.ReLU(), norm_2d(norm, width),
            nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.apply(xavier_init)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, latent_dim) and conditions y (N, condition_dim) -> images (N, C, H, W) in [-1, 1]."""
        return self.layers(join(z, y))


class ConvPoolDiscriminator(HeadedDiscriminator):
    """Two convolutions with LeakyReLU, one fully connected layer: images (N, C, H, W) -> logits (N,).

    The convolutions are 5x5, each followed by max pooling, 28 -> 24 -> 12 -> 8 -> 4 pixels; or, with `strided`, 4x4 of
    stride 2, 28 -> 13 -> 5 pixels. They are not padded. Weights as in `xavier_init`.

    Args:
        image_shape: Channels, height and width of the images.
        hidden: Number of units of the fully connected layer.
        width: Number of channels of the first convolution; the second has twice as many.
        norm: Normalisation after the second convolution.
        slope: Negative slope of LeakyReLU.
        strided: Whether to use 4x4 convolutions of stride 2 instead of 5x5 ones with max pooling.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: PositiveInt,
        width: PositiveInt,
        norm: Norm,
        slope: NonNegativeFloat,
        strided: bool,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        kernel, stride, pool = (4, 2, nn.Identity()) if strided else (5, 1, nn.MaxPool2d(2))
        for _ in range(2):
            sides = [(side - (2 if strided else 4)) // 2 for side in sides]
        if min(sides) < 1:
            raise refuse(image_shape[1:], "are too small for two convolutions without padding")
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, kernel, stride), nn.LeakyReLU(slope), pool,
            nn.Conv2d(width, 2 * width, kernel, stride), norm_2d(norm, 2 * width), nn.LeakyReLU(slope), pool,
            FlattenPixels(),
            nn.Linear(2 * width * math.prod(sides), hidden), nn.LeakyReLU(slope),
        )  # fmt: skip
        self.head = nn.Linear(hidden, 1)
        self.apply(xavier_init)

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the fully connected layer (N, hidden)."""
        return self.layers(x)
