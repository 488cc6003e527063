"""The scorer: what it measures, the protocol, and the real-data baseline."""

import math

import pytest
import torch

from gan_lightning.data import MNIST, StackedMNIST, stacked_mnist
from gan_lightning.errors import UserError
from gan_lightning.evaluation import scorer
from gan_lightning.evaluation.extractor import extractor_for
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import to_float, to_uint8

ROUNDING = 1e-6
"""Relative: matrix products may round otherwise when their memory lies elsewhere."""


def noisy(images: torch.Tensor, amount: float) -> torch.Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return to_uint8(to_float(images) + amount * noise)


def blurred(images: torch.Tensor, size: int) -> torch.Tensor:
    return to_uint8(torch.nn.functional.avg_pool2d(to_float(images), size, 1, size // 2, count_include_pad=False))


def test_stacked_mnist_is_fixed_triples_of_each_split_alone(ready, monkeypatch):
    monkeypatch.setattr(MNIST, "load", lambda self: ready.splits)
    monkeypatch.setattr(stacked_mnist, "COUNTS", (50, 20, 30))
    stacked, again = StackedMNIST().load(), StackedMNIST(seed=5).load()
    for part, other, digits, count in zip(stacked, again, ready.splits, (50, 20, 30), strict=True):
        assert part.images.shape == (count, 3, 28, 28)
        assert torch.equal(part.images, other.images)
        known = {image.numpy().tobytes(): int(label) for image, label in zip(digits.images, digits.labels, strict=True)}
        for triple, label in zip(part.images, part.labels, strict=True):
            a, b, c = (known[channel.contiguous().numpy().tobytes()] for channel in triple)
            assert label == 100 * a + 10 * b + c


def test_stacked_mnist_is_scored_by_its_published_protocol(ready, monkeypatch):
    """Modes by argmax in each channel, KL to the uniform distribution over 1000."""
    monkeypatch.setattr(MNIST, "load", lambda self: ready.splits)
    monkeypatch.setattr(MNIST, "fetch", lambda self: None)
    monkeypatch.setattr(stacked_mnist, "COUNTS", (500, 400, 400))
    monkeypatch.setattr(scorer, "memorization", lambda *unused: None)
    data = StackedMNIST()
    assert data.evaluation_images == 26_000
    data.setup()
    assert data.class_shares().tolist() == [1e-3] * 1000
    reference = extractor_for(data)
    assert (
        reference.extract(data.splits.test.images).probabilities.argmax(1) == data.splits.test.labels
    ).float().mean() > 0.97


def test_scores_carry_their_protocol_and_stand_beside_a_cached_baseline(measure, monkeypatch):
    assert measure.full_name("frechet") == "frechet_mnist_5k_mnist_cnn_500"  # trained on other data: named
    assert measure.full_name("pixel_mean") == "pixel_mean_mnist_5k_500"
    assert measure.full_name("tstr") == "tstr_mnist_5k_4k"
    assert measure.full_name("tstr_pseudo_labels") == "tstr_pseudo_labels_mnist_5k_mnist_cnn_4k"
    assert Scorer(measure.data, "validation", 200).full_name("recall") == "recall_mnist_5k_mnist_cnn_200_validation"
    baseline = measure.real_baseline()
    monkeypatch.setattr(Scorer, "measure", None)
    assert Scorer(measure.data).real_baseline() == baseline
    assert Scorer(measure.data, "validation").cache.data_sha256 == measure.cache.data_sha256
    with pytest.raises(TypeError):
        Scorer(measure.data, "validation").real_baseline()  # another protocol has another baseline


def test_the_split_scores_perfectly_against_itself(measure):
    measured = measure.measure(measure.real.images)
    scores = measured.scores
    assert scores["frechet"] == pytest.approx(0, abs=1e-6)
    assert (scores["precision"], scores["recall"], scores["coverage"]) == (1, 1, 1)
    assert scores["missing_classes"] == 0
    assert abs(scores["memorization"]) < 3 * measured.errors["memorization"]  # test images are no copies


@pytest.mark.slow
def test_distances_grow_with_noise_blur_and_shift(measure):
    real = measure.real.images
    for damage in (noisy, blurred):
        amounts = (0.2, 0.5, 1.0) if damage is noisy else (3, 5, 9)
        found = [measure.measure(damage(real, amount)).scores for amount in amounts]
        for score in ("frechet", "kernel"):
            assert 0 < found[0][score] < found[1][score] < found[2][score]
    shifted = [measure.measure(real.roll(by, 3)).scores["frechet"] for by in (1, 3, 6)]
    assert 0 < shifted[0] < shifted[1] < shifted[2]


def test_scores_order_real_collapsed_and_noise_as_a_person_would(measure, ready):
    baseline = measure.real_baseline().scores
    ones = ready.training.images[ready.training.labels == 1]
    collapsed = measure.measure(ones.repeat(2, 1, 1, 1)[:500])
    noise = measure.measure(torch.randint(256, (500, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte())
    assert baseline["frechet"] < collapsed.scores["frechet"] < noise.scores["frechet"]
    assert baseline["classifier_score"] > 9 and collapsed.scores["classifier_score"] < 1.2
    assert collapsed.scores["missing_classes"] >= 8  # some ones are classified as sevens
    assert collapsed.modes.shares.argmax() == 1
    assert collapsed.scores["class_kl"] == pytest.approx(-math.log(ready.class_shares()[1]), rel=0.05)
    assert noise.scores["precision"] < 0.1 and collapsed.scores["recall"] < 0.3


def test_a_generator_that_returns_training_images_is_found_out(measure, ready):
    found = measure.measure(ready.training.images[:500])
    assert found.scores["memorization"] == pytest.approx(1)
    assert found.scores["memorization_p"] < 1e-3
    assert found.memorization.ratio.max() == 0


def test_an_n_that_cannot_be_scored_is_refused_with_the_remedy(ready):
    with pytest.raises(UserError, match="n=10,000, but mnist_5k holds only 500 test images .* type n=500"):
        Scorer(ready, n=10_000)
    with pytest.raises(UserError, match="at least 129 samples, got n=100; type n=129 or more"):
        Scorer(ready, n=100)


def test_a_damaged_cache_is_computed_again(measure, cache_folder):
    baseline = measure.real_baseline()
    for file in (cache_folder / "scores").iterdir():
        file.write_bytes(file.read_bytes()[:10])
    assert Scorer(measure.data).real_baseline().scores == pytest.approx(baseline.scores, rel=ROUNDING)


def test_every_score_says_which_way_is_better(measure):
    measured = measure.measure(measure.real.images)
    assert set(measured.scores) <= set(SCORES) and set(measured.errors) <= set(measured.scores)
    assert SCORES["recall"].higher_is_better is True and SCORES["frechet"].higher_is_better is False
    assert SCORES["pixel_mean"].higher_is_better is None
