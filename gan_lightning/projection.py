"""Projection: the latent vector whose image is nearest to a given one, found by optimisation."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.sampling import Inputs, Sampler, evaluating, to_finite_uint8

LEARNING_RATE = 0.1
"""Adam's, at the first step; it falls to 0 along a cosine."""

CANDIDATES = 256
"""Samples of which the nearest are where the optimisation starts."""


class Projection(NamedTuple):
    """The image of a generator that is nearest to a given one.

    Attributes:
        latent: Latent vector z, float (latent_dim,).
        condition: What the generator is conditional on beside z, float (condition_dim,); of width 0 where it is not.
        image: Image of both, uint8 (C, H, W).
        distance: Root mean squared difference of the pixels, from 0 (the same) to 1 (black against white).
    """

    latent: Tensor
    condition: Tensor
    image: Tensor
    distance: float


def project(sampler: Sampler, target: Tensor, labels: Tensor | None, steps: int, starts: int, seed: int) -> Projection:
    """Minimize the squared difference of the pixels over z, from the nearest of some samples on.

    The inverse of a generator as Creswell & Bharath (2016, arXiv:1611.05644) find it. A uniform prior's z stays inside
    its range. The condition is that of the nearest sample.

    Args:
        sampler: A generator with its prior and conditioning.
        target: Image to come near to, float (C, H, W) in [-1, 1].
        labels: Classes to try, int (K,); None for all.
        steps: Number of Adam's steps.
        starts: Number of samples that the optimisation starts from, side by side; the best end is kept.
        seed: Seed of the samples.
    """
    z, y = nearest(sampler, target, labels, starts, seed)
    limit = sampler.prior.half_width
    z = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], LEARNING_RATE)
    with evaluating(sampler.generator) as generator, torch.enable_grad():
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
            loss = squared_differences(generator(z, y), target).sum()
            (z.grad,) = torch.autograd.grad(loss, [z])
            optimizer.step()
            with torch.no_grad():
                z.clamp_(-limit, limit)
    found = z.detach()
    images = sampler.generate(Inputs(found, y))
    squared = squared_differences(images, target)
    best = squared.argmin()
    image = to_finite_uint8(images[best : best + 1])[0]
    return Projection(found[best].cpu(), y[best].cpu(), image, squared[best].sqrt().item() / 2)


def nearest(sampler: Sampler, target: Tensor, labels: Tensor | None, starts: int, seed: int) -> Inputs:
    """Inputs of those of `CANDIDATES` samples, or of as many as `starts`, whose images are nearest to the target."""
    count = max(CANDIDATES, starts)
    z, y = sampler.sample_inputs(count, seed, sampler.classes(0, count, labels))
    order = squared_differences(sampler.generate(Inputs(z, y)), target).argsort(stable=True)[:starts]
    return Inputs(z[order], y[order])


def squared_differences(images: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of the pixels of each image (N, C, H, W) from a target (C, H, W): (N,)."""
    return (images - target).square().flatten(1).mean(1)
