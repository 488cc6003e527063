"""Whether samples are copies of training images: a pure function of vectors, such as pixels."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.evaluation.sample_count import require_samples
from gan_lightning.floats import at_least_float32

NEIGHBOUR_BATCH_SIZE = 1000
"""Candidates for the nearest neighbour that are converted to floating point at a time."""


class Memorization(NamedTuple):
    """What nearest neighbours reveal about memorization.

    Attributes:
        share: Estimated share of the samples that are memorized; about 0 without memorization, 1 when all are.
        error: Standard error of the share under the hypothesis of no memorization.
        p_value: Probability of so large a share, or a larger one, under that hypothesis.
        training: Index of each sample's nearest training image, (n,).
        ratio: Distance to it over the distance to the nearest held-out image, (n,); the smallest are the most suspect.
    """

    share: float
    error: float
    p_value: float
    training: Tensor
    ratio: Tensor


def memorization(samples: Tensor, training: Tensor, held_out: Tensor) -> Memorization:
    """Test whether samples are closer to training images than to images of the same distribution not trained on.

    When nothing is memorized, training and held-out images (drawn from one set at random) are exchangeable, and a
    sample's nearest neighbour among all N + M of them is a training image with probability q = N / (N + M). If a
    share m of the samples copies training images and the rest follows that law, q + m (1 - q) of them do. The test is
    the permutation test of the labels "training" and "held out": with w_j samples whose neighbour is image j, the
    count's variance over all relabellings is N M sum_j (w_j - mean)^2 / ((N + M) (N + M - 1)), which accounts for
    images that are the neighbour of many samples; the p-value treats the count as normally distributed.

    Args:
        samples: Vectors of the samples, (n, D), such as pixels, of any dtype.
        training: Vectors of the training images, (N, D).
        held_out: Vectors of images that were not trained on, (M, D).

    Raises:
        UserError: When no image is held out.
    """
    require_samples(len(held_out), 1, "memorization (held-out images)")
    training_index, training_distance = nearest(samples, training)
    held_index, held_distance = nearest(samples, held_out)
    copied = training_distance < held_distance
    neighbour = torch.where(copied, training_index, held_index + len(training))
    total = len(training) + len(held_out)
    expected = len(training) / total
    counts = torch.bincount(neighbour, minlength=total).double()
    variance = expected * (1 - expected) * total / (total - 1) * (counts - counts.mean()).square().sum()
    excess = copied.sum().item() - len(samples) * expected
    deviation = variance.sqrt().item()
    return Memorization(
        share=excess / (len(samples) * (1 - expected)),
        error=deviation / (len(samples) * (1 - expected)),
        p_value=0.5 * math.erfc(excess / deviation / 2**0.5),
        training=training_index,
        ratio=training_distance / held_distance.clamp(min=1e-12),
    )


def nearest(points: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Index of and Euclidean distance to each point's nearest candidate, (n,) each.

    Only `NEIGHBOUR_BATCH_SIZE` candidates are converted to floating point at a time.

    Args:
        points: Vectors whose neighbours are wanted, (n, D), of any dtype.
        candidates: Vectors among which the neighbours are searched, (m, D), of any dtype.
    """
    points = at_least_float32(points)
    best = torch.full((len(points),), torch.inf, dtype=points.dtype, device=points.device)
    index = torch.zeros(len(points), dtype=torch.long, device=points.device)
    for start, part in enumerate(candidates.split(NEIGHBOUR_BATCH_SIZE)):
        vectors = part.to(points.dtype)
        squares = vectors.square().sum(1)
        # |p - v|^2 - |p|^2, which orders v as the distance does
        value, place = torch.addmm(squares, points, vectors.T, alpha=-2).min(1)
        better = value < best
        best = torch.where(better, value, best)
        index = torch.where(better, place + start * NEIGHBOUR_BATCH_SIZE, index)
    # the exact distance, where the difference of squares is rounded
    return index, (points - candidates[index].to(points.dtype)).norm(dim=1)
