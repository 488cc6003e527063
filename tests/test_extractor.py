"""The reference classifiers: those that are shipped, and those of the user's own data."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.__main__ import run_command
from gan_lightning.config.compose import compose
from gan_lightning.data import Batch, ImageFolder
from gan_lightning.errors import UserError
from gan_lightning.evaluation import classifier, extractor, recipe
from gan_lightning.evaluation.classifier import Classifier, accuracy, augment, train_classifier
from gan_lightning.evaluation.extractor import (
    SHIPPED,
    Extractor,
    extractor_for,
    fingerprint,
    load_extractor,
)
from gan_lightning.evaluation.recipe import SHIPPED_RECIPE
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.loggers import RunLabel
from gan_lightning.training.run import train
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import assert_same, in_float64, weights

pytestmark = pytest.mark.slow


def widened(shipped: Extractor) -> Extractor:
    """A reference classifier that computes in float64."""
    return Extractor(shipped.classifier.double(), shipped.card)


@pytest.mark.parametrize("name", ["mnist_cnn", "fashion_mnist_cnn"])
def test_shipped_classifiers_are_those_of_their_cards(name):
    card = load_extractor(SHIPPED, name).card
    assert (SHIPPED / f"{name}.safetensors").stat().st_size < 1_000_000
    assert card["test_accuracy"] >= {"mnist_cnn": 0.994, "fashion_mnist_cnn": 0.93}[name]
    assert (card["training_images"], card["test_images"]) == (55_000, 10_000)
    assert card["sha256"] in (SHIPPED / "README.md").read_text()
    assert f"{card['test_accuracy']:.2%}" in (SHIPPED / "README.md").read_text()


def test_the_reference_classifier_classifies_digits(ready):
    reference = extractor_for(ready)
    assert accuracy(reference.classifier, ready.splits.test) > 0.99


def test_a_changed_weight_file_is_refused(tmp_path):
    for file in ("mnist_cnn.safetensors", "mnist_cnn.json"):
        (tmp_path / file).write_bytes((SHIPPED / file).read_bytes())
    load_extractor(tmp_path, "mnist_cnn")
    content = bytearray((SHIPPED / "mnist_cnn.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "mnist_cnn.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"has SHA-256 [0-9a-f]{12}\.\.\., but its card says .* delete"):
        load_extractor(tmp_path, "mnist_cnn")
    (tmp_path / "mnist_cnn.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        load_extractor(tmp_path, "mnist_cnn")


@in_float64
def test_features_do_not_depend_on_the_batch_nor_use_random_numbers(ready):
    before = torch.get_rng_state()
    reference, images = widened(extractor_for(ready)), ready.splits.test.images[:5]
    together = reference.extract(images)
    alone = [reference.extract(image[None]) for image in images]
    for column in range(2):
        assert_same(together[column], torch.cat([one[column] for one in alone]))
    assert torch.equal(torch.get_rng_state(), before)


@in_float64
def test_a_classifier_of_gray_images_is_applied_to_each_channel(ready):
    reference, digits = widened(extractor_for(ready)), ready.splits.test
    triple = Batch(digits.images[[3, 1, 4]].reshape(1, 3, 28, 28), digits.labels[[3, 1, 4]])
    features, probabilities = reference.extract(triple.images)
    each = reference.extract(digits.images[[3, 1, 4]])
    assert_same(features[0], each.features.flatten())
    a, b, c = each.probabilities
    assert_same(probabilities[0], torch.einsum("a,b,c->abc", a, b, c).flatten())
    assert probabilities.argmax() == (triple.labels * torch.tensor([100, 10, 1])).sum()


def test_training_a_classifier_is_seeded_and_leaves_the_callers_random_numbers(ready):
    before = torch.get_rng_state()
    settings = {"classes": 10, "recipe": replace(SHIPPED_RECIPE, steps=3), "mirror": True}
    first, again, other = (train_classifier(ready.training, **settings, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_classifier_learns(ready, monkeypatch):
    """60 steps of 32 digits: far above chance on digits it has not seen."""
    monkeypatch.setattr(classifier, "BATCH_SIZE", 32)
    learned = train_classifier(ready.training, 10, replace(SHIPPED_RECIPE, steps=60), mirror=False)
    assert accuracy(learned, ready.splits.test) > 0.8


def test_augmentation_moves_and_mirrors_whole_images():
    image = torch.full((40, 1, 9, 9), -1.0)
    image[:, 0, 4, 3] = 1.0  # a dot left of the middle
    moved = augment(image, True, torch.Generator().manual_seed(0))
    places = {tuple(spot[1:].tolist()) for spot in moved[:, 0].nonzero() if moved[spot[0], 0, spot[1], spot[2]] == 1}
    assert (moved == 1).flatten(1).sum(1).tolist() == [1] * 40
    assert {row for row, _ in places} == {2, 3, 4, 5, 6}
    assert {column for _, column in places} == set(range(1, 8))  # 3 ± 2, and mirrored 5 ± 2
    assert {column for _, column in dots(augment(image, False, torch.Generator().manual_seed(0)))} == {1, 2, 3, 4, 5}


def dots(images: torch.Tensor) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for _, row, column in (images[:, 0] == 1).nonzero()}


def picture_folder(folder, classes: list[str], shape: tuple[int, ...] = (28, 28), each: int = 250) -> ImageFolder:
    random = np.random.default_rng(0)
    for index, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = random.integers(0, 100 + 50 * index, shape).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}-{number}.png")
    return ImageFolder(str(folder), held_out=0.3)


@pytest.mark.parametrize("classes", [["cats", "dogs"], ["", ""]], ids=["classes", "no classes"])
def test_other_images_get_a_classifier_of_their_own_once(tmp_path, classes, monkeypatch, caplog):
    monkeypatch.setattr(recipe, "PIXEL_BUDGET", 4 * 128 * 28 * 28)
    data = picture_folder(tmp_path / "My Pictures", classes)
    caplog.set_level("INFO")
    measured = Scorer(data)
    card = measured.extractor.card
    assert "my_pictures has no reference classifier yet: training one" in caplog.text
    assert measured.full_name("frechet") == f"frechet_my_pictures_cnn_{len(data.splits.test.images)}"
    assert (card["task"], card["classes"]) == (("classes", 2) if classes[0] else ("rotations", 4))
    baseline = measured.real_baseline()
    assert ("class_kl" in baseline.scores) == bool(classes[0])
    monkeypatch.setattr(extractor, "train_extractor", None)
    assert Scorer(data).extractor.sha256 == card["sha256"]
    if not classes[0]:
        with pytest.raises(UserError, match="my_pictures has no classes; leave tstr= out"):
            Scorer(data, tstr=True)


def test_coloured_images_are_measured_in_as_many_features_as_gray_ones(tmp_path, monkeypatch):
    """About 150 images of each split are enough for 128 features, and training is the same as without the measuring."""
    monkeypatch.setattr(recipe, "PIXEL_BUDGET", 2 * 128 * 32 * 32)
    folder = tmp_path / "rgb"
    picture_folder(folder, ["cats", "dogs"], shape=(32, 32, 3))
    options = ("data=image_folder", f"data.dir={folder}", "data.held_out=0.3", "network=mlp", "trainer.max_epochs=1")
    scored = run_on_folder(tmp_path / "scored", *options, "callbacks.evaluation.every_n_epochs=1")
    silent = run_on_folder(tmp_path / "silent", *options)
    assert any(re.fullmatch(r"frechet_rgb_cnn_\d+_validation", record.full_name) for record in scored.scores())
    for name, value in weights(silent).items():
        assert torch.equal(value, weights(scored)[name]), name


def run_on_folder(path, *options: str) -> RunFolder:
    cfg = compose(*options, "data.batch_size=50", "precision=32", "logger=csv")
    train(cfg, RunFolder(path), RunLabel("test"))
    return RunFolder(path)


def test_fingerprints_depend_on_the_images(ready):
    images, labels = ready.splits.test
    assert fingerprint(Batch(images.flip(0), labels)) != fingerprint(ready.splits.test)
    assert fingerprint(Batch(images.flip(0).flip(0), labels)) == fingerprint(ready.splits.test)


def test_classifier_command_trains_and_writes_a_card(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "SHIPPED_RECIPE", replace(SHIPPED_RECIPE, steps=3))
    run_command("classifier", "data=mnist_5k", f"out={tmp_path}", "data.test_images=400")
    card = json.loads((tmp_path / "mnist_5k_cnn.json").read_text())
    assert card["test_images"] == 400
    run_command("classifier", "data=mnist_5k")
    assert load_extractor(SHIPPED, "mnist_cnn").sha256 in capsys.readouterr().out
    run_command("classifier", "data=mnist_5k", f"out={tmp_path}", "data.test_images=400")
    assert isinstance(load_extractor(tmp_path, "mnist_5k_cnn"), Extractor)
    assert isinstance(load_extractor(tmp_path, "mnist_5k_cnn").classifier, Classifier)
    assert card["sha256"] in capsys.readouterr().out
