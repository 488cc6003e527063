"""Losses of f-GAN (Nowozin et al. 2016, arXiv:1606.00709): D estimates an f-divergence between data and fakes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses import Loss


class FDivergence(Loss):
    """f-GAN (Nowozin et al. 2016, arXiv:1606.00709): D estimates a divergence between the data P and G's images Q.

    With T = g_f(logit), D maximises E[T(x)] - E[f*(T(G(z)))] (section 2.3), whose maximum is
    D_f(P||Q) = E_Q[f(p / q)], reached at T = f'(p / q). A subclass gives g_f and f* (tables 2 and 6).

    Args:
        saturating: Whether G minimises -E[f*(T(G(z)))], the divergence itself; otherwise it minimises -E[T(G(z))],
            whose gradients are larger while D recognises fakes easily (section 3.2).
    """

    decision_boundary = 0.0

    def __init__(self, saturating: bool) -> None:
        self.saturating = saturating

    def activation(self, logits: Tensor) -> Tensor:
        """T = g_f(logit): increasing in the logit, with values where f* is defined."""
        raise NotImplementedError

    def conjugate(self, logits: Tensor) -> Tensor:
        """f*(g_f(logit)), simplified so that no digits are lost where T is close to the edge of f*'s domain."""
        raise NotImplementedError

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """E[f*(T(fake))] - E[T(real)]: minus the estimated divergence."""
        return self.conjugate(fake).mean() - self.activation(real).mean()

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """-E[f*(T(fake))] if saturating, else -E[T(fake)]."""
        return -(self.conjugate if self.saturating else self.activation)(fake).mean()


class KL(FDivergence):
    """f-GAN of the Kullback-Leibler divergence E_P[log(p / q)]: f(u) = u log u, g_f(v) = v, f*(t) = exp(t - 1)."""

    decision_boundary = 1.0

    def activation(self, logits: Tensor) -> Tensor:
        """T is the logit."""
        return logits

    def conjugate(self, logits: Tensor) -> Tensor:
        """exp(v - 1)."""
        return torch.exp(logits - 1)

    def realness(self, logits: Tensor) -> Tensor:
        """The probability that images are real, p / (p + q): the optimal logit is 1 + log(p / q)."""
        return torch.sigmoid(logits - 1)


class ReverseKL(FDivergence):
    """f-GAN of the reverse divergence E_Q[log(q / p)]: f(u) = -log u, g_f(v) = -exp(-v), f*(t) = -1 - log(-t)."""

    def activation(self, logits: Tensor) -> Tensor:
        """-exp(-v)."""
        return -torch.exp(-logits)

    def conjugate(self, logits: Tensor) -> Tensor:
        """-1 - log(exp(-v)) = v - 1."""
        return logits - 1

    def realness(self, logits: Tensor) -> Tensor:
        """The probability that images are real, p / (p + q): the optimal logit is log(p / q)."""
        return torch.sigmoid(logits)


class Pearson(FDivergence):
    """f-GAN of Pearson's chi-squared E_Q[(p / q - 1)^2]: f(u) = (u - 1)^2, g_f(v) = v, f*(t) = t^2 / 4 + t."""

    def activation(self, logits: Tensor) -> Tensor:
        """T is the logit."""
        return logits

    def conjugate(self, logits: Tensor) -> Tensor:
        """v^2 / 4 + v."""
        return logits.square() / 4 + logits


class JensenShannon(FDivergence):
    """f-GAN of the Jensen-Shannon divergence: E_P[log(2p / (p + q))] + E_Q[log(2q / (p + q))], without the usual 1/2.

    f(u) = u log u - (u + 1) log((u + 1) / 2), g_f(v) = log 2 - log(1 + exp(-v)), f*(t) = -log(2 - exp(t)). D's loss is
    that of `Minimax` minus log 4, so D learns the same.
    """

    def activation(self, logits: Tensor) -> Tensor:
        """log 2 - softplus(-v)."""
        return math.log(2) - F.softplus(-logits)

    def conjugate(self, logits: Tensor) -> Tensor:
        """-log(2 - 2 sigmoid(v)) = softplus(v) - log 2."""
        return F.softplus(logits) - math.log(2)

    def realness(self, logits: Tensor) -> Tensor:
        """The probability that images are real, p / (p + q): the optimal logit is log(p / q)."""
        return torch.sigmoid(logits)
