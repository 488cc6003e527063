"""GAN experiments on small images whose results you can trust."""

from gan_lightning import torchvision_ops

__version__ = "0.4.0"

torchvision_ops.install()
