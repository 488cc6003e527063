"""Numbers that change while training goes on: learning rates, gammas of penalties, Adam's second beta."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field, NonNegativeFloat, PositiveInt
from torch.optim import Optimizer

from gan_lightning.penalties import R1, Penalty


class Progress(NamedTuple):
    """How far training has come.

    images_seen: Real images so far, of all processes.
    budget_spent: Share of the run's budget (steps, images, epochs or time), from 0 to 1.
    """

    images_seen: int
    budget_spent: float


class Annealing:
    """Maps configured numbers to what they are now; these leave them as they are."""

    def learning_rate(self, value: float, progress: Progress) -> float:
        """Learning rate of either network."""
        return value

    def gamma(self, value: float, progress: Progress) -> float:
        """Gamma of R1 and R2."""
        return value

    def beta2(self, value: float, progress: Progress) -> float:
        """Adam's second beta, of either network."""
        return value


class LinearDecay(Annealing):
    """Both learning rates fall linearly to zero as the run's budget is spent."""

    def learning_rate(self, value: float, progress: Progress) -> float:
        """The share of the budget that is left times the configured rate."""
        return (1.0 - progress.budget_spent) * value


class BurnIn(Annealing):
    """R3GAN's burn-in (Huang et al. 2024, arXiv:2501.05441): rates, gammas and beta2 follow a cosine.

    Both networks change fast at first; afterwards the numbers stay. (The authors' averaged generator has a short
    half-life during the burn-in, too; here the half-life grows from zero in every model.)

    Args:
        images: Number of real images that the burn-in takes.
        final_rate: Learning rates at the end, as a share of the configured ones.
        final_gamma: Gammas of R1 and R2 at the end, as a share of the configured ones.
        final_beta2: Adam's second beta at the end.
    """

    def __init__(
        self,
        images: PositiveInt,
        final_rate: NonNegativeFloat,
        final_gamma: NonNegativeFloat,
        final_beta2: Annotated[float, Field(ge=0, lt=1)],
    ) -> None:
        self.images = images
        self.final_rate = final_rate
        self.final_gamma = final_gamma
        self.final_beta2 = final_beta2

    def learning_rate(self, value: float, progress: Progress) -> float:
        """From the configured rate to `final_rate` times it."""
        return cosine(value, self.final_rate * value, progress.images_seen / self.images)

    def gamma(self, value: float, progress: Progress) -> float:
        """From the configured gamma to `final_gamma` times it."""
        return cosine(value, self.final_gamma * value, progress.images_seen / self.images)

    def beta2(self, value: float, progress: Progress) -> float:
        """From the configured beta2 to `final_beta2`."""
        return cosine(value, self.final_beta2, progress.images_seen / self.images)


def cosine(first: float, last: float, progress: float) -> float:
    """From `first` to `last` as `progress` goes from 0 to 1, slowly at both ends; `last` beyond."""
    return last + (first - last) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


class Annealer:
    """Sets the annealed numbers in optimizers and penalties; without annealings it leaves them alone.

    Args:
        annealings: Annealings, applied one after another.
        penalties: Penalties of the discriminator's loss, with their configured gammas.
    """

    def __init__(self, annealings: Sequence[Annealing], penalties: Sequence[Penalty]) -> None:
        self.annealings = annealings
        self.gammas = {penalty: penalty.gamma for penalty in penalties if isinstance(penalty, R1)}

    def apply(self, optimizers: Sequence[Optimizer], progress: Progress) -> None:
        """Set what the numbers are now."""
        if not self.annealings:
            return
        for optimizer in optimizers:
            self.anneal(optimizer, progress)
        for penalty, gamma in self.gammas.items():
            for annealing in self.annealings:
                gamma = annealing.gamma(gamma, progress)
            penalty.gamma = gamma

    def anneal(self, optimizer: Optimizer, progress: Progress) -> None:
        """Set an optimizer's learning rate and, if it is an Adam, its second beta."""
        rate, (beta1, beta2) = optimizer.defaults["lr"], optimizer.defaults.get("betas", (0.0, 0.0))
        for annealing in self.annealings:
            rate, beta2 = annealing.learning_rate(rate, progress), annealing.beta2(beta2, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
            if "betas" in group:
                group["betas"] = (beta1, beta2)
