"""GAN experiments on small images whose results you can trust."""

__version__ = "0.4.0"
