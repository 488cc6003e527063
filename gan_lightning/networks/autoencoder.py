import math
from itertools import pairwise
from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from gan_lightning.floats import at_least_float32
from gan_lightning.images import ImageShape
from gan_lightning.networks.dcgan import channels, initialiser, resolutions
from gan_lightning.networks.layers import DiscriminatorOutput, FlattenPixels, Norm, UnflattenPixels, norm_2d

SLOPE = 0.2  # of LeakyReLU


class Autoencoder(nn.Module):
    """A discriminator whose energy is the error of an autoencoder.

    EBGAN (Zhao et al. 2017, arXiv:1609.03126, equation 4) and BEGAN (Berthelot et al. 2017, arXiv:1703.10717, equation
    1): real images, which it has learned to reproduce, have low energy. Images (N, C, H, W) -> minus the energy (N,):
    like a logit, higher for more real, but never above 0. The energy is the mean over pixels of |x - AE(x)|^power.

    Args:
        encoder: Network from images (N, C, H, W) to codes (N, code_dim).
        decoder: Network from codes to images.
        power: Power of the absolute error.
    """

    energies = True

    def __init__(self, encoder: nn.Module, decoder: nn.Module, power: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.power = power

    def encode(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) -> codes (N, code_dim)."""
        return self.encoder(images)

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, code_dim) -> images (N, C, H, W), roughly in [-1, 1]."""
        return self.decoder(code)

    def energy(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (N, C, H, W) and codes -> errors of their reconstructions (N,), 0 or more, in float32 at least."""
        error = at_least_float32(images) - at_least_float32(self.decode(code))
        return error.abs().pow(self.power).flatten(1).mean(1)

    def forward(self, x: Tensor, y: Tensor) -> DiscriminatorOutput:
        """Images (N, C, H, W) -> minus their energies (N,), and their codes; conditions are ignored."""
        codes = self.encode(x)
        return DiscriminatorOutput(-self.energy(x, codes), codes)


class AutoencoderDiscriminator(Autoencoder):
    """EBGAN's autoencoder for photographs: 4x4 convolutions of stride 2 to a code, their mirror image, LeakyReLU 0.2.

    The output is linear: a tanh would never reach the black of a digit's background.

    Args:
        image_shape: Channels, height and width of the images.
        width: Number of channels of the first layer, doubled at each lower resolution; EBGAN has 64.
        code_dim: Number of coordinates of the code.
        power: Power of the absolute error: 1 as in BEGAN, or 2 as in EBGAN's implementations.
        norm: Normalisation of the hidden layers except the first and the code.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        width: PositiveInt,
        code_dim: PositiveInt,
        power: Literal[1, 2],
        norm: Norm,
    ) -> None:
        widths, size = channels(image_shape, width), resolutions(image_shape[1:])[-1]
        flat = widths[-1] * math.prod(size)
        super().__init__(
            nn.Sequential(*downward(widths, norm), FlattenPixels(), nn.Linear(flat, code_dim)),
            nn.Sequential(nn.Linear(code_dim, flat), UnflattenPixels(widths[-1], size), *upward(widths[::-1], norm)),
            power,
        )
        self.apply(initialiser(norm, "auto"))


def downward(widths: list[int], norm: Norm) -> list[nn.Module]:
    """Layers of the encoder, from the channels of the image to those of the smallest maps."""
    layers: list[nn.Module] = []
    for level, (inputs, outputs) in enumerate(pairwise(widths)):
        layers += [
            nn.Conv2d(inputs, outputs, 4, 2, 1),
            norm_2d(norm if level > 0 else "none", outputs),
            nn.LeakyReLU(SLOPE),
        ]
    return layers


def upward(widths: list[int], norm: Norm) -> list[nn.Module]:
    """Layers of the decoder, from the channels of the smallest maps to those of the image."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [norm_2d(norm, inputs), nn.LeakyReLU(SLOPE), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)]
    return layers
