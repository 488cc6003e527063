"""The games: `GAN` is Algorithm 1; one file for each algorithm that differs from it."""

from gan_lightning import torchvision_ops  # noqa: F401  (before pytorch_lightning)
from gan_lightning.models.gan import GAN
from gan_lightning.models.wgan import WGAN

__all__ = ["GAN", "WGAN"]
