import math
from itertools import pairwise

from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.autoencoder import Autoencoder
from gan_lightning.networks.dcgan import resolutions
from gan_lightning.networks.layers import FlattenPixels, Norm, UnflattenPixels, glorot_init, join, norm_2d
from gan_lightning.sizes import Size

SMALLEST = 6  # pixels of the smallest maps' shorter side, at least; the authors' have 8


def sizes(size: Size) -> list[Size]:
    """Heights and widths of the maps, from the image down; of squares 28 -> 28, 14, 7 and 64 -> 64, 32, 16, 8."""
    return [maps for maps in resolutions(size) if min(maps) >= SMALLEST]


def convolution(inputs: int, outputs: int, norm: Norm, stride: int = 1) -> list[nn.Module]:
    """A 3x3 convolution, norm and ELU."""
    return [nn.Conv2d(inputs, outputs, 3, stride, padding=1), norm_2d(norm, outputs), nn.ELU()]


def encoder(image_shape: ImageShape, code_dim: int, width: int, norm: Norm) -> nn.Sequential:
    """Images (N, C, H, W) -> codes (N, code_dim).

    Two convolutions at each size, with width, 2 width, 3 width ... channels, and one of stride 2 between two sizes.
    """
    maps = sizes(image_shape[1:])
    widths = [width, *(width * level for level in range(1, len(maps) + 1))]
    layers: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 3, padding=1), nn.ELU()]
    for level, (inputs, outputs) in enumerate(pairwise(widths)):
        if level > 0:
            layers += convolution(inputs, inputs, norm, stride=2)
        layers += [*convolution(inputs, outputs, norm), *convolution(outputs, outputs, norm)]
    return nn.Sequential(*layers, FlattenPixels(), nn.Linear(widths[-1] * math.prod(maps[-1]), code_dim))


def decoder(code_dim: int, image_shape: ImageShape, width: int, norm: Norm) -> nn.Sequential:
    """Codes (N, code_dim) -> images (N, C, H, W), unbounded.

    A linear layer to the smallest maps, two convolutions at each size, nearest-neighbour up-sampling between two sizes,
    and one more convolution to the image.
    """
    maps = sizes(image_shape[1:])
    layers: list[nn.Module] = [nn.Linear(code_dim, width * math.prod(maps[-1])), UnflattenPixels(width, maps[-1])]
    for level in range(len(maps)):
        if level > 0:
            layers.append(nn.Upsample(scale_factor=2))
        layers += [*convolution(width, width, norm), *convolution(width, width, norm)]
    return nn.Sequential(*layers, nn.Conv2d(width, image_shape[0], 3, padding=1))


class BEGANGenerator(nn.Module):
    """Generator of BEGAN (Berthelot et al. 2017, arXiv:1703.10717, figure 1): D's decoder with weights of its own.

    z and y -> images (N, C, H, W). The authors leave the output unbounded and clip it for display; images here are in
    [-1, 1], so there is a tanh (a clamp would stop gradients).

    Args:
        image_shape: Channels, height and width of the images.
        latent_dim: Number of coordinates of z.
        condition_dim: Number of coordinates of the condition y; 0 for none.
        width: Number of channels of every convolution; the paper has 64 or 128.
        norm: Normalisation of the hidden layers; the paper has none.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        condition_dim: NonNegativeInt,
        width: PositiveInt,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(decoder(latent_dim + condition_dim, image_shape, width, norm), nn.Tanh())
        self.apply(glorot_init)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, latent_dim) and conditions y (N, condition_dim) -> images (N, C, H, W) in [-1, 1]."""
        return self.layers(join(z, y))


class BEGANDiscriminator(Autoencoder):
    """Discriminator of BEGAN (Berthelot et al. 2017, arXiv:1703.10717, figure 1): an autoencoder with an L1 energy.

    Layers as in a popular re-implementation (carpedm20): pairs of 3x3 convolutions with ELU, down-sampling by stride,
    nearest-neighbour up-sampling, a linear code between encoder and decoder, a linear output.

    Args:
        image_shape: Channels, height and width of the images.
        width: Number of channels of the decoder. The encoder has as many at the image's size, and `width` more at each
            lower one.
        code_dim: Number of coordinates of the code; the paper has 64.
        norm: Normalisation of the hidden layers except the first; the paper has none.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        width: PositiveInt,
        code_dim: PositiveInt,
        norm: Norm,
    ) -> None:
        super().__init__(
            encoder(image_shape, code_dim, width, norm), decoder(code_dim, image_shape, width, norm), power=1
        )
        self.apply(glorot_init)
