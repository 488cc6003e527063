"""Distances between two sets of images: pure functions of their features, float (n, D)."""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.errors import UserError


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Squared Wasserstein-2 distance of Gaussians fitted to both sets (Heusel et al. 2017, arXiv:1706.08500, eq. 6).

    |m_r - m_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)), in float64. It is biased upwards by about 1/n: compare only
    figures of equal n. In squared units of the features; 0 for equal sets.

    Args:
        real: features (n, D).
        fake: features (m, D).

    Raises:
        UserError: when a set has too few samples for its covariance, n < D + 1.
    """
    for features in (real, fake):
        require(len(features), features.shape[1] + 1, "the Frechet distance")
    mean_r, covariance_r = moments(real)
    mean_f, covariance_f = moments(fake)
    root = symmetric_root(covariance_r)
    cross = torch.linalg.eigvalsh(root @ covariance_f @ root).clamp(min=0).sqrt().sum()  # tr (S_r S_f)^(1/2)
    distance = (mean_r - mean_f).square().sum() + covariance_r.trace() + covariance_f.trace() - 2 * cross
    return max(0.0, distance.item())


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) in float64."""
    features = features.double()
    return features.mean(0), torch.cov(features.T)


def symmetric_root(matrix: Tensor) -> Tensor:
    """The positive semi-definite square root of a covariance; rounding's negative eigenvalues count as 0."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def kernel_distance(real: Tensor, fake: Tensor, subsets: int = 10, seed: int = 0) -> Estimate:
    """Squared maximum mean discrepancy with kernel (x.y / D + 1)^3 (Binkowski et al. 2018, arXiv:1801.01401, eq. 4).

    Unbiased at every n, so it may fall below 0. Both sets are cut, in an order drawn from `seed`, into disjoint
    subsets; the value is their mean and, as they are independent, its standard error that of a mean.

    Args:
        real: features (n, D).
        fake: features (m, D).
        subsets: number of subsets; with one there is no error (nan).
        seed: of the order.

    Raises:
        UserError: when a subset would hold fewer than two samples.
    """
    count = min(len(real), len(fake))
    require(count, 2 * subsets, f"the kernel distance in {subsets} subsets")
    size = count // subsets
    random = torch.Generator().manual_seed(seed)
    # each in an order of its own: sets sorted by class would otherwise be compared class by class
    parts = [
        features[torch.randperm(len(features), generator=random)].double().split(size) for features in (real, fake)
    ]
    values = torch.stack([unbiased_mmd(x, y) for x, y, _ in zip(*parts, range(subsets), strict=False)])
    return Estimate(values.mean().item(), (values.std() / subsets**0.5).item() if subsets > 1 else float("nan"))


def unbiased_mmd(x: Tensor, y: Tensor) -> Tensor:
    """MMD^2 of two samples (m, D) of one size: means of k(x, x'), k(y, y') without the diagonal, and of k(x, y)."""
    count = len(x)

    def between(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: Tensor) -> Tensor:
        kernel = between(a, a)
        return (kernel.sum() - kernel.trace()) / (count * (count - 1))

    return within(x) + within(y) - 2 * between(x, y).mean()


def require(count: int, least: int, what: str) -> None:
    """Refuse a score of too few samples."""
    if count < least:
        raise UserError(f"{what} needs at least {least:,} samples on each side, got {count:,}; type n={least} or more")
