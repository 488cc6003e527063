"""Laws of the scores as functions of features, probabilities and classes; each beside an independent computation."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import poly_mmd

from gan_lightning.errors import UserError
from gan_lightning.evaluation import prdc as prdc_module
from gan_lightning.evaluation.classes import classifier_score, mode_coverage
from gan_lightning.evaluation.frechet import frechet_distance
from gan_lightning.evaluation.memorization import memorization
from gan_lightning.evaluation.mmd import kernel_distance, unbiased_mmd
from gan_lightning.evaluation.prdc import prdc


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def whitened(count: int, size: int) -> torch.Tensor:
    """Features whose mean is exactly 0 and whose covariance is exactly the identity."""
    centred = normal(count, size)
    centred -= centred.mean(0)
    return centred @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(centred.T))).T


class AsTheyAre(nn.Module):
    """An "extractor" for torchmetrics whose images are features already."""

    num_features = 6

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :6].double()


# Frechet distance


def test_frechet_distance_of_a_set_to_itself_is_zero_and_it_is_symmetric():
    a, b = normal(200, 6), normal(300, 6, seed=1) * 2 + 1
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_frechet_distance_of_gaussians_is_its_closed_form():
    """|m|^2 + sum (s_i - t_i)^2 for diagonal covariances s_i^2 and t_i^2, whatever the basis."""
    base = whitened(50, 4)
    s, t, shift = torch.tensor([1.0, 2, 3, 4]), torch.tensor([2.0, 2, 1, 0.5]), torch.tensor([1.0, -2, 0, 0.5])
    rotation = torch.linalg.qr(normal(4, 4, seed=3)).Q
    expected = (shift.square().sum() + (s - t).square().sum()).item()
    assert frechet_distance(base * s, base * t + shift) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(base * s @ rotation, (base * t + shift) @ rotation) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_agrees_with_scipy_and_torchmetrics():
    a, b = normal(400, 6) @ normal(6, 6, seed=1), normal(300, 6, seed=2) @ normal(6, 6, seed=3) + 0.3
    covariances = np.cov(a.numpy().T), np.cov(b.numpy().T)
    cross = np.trace(scipy.linalg.sqrtm(covariances[0] @ covariances[1])).real
    by_scipy = np.square(a.numpy().mean(0) - b.numpy().mean(0)).sum() + sum(map(np.trace, covariances)) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(by_scipy, rel=1e-9)
    metric = FrechetInceptionDistance(feature=AsTheyAre())
    metric.set_dtype(torch.double)
    metric.update(a[:, :, None, None], real=True)
    metric.update(b[:, :, None, None], real=False)
    assert frechet_distance(a, b) == pytest.approx(metric.compute().item(), rel=1e-9)


def test_frechet_distance_refuses_fewer_samples_than_a_covariance_needs():
    with pytest.raises(UserError, match="at least 7 samples on each side, got 6; type n=7 or more"):
        frechet_distance(normal(100, 6), normal(6, 6))


# Kernel distance


def test_kernel_distance_agrees_with_torchmetrics():
    a, b = normal(80, 5), normal(80, 5, seed=1) + 0.5
    assert kernel_distance(a, b, subsets=1).value == pytest.approx(poly_mmd(a, b).item(), rel=1e-9)


def test_kernel_distance_is_unbiased():
    """A U-statistic: its mean over all pairs of subsets is its value on the whole, at any size of subset."""
    x, y = normal(6, 3), normal(6, 3, seed=1) * 2
    for size in (2, 3, 5):
        subsets = list(itertools.combinations(range(6), size))
        values = [unbiased_mmd(x[list(i)], y[list(j)]) for i in subsets for j in subsets]
        assert torch.stack(values).mean().item() == pytest.approx(unbiased_mmd(x, y).item(), rel=1e-9)


def test_kernel_distance_is_symmetric_seeded_and_knows_its_error():
    a, b = normal(1000, 4), normal(1000, 4, seed=1)
    estimate = kernel_distance(a, b)
    assert estimate == kernel_distance(a, b, seed=0) != kernel_distance(a, b, seed=1)
    assert kernel_distance(a, b, subsets=1).value == pytest.approx(kernel_distance(b, a, subsets=1).value, rel=1e-9)
    assert abs(estimate.value) < 4 * estimate.error  # one distribution: 0, up to its error
    assert kernel_distance(a, b + 1).value > 10 * kernel_distance(a, b + 1).error
    assert math.isnan(kernel_distance(a, b, subsets=1).error)


def test_kernel_distance_of_sets_sorted_by_class_is_not_that_of_their_classes():
    """Two samples of one mixture, each sorted: still 0, up to the error."""
    means = torch.arange(10.0).repeat_interleave(100)[:, None] * normal(1, 4, seed=2)
    estimate = kernel_distance(normal(1000, 4) + means, normal(1000, 4, seed=1) + means)
    assert abs(estimate.value) < 3 * estimate.error


def test_kernel_distance_refuses_subsets_of_fewer_than_two():
    with pytest.raises(UserError, match="in 10 subsets needs at least 20 samples on each side, got 19"):
        kernel_distance(normal(19, 3), normal(30, 3))


# Precision, recall, density, coverage


def by_definition(real: np.ndarray, fake: np.ndarray, k: int) -> list[float]:
    """Precision, recall, density and coverage as their papers' formulas say, one pair of samples at a time."""

    def radius(points: np.ndarray, index: int) -> float:
        return sorted(np.linalg.norm(points[index] - other) for j, other in enumerate(points) if j != index)[k - 1]

    def inside(center: np.ndarray, r: float, point: np.ndarray) -> bool:
        return bool(np.linalg.norm(center - point) <= r)

    real_radii = [radius(real, i) for i in range(len(real))]
    fake_radii = [radius(fake, j) for j in range(len(fake))]
    return [
        np.mean([any(inside(x, r, y) for x, r in zip(real, real_radii, strict=True)) for y in fake]),
        np.mean([any(inside(y, r, x) for y, r in zip(fake, fake_radii, strict=True)) for x in real]),
        sum(inside(x, r, y) for x, r in zip(real, real_radii, strict=True) for y in fake) / (k * len(fake)),
        np.mean([any(inside(x, r, y) for y in fake) for x, r in zip(real, real_radii, strict=True)]),
    ]  # type: ignore[return-value]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_coverage_agree_with_their_definitions(k, monkeypatch):
    monkeypatch.setattr(prdc_module, "DISTANCE_BATCH_SIZE", 7)  # parts of the distance matrix that do not divide it
    real, fake = normal(40, 3), normal(40, 3, seed=1) * 0.8 + 0.4
    scores = prdc(real, fake, k)
    assert list(scores) == pytest.approx(by_definition(real.numpy(), fake.numpy(), k))


def test_real_data_cover_themselves():
    real = normal(200, 4)
    scores = prdc(real, real)
    assert (scores.precision, scores.recall, scores.coverage) == (1, 1, 1)


def test_precision_and_recall_are_not_swapped():
    """Collapsed on the middle: every fake is real-looking, little is covered; spread too far: the reverse."""
    real = normal(500, 2)
    collapsed, noisy = prdc(real, normal(500, 2, seed=1) * 0.05), prdc(real, real * 4)
    assert collapsed.precision == 1 and collapsed.recall < 0.1 and collapsed.coverage < 0.1
    assert noisy.recall > 0.9 and noisy.precision < 0.5


def test_precision_recall_density_coverage_refuse_too_few_samples_and_unequal_sets():
    with pytest.raises(UserError, match="with 5 neighbours needs at least 6 samples on each side, got 5"):
        prdc(normal(5, 2), normal(5, 2))
    with pytest.raises(ValueError, match="got 6 and 7"):
        prdc(normal(6, 2), normal(7, 2))


# Classes


def test_classifier_score_is_between_one_and_the_number_of_classes():
    sure = torch.eye(10).repeat(7, 1)
    assert classifier_score(sure) == pytest.approx(10)
    assert classifier_score(sure[:1].repeat(20, 1)) == pytest.approx(1)  # collapsed
    assert classifier_score(torch.full((20, 10), 0.1)) == pytest.approx(1)  # unclear


def test_classifier_score_agrees_with_scipy_and_torchmetrics():
    logits = normal(400, 6) * 2
    probabilities = logits.softmax(1)
    marginal = probabilities.mean(0).numpy()
    by_scipy = math.exp(np.mean([scipy.stats.entropy(row, marginal) for row in probabilities.numpy()]))
    metric = InceptionScore(feature=AsTheyAre(), splits=1).set_dtype(torch.double)
    metric.update(logits[:, :, None, None])
    assert classifier_score(probabilities) == pytest.approx(by_scipy, rel=1e-9)
    assert classifier_score(probabilities) == pytest.approx(metric.compute()[0].item(), rel=1e-9)


def test_mode_coverage_counts_and_compares():
    classes = torch.tensor([0] * 6 + [1] * 3 + [2])
    modes = mode_coverage(classes, torch.full((4,), 0.25))
    assert modes.shares.tolist() == [0.6, 0.3, 0.1, 0]
    assert modes.missing == 1
    assert modes.kl == pytest.approx(scipy.stats.entropy([0.6, 0.3, 0.1, 0], [0.25] * 4))
    assert mode_coverage(classes, modes.shares).kl == pytest.approx(0)
    assert mode_coverage(classes, modes.shares).missing == 0  # a class nobody aims at is not missed


def test_a_perfect_generator_of_a_thousand_modes_is_not_at_zero():
    """KL of N uniform draws to the uniform distribution: (K - 1) / 2N up to O(1/N^2), standard deviation 0.0009."""
    draws = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(0))
    modes = mode_coverage(draws, torch.full((1000,), 1e-3))
    assert modes.missing == 0
    assert modes.kl == pytest.approx(999 / 52_000, abs=4 * 0.0009)


# All of them


def waves(count: int, size: int, phase: float) -> torch.Tensor:
    """Numbers without a pattern that no random number generator is needed for."""
    return torch.sin(torch.arange(count * size, dtype=torch.double) ** 2 * 0.7 + phase).reshape(count, size)


VALUES = {
    "frechet": 0.3706738933492195,
    "kernel": 0.14716935992142596,
    "kernel_error": 0.09888067812500494,
    "precision": 1.0,
    "recall": 0.9333333373069763,
    "density": 1.0500000317891438,
    "coverage": 0.8999999761581421,
    "memorization": -0.08333333333333333,
    "memorization_error": 0.16917307297418407,
    "memorization_p": 0.6888496137746253,
    "classifier_score": 2.1445419367706813,
    "missing_classes": 0,
    "class_kl": 0.013888061983001798,
}
"""Of version 0.4: whoever changes them changes the definition of a score, and must raise `cache.VERSION`."""


def test_scores_are_those_of_earlier_versions():
    real, fake = waves(60, 5, 0.0), waves(60, 5, 1.0) * 0.9 + 0.2
    kernel = kernel_distance(real, fake, subsets=5)
    copies = memorization(fake, real, waves(40, 5, 2.0))
    modes = mode_coverage(fake.argmax(1), torch.tensor([0.4, 0.3, 0.2, 0.1, 0.0]))
    scores = {
        "frechet": frechet_distance(real, fake),
        "kernel": kernel.value,
        "kernel_error": kernel.error,
        **prdc(real, fake, k=3)._asdict(),
        "memorization": copies.share,
        "memorization_error": copies.error,
        "memorization_p": copies.p_value,
        "classifier_score": classifier_score((4 * fake).softmax(1)),
        "missing_classes": modes.missing,
        "class_kl": modes.kl,
    }
    assert scores == pytest.approx(VALUES, rel=1e-9)
