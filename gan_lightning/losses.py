"""Adversarial losses on logits, side by side.

Each has `discriminator(*, real, fake)` and `generator(*, real, fake)`, from logits (N,) to a scalar to minimise. Only a
`relativistic` loss compares real and fake logits in the generator's step; the others get None for `real` there.
`realness(logits)` is shown as D(x): a probability where the loss defines one, otherwise the logit.
"""

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat
from torch import Tensor, nn


class Loss:
    """Interface of an adversarial loss; subclasses give both networks' losses."""

    relativistic: bool = False
    """Whether the generator's loss needs the logits of real images, too."""

    energies: bool = False
    """Whether logits must be minus energies, which are never above 0."""

    decision_boundary: float | None = None
    """Logit at which D finds an image as likely to be real as fake; None where a single logit does not tell."""

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss, a scalar."""
        raise NotImplementedError

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """The generator's loss, a scalar."""
        raise NotImplementedError

    def realness(self, logits: Tensor) -> Tensor:
        """What is logged as D(x) and D(G(z)), (N,): a probability where the loss defines one, else the logits."""
        return logits

    @property
    def defines_probability(self) -> bool:
        """Whether `realness` gives D's probability that an image is real: the loss has a formula for it of its own."""
        return type(self).realness is not Loss.realness

    def extra_metrics(self) -> dict[str, Tensor]:
        """Further metrics of the discriminator's step, by name."""
        return {}


class Minimax(Loss):
    """The value function of GAN (Goodfellow et al. 2014, arXiv:1406.2661, equation 1), for both networks.

    D minimises -E[log D(x)] - E[log(1 - D(G(z)))]; G minimises E[log(1 - D(G(z)))], whose gradients vanish when D
    rejects fakes with confidence.
    """

    decision_boundary = 0.0

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """-log sigmoid(real) = softplus(-real); -log(1 - sigmoid(fake)) = softplus(fake)."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """log(1 - sigmoid(fake)) = -softplus(fake)."""
        return -F.softplus(fake).mean()

    def realness(self, logits: Tensor) -> Tensor:
        """D's probability that the images are real."""
        return torch.sigmoid(logits)


class NonSaturating(Minimax):
    """Minimax for D; G minimises -E[log D(G(z))] (Goodfellow et al. 2014, section 3, last paragraph)."""

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """-log sigmoid(fake) = softplus(-fake)."""
        return F.softplus(-fake).mean()


class LeastSquares(Loss):
    """LSGAN (Mao et al. 2017, arXiv:1611.04076, equation 2).

    D minimises 1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]; G minimises 1/2 E[(D(G(z)) - c)^2].
    (a, b, c) = (0, 1, 1) is equation 9; (-1, 1, 0), which minimises the Pearson chi-squared divergence, is equation 8.

    Args:
        a: Target of the discriminator for fakes.
        b: Target of the discriminator for real images.
        c: Target of the generator for its fakes.
    """

    def __init__(self, a: float, b: float, c: float) -> None:
        self.a, self.b, self.c = a, b, c
        self.decision_boundary = (a + b) / 2

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """1/2 E[(real - b)^2] + 1/2 E[(fake - a)^2]."""
        return 0.5 * ((real - self.b).square().mean() + (fake - self.a).square().mean())

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """1/2 E[(fake - c)^2]."""
        return 0.5 * (fake - self.c).square().mean()


class Wasserstein(Loss):
    """WGAN (Arjovsky et al. 2017, arXiv:1701.07875, equation 2): the difference of the critic's means.

    The critic maximises E[D(x)] - E[D(G(z))] and must be kept Lipschitz, by weight clipping or a penalty.
    """

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """E[fake] - E[real]."""
        return fake.mean() - real.mean()

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """-E[fake]."""
        return -fake.mean()


class Hinge(Loss):
    """The hinge loss (Lim & Ye 2017, arXiv:1705.02894) as used by SN-GAN (Miyato et al. 2018, arXiv:1802.05957).

    D minimises E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]: images beyond the margin have no gradient.
    G minimises -E[D(G(z))], without a margin, so that it always has a gradient.
    """

    decision_boundary = 0.0

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """E[max(0, 1 - real)] + E[max(0, 1 + fake)]."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """-E[fake]."""
        return -fake.mean()


class RelativisticPairing(Loss):
    """Relativistic GAN (Jolicoeur-Martineau 2019, arXiv:1807.00734, RSGAN), which R3GAN uses (arXiv:2501.05441).

    D learns that each real image is more real than the fake paired with it: it minimises
    E[softplus(-(D(x) - D(G(z))))]. G minimises E[softplus(-(D(G(z)) - D(x)))]. Both batches have the same size.
    """

    relativistic: bool = True

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """E[-log sigmoid(real - fake)]."""
        return F.softplus(fake - real).mean()

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """The discriminator's loss with real and fake logits swapped."""
        assert real is not None
        return self.discriminator(real=fake, fake=real)


class RelativisticAverage(RelativisticPairing):
    """Relativistic average GAN (Jolicoeur-Martineau 2019, arXiv:1807.00734, RaSGAN).

    D learns that a real image is more real than the average fake, and a fake less real than the average real image:
    it minimises E[softplus(-(D(x) - E[D(G(z))]))] + E[softplus(D(G(z)) - E[D(x)])]. G minimises both terms with real
    and fake images swapped.
    """

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """E[-log sigmoid(real - E[fake])] + E[-log(1 - sigmoid(fake - E[real]))]."""
        return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


class EnergyMargin(Loss):
    """EBGAN (Zhao et al. 2017, arXiv:1609.03126, equations 1 and 2), on logits that are minus an energy.

    D minimises E[energy(x)] + E[max(0, margin - energy(G(z)))]; G minimises E[energy(G(z))].

    Args:
        margin: Energy above which fakes have no gradient in D's loss; 1 suits energies that are mean squared errors.
    """

    energies = True

    def __init__(self, margin: NonNegativeFloat) -> None:
        self.margin = margin

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """-real + relu(margin + fake)."""
        return -real.mean() + F.relu(self.margin + fake).mean()

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """-fake."""
        return -fake.mean()


class BEGAN(nn.Module, Loss):
    """BEGAN (Berthelot et al. 2017, arXiv:1703.10717, section 3.4), on logits that are minus an energy.

    D minimises E[energy(x)] - k E[energy(G(z))], G minimises E[energy(G(z))]; after each step of D
    k <- clip(k + rate * (gamma E[energy(x)] - E[energy(G(z))]), 0, 1). `extra_metrics` gives k and the convergence
    measure E[energy(x)] + |gamma E[energy(x)] - E[energy(G(z))]|, which falls as training converges.

    Args:
        gamma: Target for the ratio of the fakes' energy to that of real images; a lower one means less variety.
        rate: Step size of k; the paper's lambda_k.
    """

    energies = True

    def __init__(self, gamma: NonNegativeFloat, rate: NonNegativeFloat) -> None:
        super().__init__()
        self.gamma = gamma
        self.rate = rate
        self.register_buffer("balance", torch.tensor(0.0))
        self.balance: Tensor
        self.convergence: Tensor | None = None

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """-real + k fake, with the current k, which is then updated."""
        loss = -real.mean() + self.balance.clone() * fake.mean()
        with torch.no_grad():
            gap = -self.gamma * real.mean() + fake.mean()
            self.balance.add_(self.rate * gap).clamp_(0, 1)
            self.convergence = -real.mean() + gap.abs()
        return loss

    def generator(self, *, real: Tensor | None, fake: Tensor) -> Tensor:
        """-fake."""
        return -fake.mean()

    def extra_metrics(self) -> dict[str, Tensor]:
        """`balance`, which is k, and `convergence`."""
        return {} if self.convergence is None else {"balance": self.balance.clone(), "convergence": self.convergence}
