"""Generator/discriminator pairs, in two forms that every game relies on.

A generator `G(image_shape, latent_dim, num_classes)` maps (N, latent_dim + num_classes) to images in [-1, 1]: z and,
in a conditional game, the label's one-hot code behind it. A discriminator `D(image_shape)` maps images to logits (N,):
its `head`, a linear layer of one output, on `features(images)` (N, F), which games may put other heads on.
Only autoencoders have none: their logits are minus an energy.
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
