"""Memorization: nearest neighbours, and the test of whether samples are copies of training images."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch

from gan_lightning.errors import UserError
from gan_lightning.evaluation import memorization as memorization_module
from gan_lightning.evaluation.memorization import memorization, nearest


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def test_nearest_neighbours_agree_with_brute_force(monkeypatch):
    monkeypatch.setattr(memorization_module, "NEIGHBOUR_BATCH_SIZE", 7)
    points, among = normal(20, 4), normal(50, 4, seed=1)
    index, distance = nearest(points, among)
    matrix = scipy.spatial.distance.cdist(points.numpy(), among.numpy())
    assert index.tolist() == matrix.argmin(1).tolist()
    assert distance.tolist() == pytest.approx(matrix.min(1), rel=1e-9)


def test_copies_of_training_images_are_memorized_and_identified():
    training, held_out = normal(900, 8), normal(100, 8, seed=1)
    found = memorization(training[:300] + 1e-3, training, held_out)
    assert found.share == pytest.approx(1)
    assert found.p_value < 1e-6
    assert found.training.tolist() == list(range(300))
    assert found.ratio.max() < 0.1


def test_fresh_samples_of_the_same_distribution_are_cleared():
    """Half of them copies: half are called so. None: none, up to the error."""
    training, held_out, fresh = normal(900, 4), normal(300, 4, seed=1), normal(1000, 4, seed=2)
    cleared = memorization(fresh, training, held_out)
    assert abs(cleared.share) < 3 * cleared.error
    assert 0.01 < cleared.p_value < 0.99
    half = memorization(torch.cat([training[:500] + 1e-3, fresh[:500]]), training, held_out)
    assert half.share == pytest.approx(0.5, abs=3 * half.error)


def test_held_out_images_are_the_opposite_of_memorized():
    found = memorization(normal(100, 4, seed=1), normal(300, 4), normal(100, 4, seed=1))
    assert found.share < 0 and found.p_value > 0.999


def test_memorization_error_is_that_of_every_relabelling():
    """Four training and two held-out images: over all 15 ways to call two of the six held out."""
    images = torch.tensor([[0.0], [10], [20], [30], [40], [50]])
    samples = torch.tensor([[1.0], [2], [3], [11], [29], [49], [51], [48]])
    wanted = torch.tensor([3, 1, 0, 1, 0, 3])
    counts = [8 - wanted[list(held)].sum().item() for held in itertools.combinations(range(6), 2)]
    found = memorization(samples, images[:4], images[4:])
    scale = 8 * (1 - 4 / 6)
    assert np.mean(counts) == pytest.approx(8 * 4 / 6)
    assert found.error == pytest.approx(np.std(counts) / scale)
    assert found.share == pytest.approx((5 - 8 * 4 / 6) / scale)
    assert found.p_value == pytest.approx(scipy.stats.norm.sf((5 - 8 * 4 / 6) / np.std(counts)), rel=1e-9)


def test_memorization_needs_held_out_images():
    with pytest.raises(UserError, match="held-out images"):
        memorization(normal(5, 2), normal(5, 2), normal(0, 2))
