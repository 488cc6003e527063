"""Penalties added to the discriminator's loss: `penalty(critic, real, fake, real_logits, fake_logits)` -> scalar.

`critic` maps images (N, C, H, W) to logits (N,), through the augmentation if there is one; `real` and `fake` are
batches before augmentation, and their logits are those of the loss. Gradients are computed in float32 (in float64 if
the images are), for each sample over all its pixels and channels.
"""

from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn

from gan_lightning.floats import at_least_float32

Critic = Callable[[Tensor], Tensor]

EPSILON = 1e-12  # inside the square root, whose slope at 0 is infinite


def input_gradients(critic: Critic, images: Tensor) -> Tensor:
    """d critic(images)[i] / d images[i], (N, C, H, W), differentiable with respect to the critic's parameters.

    The gradient of the summed logits is each sample's own, as long as the critic treats samples independently.
    """
    images = at_least_float32(images.detach()).requires_grad_(True)
    with torch.autocast(images.device.type, enabled=False):
        (gradients,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return gradients


def squared_norms(critic: Critic, images: Tensor) -> Tensor:
    """Squared Euclidean norm of each sample's gradient, (N,)."""
    return input_gradients(critic, images).flatten(1).square().sum(1)


def gradient_norms(critic: Critic, images: Tensor) -> Tensor:
    """Euclidean norm of each sample's gradient, (N,)."""
    return (squared_norms(critic, images) + EPSILON).sqrt()


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """Points on the segments from real to fake images, at a uniformly random position for each sample."""
    position = torch.rand(real.shape[0], *[1] * (real.ndim - 1), device=real.device)
    return real + position * (fake - real)


class Penalty(nn.Module):
    """Interface of a penalty; its state is in buffers, and therefore in the checkpoint."""

    takes_gradients: bool = True
    """Whether it differentiates the critic with respect to images, whose logits must then not depend on each other."""

    def forward(self, critic: Critic, real: Tensor, fake: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The penalty, a scalar, of images (N, C, H, W) and their logits (N,)."""
        raise NotImplementedError


class WGANGP(Penalty):
    """Gradient penalty of WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028, equation 3).

    weight * E[(||grad D(x_hat)||_2 - 1)^2] at x_hat on the segments between real and fake images.

    Args:
        weight: Factor of the penalty; the paper's lambda.
    """

    def __init__(self, weight: NonNegativeFloat) -> None:
        super().__init__()
        self.weight = weight

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the gradients are taken: between real and fake images."""
        return interpolate(real, at_least_float32(fake))

    def cost(self, norms: Tensor) -> Tensor:
        """Cost of each norm: its squared distance from 1."""
        return (norms - 1).square()

    def forward(self, critic: Critic, real: Tensor, fake: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """weight * E[cost(||grad D||_2)]."""
        return self.weight * self.cost(gradient_norms(critic, self.points(real, fake))).mean()


class WGANLP(WGANGP):
    """Lipschitz penalty of WGAN-LP (Petzka et al. 2018, arXiv:1709.08894): only norms above 1 are penalised.

    weight * E[max(0, ||grad D(x_hat)||_2 - 1)^2] at the points of WGAN-GP; a Lipschitz critic may be flatter than 1.
    """

    def cost(self, norms: Tensor) -> Tensor:
        """Cost of each norm: its squared excess over 1."""
        return F.relu(norms - 1).square()


class DRAGAN(WGANGP):
    """Gradient penalty of DRAGAN (Kodali et al. 2017, arXiv:1705.07215): norms of 1 around real images only.

    weight * E[(||grad D(x_hat)||_2 - 1)^2], with gradients of the logit. As in the authors' notebook, x_hat lies on the
    segment from x to x + 0.5 std u, at one position for each sample, where u ~ U[0, 1) for each pixel and std is the
    standard deviation of the whole batch.
    """

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the gradients are taken: between real images and noisy copies."""
        return interpolate(real, real + 0.5 * real.std(correction=0) * torch.rand_like(real))


class R1(Penalty):
    """R1 (Mescheder et al. 2018, arXiv:1801.04406, equation 9): gamma / 2 E[||grad D(x)||^2] at real images.

    Summed over pixels, averaged over samples. The authors' code lacks the factor 1/2: its 10 is gamma = 20.

    Args:
        gamma: Factor of half the mean squared gradient norm.
    """

    def __init__(self, gamma: NonNegativeFloat) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, critic: Critic, real: Tensor, fake: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Gamma / 2 times the mean squared gradient norm at real images."""
        return self.gamma / 2 * squared_norms(critic, real).mean()


class R2(R1):
    """R2 (Mescheder et al. 2018, arXiv:1801.04406, equation 10): R1 at fake images."""

    def forward(self, critic: Critic, real: Tensor, fake: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Gamma / 2 times the mean squared gradient norm at fake images."""
        return self.gamma / 2 * squared_norms(critic, fake).mean()


class WGANDiv(Penalty):
    """Wasserstein divergence (Wu et al. 2018, arXiv:1712.01026): k E[||grad D(x_hat)||^p] between real and fake.

    With `loss=wasserstein` the critic then needs no Lipschitz constraint: it estimates another divergence.

    Args:
        k: Factor of the penalty.
        p: Power of the gradient norms.
    """

    def __init__(self, k: NonNegativeFloat, p: Annotated[float, Field(ge=2)]) -> None:
        super().__init__()
        self.k, self.p = k, p

    def forward(self, critic: Critic, real: Tensor, fake: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """K times the mean p-th power of the gradient norms, from their squares: a root has an infinite slope at 0."""
        return self.k * squared_norms(critic, interpolate(real, at_least_float32(fake))).pow(self.p / 2).mean()


class LeCam(Penalty):
    """LeCam regularisation (Tseng et al. 2021, arXiv:2104.03310) against overfitting on little data.

    weight * (E[max(0, D(x) - a_fake)^2] + E[max(0, a_real - D(G(z)))^2]): the logit of a real image should not be far
    above those of recent fakes, nor that of a fake far below those of recent real images. The anchors a are moving
    averages of D's mean logits, including the current batch. As in the authors' code, the penalty is 0 in the first
    `start` + 1 steps of D, and the anchors are the means of the last batch until then.

    Args:
        weight: Factor of the penalty; the paper's lambda.
        decay: Weight of the previous anchor in each update.
        start: Number of discriminator steps before the averages begin.
    """

    takes_gradients = False
    steps: Tensor
    real_anchor: Tensor
    fake_anchor: Tensor

    def __init__(
        self,
        weight: NonNegativeFloat,
        decay: Annotated[float, Field(ge=0, lt=1)],
        start: NonNegativeInt,
    ) -> None:
        super().__init__()
        self.weight, self.decay, self.start = weight, decay, start
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("real_anchor", torch.zeros(()))
        self.register_buffer("fake_anchor", torch.zeros(()))

    def forward(self, critic: Critic, real: Tensor, fake: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The penalty of this step's logits; the anchors are updated first."""
        self.follow(self.real_anchor, real_logits)
        self.follow(self.fake_anchor, fake_logits)
        excess = F.relu(real_logits - self.fake_anchor).square().mean()
        excess = excess + F.relu(self.real_anchor - fake_logits).square().mean()
        weight = self.weight * (self.steps > self.start)  # a tensor, so that nothing waits for the GPU
        self.steps += 1
        return weight * excess

    def follow(self, anchor: Tensor, logits: Tensor) -> None:
        """Update an anchor with the mean of a batch's logits."""
        mean = logits.detach().mean()
        averaging = (self.steps >= self.start) & (self.steps > 0)
        anchor.copy_(torch.where(averaging, anchor.lerp(mean, 1 - self.decay), mean))
