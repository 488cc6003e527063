"""Scores that ask for nearest neighbours: precision, recall, density, coverage; memorisation."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.evaluation.distances import require
from gan_lightning.floats import at_least_float32

ROWS = 1000  # of a distance matrix held in memory at a time


class Manifold(NamedTuple):
    """How two sets of features lie among each other."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_scores(real: Tensor, fake: Tensor, k: int = 5) -> Manifold:
    """Precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al. 2020).

    Equations 1 and 2 of the former, section 3 of the latter (arXiv:2002.09797).
    Each sample owns the ball that reaches its k-th nearest neighbour in its own set, border included.
    precision: share of fakes inside some real ball. recall: share of reals inside some fake ball. density: real balls
    a fake is in, over k, on average; may exceed 1. coverage: share of reals whose ball holds a fake. Two samples of one
    distribution do not score 1; their figures, the floor, depend on n and k.

    Args:
        real: features (n, D).
        fake: features (n, D), as many.
        k: neighbours.

    Raises:
        UserError: when n <= k.
        ValueError: when the sets differ in size.
    """
    if len(real) != len(fake):
        raise ValueError(f"precision and recall need sets of one size, got {len(real)} and {len(fake)}")
    require(len(real), k + 1, f"precision and recall with {k} neighbours")
    real_radius, fake_radius = radii(real, k), radii(fake, k)
    balls = torch.zeros(len(fake))  # real balls around each fake
    recalled, covered = [], []
    for rows, radius in zip(real.split(ROWS), real_radius.split(ROWS), strict=True):
        distance = torch.cdist(rows, fake)
        balls += (distance <= radius[:, None]).sum(0).cpu()
        recalled.append((distance <= fake_radius).any(1))
        covered.append(distance.amin(1) <= radius)
    return Manifold(
        precision=(balls > 0).float().mean().item(),
        recall=torch.cat(recalled).float().mean().item(),
        density=balls.mean().item() / k,
        coverage=torch.cat(covered).float().mean().item(),
    )


def radii(features: Tensor, k: int) -> Tensor:
    """Distance of each sample to its k-th nearest other sample, (n,)."""
    found = []
    for start, rows in enumerate(features.split(ROWS)):
        distance = torch.cdist(rows, features)
        own = torch.arange(len(rows), device=features.device)
        distance[own, own + start * ROWS] = torch.inf  # nobody is a neighbour of its own; rounding hides the zero
        found.append(distance.kthvalue(k, dim=1).values)
    return torch.cat(found)


class Memorisation(NamedTuple):
    """What nearest neighbours say about copying.

    share: estimated share of the samples that are memorised; about 0 without memorisation, 1 when all are.
    error: its standard error under no memorisation.
    p_value: probability of so large a share, or a larger one, under no memorisation.
    training: index of each sample's nearest training image, (n,).
    ratio: distance to it over the distance to the nearest held-out image, (n,); the smallest are the worst offenders.
    """

    share: float
    error: float
    p_value: float
    training: Tensor
    ratio: Tensor


def memorisation(samples: Tensor, training: Tensor, held_out: Tensor) -> Memorisation:
    """Are samples nearer to the images trained on than to images like them that were not?

    When nothing is memorised, training and held-out images (drawn from one set at random) are exchangeable, and a
    sample's nearest neighbour among all N + M of them is a training image with probability q = N / (N + M). If a
    share m of the samples sits on training images and the rest obeys that law, q + m (1 - q) of them do. The test is
    the permutation test of the labels "training" and "held out": with w_j samples whose neighbour is image j, the
    count's variance over all relabellings is N M sum_j (w_j - mean)^2 / ((N + M) (N + M - 1)), which allows for images
    that many samples share; the p-value takes the count as normal.

    Args:
        samples: vectors (n, D), such as pixels, of any dtype.
        training: vectors (N, D).
        held_out: vectors (M, D), not trained on.

    Raises:
        UserError: when no image is held out.
    """
    require(len(held_out), 1, "memorisation (held-out images)")
    training_index, training_distance = nearest(samples, training)
    held_index, held_distance = nearest(samples, held_out)
    copied = training_distance < held_distance
    neighbour = torch.where(copied, training_index, held_index + len(training))
    total = len(training) + len(held_out)
    chance = len(training) / total
    wanted = torch.bincount(neighbour, minlength=total).double()
    variance = chance * (1 - chance) * total / (total - 1) * (wanted - wanted.mean()).square().sum()
    excess = copied.sum().item() - len(samples) * chance
    deviation = variance.sqrt().item()
    return Memorisation(
        share=excess / (len(samples) * (1 - chance)),
        error=deviation / (len(samples) * (1 - chance)),
        p_value=0.5 * math.erfc(excess / deviation / 2**0.5),
        training=training_index,
        ratio=training_distance / held_distance.clamp(min=1e-12),
    )


def nearest(points: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Index of and distance to each point's nearest vector, (n,) each; only parts of `among` are ever made float."""
    points = at_least_float32(points)
    best = torch.full((len(points),), torch.inf, dtype=points.dtype, device=points.device)
    index = torch.zeros(len(points), dtype=torch.long, device=points.device)
    for start, part in enumerate(among.split(ROWS)):
        vectors = part.to(points.dtype)
        squares = vectors.square().sum(1)
        # |p - v|^2 - |p|^2, whose order over v is the distance's
        value, place = torch.addmm(squares, points, vectors.T, alpha=-2).min(1)
        better = value < best
        best = torch.where(better, value, best)
        index = torch.where(better, place + start * ROWS, index)
    return index, (points - among[index].to(points.dtype)).norm(dim=1)  # exact, where the difference of squares is not
