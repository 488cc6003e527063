"""Generators to export, as tests make them."""

import torch

from gan_lightning.export.facts import Facts
from gan_lightning.models.conditioning import ClassLabels, LatentCodes, Unconditional
from gan_lightning.models.prior import Prior
from gan_lightning.sampling import Sampler
from tests.helpers import make_generator

SHAPE = (1, 16, 16)

LATENT_DIM = 10

GENERATORS = {
    "dcgan": {"hidden": [16], "width": 4},
    "dcgan with 5x5 kernels": {"width": 4, "kernel": 5, "output": "sigmoid", "shape": (3, 16, 24)},
    "dcgan with layer norms": {"hidden": [16], "width": 4, "norm": "layer"},
    "dcgan with instance norms": {"width": 4, "norm": "instance"},
    "mlp": {"hidden": [16], "conditioning": ClassLabels(4, "none"), "prior": "uniform"},
    "maxout_mlp": {"hidden": [16], "prior": "uniform_unit_variance"},
    "conv_pool": {"hidden": 16, "width": 4, "conditioning": LatentCodes(0, 3, 2)},
    "began": {"width": 4},
    "r3gan": {"width": 4, "group_size": 4},
    "resnet": {"width": 4, "norm": "conditional", "conditioning": ClassLabels(3, "none")},
    "sagan": {"width": 8},
}
"""Options of a generator of each network."""


def facts_of(network: dict, conditioning: dict, sampler: Sampler, shape=SHAPE, classes=()) -> Facts:
    numbers = [str(number) for number in range(sampler.conditioning.num_classes)]
    return Facts(
        network=network, conditioning=conditioning, image_shape=shape, latent_dim=sampler.prior.dim,
        num_classes=sampler.conditioning.num_classes, classes=list(classes) or numbers, weights="raw",
        prior=sampler.prior.distribution, generator_steps=0, images_seen=0, data="MNIST", recipe={}, scores=[],
        gan_lightning="0", torch="0",
    )  # fmt: skip


def sampler_of(network: str, conditioning=None, shape=SHAPE, prior="normal", **options) -> Sampler:
    """What draws images of a network whose weights are always the same."""
    torch.manual_seed(0)
    conditioning = conditioning or Unconditional(0)
    generator = make_generator(network, shape, LATENT_DIM, conditioning.condition_dim, **options).eval()
    for module in generator.modules():  # statistics and scales as if it had been trained
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return Sampler(generator, Prior(LATENT_DIM, prior), conditioning)
