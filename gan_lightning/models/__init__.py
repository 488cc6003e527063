"""The games: `GAN` is Algorithm 1; one file for each kind of game that differs from it."""

from gan_lightning.models.conditional import ACGAN, ConditionalGAN, ProjectionGAN
from gan_lightning.models.energy import EBGAN
from gan_lightning.models.gan import GAN
from gan_lightning.models.infogan import InfoGAN
from gan_lightning.models.r3gan import R3GAN
from gan_lightning.models.wgan import WGAN

__all__ = ["ACGAN", "EBGAN", "GAN", "R3GAN", "WGAN", "ConditionalGAN", "InfoGAN", "ProjectionGAN"]
