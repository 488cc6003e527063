"""How long reference classifiers train, and what is said about scoring before a run."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.data import Batch, ImageFolder, Splits
from gan_lightning.errors import UserError
from gan_lightning.evaluation import recipe as recipe_module
from gan_lightning.evaluation.classifier import Classifier, HeldOutAccuracy, train_classifier, turn
from gan_lightning.evaluation.extractor import own_folder, rotate
from gan_lightning.evaluation.outlook import can_be_scored, describe_scoring
from gan_lightning.evaluation.recipe import FEATURES, MOST_PIXELS, SHIPPED_RECIPE, maps, recipe_for
from gan_lightning.evaluation.sample_count import least_samples
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import to_float
from gan_lightning.sizes import SIDES


def counted(training, held_out, size=(28, 28), channels=1, reference=None):
    """A data set of which only the numbers of images and their shape matter."""
    parts = (SimpleNamespace(images=range(count)) for count in (training, held_out, held_out))
    return SimpleNamespace(reference=reference, splits=Splits(*parts), image_shape=(channels, *size))


@pytest.mark.parametrize("size", itertools.product((16, 28, 40, 48, 64, 128), repeat=2))
@pytest.mark.parametrize("training", [10, 160, 1_100, 55_000])
def test_a_classifier_of_own_images_trains_for_a_minute_and_a_half_at_most(size, training):
    found = recipe_for(counted(training, training // 8, size))
    assert found.steps > 0 and found.seconds(training, size) <= 90
    assert maps(size, found.stride) <= MOST_PIXELS and found.stops_early


def test_a_recipe_follows_from_the_images_alone():
    assert recipe_for(counted(160, 20)) == recipe_for(counted(160, 20))
    assert recipe_for(counted(160, 20)).steps < recipe_for(counted(5_000, 500)).steps
    assert recipe_for(counted(5_000, 500, reference="mnist_cnn")) == SHIPPED_RECIPE
    strides = [recipe_for(counted(500, 60, (side, side))).stride for side in (16, 40, 48, 80, 96, 128)]
    assert strides == [1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize("held_out", [9, 16, 17, 20, 64, 65, 128, 129, 5_000])
def test_there_are_fewer_features_than_held_out_images(held_out):
    """So that their covariance can be estimated."""
    data = counted(10_000, held_out)
    features = recipe_for(data).features
    assert features in FEATURES and features < held_out and least_samples(data) <= held_out
    assert features == 128 or 2 * features >= held_out or features * 2 not in FEATURES


def test_a_split_without_images_leaves_the_smallest_number_of_features():
    assert recipe_for(counted(100, 0)).features == min(FEATURES)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_first_convolution_divides_every_side(stride):
    network = Classifier(3, 2, width=4, features=8, stride=stride)
    for height, width in ((SIDES[0], SIDES[-1]), (48, 28)):
        out = network.body[0](torch.zeros(1, 3, height, width))
        assert out.shape == (1, 4, height // stride, width // stride)
        assert network(torch.zeros(1, 3, height, width)).shape == (1, 2)


# Early stopping


def noise_and_stripes(count, seed, size=(16, 16)):
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 1, *size), generator=random).byte()
    labels = torch.arange(count) % 2
    images[labels == 1, :, ::2] = 0
    return Batch(images, labels)


def test_training_ends_when_the_held_out_accuracy_no_longer_rises():
    recipe = replace(SHIPPED_RECIPE, steps=200, width=4, features=8, stops_early=True)
    held_out, checks = noise_and_stripes(20, 1), []
    ends = HeldOutAccuracy.ends

    def watched(self, step, classifier):
        checks.append(step)
        return ends(self, step, classifier)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeldOutAccuracy, "ends", watched)
        first = train_classifier(noise_and_stripes(16, 0), 2, recipe, mirror=False, held_out=held_out)
    again = train_classifier(noise_and_stripes(16, 0), 2, recipe, mirror=False, held_out=held_out)
    assert checks[-1] < 200 and checks[-1] % 20 == 0
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not first.training


def test_the_best_weights_are_kept_and_of_equal_ones_the_last(monkeypatch):
    found = iter([0.5, 0.8, 0.8, 0.7, 0.6])
    monkeypatch.setattr("gan_lightning.evaluation.classifier.accuracy", lambda *_: next(found))
    network, stopping = Classifier(1, 2, width=4, features=8, stride=1), HeldOutAccuracy(noise_and_stripes(2, 0), 20)
    ends = []
    for step in range(1, 11):
        network.head.bias.data.fill_(step)
        ends.append(stopping.ends(step, network))
    assert ends == [*[False] * 9, True]
    stopping.restore(network)
    assert (network.head.bias == 6).all()


def test_without_held_out_images_training_never_ends_early():
    stopping = HeldOutAccuracy(None, 10)
    assert not any(stopping.ends(step, None) for step in range(10))


# Rotations


@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 16)])
def test_squares_of_images_are_turned_by_the_quarter_turns_of_their_labels(size):
    pixels = torch.arange(size[0] * size[1]).reshape(1, 1, *size).expand(40, -1, -1, -1)
    squares, turns = turn(pixels, torch.Generator().manual_seed(0))
    assert squares.shape[2:] == (16, 16) and set(turns.tolist()) == {0, 1, 2, 3}
    back = torch.stack([one.rot90(-int(number), (1, 2)) for one, number in zip(squares, turns, strict=True)])
    assert (back == back[0]).all() and (back[0, 0, 1:] - back[0, 0, :-1] == size[1]).all()


def test_held_out_images_are_rotated_as_central_squares():
    images = torch.arange(2 * 3 * 16 * 20).reshape(2, 3, 16, 20)
    rotated = rotate(Batch(images, torch.zeros(2)))
    assert rotated.images.shape == (8, 3, 16, 16) and rotated.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(rotated.images[:2], images[..., 2:18])


# Small and oblong sets


def folder_of(path, count, size=(16, 20), held_out=0.3, classes=("",)):
    random = np.random.default_rng(0)
    for index in range(count):
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        file = path / classes[index % len(classes)] / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    data = ImageFolder(str(path), held_out=held_out, batch_size=4)
    data.setup()
    return data


@pytest.fixture
def short_training(monkeypatch):
    monkeypatch.setattr(recipe_module, "LEAST_STEPS", 3)
    monkeypatch.setattr(recipe_module, "PASSES", 1)


@pytest.mark.parametrize("classes", [("",), ("a", "b")])
def test_small_sets_of_oblong_images_are_scored_and_named_by_their_count(tmp_path, short_training, classes):
    data = folder_of(tmp_path / "icons", 60, classes=classes)
    scorer = Scorer(data)
    count = len(data.splits.test.images)
    assert scorer.n == count < 30 and scorer.full_name("frechet") == f"frechet_icons_cnn_{count}"
    measured = scorer.measure(scorer.real.images)
    assert measured.scores["frechet"] == pytest.approx(0, abs=1e-6)
    assert measured.scores["precision"] == 1 and np.isfinite(measured.scores["kernel"])
    assert measured.memorization is not None
    assert scorer.features.shape == (count, recipe_for(data).features)


def test_the_start_says_what_scores_take(tmp_path, short_training):
    data = folder_of(tmp_path / "icons", 100, held_out=0.2, classes=("a", "b"))
    count = len(data.splits.test.images)
    assert describe_scoring(data) == [
        f"scores      rough, because of only {count} test images (frechet_icons_cnn_{count} ...); "
        "data.held_out=0.3 holds out more",
        "scores      when first scored, a reference classifier is trained: at most about 0 s on two cores",
    ]
    Scorer(data).extractor  # noqa: B018
    assert describe_scoring(data)[1] == "scores      the reference classifier was trained before"


def test_a_set_that_cannot_be_scored_is_named_so_before_training(tmp_path):
    data = folder_of(tmp_path / "few", 20, held_out=0.1)
    count = len(data.splits.test.images)
    assert not can_be_scored(data)
    assert describe_scoring(data) == [
        f"scores      none: there are {count} test images, and 9 are needed; data.held_out=0.3 holds out more"
    ]
    with pytest.raises(UserError, match=f"scores need at least 9 samples .* there are {count} test images of few"):
        Scorer(data)


def test_nothing_is_said_of_data_whose_classifier_comes_with_the_package(ready):
    assert can_be_scored(ready) and describe_scoring(ready) == []


def test_a_classifier_is_cached_by_everything_that_it_depends_on(tmp_path, monkeypatch):
    data = folder_of(tmp_path / "icons", 40)
    before = own_folder(data)
    assert own_folder(data) == before
    validation = data.splits.validation
    data.splits = data.splits._replace(validation=Batch(255 - validation.images, validation.labels))
    assert own_folder(data) != before
    data.splits = data.splits._replace(validation=validation)
    monkeypatch.setattr(recipe_module, "LEAST_STEPS", 7)
    monkeypatch.setattr(recipe_module, "PASSES", 1)
    assert own_folder(data) != before


def test_pixels_of_images_do_not_change_when_they_are_turned():
    images = torch.randint(0, 256, (8, 1, 16, 16)).byte()
    squares, turns = turn(images, torch.Generator().manual_seed(0))
    assert squares.dtype == torch.uint8 and to_float(squares).min() >= -1 and len(turns) == 8
    assert torch.equal(squares.flatten(1).sort().values, images.flatten(1).sort().values)
