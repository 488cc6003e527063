"""Precision, recall, density and coverage: pure functions of features, float (n, D)."""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.evaluation.sample_count import require_samples

DISTANCE_BATCH_SIZE = 1000
"""Rows of a distance matrix that are in memory at a time."""


class PRDC(NamedTuple):
    """Precision, recall and coverage, each in [0, 1], and density, at least 0."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """Precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al. 2020).

    Equations 1 and 2 of the former, section 3 of the latter (arXiv:2002.09797). Around each sample lies the closed
    ball that reaches its k-th nearest neighbour in its own set. precision: the share of fakes inside some ball of a
    real image. recall: the share of real images inside some ball of a fake. density: the number of real images' balls
    that a fake lies in, over k, on average; it may exceed 1. coverage: the share of real images whose ball contains a
    fake. Two sets from one distribution do not score 1; what they score, the real-data baseline, depends on n and k.

    Args:
        real: Features of real images, (n, D).
        fake: Features of samples, (n, D), as many.
        k: Number of nearest neighbours that defines each ball.

    Raises:
        UserError: When n <= k.
        ValueError: When the sets differ in size.
    """
    if len(real) != len(fake):
        raise ValueError(f"precision and recall need sets of equal size, got {len(real)} and {len(fake)}")
    require_samples(len(real), k + 1, f"precision and recall with {k} neighbours")
    real_radius, fake_radius = neighbour_distances(real, k), neighbour_distances(fake, k)
    balls = torch.zeros(len(fake))  # number of real images' balls that each fake lies in
    recalled, covered = [], []
    for rows, radius in zip(real.split(DISTANCE_BATCH_SIZE), real_radius.split(DISTANCE_BATCH_SIZE), strict=True):
        distance = torch.cdist(rows, fake)
        balls += (distance <= radius[:, None]).sum(0).cpu()
        recalled.append((distance <= fake_radius).any(1))
        covered.append(distance.amin(1) <= radius)
    return PRDC(
        precision=(balls > 0).float().mean().item(),
        recall=torch.cat(recalled).float().mean().item(),
        density=balls.mean().item() / k,
        coverage=torch.cat(covered).float().mean().item(),
    )


def neighbour_distances(features: Tensor, k: int) -> Tensor:
    """Distance of each sample to its k-th nearest other sample, (n,)."""
    found = []
    for start, rows in enumerate(features.split(DISTANCE_BATCH_SIZE)):
        distance = torch.cdist(rows, features)
        own = torch.arange(len(rows), device=features.device)
        # a sample is not its own neighbour; its distance to itself need not be exactly zero after rounding
        distance[own, own + start * DISTANCE_BATCH_SIZE] = torch.inf
        found.append(distance.kthvalue(k, dim=1).values)
    return torch.cat(found)
