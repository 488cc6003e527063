"""Generator/discriminator pairs, and the two contracts that every GAN relies on.

`generator(z, y)` maps latent vectors z (N, latent_dim) and conditions y (N, condition_dim) to images (N, C, H, W) in
[-1, 1]. `discriminator(x, y)` maps images and conditions to `DiscriminatorOutput(logits, aux)`: a linear `head` with
one output gives the logits (N,) from `features(x, y)` (N, F), on which `gan_lightning.networks.heads` can put other
heads. Only autoencoders have no head: their logits are minus an energy.
"""

from gan_lightning.networks.autoencoder import AutoencoderDiscriminator
from gan_lightning.networks.began import BEGANDiscriminator, BEGANGenerator
from gan_lightning.networks.conv_pool import ConvPoolDiscriminator, ConvPoolGenerator
from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lightning.networks.maxout import MaxoutDiscriminator, MaxoutGenerator
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator
from gan_lightning.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_lightning.networks.resnet import ResNetDiscriminator, ResNetGenerator

__all__ = [
    "AutoencoderDiscriminator",
    "BEGANDiscriminator",
    "BEGANGenerator",
    "ConvPoolDiscriminator",
    "ConvPoolGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MaxoutDiscriminator",
    "MaxoutGenerator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "ResNetDiscriminator",
    "ResNetGenerator",
]
