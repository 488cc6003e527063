"""Adversarial training: `GAN` is Algorithm 1; a variant is a choice of the parts that `assemble` puts together."""

from gan_lightning.models.annealing import BurnIn, LinearDecay
from gan_lightning.models.assembly import assemble
from gan_lightning.models.auxiliary import Classification, MutualInformation, PullingAway
from gan_lightning.models.conditioning import ClassLabels, LatentCodes, Unconditional
from gan_lightning.models.gan import GAN
from gan_lightning.models.parts import ModelOptions, Optimizers, Parts
from gan_lightning.models.updates import Alternating, WGANWarmup

__all__ = [
    "GAN",
    "Alternating",
    "BurnIn",
    "ClassLabels",
    "Classification",
    "LatentCodes",
    "LinearDecay",
    "ModelOptions",
    "MutualInformation",
    "Optimizers",
    "Parts",
    "PullingAway",
    "Unconditional",
    "WGANWarmup",
    "assemble",
]
