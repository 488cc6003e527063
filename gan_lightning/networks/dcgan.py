from collections.abc import Callable
from functools import partial
from itertools import pairwise

from pydantic import PositiveInt
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.networks.layers import FlattenPixels, Norm, UnflattenPixels, he_init, norm_2d, normal_init

INIT_STD = 0.02


def resolutions(image_size: int) -> list[int]:
    """Feature-map sizes from the image down to the smallest: halved while even and above 4.

    28 -> [28, 14, 7], 32 -> [32, 16, 8, 4], 64 -> [64, 32, 16, 8, 4].
    """
    sizes = [image_size]
    while sizes[-1] % 2 == 0 and sizes[-1] > 4:
        sizes.append(sizes[-1] // 2)
    if sizes[-1] > 7:
        raise UserError(
            f"network=dcgan cannot halve images of {image_size} pixels down to 4-7 pixels; "
            "use images of 28, 32 or 64 pixels (data.size=32 resizes a folder), or network=mlp"
        )
    return sizes


def channels(image_shape: ImageShape, width: int) -> list[int]:
    """Channels at each of `resolutions`: the image's own, then width, 2 width, 4 width ..."""
    depth = len(resolutions(image_shape[1])) - 1
    return [image_shape[0], *(width * 2**level for level in range(depth))]


def initialiser(norm: Norm) -> Callable[[nn.Module], None]:
    """The paper's N(0, 0.02) where a norm restores the scale of the signal; He's where none does.

    Without norms 0.02 lets the signal fade: each layer would divide it by about four.
    """
    return he_init if norm == "none" else partial(normal_init, std=INIT_STD)


class DCGANGenerator(nn.Module):
    """DCGAN generator (Radford et al. 2016, arXiv:1511.06434): latent (N, latent_dim) -> images (N, C, H, W).

    A linear projection to the smallest feature map, then 4x4 transposed convolutions of stride 2, each with
    norm and ReLU; tanh at the end, no norm on the output layer.
    """

    def __init__(
        self, image_shape: ImageShape, latent_dim: PositiveInt, width: PositiveInt = 64, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        widths = channels(image_shape, width)[::-1]
        size = resolutions(image_shape[1])[-1]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, widths[0] * size**2),
            UnflattenPixels(widths[0], size),
        ]
        for inputs, outputs in pairwise(widths):
            layers += [norm_2d(norm, inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(initialiser(norm))

    def forward(self, latent: Tensor) -> Tensor:
        """Images in [-1, 1] of latent vectors."""
        return self.layers(latent)


class DCGANDiscriminator(nn.Module):
    """DCGAN discriminator: images (N, C, H, W) -> logits (N,).

    4x4 convolutions of stride 2 with LeakyReLU 0.2; no norm on the first layer; a linear output.
    """

    def __init__(self, image_shape: ImageShape, width: PositiveInt = 64, norm: Norm = "batch") -> None:
        super().__init__()
        widths = channels(image_shape, width)
        size = resolutions(image_shape[1])[-1]
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += [
                nn.Conv2d(inputs, outputs, 4, 2, 1),
                norm_2d(norm if level > 0 else "none", outputs),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, FlattenPixels(), nn.Linear(widths[-1] * size**2, 1))
        self.apply(initialiser(norm))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        return self.layers(images).squeeze(1)
