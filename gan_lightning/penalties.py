"""Penalties added to the discriminator's loss: `penalty(critic, real, fake)` -> scalar.

Gradients are taken in float32, per sample, over all pixels and channels.
"""

from collections.abc import Callable

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

Critic = Callable[[Tensor], Tensor]

Penalty = Callable[[Critic, Tensor, Tensor], Tensor]

EPSILON = 1e-12  # inside the square root, whose slope at 0 is infinite


def input_gradients(critic: Critic, images: Tensor) -> Tensor:
    """d critic(images)[i] / d images[i], (N, C, H, W), differentiable in the critic's parameters.

    Summing the logits gives each sample's own gradient as long as the critic treats samples independently.
    """
    images = images.detach().float().requires_grad_(True)
    with torch.autocast(images.device.type, enabled=False):
        (gradients,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return gradients


def gradient_norms(critic: Critic, images: Tensor) -> Tensor:
    """Euclidean norm of each sample's gradient, (N,)."""
    return (input_gradients(critic, images).flatten(1).square().sum(1) + EPSILON).sqrt()


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """Points on the segments from real to fake, one uniformly drawn position per sample."""
    position = torch.rand(real.shape[0], *[1] * (real.ndim - 1), device=real.device)
    return real + position * (fake - real)


class WGANGP:
    """Gradient penalty of WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028, equation 3).

    weight * E[(||grad D(x_hat)||_2 - 1)^2] at x_hat on the segments between real and fake images.
    """

    def __init__(self, weight: NonNegativeFloat = 10.0) -> None:
        self.weight = weight

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Real and fake are image batches of one shape (N, C, H, W)."""
        norms = gradient_norms(critic, interpolate(real, fake.float()))
        return self.weight * (norms - 1).square().mean()
