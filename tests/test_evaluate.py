"""The reference classifier, the scorer, the verb `evaluate` and the callback that scores during training."""

import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.build import load_module
from gan_lightning.cli import commands
from gan_lightning.config.schema import compose
from gan_lightning.data import MNIST, Batch, ImageFolder, MNIST5k, StackedMNIST, stacked_mnist
from gan_lightning.errors import UserError
from gan_lightning.evaluation import classifier, evaluate, extractor, inception, scorer
from gan_lightning.evaluation.classifier import Classifier, accuracy, augment, train_classifier
from gan_lightning.evaluation.distances import frechet_distance
from gan_lightning.evaluation.extractor import SHIPPED, Extractor, extractor_for, fingerprint, load_extractor
from gan_lightning.evaluation.samples import read_samples
from gan_lightning.evaluation.scorer import BETTER, Scorer
from gan_lightning.images import to_float, to_uint8
from gan_lightning.training.run import train
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import assert_same, composed, in_float64, run, weights

ROUNDING = 1e-6
"""Relative: matrix products may round otherwise when their memory lies elsewhere."""


@pytest.fixture(scope="module")
def digits() -> MNIST5k:
    return MNIST5k()


@pytest.fixture
def ready(digits) -> MNIST5k:
    """The 5,000 digits, read; inside the sealed environment."""
    digits.prepare_data()
    digits.setup()
    return digits


@pytest.fixture
def measure(ready) -> Scorer:
    return Scorer(ready)


def widened(judge: Extractor) -> Extractor:
    """A reference classifier that reads images in float64."""
    return Extractor(judge.classifier.double(), judge.card)


def noisy(images: torch.Tensor, amount: float) -> torch.Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return to_uint8(to_float(images) + amount * noise)


def blurred(images: torch.Tensor, size: int) -> torch.Tensor:
    return to_uint8(torch.nn.functional.avg_pool2d(to_float(images), size, 1, size // 2, count_include_pad=False))


# The reference classifiers


@pytest.mark.parametrize("name", ["mnist_cnn", "fashion_mnist_cnn"])
def test_shipped_classifiers_are_those_of_their_cards(name):
    card = load_extractor(SHIPPED, name).card
    assert (SHIPPED / f"{name}.safetensors").stat().st_size < 1_000_000
    assert card["test_accuracy"] >= {"mnist_cnn": 0.994, "fashion_mnist_cnn": 0.93}[name]
    assert (card["training_images"], card["test_images"]) == (55_000, 10_000)
    assert card["sha256"] in (SHIPPED / "README.md").read_text()
    assert f"{card['test_accuracy']:.2%}" in (SHIPPED / "README.md").read_text()


def test_the_judge_knows_digits(ready):
    judge = extractor_for(ready)
    assert accuracy(judge.classifier, ready.splits.test) > 0.99


def test_a_changed_weight_file_is_refused(tmp_path):
    for file in ("mnist_cnn.safetensors", "mnist_cnn.json"):
        (tmp_path / file).write_bytes((SHIPPED / file).read_bytes())
    load_extractor(tmp_path, "mnist_cnn")
    content = bytearray((SHIPPED / "mnist_cnn.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "mnist_cnn.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"has SHA-256 [0-9a-f]{12}\.\.\., not [0-9a-f]{12}\.\.\. .* delete"):
        load_extractor(tmp_path, "mnist_cnn")
    (tmp_path / "mnist_cnn.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        load_extractor(tmp_path, "mnist_cnn")


@in_float64
def test_features_do_not_depend_on_the_batch_and_reading_draws_no_random_number(ready):
    before = torch.get_rng_state()
    judge, images = widened(extractor_for(ready)), ready.splits.test.images[:5]
    together = judge.extract(images)
    alone = [judge.extract(image[None]) for image in images]
    for column in range(2):
        assert_same(together[column], torch.cat([one[column] for one in alone]))
    assert torch.equal(torch.get_rng_state(), before)


@in_float64
def test_a_classifier_of_gray_images_reads_each_channel(ready):
    judge, digits = widened(extractor_for(ready)), ready.splits.test
    triple = Batch(digits.images[[3, 1, 4]].reshape(1, 3, 28, 28), digits.labels[[3, 1, 4]])
    features, probabilities = judge.extract(triple.images)
    each = judge.extract(digits.images[[3, 1, 4]])
    assert_same(features[0], each.features.flatten())
    a, b, c = each.probabilities
    assert_same(probabilities[0], torch.einsum("a,b,c->abc", a, b, c).flatten())
    assert probabilities.argmax() == (triple.labels * torch.tensor([100, 10, 1])).sum()


@pytest.mark.slow
def test_training_a_classifier_is_seeded_and_leaves_the_callers_random_numbers(ready):
    before = torch.get_rng_state()
    settings = {"classes": 10, "steps": 3, "mirror": True}
    first, again, other = (train_classifier(ready.training, **settings, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_a_classifier_learns(ready, monkeypatch):
    """60 steps of 32 digits: far above chance on digits it has not seen."""
    monkeypatch.setattr(classifier, "BATCH_SIZE", 32)
    learned = train_classifier(ready.training, 10, steps=60, mirror=False)
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


# Data of the user's own


def picture_folder(folder, classes: list[str], shape: tuple[int, ...] = (28, 28), each: int = 250) -> ImageFolder:
    random = np.random.default_rng(0)
    for index, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = random.integers(0, 100 + 50 * index, shape).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}-{number}.png")
    return ImageFolder(str(folder), held_out=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [["cats", "dogs"], ["", ""]], ids=["classes", "no classes"])
def test_other_images_get_a_classifier_of_their_own_once(tmp_path, classes, monkeypatch, caplog):
    monkeypatch.setattr(extractor, "STEPS", 4)
    data = picture_folder(tmp_path / "My Pictures", classes)
    caplog.set_level("INFO")
    measured = Scorer(data)
    card = measured.extractor.card
    assert "my_pictures has no reference classifier yet: training one" in caplog.text
    assert measured.full_name("frechet") == "frechet_my_pictures_cnn_150"
    assert (card["task"], card["classes"]) == (("classes", 2) if classes[0] else ("quarter turns", 4))
    floor = measured.real_baseline()
    assert ("class_kl" in floor) == bool(classes[0])
    monkeypatch.setattr(extractor, "train_extractor", None)
    assert Scorer(data).extractor.sha256 == card["sha256"]
    if not classes[0]:
        with pytest.raises(UserError, match="my_pictures has no classes; leave tstr= out"):
            measured.require_classes()


@pytest.mark.slow
def test_coloured_images_are_measured_in_as_many_features_as_gray_ones(tmp_path, monkeypatch):
    """150 images of each split are enough for 128 features, and training is the same as without the measuring."""
    monkeypatch.setattr(extractor, "STEPS", 2)
    folder = tmp_path / "rgb"
    picture_folder(folder, ["cats", "dogs"], shape=(32, 32, 3))
    options = ("data=image_folder", f"data.dir={folder}", "data.held_out=0.3", "network=mlp", "trainer.max_epochs=1")
    scored = run_on_folder(tmp_path / "scored", *options, "callbacks.evaluation.every_n_epochs=1")
    silent = run_on_folder(tmp_path / "silent", *options)
    assert "frechet_rgb_cnn_150_validation" in scored.scores()[0]["scores"]["ema"]
    for name, value in weights(silent).items():
        assert torch.equal(value, weights(scored)[name]), name


def run_on_folder(path, *options: str) -> RunFolder:
    cfg = compose(*options, "data.batch_size=50", "precision=32", "logger=csv")
    train(cfg, RunFolder(path), name="test")
    return RunFolder(path)


# Stacked MNIST


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
    monkeypatch.setattr(scorer, "memorisation", lambda *unused: None)
    data = StackedMNIST()
    assert data.evaluation_images == 26_000
    data.setup()
    assert data.class_shares().tolist() == [1e-3] * 1000
    judge = extractor_for(data)
    assert (
        judge.extract(data.splits.test.images).probabilities.argmax(1) == data.splits.test.labels
    ).float().mean() > 0.97


# The scorer


def test_scores_carry_their_protocol_and_stand_beside_a_cached_floor(measure, monkeypatch):
    assert measure.full_name("frechet") == "frechet_mnist_5k_mnist_cnn_500"  # the judge is that of other data: named
    assert measure.full_name("pixel_mean") == "pixel_mean_mnist_5k_500"
    assert measure.full_name("tstr") == "tstr_mnist_5k_4k"
    assert measure.full_name("tstr_judged") == "tstr_judged_mnist_5k_mnist_cnn_4k"
    assert Scorer(measure.data, "validation", 200).full_name("recall") == "recall_mnist_5k_mnist_cnn_200_validation"
    floor = measure.real_baseline()
    monkeypatch.setattr(Scorer, "measure", None)
    assert Scorer(measure.data).floor() == floor
    assert Scorer(measure.data, "validation").identity == measure.identity
    with pytest.raises(TypeError):
        Scorer(measure.data, "validation").floor()  # another protocol has another floor


def test_fingerprints_depend_on_the_images(ready):
    images, labels = ready.splits.test
    assert fingerprint(Batch(images.flip(0), labels)) != fingerprint(ready.splits.test)
    assert fingerprint(Batch(images.flip(0).flip(0), labels)) == fingerprint(ready.splits.test)


def test_the_split_scores_perfectly_against_itself(measure):
    scores = measure.measure(measure.real.images).scores
    assert scores["frechet"] == pytest.approx(0, abs=1e-6)
    assert (scores["precision"], scores["recall"], scores["coverage"]) == (1, 1, 1)
    assert scores["missing_classes"] == 0
    assert abs(scores["memorised"]) < 3 * scores["memorised_error"]  # test images are no copies


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
    floor = measure.real_baseline()
    ones = ready.training.images[ready.training.labels == 1]
    collapsed = measure.measure(ones.repeat(2, 1, 1, 1)[:500])
    noise = measure.measure(torch.randint(256, (500, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte())
    assert floor["frechet"] < collapsed.scores["frechet"] < noise.scores["frechet"]
    assert floor["classifier_score"] > 9 and collapsed.scores["classifier_score"] < 1.2
    assert collapsed.scores["missing_classes"] >= 8  # the judge takes a one for a seven now and then
    assert collapsed.modes.shares.argmax() == 1
    assert collapsed.scores["class_kl"] == pytest.approx(-math.log(ready.class_shares()[1]), rel=0.05)
    assert noise.scores["precision"] < 0.1 and collapsed.scores["recall"] < 0.3


def test_a_generator_that_returns_training_images_is_found_out(measure, ready):
    found = measure.measure(ready.training.images[:500])
    assert found.scores["memorised"] == pytest.approx(1)
    assert found.scores["memorised_p"] < 1e-3
    assert found.copies.ratio.max() == 0


def test_an_n_that_cannot_be_scored_is_refused_with_the_remedy(ready):
    with pytest.raises(UserError, match="n=10,000, but mnist_5k holds only 500 test images .* type n=500"):
        Scorer(ready, n=10_000)
    with pytest.raises(UserError, match="at least 129 samples, got n=100; type n=129 or more"):
        Scorer(ready, n=100)


# Samples of other programs


ARRAYS = {
    "uint8": lambda images: images.numpy(),
    "no channel": lambda images: images[:, 0].numpy(),
    "channels last": lambda images: images.permute(0, 2, 3, 1).numpy(),
    "uint16": lambda images: images.numpy().astype(">u2"),
    "int64": lambda images: images.long().numpy(),
    "floats": lambda images: to_float(images).numpy(),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_arrays_of_every_allowed_form_give_the_same_images(tmp_path, ready, form):
    images = ready.splits.test.images[:20]
    np.savez(tmp_path / "x.npz", images=ARRAYS[form](images), labels=np.arange(20) % 10)
    read, labels = read_samples(tmp_path / "x.npz", (1, 28, 28), 10)
    assert torch.equal(read, images) and labels.tolist() == [*range(10), *range(10)]


def test_a_folder_of_pictures_gives_its_images(tmp_path, ready):
    for index, image in enumerate(ready.splits.test.images[:5]):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{index}.png")
    read, labels = read_samples(tmp_path, (1, 28, 28), 10)
    assert torch.equal(read, ready.splits.test.images[:5]) and labels is None


def an_array(*shape: int, value: float = 0, kind: type = np.uint8) -> dict[str, np.ndarray]:
    return {"images": np.full(shape, value, kind)}


BAD_ARRAYS = {
    "shape": (an_array(4, 1, 32, 32), r"shape \(4, 1, 32, 32\); the real images are \(1, 28, 28\)"),
    "nan": (an_array(4, 28, 28, value=np.nan, kind=np.float32), "4 of 4 images hold numbers that are not finite"),
    "0 to 1": (
        an_array(4, 28, 28, value=0.5, kind=float),
        "from 0.5 to 0.5.*: for floats from 0 to 1 save 2",
    ),
    "too large": (an_array(4, 28, 28, value=256, kind=int), "numbers from 256 to 256; floats from -1 to 1"),
    "bool": (an_array(4, 28, 28, kind=bool), "numbers of type bool; whole numbers or floats"),
    "empty": (an_array(0, 28, 28), "n at least 1"),
    "no images": ({"pictures": np.zeros(3)}, "holds pictures, not `images`"),
    "no such class": (
        an_array(3, 28, 28) | {"labels": np.array([0, 10, 3])},
        "labels from 0 to 10; 0 to 9 are allowed",
    ),
    "labels": (
        an_array(4, 28, 28) | {"labels": np.zeros(3)},
        "of shape .3,. and type float64; one whole",
    ),
}


@pytest.mark.parametrize("mistake", BAD_ARRAYS)
def test_arrays_that_are_no_such_images_are_refused(tmp_path, mistake):
    arrays, message = BAD_ARRAYS[mistake]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=message):
        read_samples(tmp_path / "x.npz", (1, 28, 28), 10)


def test_files_that_hold_no_samples_are_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as an .npz file"):
        read_samples(tmp_path / "x.npz", (1, 28, 28), 10)
    with pytest.raises(UserError, match="cannot be read as an .npz file"):
        read_samples(tmp_path / "missing.npz", (1, 28, 28), 10)
    with pytest.raises(UserError, match="neither an .npz file nor a folder"):
        read_samples(tmp_path / "x.pt", (1, 28, 28), 10)
    Image.new("L", (32, 28)).save(tmp_path / "x.png")
    with pytest.raises(UserError, match="is 32x28; the real images are 28x28"):
        read_samples(tmp_path, (1, 28, 28), 10)


# The verb


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> RunFolder:
    """A run of two steps, made inside the first test that asks for it."""
    return RunFolder(tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture
def a_run(trained) -> RunFolder:
    if not trained.is_used():
        run(trained.path, "network=mlp", "max_generator_steps=2")
    return trained


def table_rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split() for line in text.splitlines() if re.match(r"\w+_500 |\w+_4k |score ", line)}


def test_evaluate_a_run(a_run, capsys):
    commands.evaluate([f"run={a_run.path}"])
    rows = table_rows(capsys.readouterr().out)
    assert rows["score"] == ["score", "ema", "raw", "real", "better"]
    assert rows["frechet_mnist_5k_mnist_cnn_500"][-1] == "lower"
    line = a_run.scores()[-1]
    assert (line["data"], line["split"], line["n"], line["generator_steps"]) == ("mnist_5k", "test", 500, 2)
    assert line["extractor"]["sha256"] == load_extractor(SHIPPED, "mnist_cnn").sha256
    assert line["scores"]["ema"].keys() == line["scores"]["real"].keys()
    assert (
        line["scores"]["ema"]["frechet_mnist_5k_mnist_cnn_500"]
        > 10 * line["scores"]["real"]["frechet_mnist_5k_mnist_cnn_500"]
    )
    for name in ("real-and-samples", "classes", "nearest"):
        assert Image.open(a_run.path / "evaluation" / f"{name}.png").size[0] > 100


def test_samples_of_a_run_score_as_the_run_does(a_run, tmp_path, capsys):
    """By an .npz file, as any program would save it; twice the same."""
    commands.sample([f"run={a_run.path}", "n=500", f"out={tmp_path / 'x.npz'}", "weights=raw"])
    commands.evaluate([f"run={a_run.path}"])
    for _ in range(2):
        commands.evaluate([f"images={tmp_path / 'x.npz'}", "data=mnist_5k"])
        (*_, line) = RunFolder(tmp_path / "x-scores").scores()
        assert line["scores"]["samples"] == pytest.approx(a_run.scores()[-1]["scores"]["raw"], rel=ROUNDING)
    assert len(RunFolder(tmp_path / "x-scores").scores()) == 2


@pytest.mark.slow
def test_train_on_synthetic_stands_beside_its_real_twin(ready, tmp_path, monkeypatch, capsys):
    """Real training images as "samples" are their own twin; labels come from the file, or else from the judge."""
    monkeypatch.setattr(scorer, "TSTR_STEPS", 60)
    monkeypatch.setattr(classifier, "BATCH_SIZE", 32)
    np.savez(tmp_path / "x.npz", images=ready.training.images.numpy(), labels=ready.training.labels.numpy())
    np.savez(tmp_path / "y.npz", images=ready.training.images.numpy())
    commands.evaluate([f"images={tmp_path / 'x.npz'}", "data=mnist_5k", "tstr=true"])
    scores = RunFolder(tmp_path / "x-scores").scores()[0]["scores"]
    assert scores["samples"]["tstr_mnist_5k_4k"] > 0.5
    assert scores["samples"]["tstr_mnist_5k_4k"] == pytest.approx(scores["real"]["tstr_mnist_5k_4k"], abs=0.02)
    commands.evaluate([f"images={tmp_path / 'y.npz'}", "data=mnist_5k", "tstr=true"])
    judged = RunFolder(tmp_path / "y-scores").scores()[0]["scores"]["samples"]
    assert "tstr_mnist_5k_4k" not in judged and judged["tstr_judged_mnist_5k_mnist_cnn_4k"] == pytest.approx(
        scores["real"]["tstr_mnist_5k_4k"], abs=0.1
    )


MISTAKES = {
    "neither": ([], "type evaluate run=FOLDER, or evaluate images="),
    "both": (["run=a", "images=b"], "one of the two"),
    "no data": (["images=x.npz"], "data= is missing: which images are the real ones\\? Allowed: .*mnist_5k"),
    "wrong data": (["images=x.npz", "data=mnits"], "Did you mean mnist?"),
    "data of a run": (["run=a", "data=mnist"], "data=mnist belongs to evaluate images="),
    "seed of images": (["images=x.npz", "data=mnist", "seed=1"], "drawn already"),
    "n": (["run=a", "n=0"], "n=0 is not allowed: it should be greater than 0"),
    "split": (["run=a", "split=train"], "split=train is not allowed: it should be 'test' or 'validation'"),
    "typo": (["rnu=a"], "Did you mean run?"),
    "no run": (["run=/nowhere"], "run=/nowhere is no run folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_explained(mistake):
    words, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message):
        commands.evaluate(words)


def test_more_samples_than_there_are_cannot_be_scored(ready, tmp_path):
    np.savez(tmp_path / "x.npz", images=ready.splits.test.images[:300].numpy())
    with pytest.raises(UserError, match="n=400, but there are only 300 samples; type n=300"):
        commands.evaluate([f"images={tmp_path / 'x.npz'}", "data=mnist_5k", "n=400"])
    np.savez(tmp_path / "x.npz", images=ready.splits.test.images[:100].numpy())
    for words in ([], ["n=100"], ["n=129"]):
        with pytest.raises(UserError, match="at least 129 .* there are 500 test images of mnist_5k and 100 samples"):
            commands.evaluate([f"images={tmp_path / 'x.npz'}", "data=mnist_5k", *words])


def test_a_part_of_sorted_samples_is_drawn_at_random(ready, tmp_path):
    """As a conditional generator's file is sorted: its first 200 of 500 would be of four classes."""
    order = ready.splits.test.labels.argsort()
    np.savez(tmp_path / "x.npz", images=ready.splits.test.images[order].numpy())
    commands.evaluate([f"images={tmp_path / 'x.npz'}", "data=mnist_5k", "n=200.0"])
    (line,) = RunFolder(tmp_path / "x-scores").scores()
    assert line["scores"]["samples"]["missing_classes_mnist_5k_mnist_cnn_200"] == 0


def test_a_generator_of_nans_is_refused(a_run, ready, monkeypatch):
    module, _ = load_module(str(a_run.path))
    with torch.no_grad():
        next(module.generator.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="images that are not finite: its training diverged"):
        module.draw(10, weights="raw")


# Inception


def no_network(*unused: object, **more: object) -> None:
    raise OSError("no network")


class Stub:
    """As Inception: it reads 2 features, the first of them the image's brightness."""

    sha256 = "0"

    def read(self, images):
        pixels = to_float(images).flatten(1)
        return extractor.Features(torch.stack([pixels.mean(1), pixels[:, 400]], dim=1), pixels[:, :0])


def test_inception_figures_stand_beside_their_floor(a_run, ready, monkeypatch):
    monkeypatch.setattr(evaluate, "load_inception", lambda file: Stub())
    monkeypatch.setattr(evaluate, "INCEPTION_FEATURES", 2)
    commands.evaluate([f"run={a_run.path}", "inception=true"])
    scores = a_run.scores()[-1]["scores"]
    measured = Scorer(ready)
    expected = frechet_distance(
        *(Stub().read(part).features for part in (measured.real.images, load_module(str(a_run.path))[0].draw(500)))
    )
    assert scores["ema"]["frechet_inception_mnist_5k_500"] == pytest.approx(expected)
    assert 0 < scores["real"]["frechet_inception_mnist_5k_500"] < 0.1 * expected


def test_inception_needs_its_package_and_the_right_weights(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity")
    (tmp_path / "weights.pth").write_bytes(b"other weights")
    with pytest.raises(UserError, match="has SHA-256 .* not 6726825d"):
        inception.load_inception(str(tmp_path / "weights.pth"))
    with pytest.raises(UserError, match="missing.pth is no file; fetch https"):
        inception.load_inception(str(tmp_path / "missing.pth"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(UserError, match="could not be fetched .*no network.* type inception=FILE"):
        inception.load_inception()
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UserError, match="needs the package torch-fidelity: pip install torch-fidelity"):
        inception.load_inception()


@pytest.mark.slow
def test_inception_features_are_torch_fidelitys_own(tmp_path, monkeypatch):
    """With random weights: the same file, once through torch-fidelity, once through ours."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    with monkeypatch.context() as patch:
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *unused: None)
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *unused, **more: None)
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(inception, "DIGEST", "")
    images = torch.randint(256, (3, 1, 28, 28)).byte()
    read = inception.load_inception(str(tmp_path / "weights.pth")).read(images).features
    with torch.inference_mode():
        expected = network(images.repeat(1, 3, 1, 1))[0]
    assert torch.equal(read, expected)
    assert read.shape == (3, 2048)


def test_inception_needs_more_samples_than_features(a_run):
    with pytest.raises(UserError, match="inception= needs at least 2,049 samples .* got 500"):
        commands.evaluate([f"run={a_run.path}", "inception=true"])


# During training


SCORED = ("network=mlp", "data.batch_size=500", "trainer.max_epochs=3", "callbacks.evaluation.n=200")


@pytest.mark.slow
def test_scoring_does_not_change_training(tmp_path):
    """To the last bit, while scores go to metrics.csv and scores.jsonl beside their floor."""
    silent = run(tmp_path / "silent", *SCORED)
    scored = run(tmp_path / "scored", *SCORED, "callbacks.evaluation.every_n_epochs=1")
    for name, value in weights(silent).items():
        assert torch.equal(value, weights(scored)[name]), name
    assert not silent.scores() and not silent.best.exists()
    lines = scored.scores()
    assert [line["generator_steps"] for line in lines] == [8, 16, 24]
    assert {line["split"] for line in lines} == {"validation"}
    name = "frechet_mnist_5k_mnist_cnn_200_validation"
    table = scored.metrics.read_text().splitlines()
    assert {name, f"{name}_real"} <= set(table[0].split(","))
    best = torch.load(scored.best, weights_only=True)
    scores = [line["scores"]["ema"][name] for line in lines]
    assert best["counters"]["generator_steps"] == lines[int(np.argmin(scores))]["generator_steps"]


@pytest.mark.slow
def test_a_resumed_run_remembers_its_best_and_forgets_what_a_crash_undid(tmp_path):
    every = (*SCORED, "callbacks.evaluation.every_n_epochs=1")
    whole = run(tmp_path / "whole", *every)
    folder = run(tmp_path / "parts", *every, "trainer.max_epochs=2")
    folder.add_scores({"generator_steps": 99, "images_seen": 0, "scores": {}})
    train(composed(*every), folder, name="test", checkpoint=folder.last)
    for line, other in zip(folder.scores(), whole.scores(), strict=True):
        assert line["scores"]["ema"] == pytest.approx(other["scores"]["ema"], rel=ROUNDING)
    for name in ("best", "last"):
        states = [torch.load(at.checkpoints / f"{name}.ckpt", weights_only=True) for at in (whole, folder)]
        assert states[0]["counters"] == states[1]["counters"]


@pytest.mark.slow
def test_the_best_is_that_of_the_whole_run_and_of_one_protocol(tmp_path):
    """A budget that ends with an epoch saves last.ckpt before the epoch is scored; the score still counts."""
    every = (*SCORED, "callbacks.evaluation.every_n_epochs=1")
    folder = run(tmp_path, *every, "max_generator_steps=8")
    lines = folder.scores()
    lines[0]["scores"]["ema"]["frechet_mnist_5k_mnist_cnn_200_validation"] = 0.0  # never to be beaten
    folder.write_scores(lines)
    train(composed(*every, "max_generator_steps=16"), folder, name="test", checkpoint=folder.last)
    assert torch.load(folder.best, weights_only=True)["counters"]["generator_steps"] == 8
    other = composed(*every, "max_generator_steps=24", "callbacks.evaluation.score=coverage")
    train(other, folder, name="test", checkpoint=folder.last)
    assert [line["generator_steps"] for line in folder.scores()] == [8, 16, 24]
    assert folder.scores_plot.is_file()


def test_a_torn_line_of_scores_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.add_scores({"generator_steps": 1})
    with folder.scores_file.open("a") as file:
        file.write('{"generator_steps": 2, "sco')
    folder.add_scores({"generator_steps": 3})
    assert folder.scores() == [{"generator_steps": 1}, {"generator_steps": 3}]


def test_a_damaged_cache_is_computed_again(measure, cache_folder):
    floor = measure.real_baseline()
    for file in (cache_folder / "scores").iterdir():
        file.write_bytes(file.read_bytes()[:10])
    assert Scorer(measure.data).floor() == pytest.approx(floor, rel=ROUNDING)


def test_an_evaluation_that_cannot_be_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="n=2,000, but mnist_5k holds only 500 validation images"):
        run(tmp_path, "network=mlp", "callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=2000")
    assert not RunFolder(tmp_path).checkpoints.exists()
    with pytest.raises(UserError, match="callbacks.evaluation.score=fid is not allowed"):
        run(tmp_path, "callbacks.evaluation.score=fid")


def test_every_score_says_which_way_is_better(measure):
    scores = measure.measure(measure.real.images).scores
    assert {name for name in scores if not name.endswith("_error")} <= set(BETTER)


def test_the_page_on_scores_explains_every_score():
    text = (SHIPPED.parents[2] / "docs" / "scores.md").read_text()
    for name in BETTER:
        assert f"`{name}`" in text, name


@pytest.mark.slow
def test_classifier_command_trains_and_writes_a_card(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(extractor, "STEPS", 3)
    commands.classifier(["data=mnist_5k", f"out={tmp_path}", "data.test_images=400"])
    card = json.loads((tmp_path / "mnist_5k_cnn.json").read_text())
    assert card["test_images"] == 400
    commands.classifier(["data=mnist_5k"])
    assert load_extractor(SHIPPED, "mnist_cnn").sha256 in capsys.readouterr().out
    commands.classifier(["data=mnist_5k", f"out={tmp_path}", "data.test_images=400"])
    assert isinstance(load_extractor(tmp_path, "mnist_5k_cnn"), Extractor)
    assert isinstance(load_extractor(tmp_path, "mnist_5k_cnn").classifier, Classifier)
    assert card["sha256"] in capsys.readouterr().out
