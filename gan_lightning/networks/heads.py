"""Heads and wrappers of a discriminator: a label channel, a projection head, auxiliary outputs, constraints.

Every wrapper has the interface of a `HeadedDiscriminator`, so that wrappers can be nested.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import DiscriminatorOutput, in_float32
from gan_lightning.networks.statistics import MinibatchStd

INITIAL_PROJECTION = 0.1  # standard deviation of the first inner products with features of mean square 1


class DiscriminatorWrapper(nn.Module):
    """A wrapper that leaves its discriminator as it is.

    Args:
        discriminator: Discriminator with `features`, `logits` and a linear `head`.

    Raises:
        UserError: when it has no head.
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        head_of(discriminator)
        self.discriminator: Any = discriminator

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) and conditions (N, condition_dim) -> features (N, F)."""
        return self.discriminator.features(x, y)

    def logits(self, features: Tensor, y: Tensor) -> Tensor:
        """Features (N, F) and conditions -> logits (N,)."""
        return self.discriminator.logits(features, y)

    def forward(self, x: Tensor, y: Tensor) -> DiscriminatorOutput:
        """Images (N, C, H, W) and conditions (N, condition_dim) -> logits (N,)."""
        return DiscriminatorOutput(self.logits(self.features(x, y), y))


class LabelChannel(DiscriminatorWrapper):
    """A discriminator that sees one more channel: a learned plane for each class (CGAN, arXiv:1411.1784).

    Args:
        discriminator: Discriminator for images of C + 1 channels.
        num_classes: Number of classes K.
        image_shape: Channels, height and width of the images themselves.
    """

    def __init__(self, discriminator: nn.Module, num_classes: int, image_shape: ImageShape) -> None:
        super().__init__(discriminator)
        self.planes = nn.Linear(num_classes, math.prod(image_shape[1:]), bias=False)

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) and one-hot labels (N, K) -> features (N, F)."""
        plane = self.planes(y).unflatten(1, (1, *x.shape[2:]))
        return self.discriminator.features(torch.cat([x, plane.to(x.dtype)], 1), y)


class ProjectionHead(DiscriminatorWrapper):
    """The projection discriminator (Miyato & Koyama 2018, arXiv:1802.05637, equation 3): head(h) + <embedding of y, h>.

    Embeddings start small, so that the first logits are nearly those of an unconditional discriminator. With torch's
    initial weights the inner products would be larger than the head's output; without spectral norm, a fast generator
    then finds noise that satisfies the discriminator before it has learned anything of the images.

    Args:
        discriminator: Discriminator with a linear `head` on its features.
        num_classes: Number of classes K.
    """

    def __init__(self, discriminator: nn.Module, num_classes: int) -> None:
        super().__init__(discriminator)
        features = head_of(discriminator).in_features
        self.embedding = nn.Linear(num_classes, features, bias=False)
        nn.init.normal_(self.embedding.weight, std=INITIAL_PROJECTION / math.sqrt(features))

    def logits(self, features: Tensor, y: Tensor) -> Tensor:
        """Features (N, F) and one-hot labels (N, K) -> logits (N,)."""
        return self.discriminator.logits(features, y) + in_float32(self.projection, features, y)

    def projection(self, features: Tensor, y: Tensor) -> Tensor:
        """The inner products (N,) of features (N, F) with the embeddings of labels (N, K)."""
        return (self.embedding(y.to(features.dtype)) * features).sum(1)


class AuxiliaryHead(DiscriminatorWrapper):
    """A discriminator with a second output from the same features: class logits (AC-GAN) or codes (InfoGAN).

    Args:
        discriminator: Discriminator with a linear `head` on its features.
        outputs: Number of auxiliary outputs.
        hidden: Number of units of a layer of its own with batch norm and LeakyReLU 0.1, as in InfoGAN's paper; None for
            no such layer.
    """

    def __init__(self, discriminator: nn.Module, outputs: int, hidden: int | None = None) -> None:
        super().__init__(discriminator)
        inputs = head_of(discriminator).in_features
        layers: list[nn.Module] = []
        if hidden is not None:
            layers += [nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1)]
        self.aux = nn.Sequential(*layers, nn.Linear(hidden or inputs, outputs))

    def forward(self, x: Tensor, y: Tensor) -> DiscriminatorOutput:
        """Images (N, C, H, W) and conditions -> logits (N,) and auxiliary outputs (N, outputs)."""
        features = self.features(x, y)
        return DiscriminatorOutput(self.logits(features, y), in_float32(self.aux, features))


def unwrapped(discriminator: nn.Module) -> Any:
    """The network inside all wrappers."""
    while isinstance(discriminator, DiscriminatorWrapper):
        discriminator = discriminator.discriminator
    return discriminator


def head_of(discriminator: nn.Module, cure: str = "network=dcgan, or another") -> nn.Linear:
    """The linear map from the network's features to its logit.

    Raises:
        UserError: when it has none; it says `cure`.
    """
    network = unwrapped(discriminator)
    head = getattr(network, "head", None)
    if head is None:
        raise UserError(
            f"{type(network).__name__} has no head on features that another could stand beside; type {cure}"
        )
    return head


def has_codes(discriminator: nn.Module) -> bool:
    """Whether the discriminator is an autoencoder, whose auxiliary output is its codes."""
    return hasattr(unwrapped(discriminator), "encode")


def add_minibatch_std(discriminator: nn.Module) -> None:
    """Give the head one more feature: how much those of neighbouring samples vary (`MinibatchStd`)."""
    head = head_of(discriminator, cure="model.minibatch_std=false")
    wider = nn.Linear(head.in_features + 1, 1)
    with torch.no_grad():
        wider.weight[:, :-1] = head.weight
        wider.bias.copy_(head.bias)
    unwrapped(discriminator).head = nn.Sequential(MinibatchStd(), wider)


def apply_spectral_norm(network: nn.Module, option: str) -> None:
    """Spectral norm on every layer with a weight matrix (Miyato et al. 2018, arXiv:1802.05957, algorithm 1).

    One power iteration for each forward pass in training, none in eval mode.

    Args:
        network: Network to change in place.
        option: Option that asked for it, for the error.

    Raises:
        UserError: when a layer starts at zero, which has no norm to be divided by.
    """
    for layer in [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]:
        if not layer.weight.is_meta and not layer.weight.any():  # on the meta device only shapes are built
            raise UserError(
                f"{option}=true divides weight matrices by their norms, and some of {type(network).__name__}'s start "
                f"at zero; type network=resnet, or {option}=false"
            )
        spectral_norm(layer)
