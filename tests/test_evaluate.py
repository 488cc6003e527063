"""The command `evaluate`, Inception, and the callback that scores during training."""

import json
import re
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_module
from gan_lightning.data import MNIST5k
from gan_lightning.errors import UserError
from gan_lightning.evaluation import classifier, extractor, inception, scorer, tstr
from gan_lightning.evaluation.extractor import SHIPPED, load_extractor
from gan_lightning.evaluation.frechet import frechet_distance
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import to_float
from gan_lightning.loggers import RunLabel
from gan_lightning.training.run import train
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import SMALL, composed, run, same, weights

pytestmark = pytest.mark.slow

ROUNDING = 1e-6
"""Relative: matrix products may round otherwise when their memory lies elsewhere."""


def values(records: list[ScoreRecord], source: str) -> dict[str, float]:
    """The values of a source by the names of their scores."""
    return {record.score: record.value for record in records if record.source == source}


def baselines(records: list[ScoreRecord]) -> dict[str, float | None]:
    return {record.score: record.real_baseline for record in records}


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
    run_command("evaluate", f"run={a_run.path}")
    rows = table_rows(capsys.readouterr().out)
    assert rows["score"] == ["score", "ema", "raw", "real", "better"]
    assert rows["frechet_mnist_5k_mnist_cnn_500"][-1] == "lower"
    (record,) = (found for found in a_run.scores() if (found.source, found.score) == ("ema", "frechet"))
    assert record.full_name == "frechet_mnist_5k_mnist_cnn_500"
    assert (record.data, record.split, record.n, record.generator_steps) == ("mnist_5k", "test", 500, 2)
    assert record.extractor_sha256 == load_extractor(SHIPPED, "mnist_cnn").sha256
    assert record.value > 10 * record.real_baseline and record.higher_is_better is False
    assert values(a_run.scores(), "ema").keys() == values(a_run.scores(), "raw").keys()
    assert None not in baselines(a_run.scores()).values()
    for name in ("real-and-samples", "classes", "nearest"):
        assert Image.open(a_run.path / "evaluation" / f"{name}.png").size[0] > 100


def test_a_line_of_scores_explains_itself_without_its_name(a_run):
    """As `pandas.read_json(file, lines=True)` reads it: every line has every column, and holds plain values."""
    run_command("evaluate", f"run={a_run.path}")
    lines = [json.loads(line) for line in a_run.scores_file.read_text().splitlines()]
    for line in lines:
        assert list(line) == [field.name for field in fields(ScoreRecord)]
        assert all(value is None or isinstance(value, str | int | float) for value in line.values())
    (line,) = (found for found in lines[-2 * len(SCORES) :] if (found["source"], found["score"]) == ("raw", "kernel"))
    measured = Scorer(MNIST5k()).measure(load_module(str(a_run.path))[0].sampler("raw").sample(500))
    assert line["value"] == pytest.approx(measured.scores["kernel"], rel=ROUNDING)
    assert line["error"] == pytest.approx(measured.errors["kernel"], rel=ROUNDING)
    assert line["real_baseline"] == pytest.approx(Scorer(MNIST5k()).real_baseline().scores["kernel"], rel=ROUNDING)
    assert (line["higher_is_better"], line["checkpoint"], line["during_training"]) == (False, "last.ckpt", False)


def test_samples_of_a_run_score_as_the_run_does(a_run, tmp_path, capsys):
    """By an .npz file, as any program would save it; twice the same."""
    run_command("sample", f"run={a_run.path}", "n=500", f"out={tmp_path / 'x.npz'}", "weights=raw")
    run_command("evaluate", f"run={a_run.path}")
    for _ in range(2):
        run_command("evaluate", f"images={tmp_path / 'x.npz'}", "data=mnist_5k")
        scores = values(RunFolder(tmp_path / "x-scores").scores(), "images")
        assert scores == pytest.approx(values(a_run.scores(), "raw"), rel=ROUNDING)
    assert len(RunFolder(tmp_path / "x-scores").scores()) == 2 * len(scores)


def test_train_on_synthetic_stands_beside_train_on_real(ready, tmp_path, monkeypatch, capsys):
    """Real training images as samples reach their own baseline; the file has labels, or the classifier assigns them."""
    monkeypatch.setattr(tstr, "TSTR_STEPS", 60)
    monkeypatch.setattr(classifier, "BATCH_SIZE", 32)
    np.savez(tmp_path / "x.npz", images=ready.training.images.numpy(), labels=ready.training.labels.numpy())
    np.savez(tmp_path / "y.npz", images=ready.training.images.numpy())
    run_command("evaluate", f"images={tmp_path / 'x.npz'}", "data=mnist_5k", "tstr=true")
    (record,) = (found for found in RunFolder(tmp_path / "x-scores").scores() if found.score.startswith("tstr"))
    assert record.full_name == "tstr_mnist_5k_4k"
    assert record.value > 0.5
    assert record.value == pytest.approx(record.real_baseline, abs=0.02)
    run_command("evaluate", f"images={tmp_path / 'y.npz'}", "data=mnist_5k", "tstr=true")
    (labelled,) = (found for found in RunFolder(tmp_path / "y-scores").scores() if found.score.startswith("tstr"))
    assert labelled.full_name == "tstr_pseudo_labels_mnist_5k_mnist_cnn_4k"
    assert labelled.value == pytest.approx(labelled.real_baseline, abs=0.1)
    assert labelled.real_baseline == record.real_baseline


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
        run_command("evaluate", *words)


def test_more_samples_than_there_are_cannot_be_scored(ready, tmp_path):
    np.savez(tmp_path / "x.npz", images=ready.splits.test.images[:300].numpy())
    with pytest.raises(UserError, match="n=400, but there are only 300 samples; type n=300"):
        run_command("evaluate", f"images={tmp_path / 'x.npz'}", "data=mnist_5k", "n=400")
    np.savez(tmp_path / "x.npz", images=ready.splits.test.images[:100].numpy())
    for words in ([], ["n=100"], ["n=129"]):
        with pytest.raises(UserError, match="at least 129 .* there are 500 test images of mnist_5k and 100 samples"):
            run_command("evaluate", f"images={tmp_path / 'x.npz'}", "data=mnist_5k", *words)


def test_a_part_of_sorted_samples_is_drawn_at_random(ready, tmp_path):
    """As a conditional generator's file is sorted: its first 200 of 500 would be of four classes."""
    order = ready.splits.test.labels.argsort()
    np.savez(tmp_path / "x.npz", images=ready.splits.test.images[order].numpy())
    run_command("evaluate", f"images={tmp_path / 'x.npz'}", "data=mnist_5k", "n=200.0")
    assert values(RunFolder(tmp_path / "x-scores").scores(), "images")["missing_classes"] == 0


def test_a_generator_of_nans_is_refused(a_run, ready, monkeypatch):
    module, _ = load_module(str(a_run.path))
    with torch.no_grad():
        next(module.generator.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="images that are not finite: its training diverged"):
        module.sampler("raw").sample(10)


# Inception


def no_network(*unused: object, **more: object) -> None:
    raise OSError("no network")


class Stub:
    """Like Inception, with 2 features, the first of them the image's brightness."""

    name = "inception"
    sha256 = "0"

    def extract(self, images):
        pixels = to_float(images).flatten(1)
        return extractor.Features(torch.stack([pixels.mean(1), pixels[:, 400]], dim=1), pixels[:, :0])


def test_the_inception_distance_stands_beside_its_baseline(a_run, ready, monkeypatch):
    monkeypatch.setattr(scorer, "load_inception", lambda file: Stub())
    monkeypatch.setattr(scorer, "INCEPTION_FEATURES", 2)
    run_command("evaluate", f"run={a_run.path}", "inception=true")
    records = {record.source: record for record in a_run.scores() if record.score == "frechet_inception"}
    measured = Scorer(ready)
    samples = load_module(str(a_run.path))[0].sampler().sample(500)
    expected = frechet_distance(*(Stub().extract(images).features for images in (measured.real.images, samples)))
    assert records["ema"].full_name == "frechet_inception_mnist_5k_500"
    assert (records["ema"].extractor, records["ema"].extractor_sha256) == ("inception", "0")
    assert records["ema"].value == pytest.approx(expected)
    assert 0 < records["ema"].real_baseline < 0.1 * expected


def test_inception_needs_its_package_and_the_right_weights(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity")
    (tmp_path / "weights.pth").write_bytes(b"other weights")
    with pytest.raises(UserError, match="has SHA-256 .* not 6726825d"):
        inception.load_inception(str(tmp_path / "weights.pth"))
    with pytest.raises(UserError, match="missing.pth is not a file; download https"):
        inception.load_inception(str(tmp_path / "missing.pth"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(UserError, match="could not be downloaded .*no network.* type inception=FILE"):
        inception.load_inception()
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UserError, match="needs the package torch-fidelity: pip install torch-fidelity"):
        inception.load_inception()


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
    features = inception.load_inception(str(tmp_path / "weights.pth")).extract(images).features
    with torch.inference_mode():
        expected = network(images.repeat(1, 3, 1, 1))[0]
    assert torch.equal(features, expected)
    assert features.shape == (3, 2048)


def test_inception_needs_more_samples_than_features(a_run):
    with pytest.raises(UserError, match="inception= needs at least 2,049 samples .* got 500"):
        run_command("evaluate", f"run={a_run.path}", "inception=true")


# During training


SCORED = ("network=mlp", "data.batch_size=500", "trainer.max_epochs=3", "callbacks.evaluation.n=200")


def test_scoring_does_not_change_training(tmp_path):
    """To the last bit, while scores go to metrics.csv and scores.jsonl beside their baselines."""
    silent = run(tmp_path / "silent", *SCORED)
    scored = run(tmp_path / "scored", *SCORED, "callbacks.evaluation.every_n_epochs=1")
    for name, value in weights(silent).items():
        assert torch.equal(value, weights(scored)[name]), name
    assert not silent.scores() and not silent.best.exists()
    records = [record for record in scored.scores() if record.score == "frechet"]
    assert [record.generator_steps for record in records] == [8, 16, 24]
    (name,) = {record.full_name for record in records}
    assert name == "frechet_mnist_5k_mnist_cnn_200_validation"
    table = scored.metrics.read_text().splitlines()
    assert {name, f"{name}_real"} <= set(table[0].split(","))
    best = torch.load(scored.best, weights_only=True)
    lowest = min(records, key=lambda record: record.value)
    assert best["counters"]["generator_steps"] == lowest.generator_steps


def test_a_resumed_run_remembers_its_best_and_forgets_what_a_crash_undid(tmp_path):
    every = (*SCORED, "callbacks.evaluation.every_n_epochs=1")
    whole = run(tmp_path / "whole", *every)
    folder = run(tmp_path / "parts", *every, "trainer.max_epochs=2")
    folder.add_scores([replace(folder.scores()[-1], generator_steps=99)])
    train(composed(*every), folder, RunLabel("test"), checkpoint=folder.last)
    for record, other in zip(folder.scores(), whole.scores(), strict=True):
        assert (record.score, record.generator_steps) == (other.score, other.generator_steps)
        assert record.value == pytest.approx(other.value, rel=ROUNDING)
    for name in ("best", "last"):
        states = [torch.load(at.checkpoints / f"{name}.ckpt", weights_only=True) for at in (whole, folder)]
        assert states[0]["counters"] == states[1]["counters"]


def test_the_best_is_that_of_the_whole_run_and_of_one_protocol(tmp_path):
    """A budget that ends with an epoch saves last.ckpt before the epoch is scored; the score still counts."""
    every = (*SCORED, "callbacks.evaluation.every_n_epochs=1")
    folder = run(tmp_path, *every, "max_generator_steps=8")
    folder.write_scores([replace(record, value=0.0) for record in folder.scores()])  # the best possible distance
    train(composed(*every, "max_generator_steps=16"), folder, RunLabel("test"), checkpoint=folder.last)
    assert torch.load(folder.best, weights_only=True)["counters"]["generator_steps"] == 8
    other = composed(*every, "max_generator_steps=24", "callbacks.evaluation.score=coverage")
    train(other, folder, RunLabel("test"), checkpoint=folder.last)
    assert [record.generator_steps for record in folder.scores() if record.score == "coverage"] == [8, 16, 24]
    assert folder.scores_plot.is_file()


FOUR_AN_EPOCH = ("data.batch_size=1000", "callbacks.evaluation.n=150", *SMALL)
LAST_STEPS = {
    "steps inside an epoch": ("max_generator_steps=6", 1, [4, 6]),
    "steps at an epoch's end": ("max_generator_steps=4", 1, [4]),
    "images": ("max_images=2500", 1, [3]),
    "both networks' steps": ("+trainer.max_steps=12", 1, [4, 6]),
    "steps inside an epoch that is not due": ("max_generator_steps=6", 5, [6]),
    "an epoch that is not due": ("trainer.max_epochs=3", 2, [8, 12]),
}


@pytest.mark.parametrize("case", LAST_STEPS)
def test_the_last_step_is_scored_once_wherever_a_budget_ends_the_run(tmp_path, case):
    budget, every, scored = LAST_STEPS[case]
    folder = run(tmp_path / "run", *FOUR_AN_EPOCH, budget, f"callbacks.evaluation.every_n_epochs={every}")
    records = [record for record in folder.scores() if record.score == "frechet"]
    assert [record.generator_steps for record in records] == scored
    assert folder.status()["generator_steps"] == scored[-1]
    best = min(records, key=lambda record: record.value)
    assert torch.load(folder.best, weights_only=True)["counters"]["generator_steps"] == best.generator_steps


def test_the_last_step_of_a_time_budget_is_scored_once(tmp_path):
    every = "callbacks.evaluation.every_n_epochs=1000000"
    folder = run(tmp_path / "run", *FOUR_AN_EPOCH, "trainer.max_time=00:00:00:01", every)
    records = [record for record in folder.scores() if record.score == "frechet"]
    assert [record.generator_steps for record in records] == [folder.status()["generator_steps"]]
    assert folder.best.is_file()


def test_a_run_whose_last_step_was_scored_inside_an_epoch_goes_on_as_if_it_had_not_stopped(tmp_path):
    whole = run(tmp_path / "whole", *FOUR_AN_EPOCH, "max_generator_steps=10")
    folder = run(tmp_path / "parts", *FOUR_AN_EPOCH, "max_generator_steps=6", "callbacks.evaluation.every_n_epochs=2")
    run_command("resume", f"run={folder.path}", "max_generator_steps=10")
    assert same(weights(folder), weights(whole))
    scored = [record.generator_steps for record in folder.scores() if record.score == "frechet"]
    assert scored == [6, 8, 10]


def test_an_evaluation_that_cannot_be_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="n=2,000, but mnist_5k holds only 500 validation images"):
        run(tmp_path, "network=mlp", "callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=2000")
    assert not RunFolder(tmp_path).checkpoints.exists()
    with pytest.raises(UserError, match="callbacks.evaluation.score=fid is not allowed"):
        run(tmp_path, "callbacks.evaluation.score=fid")
