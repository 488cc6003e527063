import math
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.dcgan import attention_size, resolutions
from gan_lightning.networks.layers import HeadedDiscriminator, Norm, UnflattenPixels, join, norm_2d
from gan_lightning.sizes import Size

GeneratorNorm = Literal["none", "batch", "layer", "instance", "conditional"]

RESIDUAL_GAIN = math.sqrt(2)  # for convolutions after a ReLU


def widths(size: Size, width: int) -> list[int]:
    """Channels at each of `resolutions`: `width` at the image's own, doubled at each lower one."""
    return [width * 2**level for level in range(len(resolutions(size)))]


def glorot_conv(inputs: int, outputs: int, size: int, gain: float = 1.0) -> nn.Conv2d:
    """A convolution that keeps the resolution, with Glorot's uniform weights times `gain`, biases 0."""
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    nn.init.xavier_uniform_(conv.weight, gain)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def glorot_linear(inputs: int, outputs: int, gain: float = 1.0) -> nn.Linear:
    """A linear layer with Glorot's uniform weights times `gain`, biases 0."""
    linear = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


class ConditionalBatchNorm(nn.Module):
    """Batch norm with gains and biases for each class (de Vries et al. 2017, arXiv:1707.00683).

    As in Miyato & Koyama 2018 (arXiv:1802.05637), both are a linear function of the one-hot label. Every class starts
    with gains 1 and biases 0: plain batch norm. Spectral norm leaves them alone, as it does those of any norm.

    Args:
        channels: Number of channels of the maps.
        condition_dim: Number of classes.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Parameter(torch.ones(condition_dim, channels))
        self.bias = nn.Parameter(torch.zeros(condition_dim, channels))

    def forward(self, maps: Tensor, label: Tensor) -> Tensor:
        """Maps (N, C, H, W) and one-hot labels (N, condition_dim) -> maps."""
        return self.norm(maps) * (label @ self.gain)[..., None, None] + (label @ self.bias)[..., None, None]


def make_norm(kind: GeneratorNorm, channels: int, condition_dim: int) -> nn.Module:
    """Normalisation of a generator's maps."""
    return ConditionalBatchNorm(channels, condition_dim) if kind == "conditional" else norm_2d(kind, channels)


def normalise(norm: nn.Module, maps: Tensor, label: Tensor) -> Tensor:
    """Normalised maps; only a conditional norm uses the label."""
    return norm(maps, label) if isinstance(norm, ConditionalBatchNorm) else norm(maps)


def upsample(maps: Tensor) -> Tensor:
    """Nearest-neighbour up-sampling: (N, C, H, W) -> (N, C, 2 H, 2 W)."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")


class UpBlock(nn.Module):
    """Residual block of the generator: norm, ReLU, up-sampling, 3x3 convolution, norm, ReLU, 3x3 convolution.

    The skip path is a 1x1 convolution before the up-sampling, with which it commutes: a quarter of the work.

    Args:
        inputs: Number of channels before the block.
        outputs: Number of channels after it.
        norm: Normalisation before each ReLU.
        condition_dim: Number of classes, for conditional batch norm.
        attention: Whether self-attention follows.
    """

    def __init__(self, inputs: int, outputs: int, norm: GeneratorNorm, condition_dim: int, attention: bool) -> None:
        super().__init__()
        self.norm1 = make_norm(norm, inputs, condition_dim)
        self.conv1 = glorot_conv(inputs, outputs, 3, RESIDUAL_GAIN)
        self.norm2 = make_norm(norm, outputs, condition_dim)
        self.conv2 = glorot_conv(outputs, outputs, 3, RESIDUAL_GAIN)
        self.skip = glorot_conv(inputs, outputs, 1)
        self.attention = SelfAttention(outputs) if attention else nn.Identity()

    def forward(self, maps: Tensor, label: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, 2 H, 2 W); the label is one-hot, or (N, 0) for other norms."""
        hidden = self.conv1(upsample(F.relu(normalise(self.norm1, maps, label))))
        hidden = self.conv2(F.relu(normalise(self.norm2, hidden, label)))
        return self.attention(hidden + upsample(self.skip(maps)))


class DownBlock(nn.Module):
    """Residual block of the discriminator: ReLU, 3x3 convolution, ReLU, 3x3 convolution, 2x2 average pooling.

    The skip path is a 1x1 convolution after the pooling, with which it commutes.

    Args:
        inputs: Number of channels before the block.
        outputs: Number of channels after it.
        norm: Normalisation before each ReLU.
        first: Whether the block reads the image itself, without a ReLU.
        halve: Whether there is pooling.
        attention: Whether self-attention follows.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: Norm, *, first: bool = False, halve: bool = True, attention: bool = False
    ) -> None:
        super().__init__()
        hidden = outputs if first else inputs
        self.activation = nn.Identity() if first else nn.Sequential(norm_2d(norm, inputs), nn.ReLU())
        self.conv1 = glorot_conv(inputs, hidden, 3, RESIDUAL_GAIN)
        self.norm = norm_2d(norm, hidden)
        self.conv2 = glorot_conv(hidden, outputs, 3, RESIDUAL_GAIN)
        self.skip = glorot_conv(inputs, outputs, 1)
        self.pool = nn.AvgPool2d(2) if halve else nn.Identity()
        self.attention = SelfAttention(outputs) if attention else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2), or H, W without pooling."""
        hidden = self.conv2(F.relu(self.norm(self.conv1(self.activation(maps)))))
        return self.attention(self.pool(hidden) + self.skip(self.pool(maps)))


class ResNetGenerator(nn.Module):
    """Residual generator of SNGAN (Miyato et al. 2018, arXiv:1802.05957, tables 4 to 6).

    z and y -> images (N, C, H, W): a linear layer to the smallest maps, one up-sampling residual block for each
    doubling, norm, ReLU, a 3x3 convolution, tanh.

    Args:
        image_shape: Channels, height and width of the images.
        latent_dim: Number of coordinates of z.
        condition_dim: Number of coordinates of the condition y; 0 for none.
        width: Number of channels at the image's resolution, doubled at each lower one; the paper has 64 at 48 pixels.
        norm: Normalisation of the blocks. `conditional` is batch norm with gains and biases for each class: the label
            then acts through them alone, and the first linear layer reads z only. The norm before the output is plain
            batch norm, as in the authors' code.
        attention: Whether there is self-attention on the maps nearest to 16x16 pixels (SAGAN, arXiv:1805.08318).

    Raises:
        UserError: when `norm` is conditional and there are no classes.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        condition_dim: NonNegativeInt,
        width: PositiveInt,
        norm: GeneratorNorm,
        attention: bool,
    ) -> None:
        super().__init__()
        check_norm(norm, condition_dim)
        self.conditional_norms = norm == "conditional"
        sizes, channels = resolutions(image_shape[1:])[::-1], widths(image_shape[1:], width)[::-1]
        target = attention_size(image_shape[1:]) if attention else None
        self.project = nn.Sequential(
            glorot_linear(
                latent_dim + (0 if self.conditional_norms else condition_dim), channels[0] * math.prod(sizes[0])
            ),
            UnflattenPixels(channels[0], sizes[0]),
        )
        self.blocks = nn.ModuleList(
            UpBlock(inputs, outputs, norm, condition_dim, attention=size == target)
            for (inputs, outputs), size in zip(pairwise(channels), sizes[1:], strict=True)
        )
        self.output = nn.Sequential(
            norm_2d("batch" if norm == "conditional" else norm, width),
            nn.ReLU(),
            glorot_conv(width, image_shape[0], 3),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, latent_dim) and one-hot labels y (N, condition_dim) -> images (N, C, H, W) in [-1, 1]."""
        maps = self.project(z if self.conditional_norms else join(z, y))
        for block in self.blocks:
            maps = block(maps, y)
        return self.output(maps)


def check_norm(norm: GeneratorNorm, condition_dim: int) -> None:
    """Refuse conditional batch norm where there are no classes."""
    if norm == "conditional" and condition_dim == 0:
        raise UserError(
            "norm=conditional needs a generator that is conditional on the class; type conditioning=labels, channel or "
            "projection, or network.generator.norm=batch"
        )


class ResNetDiscriminator(HeadedDiscriminator):
    """Residual discriminator of SNGAN (Miyato et al. 2018, arXiv:1802.05957, tables 4 to 6).

    Images (N, C, H, W) -> logits (N,): one down-sampling residual block for each halving, one more block at the
    smallest resolution, ReLU, the sum over all pixels, a linear head. The paper normalises its weights spectrally
    (model.spectral_norm=true) and has no other norm.

    Args:
        image_shape: Channels, height and width of the images.
        width: Number of channels of the first block, doubled in each following one; the paper has 64 at 48 pixels.
        norm: Normalisation of the blocks; the paper has none.
        attention: Whether there is self-attention on the maps nearest to 16x16 pixels (SAGAN, arXiv:1805.08318).
    """

    def __init__(self, image_shape: ImageShape, width: PositiveInt, norm: Norm, attention: bool) -> None:
        super().__init__()
        sizes, channels = resolutions(image_shape[1:]), widths(image_shape[1:], width)
        target = attention_size(image_shape[1:]) if attention else None
        ends = [*sizes[1:], sizes[-1]]  # each block's own output; the last one keeps the resolution
        self.blocks = nn.Sequential(
            *(
                DownBlock(i, o, norm, first=level == 0, halve=level < len(ends) - 1, attention=ends[level] == target)
                for level, (i, o) in enumerate(pairwise([image_shape[0], *channels]))
            )
        )
        # The sum makes features larger by the number of pixels; this gain keeps the first logits of order 1.
        # Spectral norm does not depend on the scale of a weight.
        self.head = glorot_linear(channels[-1], 1, gain=1 / math.prod(sizes[-1]))

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> (N, F): the last maps after ReLU, summed over their pixels."""
        return F.relu(self.blocks(x)).sum((2, 3))
