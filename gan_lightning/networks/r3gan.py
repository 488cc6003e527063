import math
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.images import ImageShape
from gan_lightning.networks.dcgan import resolutions
from gan_lightning.networks.layers import HeadedDiscriminator, Norm, UnflattenPixels, join, norm_2d
from gan_lightning.networks.resnet import widths
from gan_lightning.sizes import Size

SLOPE = 0.2  # of LeakyReLU

ACTIVATION_GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the second moment through LeakyReLU (arXiv:1502.01852)


def scaled_conv(
    inputs: int, outputs: int, size: int, gain: float = 1.0, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution that keeps the resolution, weights ~ N(0, gain^2 / fan-in), biases 0."""
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=bias)
    nn.init.normal_(conv.weight, 0.0, gain / math.sqrt(inputs // groups * size**2))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def scaled_linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    """A linear layer, weights ~ N(0, 1 / fan-in), bias 0."""
    linear = nn.Linear(inputs, outputs, bias=bias)
    nn.init.normal_(linear.weight, 0.0, 1 / math.sqrt(inputs))
    if bias:
        nn.init.zeros_(linear.bias)
    return linear


def doubling(size: int) -> Tensor:
    """The matrix (2 size, size) of linear interpolation along an axis, with zeros outside as in the authors' code.

    Pixels 2 i and 2 i + 1 are 3/4 of pixel i plus 1/4 of its neighbour before or after it: each pixel is repeated and
    smoothed by [1, 2, 1] / 4.
    """
    weights = torch.tensor([[[1.0, 3.0, 3.0, 1.0]]]) / 4
    return F.conv_transpose1d(torch.eye(size)[:, None], weights, stride=2, padding=1)[:, 0].T


class Resampling(nn.Module):
    """Multiplication of each channel by a matrix along each axis, which is faster than a depthwise convolution.

    Args:
        down: Matrix (H', H) along the height.
        across: Matrix (W', W) along the width.
    """

    def __init__(self, down: Tensor, across: Tensor) -> None:
        super().__init__()
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("across", across, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) -> (N, C, H', W')."""
        down, across = (self.get_buffer(name).to(maps.dtype) for name in ("down", "across"))
        rows = maps.permute(0, 2, 3, 1)
        lower = (down @ rows.flatten(2)).unflatten(2, rows.shape[2:])
        return (across @ lower).permute(0, 3, 1, 2)


class BilinearUp(Resampling):
    """(N, C, H, W) -> (N, C, 2 H, 2 W): every pixel is repeated, then smoothed by [1, 2, 1] / 4 along both axes.

    Pixels outside are 0: constants fall to 3/4 at an edge.

    Args:
        size: Height and width of the maps.
    """

    def __init__(self, size: Size) -> None:
        super().__init__(*map(doubling, size))


class BilinearDown(Resampling):
    """(N, C, H, W) -> (N, C, H / 2, W / 2): smoothed by [1, 2, 1] / 4 along both axes, then 2x2 means.

    This is the transpose of up-sampling, divided by 4. Pixels outside are 0: constants fall to 7/8 at an edge.

    Args:
        size: Height and width of the maps.
    """

    def __init__(self, size: Size) -> None:
        super().__init__(*(doubling(side // 2).T / 2 for side in size))


class FixupBlock(nn.Module):
    """Residual block of R3GAN: 1x1 convolution to more channels, grouped 3x3 convolution, 1x1 back, with LeakyReLU.

    Fix-up initialisation (Zhang et al. 2019, arXiv:1901.09321, as in arXiv:2501.05441, section 3): the last
    convolution starts at 0, so that the block starts as its skip path; the other weights are divided by blocks^(1/4).

    Args:
        channels: Number of channels of the maps.
        expansion: Inner channels as a multiple of `channels`.
        group_size: Largest number of inner channels in a group of the 3x3 convolution.
        blocks: Number of blocks in the network.
        norm: Normalisation after the first two convolutions.
    """

    def __init__(self, channels: int, expansion: int, group_size: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        hidden = channels * expansion
        groups = hidden // math.gcd(hidden, group_size)
        gain = ACTIVATION_GAIN * blocks**-0.25
        self.layers = nn.Sequential(
            scaled_conv(channels, hidden, 1, gain, bias=True),
            norm_2d(norm, hidden),
            nn.LeakyReLU(SLOPE),
            scaled_conv(hidden, hidden, 3, gain, groups, bias=True),
            norm_2d(norm, hidden),
            nn.LeakyReLU(SLOPE),
            scaled_conv(hidden, channels, 1, gain=0.0),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return maps + self.layers(maps)


def residual_stage(
    blocks: int, levels: int, expansion: int, group_size: int, norm: Norm, channels: int
) -> list[nn.Module]:
    """The residual blocks at one of a network's `levels` resolutions, on maps of `channels` channels."""
    return [FixupBlock(channels, expansion, group_size, blocks * levels, norm) for _ in range(blocks)]


class R3GANGenerator(nn.Module):
    """Generator of R3GAN (Huang et al. 2024, arXiv:2501.05441, section 3), in a small form.

    z and y -> images (N, C, H, W): a linear layer to the smallest maps; residual blocks without norms at each
    resolution; a 1x1 convolution and bilinear up-sampling between two resolutions; a 1x1 convolution to the image. The
    paper modulates a learned 4x4 basis by z; here the linear layer computes the smallest maps. The paper's output is
    unbounded; images here are in [-1, 1], so there is a tanh (a clamp would stop gradients).

    Args:
        image_shape: Channels, height and width of the images.
        latent_dim: Number of coordinates of z.
        condition_dim: Number of coordinates of the condition y; 0 for none.
        width: Number of channels at the image's resolution, doubled at each lower one.
        blocks: Number of residual blocks at each resolution; the paper has 2.
        expansion: Inner channels of a block as a multiple of its outer ones; the paper has 2.
        group_size: Largest number of inner channels in a group of the 3x3 convolution; a divisor of their number is
            used.
        norm: Normalisation inside the blocks; the paper has none.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        condition_dim: NonNegativeInt,
        width: PositiveInt,
        blocks: PositiveInt,
        expansion: PositiveInt,
        group_size: PositiveInt,
        norm: Norm,
    ) -> None:
        super().__init__()
        channels, sizes = widths(image_shape[1:], width)[::-1], resolutions(image_shape[1:])[::-1]
        stage = partial(residual_stage, blocks, len(channels), expansion, group_size, norm)
        layers = [
            scaled_linear(latent_dim + condition_dim, channels[0] * math.prod(sizes[0]), bias=False),
            UnflattenPixels(channels[0], sizes[0]),
            *stage(channels[0]),
        ]
        for (inputs, outputs), size in zip(pairwise(channels), sizes, strict=False):
            # the 1x1 convolution commutes with the up-sampling, and is cheaper before it
            layers += [scaled_conv(inputs, outputs, 1), BilinearUp(size), *stage(outputs)]
        self.layers = nn.Sequential(*layers, scaled_conv(width, image_shape[0], 1), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, latent_dim) and conditions y (N, condition_dim) -> images (N, C, H, W) in [-1, 1]."""
        return self.layers(join(z, y))


class R3GANDiscriminator(HeadedDiscriminator):
    """Discriminator of R3GAN (Huang et al. 2024, arXiv:2501.05441, section 3), in a small form: G's mirror image.

    Images (N, C, H, W) -> logits (N,): a 1x1 convolution; residual blocks without norms at each resolution; bilinear
    down-sampling and a 1x1 convolution between two resolutions; at the end a learned weighted sum over the pixels of
    each of the smallest maps, and a linear head.

    Args:
        image_shape: Channels, height and width of the images.
        width: Number of channels at the image's resolution, doubled at each lower one.
        blocks: Number of residual blocks at each resolution; the paper has 2.
        expansion: Inner channels of a block as a multiple of its outer ones; the paper has 2.
        group_size: Largest number of inner channels in a group of the 3x3 convolution; a divisor of their number is
            used.
        norm: Normalisation inside the blocks; the paper has none.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        width: PositiveInt,
        blocks: PositiveInt,
        expansion: PositiveInt,
        group_size: PositiveInt,
        norm: Norm,
    ) -> None:
        super().__init__()
        channels, sizes = widths(image_shape[1:], width), resolutions(image_shape[1:])
        stage = partial(residual_stage, blocks, len(channels), expansion, group_size, norm)
        layers = [scaled_conv(image_shape[0], width, 1), *stage(width)]
        for (inputs, outputs), size in zip(pairwise(channels), sizes, strict=False):
            layers += [BilinearDown(size), scaled_conv(inputs, outputs, 1), *stage(outputs)]
        self.layers = nn.Sequential(*layers)
        self.basis = nn.Conv2d(channels[-1], channels[-1], sizes[-1], groups=channels[-1], bias=False)
        nn.init.normal_(self.basis.weight, 0.0, 1 / math.sqrt(math.prod(sizes[-1])))  # fan-in: the pixels of one map
        self.head = scaled_linear(channels[-1], 1, bias=True)

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> (N, F): the weighted sum over the pixels of each of the smallest maps."""
        return self.basis(self.layers(x)).flatten(1)
