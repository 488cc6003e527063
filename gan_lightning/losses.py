"""Adversarial losses on logits, side by side.

Each has `discriminator(*, real, fake)` and `generator(*, fake)`: logits (N,) in, a scalar to minimise out.
`score(logits)` is what the progress bar shows as D(x): a probability where the loss defines one, else the logit.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Minimax:
    """The value function of GAN (Goodfellow et al. 2014, arXiv:1406.2661, equation 1), played as written.

    D minimises -E[log D(x)] - E[log(1 - D(G(z)))]; G minimises E[log(1 - D(G(z)))], which saturates when
    D wins.
    """

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """-log sigmoid(real) = softplus(-real); -log(1 - sigmoid(fake)) = softplus(fake)."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, *, fake: Tensor) -> Tensor:
        """log(1 - sigmoid(fake)) = -softplus(fake)."""
        return -F.softplus(fake).mean()

    def score(self, logits: Tensor) -> Tensor:
        """D's probability that the images are real."""
        return torch.sigmoid(logits)


class NonSaturating(Minimax):
    """Minimax for D; G minimises -E[log D(G(z))] (Goodfellow et al. 2014, section 3, last paragraph)."""

    def generator(self, *, fake: Tensor) -> Tensor:
        """-log sigmoid(fake) = softplus(-fake)."""
        return F.softplus(-fake).mean()


class LeastSquares:
    """LSGAN (Mao et al. 2017, arXiv:1611.04076, equation 2) with labels a (fake), b (real), c (G's target).

    D minimises 1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]; G minimises 1/2 E[(D(G(z)) - c)^2].
    (0, 1, 1) is equation 9 and (-1, 1, 0), which minimises the Pearson chi-squared divergence, equation 8.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0) -> None:
        self.a, self.b, self.c = a, b, c

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """1/2 E[(real - b)^2] + 1/2 E[(fake - a)^2]."""
        return 0.5 * ((real - self.b).square().mean() + (fake - self.a).square().mean())

    def generator(self, *, fake: Tensor) -> Tensor:
        """1/2 E[(fake - c)^2]."""
        return 0.5 * (fake - self.c).square().mean()

    def score(self, logits: Tensor) -> Tensor:
        """The regression output itself: b for certainly real, a for certainly fake."""
        return logits


class Wasserstein:
    """WGAN (Arjovsky et al. 2017, arXiv:1701.07875, equation 2): the critic's mean difference.

    The critic maximises E[D(x)] - E[D(G(z))] and must be kept Lipschitz by clipping or a penalty.
    """

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """E[fake] - E[real]."""
        return fake.mean() - real.mean()

    def generator(self, *, fake: Tensor) -> Tensor:
        """-E[fake]."""
        return -fake.mean()

    def score(self, logits: Tensor) -> Tensor:
        """The critic's value; only differences between real and fake mean anything."""
        return logits


class Loss(Protocol):
    """What a game asks of a loss."""

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """What D minimises."""

    def generator(self, *, fake: Tensor) -> Tensor:
        """What G minimises."""

    def score(self, logits: Tensor) -> Tensor:
        """What to show of D's logits, one number each."""
