"""Frechet distance between two sets of images: a pure function of their features, float (n, D)."""

import torch
from torch import Tensor

from gan_lightning.evaluation.sample_count import require_samples


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Squared Wasserstein-2 distance of Gaussians fitted to both sets (Heusel et al. 2017, arXiv:1706.08500, eq. 6).

    |m_r - m_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)), computed in float64. The estimate is biased upwards by about
    1/n, so compare only values of equal n. It is at least 0, has the squared unit of the features, and is 0 for equal
    sets.

    Args:
        real: Features of real images, (n, D).
        fake: Features of samples, (m, D).

    Raises:
        UserError: When a set has fewer than D + 1 samples, too few for its covariance.
    """
    for features in (real, fake):
        require_samples(len(features), features.shape[1] + 1, "the Frechet distance")
    mean_r, covariance_r = moments(real)
    mean_f, covariance_f = moments(fake)
    root = symmetric_root(covariance_r)
    cross = torch.linalg.eigvalsh(root @ covariance_f @ root).clamp(min=0).sqrt().sum()  # tr (S_r S_f)^(1/2)
    distance = (mean_r - mean_f).square().sum() + covariance_r.trace() + covariance_f.trace() - 2 * cross
    return max(0.0, distance.item())


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) of features (n, D), in float64."""
    features = features.double()
    return features.mean(0), torch.cov(features.T)


def symmetric_root(matrix: Tensor) -> Tensor:
    """The positive semi-definite square root of a covariance (D, D); negative eigenvalues from rounding count as 0."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T
