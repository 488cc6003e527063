import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.floats import at_least_float32
from gan_lightning.sizes import Size

Norm = Literal["none", "batch", "layer", "instance"]
VectorNorm = Literal["none", "batch", "layer"]

LINEAR = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def norm_2d(kind: Norm, channels: int) -> nn.Module:
    """Normalisation of (N, C, H, W) feature maps; `layer` and `instance` keep samples independent."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "layer":
        return nn.GroupNorm(1, channels)
    if kind == "instance":
        return nn.GroupNorm(channels, channels)
    return nn.Identity()


def norm_1d(kind: VectorNorm, features: int) -> nn.Module:
    """Normalisation of (N, F) vectors; `layer` keeps samples independent."""
    if kind == "batch":
        return nn.BatchNorm1d(features)
    if kind == "layer":
        return nn.LayerNorm(features)
    return nn.Identity()


def hidden_layers(
    sizes: list[int],
    slope: float,
    norm: VectorNorm,
    *,
    bias: bool = True,
    norm_first: bool = True,
    norm_after: bool = False,
) -> list[nn.Module]:
    """Blocks of a linear layer, a norm and LeakyReLU (ReLU at a slope of 0).

    Args:
        sizes: Number of inputs, and number of units of each layer.
        slope: Negative slope of LeakyReLU.
        norm: Normalisation in each block.
        bias: Whether the linear layers have biases.
        norm_first: Whether the first block has a norm, too.
        norm_after: Whether the norm follows LeakyReLU instead of the linear layer.
    """
    layers: list[nn.Module] = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        normalise = norm_1d(norm if norm_first or index > 0 else "none", outputs)
        activate = nn.LeakyReLU(slope)
        blocks = (activate, normalise) if norm_after else (normalise, activate)
        layers += [nn.Linear(inputs, outputs, bias=bias), *blocks]
    return layers


def in_float32(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """The result of a function without autocast, on inputs in float32 at least.

    Losses compare logits, and the difference of two of them, D(x) - D(G(z)), is smaller than either: rounded to
    bfloat16, it would be wrong by a percent.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        return function(*map(at_least_float32, inputs))


class DiscriminatorOutput(NamedTuple):
    """What a discriminator returns.

    logits: Logits (N,): the higher, the more real.
    aux: Other outputs (N, F) that an auxiliary term reads, such as class logits or an autoencoder's codes, or None.
    """

    logits: Tensor
    aux: Tensor | None = None

    def chunk(self) -> tuple["DiscriminatorOutput", "DiscriminatorOutput"]:
        """The outputs of the two halves of a batch."""
        aux = (None, None) if self.aux is None else self.aux.chunk(2)
        first, second = (DiscriminatorOutput(*pair) for pair in zip(self.logits.chunk(2), aux, strict=True))
        return first, second


class HeadedDiscriminator(nn.Module):
    """A discriminator of two parts: `features` of an image, and a linear `head` on them that gives its logit.

    The head computes in float32 even where autocast has the features in bfloat16. The network itself ignores the
    condition y; wrappers around it (`gan_lightning.networks.heads`) take it into account.
    """

    head: nn.Module

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) and conditions (N, condition_dim) -> features (N, F)."""
        raise NotImplementedError

    def logits(self, features: Tensor, y: Tensor) -> Tensor:
        """Features (N, F) and conditions -> logits (N,), in float32 or float64."""
        return in_float32(self.head, features).squeeze(1)

    def forward(self, x: Tensor, y: Tensor) -> DiscriminatorOutput:
        """Images (N, C, H, W) and conditions (N, condition_dim) -> logits (N,)."""
        return DiscriminatorOutput(self.logits(self.features(x, y), y))


def join(z: Tensor, y: Tensor) -> Tensor:
    """(N, latent_dim) and (N, condition_dim) -> (N, latent_dim + condition_dim), for a layer that reads both."""
    return torch.cat([z, y], 1) if y.shape[1] else z


class FlattenPixels(nn.Module):
    """(N, C, H, W) -> (N, H * W * C), pixel by pixel: the memory order of channels-last maps, so nothing is copied."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) -> vectors (N, H * W * C)."""
        return maps.permute(0, 2, 3, 1).flatten(1)


class UnflattenPixels(nn.Module):
    """(N, H * W * C) -> (N, C, H, W) in channels-last memory order; the inverse of `FlattenPixels`.

    Args:
        channels: Number of channels C of the maps.
        size: Height and width of the maps.
    """

    def __init__(self, channels: int, size: Size) -> None:
        super().__init__()
        self.shape = (*size, channels)

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (N, H * W * C) -> maps (N, C, H, W)."""
        return vectors.unflatten(1, self.shape).permute(0, 3, 1, 2)


class StretchedSigmoid(nn.Module):
    """A sigmoid whose range [0, 1] is stretched to [-1, 1]: 2 sigmoid(x) - 1 = tanh(x / 2)."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, element by element."""
        return torch.tanh(x / 2)


def fans(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> tuple[float, float]:
    """Fan-in, the number of inputs that reach an output, and fan-out, the number of outputs that an input reaches.

    The stride of a convolution divides its fan-out, that of a transposed convolution its fan-in.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    pixels, strides = math.prod(layer.kernel_size), math.prod(layer.stride)
    inputs, outputs = layer.in_channels * pixels, layer.out_channels * pixels
    return (inputs / strides, outputs) if isinstance(layer, nn.ConvTranspose2d) else (inputs, outputs / strides)


def he_init(module: nn.Module) -> None:
    """Weights ~ N(0, 2 / fan-in) (He et al. 2015, arXiv:1502.01852), biases 0: for networks without norms."""
    if not isinstance(module, LINEAR):
        return
    fan_in, _ = fans(module)
    nn.init.normal_(module.weight, 0.0, math.sqrt(2 / fan_in))
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def glorot_he_init(module: nn.Module) -> None:
    """Uniform weights of variance 4 / (fan-in + fan-out) in convolutions, half of it in linear layers; biases 0.

    The variance of Glorot & Bengio 2010, doubled where a ReLU follows, as WGAN-GP's authors initialise their networks.
    """
    if not isinstance(module, LINEAR):
        return
    gain = 2 if isinstance(module, nn.Linear) else 4
    bound = math.sqrt(3 * gain / sum(fans(module)))
    nn.init.uniform_(module.weight, -bound, bound)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def normal_init(module: nn.Module, std: float) -> None:
    """Weights of linear and convolution layers ~ N(0, std), of normalisations ~ N(1, std), biases 0."""
    if isinstance(module, LINEAR):
        nn.init.normal_(module.weight, 0.0, std)
    elif isinstance(module, NORMS):
        nn.init.normal_(module.weight, 1.0, std)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def normal_all_init(module: nn.Module, std: float) -> None:
    """All weights ~ N(0, std), those of norms too, as in many versions of DCGAN; biases keep torch's values."""
    if isinstance(module, LINEAR + NORMS):
        nn.init.normal_(module.weight, 0.0, std)


def glorot_init(module: nn.Module) -> None:
    """Weights of linear layers and convolutions ~ U(-b, b), b = sqrt(6 / (fan-in + fan-out)), biases 0."""
    if isinstance(module, LINEAR):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def xavier_init(module: nn.Module) -> None:
    """Weights of linear and transposed convolution layers ~ U(-b, b), b = sqrt(6 / (fan-in + fan-out)).

    Glorot & Bengio 2010, equation 16. Everything else keeps torch's initial values.
    """
    if isinstance(module, (nn.Linear, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
