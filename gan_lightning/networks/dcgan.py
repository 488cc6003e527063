import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.layers import (
    FlattenPixels,
    HeadedDiscriminator,
    Norm,
    UnflattenPixels,
    VectorNorm,
    glorot_he_init,
    he_init,
    hidden_layers,
    join,
    norm_2d,
    normal_all_init,
    normal_init,
)
from gan_lightning.networks.mlp import OUTPUTS, Output
from gan_lightning.sizes import SMALLEST_MAPS, Size, as_typed, nearest_size

Init = Literal["auto", "normal", "normal_all", "he", "glorot_he"]
Kernel = Literal[4, 5]

INIT_STD = 0.02

INITIALISERS: dict[str, Callable[[nn.Module], None]] = {
    "normal": partial(normal_init, std=INIT_STD),
    "normal_all": partial(normal_all_init, std=INIT_STD),
    "he": he_init,
    "glorot_he": glorot_he_init,
}


def resolutions(size: Size, kernel: Kernel = 4, levels: int | None = None) -> list[Size]:
    """Heights and widths of the feature maps, from the image down: halved until the shorter side has 4 to 7 pixels.

    Or halved `levels` times. Of squares: 28 -> 28, 14, 7; 32 -> 32, 16, 8, 4; 48 -> 48, 24, 12, 6. Of 28x40 ->
    28x40, 14x20, 7x10. Only 5x5 kernels halve an odd side, and round up: three levels of 28 are 28, 14, 7, 4.
    """
    sizes = [size]
    while len(sizes) <= levels if levels is not None else min(sizes[-1]) > SMALLEST_MAPS[-1]:
        height, width = sizes[-1]
        if kernel == 4 and (height % 2 or width % 2):
            break
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    if levels is not None:
        check_levels(sizes, levels)
    elif min(sizes[-1]) > SMALLEST_MAPS[-1]:
        raise refuse(size, "cannot be halved down to 4 to 7 pixels, as these networks do")
    return sizes


def check_levels(sizes: list[Size], levels: int) -> None:
    """Refuse a number of halvings that the kernels cannot do, or after which next to nothing is left."""
    if len(sizes) <= levels or min(sizes[-1]) < 2:
        ends = ", ".join(f"{height}x{width}" for height, width in sizes[1:])
        raise UserError(
            f"levels={levels} halves images of {sizes[0][0]}x{sizes[0][1]} to {ends}, and no further than that; the "
            "smallest maps must have 2 pixels or more on each side, and 4x4 kernels cannot halve an odd number: type "
            "a smaller levels=, levels=null, or kernel=5 (in both networks)"
        )


def refuse(size: Size, why: str) -> UserError:
    """The error for images of a size that a network cannot take, with the nearest that it can."""
    return UserError(
        f"images of {size[0]}x{size[1]} (height x width) {why}; type data.size={as_typed(nearest_size(size))}, "
        "or network=mlp"
    )


def attention_size(size: Size) -> Size:
    """The size of the maps with self-attention: of those that both networks have, the one nearest to 16x16 pixels."""
    between = resolutions(size)[1:-1]
    if not between:
        raise UserError(
            f"attention=true needs images of 16 pixels or more on each side, not {size[0]}x{size[1]}; "
            "type network.generator.attention=false network.discriminator.attention=false"
        )
    return min(between, key=lambda maps: abs(math.sqrt(math.prod(maps)) - 16))


def channels(image_shape: ImageShape, width: int, depth: int | None = None) -> list[int]:
    """Channels at each of `resolutions`, or at `depth` lower ones: the image's own, then width, 2 width, 4 width ..."""
    depth = len(resolutions(image_shape[1:])) - 1 if depth is None else depth
    return [image_shape[0], *(width * 2**level for level in range(depth))]


def padding(kernel: Kernel) -> int:
    """Padding of a convolution of stride 2 that halves the resolution."""
    return (kernel - 1) // 2


def output_padding(before: Size, after: Size, kernel: Kernel) -> Size:
    """Rows and columns that a transposed convolution of stride 2 adds: with 5x5 kernels one for each even side."""
    return after[0] - 2 * before[0] + kernel % 2, after[1] - 2 * before[1] + kernel % 2


def initialiser(norm: Norm, init: Init) -> Callable[[nn.Module], None]:
    """The initialiser of a name; `auto` is the paper's N(0, 0.02) under a norm, and He's without one.

    Without a norm N(0, 0.02) lets the signal fade: each layer divides it by about four.
    """
    if init == "auto":
        init = "he" if norm == "none" else "normal"
    return INITIALISERS[init]


def for_vectors(norm: Norm) -> VectorNorm:
    """The norm of the fully connected layers: a vector has no pixels over which an instance norm could average."""
    return "layer" if norm == "instance" else norm


def attend(channels: int, wanted: bool) -> list[nn.Module]:
    """A self-attention block, if it is wanted."""
    return [SelfAttention(channels)] if wanted else []


class DCGANGenerator(nn.Module):
    """DCGAN generator (Radford et al. 2016, arXiv:1511.06434): z and y -> images (N, C, H, W).

    Optional fully connected layers, a linear projection to the smallest feature map, then 4x4 (or 5x5) transposed
    convolutions of stride 2, each with norm and ReLU; no norm on the output layer.

    Args:
        image_shape: Channels, height and width of the images.
        latent_dim: Number of coordinates of z.
        condition_dim: Number of coordinates of the condition y; 0 for none.
        hidden: Number of units of each fully connected layer (with norm and ReLU) before the projection; the paper has
            no such layers.
        width: Number of channels of the last hidden layer, doubled at each lower resolution.
        norm: Normalisation of the hidden layers.
        bias: Whether the hidden layers have biases; the output layer, which no norm follows, always has one.
        init: Initial weights: `normal`, `normal_all` (the weights of norms start around 0, too), `he`, `glorot_he`, or
            `auto`, which depends on the norm.
        kernel: Height and width of the kernels.
        levels: Number of times that the resolution doubles; None for as often as `resolutions` says.
        output: Output activation: tanh, or a sigmoid stretched to [-1, 1].
        attention: Whether there is self-attention on the maps nearest to 16x16 pixels (SAGAN, arXiv:1805.08318).
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: PositiveInt,
        condition_dim: NonNegativeInt,
        hidden: Sequence[PositiveInt],
        width: PositiveInt,
        norm: Norm,
        bias: bool,
        init: Init,
        kernel: Kernel,
        levels: PositiveInt | None,
        output: Output,
        attention: bool,
    ) -> None:
        super().__init__()
        sizes = resolutions(image_shape[1:], kernel, levels)[::-1]
        widths = channels(image_shape, width, len(sizes) - 1)[::-1]
        target = attention_size(image_shape[1:]) if attention else None
        units = [latent_dim + condition_dim, *hidden]
        layers = hidden_layers(units, 0.0, for_vectors(norm), bias=bias)
        flat = nn.Linear(units[-1], widths[0] * math.prod(sizes[0]), bias=bias)
        layers += [flat, UnflattenPixels(widths[0], sizes[0])]
        for level, (inputs, outputs) in enumerate(pairwise(widths)):
            is_output = level == len(widths) - 2
            extra = output_padding(sizes[level], sizes[level + 1], kernel)
            shape: Any = {"kernel_size": kernel, "stride": 2, "padding": padding(kernel), "output_padding": extra}
            convolution = nn.ConvTranspose2d(inputs, outputs, bias=bias or is_output, **shape)
            layers += [norm_2d(norm, inputs), nn.ReLU(), *attend(inputs, sizes[level] == target), convolution]
        self.layers = nn.Sequential(*layers, OUTPUTS[output]())
        self.apply(initialiser(norm, init))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, latent_dim) and conditions y (N, condition_dim) -> images (N, C, H, W) in [-1, 1]."""
        return self.layers(join(z, y))


class DCGANDiscriminator(HeadedDiscriminator):
    """DCGAN discriminator: images (N, C, H, W) -> logits (N,).

    4x4 (or 5x5) convolutions of stride 2 with LeakyReLU, no norm on the first layer; optional fully connected layers; a
    linear output.

    Args:
        image_shape: Channels, height and width of the images.
        hidden: Number of units of each fully connected layer (with norm and LeakyReLU) before the output; the paper has
            no such layers.
        width: Number of channels of the first layer, doubled at each lower resolution.
        norm: Normalisation of the hidden layers except the first.
        bias: Whether these layers have biases; the first and the output, which no norm follows, always have.
        init: Initial weights, as in the generator.
        kernel: Height and width of the kernels.
        levels: Number of times that the resolution is halved; None for as often as `resolutions` says.
        slope: Negative slope of LeakyReLU.
        attention: Whether there is self-attention on the maps nearest to 16x16 pixels (SAGAN, arXiv:1805.08318).
    """

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: Sequence[PositiveInt],
        width: PositiveInt,
        norm: Norm,
        bias: bool,
        init: Init,
        kernel: Kernel,
        levels: PositiveInt | None,
        slope: NonNegativeFloat,
        attention: bool,
    ) -> None:
        super().__init__()
        sizes = resolutions(image_shape[1:], kernel, levels)
        target = attention_size(image_shape[1:]) if attention else None
        widths = channels(image_shape, width, len(sizes) - 1)
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += [
                nn.Conv2d(inputs, outputs, kernel, 2, padding(kernel), bias=bias or level == 0),
                norm_2d(norm if level > 0 else "none", outputs),
                nn.LeakyReLU(slope),
                *attend(outputs, sizes[level + 1] == target),
            ]
        units = [widths[-1] * math.prod(sizes[-1]), *hidden]
        layers += [FlattenPixels(), *hidden_layers(units, slope, for_vectors(norm), bias=bias)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(units[-1], 1)
        self.apply(initialiser(norm, init))

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the last fully connected layer, or the smallest feature maps as vectors, (N, F)."""
        return self.layers(x)
