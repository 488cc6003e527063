"""The generators that come with the project: small, described, and of digits and clothes that a classifier knows."""

from pathlib import Path

import pytest
import torch

import gan_lightning as gl
from gan_lightning.evaluation.extractor import SHIPPED, load_extractor
from gan_lightning.runs import PRETRAINED

NAMES = sorted(file.stem for file in PRETRAINED.glob("*.safetensors"))


def test_there_are_some():
    assert NAMES == ["best_conditional_fashion_mnist", "best_conditional_mnist"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_described(name):
    files = [PRETRAINED / f"{name}.{end}" for end in ("safetensors", "card.md", "samples.png")]
    assert all(file.stat().st_size <= 2**20 for file in files)
    facts = gl.load(f"pretrained/{name}").facts
    assert facts.license == "MIT" and facts.scores and facts.weights == "ema"
    card = files[1].read_text()
    assert all(record.full_name in card for record in facts.scores)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [(NAMES[0], 0.85), (NAMES[1], 0.97)])
def test_a_classifier_of_real_images_agrees_with_the_classes(name, least):
    g = gl.load(f"pretrained/{name}")
    assert g.facts.reference is not None
    extractor = load_extractor(SHIPPED, g.facts.reference)
    seen = extractor.extract(g.sample(500)).probabilities.argmax(1)
    assert (seen == torch.arange(500) % 10).float().mean() > least


def test_the_first_picture_needs_no_training(tmp_path, monkeypatch):
    from gan_lightning.__main__ import run_command

    monkeypatch.chdir(tmp_path)
    run_command("sample", f"run=pretrained/{NAMES[0]}", "n=10", "labels=Sneaker", "out=sneakers.png")
    run_command("explore", f"run=pretrained/{NAMES[0]}", "browser=false")
    assert sorted(file.name for file in Path().iterdir()) == ["playground.html", "sneakers.png"]


def test_another_name_is_refused():
    message = "run=pretrained/best does not exist; type pretrained/best_conditional_fashion_mnist or pretrained/"
    with pytest.raises(gl.UserError, match=message):
        gl.load("pretrained/best")


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pretrained/best").mkdir(parents=True)
    with pytest.raises(gl.UserError, match="run=pretrained/best is no run folder"):
        gl.load("pretrained/best")
