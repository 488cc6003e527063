import math
from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveInt
from torch.optim import Optimizer

from gan_lightning.data import Batch
from gan_lightning.errors import UserError
from gan_lightning.models.gan import DISCRIMINATOR, GAN, GENERATOR
from gan_lightning.penalties import R1


def cosine(first: float, last: float, progress: float) -> float:
    """From `first` to `last` as `progress` goes from 0 to 1, slowly at both ends; `last` beyond."""
    return last + (first - last) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


class R3GAN(GAN):
    """R3GAN as its authors train it (Huang et al. 2024, arXiv:2501.05441): a burn-in anneals three numbers by cosines.

    While `burn_in` real images pass, both players' learning rates and the gammas of R1 and R2 fall, to the given
    shares of what the configuration says, and Adam's second moment comes to remember for longer: both networks change
    quickly at first. (The authors' averaged generator starts anew, too; `ema_half_life` grows from zero in every game.)

    Args:
        burn_in: real images until the numbers rest.
        final_rate: learning rates then, as a share of the first.
        final_gamma: gammas then, as a share of the first.
        final_beta2: Adam's second beta then.
    """

    def __init__(
        self,
        *,
        burn_in: PositiveInt,
        final_rate: NonNegativeFloat = 1.0,
        final_gamma: NonNegativeFloat = 0.1,
        final_beta2: Annotated[float, Field(ge=0, lt=1)] = 0.99,
        **options: Any,
    ) -> None:
        if options.get("scheduler") is not None:
            raise UserError(
                "R3GAN moves its learning rates itself; type model.scheduler=null, and model.final_rate=0.25 or another"
            )
        super().__init__(**options)
        self.burn_in = burn_in
        self.final_rate = final_rate
        self.final_gamma = final_gamma
        self.final_beta2 = final_beta2
        self.first_gammas = {penalty: penalty.gamma for penalty in self.penalties if isinstance(penalty, R1)}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the numbers for the images seen so far."""
        progress = self.images_seen / self.burn_in
        for player in (GENERATOR, DISCRIMINATOR):
            self.anneal(self.player(player).optimizer, progress)
        for penalty, gamma in self.first_gammas.items():
            penalty.gamma = cosine(gamma, self.final_gamma * gamma, progress)

    def anneal(self, optimizer: Optimizer, progress: float) -> None:
        """Set an optimizer's learning rate and, if it is an Adam, its second beta."""
        first = optimizer.defaults
        for group in optimizer.param_groups:
            group["lr"] = self.rate_share * cosine(first["lr"], self.final_rate * first["lr"], progress)
            if "betas" in group:
                beta1, beta2 = first["betas"]
                group["betas"] = (beta1, cosine(beta2, self.final_beta2, progress))
