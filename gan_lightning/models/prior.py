"""The distribution that latent vectors are drawn from."""

import math
from typing import Literal

import torch
from torch import Tensor

from gan_lightning.errors import UserError

Distribution = Literal["normal", "uniform", "uniform_unit_variance"]

HALF_WIDTHS = {"uniform": 1.0, "uniform_unit_variance": math.sqrt(3)}


class Prior:
    """p(z), the same in each coordinate: N(0, 1), U(-1, 1), or U(-sqrt 3, sqrt 3), whose variance is 1, too.

    Args:
        dim: Number of coordinates of z.
        distribution: Distribution of each coordinate: normal, uniform or uniform_unit_variance.
    """

    def __init__(self, dim: int, distribution: Distribution) -> None:
        self.dim = dim
        self.distribution = distribution

    def sample(self, count: int, device: torch.device, random: torch.Generator | None = None) -> Tensor:
        """Latent vectors (count, dim) on a device; with `random`, training's random numbers stay as they are."""
        source = random.device if random else device
        if self.distribution == "normal":
            latents = torch.randn(count, self.dim, generator=random, device=source)
        else:
            latents = torch.rand(count, self.dim, generator=random, device=source) * 2 - 1
            latents = latents * HALF_WIDTHS[self.distribution]
        return latents.to(device)

    @property
    def half_width(self) -> float:
        """The largest absolute value of a coordinate of z; infinite where z is normal."""
        return HALF_WIDTHS.get(self.distribution, math.inf)

    def truncate(self, latents: Tensor, truncation: float) -> Tensor:
        """Normal latent vectors scaled toward 0: more typical images, and less different ones.

        Args:
            latents: Latent vectors, (N, dim).
            truncation: Factor in (0, 1]; 1 leaves them as they are.

        Raises:
            UserError: The prior is not normal, or the factor is out of its range.
        """
        if not 0 < truncation <= 1:
            raise UserError(f"truncation={truncation:g} is not allowed: type a number above 0, at most 1, such as 0.7")
        if self.distribution != "normal":
            raise UserError(
                f"truncation={truncation:g} needs normal latent vectors, and this generator's are {self.distribution}; "
                "leave truncation= out, or train with model.prior=normal"
            )
        return latents * truncation
