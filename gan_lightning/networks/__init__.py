"""Generator/discriminator pairs: `image_shape` (and `latent_dim`) in, images in [-1, 1] or logits (N,) out."""

from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lightning.networks.maxout import MaxoutDiscriminator, MaxoutGenerator
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator

__all__ = [
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MaxoutDiscriminator",
    "MaxoutGenerator",
]
