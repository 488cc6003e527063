"""Kernel distance between two sets of images: a pure function of their features, float (n, D)."""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.evaluation.sample_count import require_samples

SUBSETS = 10
"""Parts of both sets whose distances are averaged; sets of fewer than 20 images have fewer."""


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


def kernel_distance(real: Tensor, fake: Tensor, subsets: int = SUBSETS, seed: int = 0) -> Estimate:
    """Squared maximum mean discrepancy with kernel (x.y / D + 1)^3 (Binkowski et al. 2018, arXiv:1801.01401, eq. 4).

    The estimate is unbiased at every n, so it may be below 0; there is no upper limit. Both sets are split, in an
    order drawn from `seed`, into disjoint subsets. The value is the mean over the subsets, and because these are
    independent, its standard error is that of a mean. Computed in float64.

    Args:
        real: Features of real images, (n, D).
        fake: Features of samples, (m, D).
        subsets: Number of subsets; with a single one the standard error is nan.
        seed: Seed of the order in which both sets are split.

    Raises:
        UserError: When a subset would hold fewer than two samples.
    """
    count = min(len(real), len(fake))
    require_samples(count, 2 * subsets, f"the kernel distance in {subsets} subsets")
    size = count // subsets
    random = torch.Generator().manual_seed(seed)
    # each in an order of its own: sets sorted by class would otherwise be compared class by class
    parts = [
        features[torch.randperm(len(features), generator=random)].double().split(size) for features in (real, fake)
    ]
    values = torch.stack([unbiased_mmd(x, y) for x, y, _ in zip(*parts, range(subsets), strict=False)])
    return Estimate(values.mean().item(), (values.std() / subsets**0.5).item() if subsets > 1 else float("nan"))


def unbiased_mmd(x: Tensor, y: Tensor) -> Tensor:
    """MMD^2 of two samples (m, D) of equal size: means of k(x, x'), k(y, y') without the diagonal, and of k(x, y)."""
    count = len(x)

    def between(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: Tensor) -> Tensor:
        kernel = between(a, a)
        return (kernel.sum() - kernel.trace()) / (count * (count - 1))

    return within(x) + within(y) - 2 * between(x, y).mean()
