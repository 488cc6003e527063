"""What a game puts on a critic: a label's plane beside the image, other answers from its features, constraints.

Critics that can carry another head are `HeadedDiscriminator`s.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import in_float32
from gan_lightning.networks.statistics import MinibatchStd


class LabelPlane(nn.Module):
    """A critic that sees one more channel: a learned plane for each class (CGAN, arXiv:1411.1784).

    Args:
        discriminator: built for images of C + 1 channels.
        num_classes: K.
        image_shape: of the images themselves, (C, H, W).
    """

    def __init__(self, discriminator: nn.Module, num_classes: int, image_shape: ImageShape) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.planes = nn.Linear(num_classes, math.prod(image_shape[1:]), bias=False)

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (N, C, H, W) and one-hot labels (N, K) -> logits (N,)."""
        plane = self.planes(code).unflatten(1, (1, *images.shape[2:]))
        return self.discriminator(torch.cat([images, plane.to(images.dtype)], 1))


class Projection(nn.Module):
    """A projection critic (Miyato & Koyama 2018, arXiv:1802.05637, equation 3): head(h) + <embedding of y, h>."""

    def __init__(self, discriminator: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.discriminator: Any = discriminator
        self.embedding = nn.Linear(num_classes, head_of(discriminator).in_features, bias=False)

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (N, C, H, W) and one-hot labels (N, K) -> logits (N,)."""
        features = self.discriminator.features(images)
        return self.discriminator.judge(features) + in_float32(self.fit, features, code)

    def fit(self, features: Tensor, code: Tensor) -> Tensor:
        """The inner products (N,) of features (N, F) with the embeddings of labels (N, K)."""
        return (self.embedding(code.to(features.dtype)) * features).sum(1)


class SecondAnswer(nn.Module):
    """A critic that also says, from the same features, which class (ACGAN) or which code (InfoGAN) it sees.

    Args:
        discriminator: with `features` and `head`.
        outputs: numbers of the second answer.
        hidden: units of a layer of its own with batch norm and LeakyReLU 0.1, as in InfoGAN's paper; None for none.
    """

    def __init__(self, discriminator: nn.Module, outputs: int, hidden: int | None = None) -> None:
        super().__init__()
        self.discriminator: Any = discriminator
        inputs = head_of(discriminator).in_features
        layers: list[nn.Module] = []
        if hidden is not None:
            layers += [nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1)]
        self.answer = nn.Sequential(*layers, nn.Linear(hidden or inputs, outputs))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) -> logits (N,) and the second answer (N, outputs)."""
        features = self.discriminator.features(images)
        return self.discriminator.judge(features), in_float32(self.answer, features)


class Energies(nn.Module):
    """An autoencoder that also gives the codes its energies come from, as EBGAN compares them."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator: Any = discriminator

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) -> minus their energies (N,), and their codes (N, F)."""
        codes = self.discriminator.encode(images)
        return -self.discriminator.energy(images, codes), codes


def head_of(discriminator: nn.Module, cure: str = "network=dcgan, or another") -> nn.Linear:
    """The linear map from the critic's features to its logit.

    Raises:
        UserError: when it has none; it says `cure`.
    """
    head = getattr(discriminator, "head", None)
    if head is None:
        raise UserError(f"{type(discriminator).__name__} has no head that this game could add to; type {cure}")
    return head


def carrier(discriminator: nn.Module) -> Any:
    """The network that gives the logits, without what a game has put around it."""
    return getattr(discriminator, "discriminator", discriminator)


def show_variety(discriminator: nn.Module) -> None:
    """Give the head one more feature: how much those of neighbouring samples vary (`MinibatchStd`)."""
    inner = carrier(discriminator)
    head = head_of(inner, cure="model.minibatch_std=false")
    wider = nn.Linear(head.in_features + 1, 1)
    with torch.no_grad():
        wider.weight[:, :-1] = head.weight
        wider.bias.copy_(head.bias)
    inner.head = nn.Sequential(MinibatchStd(), wider)


def normalise_spectrally(network: nn.Module, option: str) -> None:
    """Spectral norm on every layer with a weight matrix (Miyato et al. 2018, arXiv:1802.05957, algorithm 1).

    One power iteration for each forward pass in training, none in eval mode. `option` asked for it.

    Raises:
        UserError: when a layer starts at zero, which has no norm to be divided by.
    """
    for layer in [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]:
        if not layer.weight.any():
            raise UserError(
                f"{option}=true divides weight matrices by their norms, and some of {type(network).__name__}'s start "
                f"at zero; type network=resnet, or {option}=false"
            )
        spectral_norm(layer)
