"""The distribution that latent vectors are drawn from."""

import math
from typing import Literal

import torch
from torch import Tensor

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
