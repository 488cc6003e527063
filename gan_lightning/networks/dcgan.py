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

Init = Literal["auto", "normal", "normal_all", "he", "glorot_he"]
Kernel = Literal[4, 5]

INIT_STD = 0.02

INITIALISERS: dict[str, Callable[[nn.Module], None]] = {
    "normal": partial(normal_init, std=INIT_STD),
    "normal_all": partial(normal_all_init, std=INIT_STD),
    "he": he_init,
    "glorot_he": glorot_he_init,
}


def resolutions(image_size: int, kernel: Kernel = 4, levels: int | None = None) -> list[int]:
    """Sizes of the feature maps, from the image down: halved while even and above 4, or `levels` times.

    28 -> [28, 14, 7], 32 -> [32, 16, 8, 4], 64 -> [64, 32, 16, 8, 4]. Only 5x5 kernels halve an odd size, and round
    up: three levels of 28 are [28, 14, 7, 4].
    """
    sizes = [image_size]
    if levels is not None:
        for _ in range(levels):
            sizes.append((sizes[-1] + 1) // 2)
        if sizes[-1] < 2 or (kernel == 4 and any(size % 2 for size in sizes[:-1])):
            raise UserError(
                f"levels={levels} halves images of {image_size} pixels to {', '.join(map(str, sizes[1:]))}; the "
                "smallest must have 2 pixels or more, and 4x4 kernels cannot halve an odd number: type a smaller "
                "levels=, levels=null, or kernel=5 (in both networks)"
            )
        return sizes
    while sizes[-1] % 2 == 0 and sizes[-1] > 4:
        sizes.append(sizes[-1] // 2)
    if sizes[-1] > 7:
        raise UserError(
            f"images of {image_size} pixels cannot be halved down to 4-7 pixels, as these networks do; "
            "use images of 28, 32 or 64 pixels (data.size=32 resizes a folder), or network=mlp"
        )
    return sizes


def attention_size(image_size: int) -> int:
    """The resolution of self-attention: of those at which both networks have maps, the nearest to 16 pixels."""
    between = resolutions(image_size)[1:-1]
    if not between:
        raise UserError(
            f"attention=true needs images of 16 pixels or more, not {image_size}; "
            "type network.generator.attention=false network.discriminator.attention=false"
        )
    return min(between, key=lambda size: abs(size - 16))


def channels(image_shape: ImageShape, width: int, depth: int | None = None) -> list[int]:
    """Channels at each of `resolutions`, or at `depth` lower ones: the image's own, then width, 2 width, 4 width ..."""
    depth = len(resolutions(image_shape[1])) - 1 if depth is None else depth
    return [image_shape[0], *(width * 2**level for level in range(depth))]


def padding(kernel: Kernel) -> int:
    """Padding of a convolution of stride 2 that halves the resolution."""
    return (kernel - 1) // 2


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
        attention: Whether there is self-attention on the maps of 14 or 16 pixels (SAGAN, arXiv:1805.08318).
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
        sizes = resolutions(image_shape[1], kernel, levels)[::-1]
        widths = channels(image_shape, width, len(sizes) - 1)[::-1]
        size = sizes[0]
        target = attention_size(image_shape[1]) if attention else None
        units = [latent_dim + condition_dim, *hidden]
        layers = hidden_layers(units, 0.0, for_vectors(norm), bias=bias)
        layers += [nn.Linear(units[-1], widths[0] * size**2, bias=bias), UnflattenPixels(widths[0], size)]
        for level, (inputs, outputs) in enumerate(pairwise(widths)):
            is_output = level == len(widths) - 2
            extra = sizes[level + 1] - 2 * sizes[level] + kernel % 2  # 5x5 kernels: a row and a column for even sizes
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
        attention: Whether there is self-attention on the maps of 14 or 16 pixels (SAGAN, arXiv:1805.08318).
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
        sizes = resolutions(image_shape[1], kernel, levels)
        target = attention_size(image_shape[1]) if attention else None
        widths = channels(image_shape, width, len(sizes) - 1)
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += [
                nn.Conv2d(inputs, outputs, kernel, 2, padding(kernel), bias=bias or level == 0),
                norm_2d(norm if level > 0 else "none", outputs),
                nn.LeakyReLU(slope),
                *attend(outputs, sizes[level + 1] == target),
            ]
        units = [widths[-1] * sizes[-1] ** 2, *hidden]
        layers += [FlattenPixels(), *hidden_layers(units, slope, for_vectors(norm), bias=bias)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(units[-1], 1)
        self.apply(initialiser(norm, init))

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the last fully connected layer, or the smallest feature maps as vectors, (N, F)."""
        return self.layers(x)
