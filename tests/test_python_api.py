"""The Python API: what `import gan_lightning` gives, and what a generator and a run do in a notebook."""

import base64
import io
import logging
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import gan_lightning as gl
from gan_lightning.errors import UserError
from gan_lightning.generator import Generator
from gan_lightning.images import grid, to_uint8
from gan_lightning.interpolation import lerp, paths, slerp
from gan_lightning.labels import to_numbers
from gan_lightning.models.prior import Prior
from gan_lightning.sampling import Inputs
from gan_lightning.targets import read_target
from gan_lightning.trained_run import cut
from tests.helpers import SHORT, TINY, in_float64, same, weights

NAMES = ["cat", "dog", "a b"]


@pytest.fixture(scope="module")
def conditional(conditional_run) -> Generator:
    """A class-conditional generator of two steps."""
    return gl.load(conditional_run.path)


# Names


def test_every_public_name_is_there_and_others_are_not():
    for name in gl.__all__:
        assert getattr(gl, name).__name__ == name and name in dir(gl)
    with pytest.raises(AttributeError, match="module 'gan_lightning' has no attribute 'generate'"):
        gl.generate  # noqa: B018


@pytest.mark.slow
def test_a_bare_import_does_not_import_torch():
    code = "import sys, gan_lightning; print('torch' in sys.modules, 'pandas' in sys.modules, 'hydra' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["False"] * 3


# Labels


def test_classes_are_named_by_number_name_or_several_of_either():
    def numbers(labels):
        return to_numbers(labels, NAMES).tolist()

    assert numbers(1) == numbers("dog") == [1]
    assert numbers(["a b", 0]) == numbers((2, "cat")) == [2, 0]
    assert numbers(torch.tensor([2, 2])) == numbers(np.array([2, 2])) == [2, 2]
    assert numbers(torch.tensor(1)) == numbers(np.int64(1)) == [1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (3, r"labels=3 is not allowed: classes are 0 to 2 \(cat, dog, a b\); type labels=2"),
        (-1, r"labels=-1 is not allowed: classes are 0 to 2"),
        ("dgo", r"labels=dgo is not allowed: classes are 0 to 2 \(cat, dog, a b\); type labels=dog"),
        ([0, 1.5], r"labels=1.5 is not allowed"),
        (True, r"labels=True is not allowed"),
        ([], r"labels=\[\] names no class; type labels=0, or leave labels= out for every class"),
    ],
)
def test_classes_that_there_are_not_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        to_numbers(labels, NAMES)


def test_many_classes_are_not_all_named():
    names = [f"class {number}" for number in range(1000)]
    with pytest.raises(UserError, match=r"classes are 0 to 999 \(class 0, .*, class 19 ...\); type labels=class 7$"):
        to_numbers("class 7 ", names)


# Interpolation and truncation


@in_float64
def test_paths_begin_and_end_where_they_are_told():
    start, end = torch.randn(2, 5, 8)
    for kind in ("spherical", "linear"):
        way = paths(start, end, 7, kind)
        assert way.shape == (5, 7, 8)
        torch.testing.assert_close(way[:, 0], start)
        torch.testing.assert_close(way[:, -1], end)
    torch.testing.assert_close(paths(start, end, 3, "linear")[:, 1], (start + end) / 2)


@in_float64
def test_an_arc_stays_on_the_sphere_at_constant_angular_speed():
    start, end = torch.nn.functional.normalize(torch.randn(2, 4, 8), dim=-1)
    way = paths(start, end, 9, "spherical")
    torch.testing.assert_close(way.norm(dim=-1), torch.ones(4, 9))
    turned = (way[:, 1:] * way[:, :-1]).sum(-1)
    torch.testing.assert_close(turned, turned[:, :1].expand_as(turned))


@in_float64
def test_between_parallel_vectors_an_arc_is_a_line():
    start, share = torch.randn(3, 8), torch.tensor(0.3)
    for factor in (1.0, 2.0, -1.0):
        torch.testing.assert_close(slerp(start, factor * start, share), lerp(start, factor * start, share))


@in_float64
def test_truncation_scales_normal_latents_toward_zero():
    latents = torch.randn(4, 3)
    assert torch.equal(Prior(3, "normal").truncate(latents, 0.5), 0.5 * latents)
    assert torch.equal(Prior(3, "normal").truncate(latents, 1), latents)
    for factor in (0, -0.1, 1.5, math.nan):
        with pytest.raises(UserError, match="is not allowed: type a number above 0, at most 1, such as 0.7"):
            Prior(3, "normal").truncate(latents, factor)
    with pytest.raises(
        UserError, match=r"truncation=0.7 needs normal latent vectors, and this generator's are uniform;"
    ):
        Prior(3, "uniform").truncate(latents, 0.7)


# Generators


def test_a_generator_draws_what_its_sampler_draws(conditional):
    images = conditional.sample(7, seed=3)
    assert images.shape == (7, 1, 28, 28) and images.dtype == torch.uint8
    assert torch.equal(images, conditional.sampler.sample(7, seed=3))
    assert torch.equal(torch.cat(list(conditional.batches(7, seed=3))), images)
    threes = conditional.sample(4, labels=3)
    assert torch.equal(threes, conditional.sample(4, labels="3"))
    assert torch.equal(threes, conditional.sample(4, labels=[3, 3]))
    assert torch.equal(conditional.sample(12, labels=list(range(10))), conditional.sample(12))
    assert not torch.equal(conditional.sample(4, truncation=0.1), conditional.sample(4))
    assert torch.equal(conditional.sample(4, truncation=1.0), conditional.sample(4))
    assert (conditional.num_classes, conditional.class_names) == (10, [str(digit) for digit in range(10)])


def test_more_images_than_latents_are_drawn_at_once_go_on_with_the_same_numbers(conditional, monkeypatch):
    alone = conditional.sample(16, seed=1)
    monkeypatch.setattr("gan_lightning.sampling.LATENTS_BLOCK_SIZE", 16)
    more = conditional.sample(40, seed=1)
    assert torch.equal(more[:16], alone) and not torch.equal(more[16:32], alone)
    assert torch.equal(conditional.sampler.classes(16, 5), torch.tensor([6, 7, 8, 9, 0]))


def test_paths_between_images_are_of_one_class_each(conditional):
    images = conditional.interpolate(3, steps=4, seed=2)
    assert images.shape == (3, 4, 1, 28, 28) and images.dtype == torch.uint8
    z, y = conditional.sampler.sample_inputs(6, 2, torch.tensor([0, 1, 2, 0, 1, 2]))
    for ends, latents in ((images[:, 0], z[:3]), (images[:, -1], z[3:])):
        drawn = to_uint8(conditional.sampler.generate(Inputs(latents, y[:3])))
        assert (ends.int() - drawn.int()).abs().max() <= 1
    assert not torch.equal(images[:, 1:3], conditional.interpolate(3, 4, 2, "linear")[:, 1:3])


def test_the_projection_of_a_generated_image_is_nearly_that_image(conditional):
    image = conditional.sample(1, seed=5, labels=4)[0]
    found = conditional.project(image, labels=4, steps=100)
    assert found.latent.shape == (64,) and found.condition.argmax() == 4 and found.image.shape == image.shape
    assert found.distance < 0.01 < conditional.project(image, labels=4, steps=1, starts=1).distance
    difference = (found.image.double() - image.double()).square().mean().sqrt() / 255
    assert abs(difference - found.distance) < 0.003  # rounding to uint8
    assert all(parameter.grad is None for parameter in conditional.sampler.generator.parameters())


def test_an_image_is_read_in_every_form(conditional, tmp_path):
    image = conditional.sample(1)[0]
    picture = Image.fromarray(image[0].numpy())
    picture.save(tmp_path / "x.png")
    forms = (image, image[None], image[0], image.numpy(), image[0, :, :, None].numpy(), picture, tmp_path / "x.png")
    for form in forms:
        assert torch.equal(read_target(form, (1, 28, 28)), image)


def test_images_of_another_shape_are_refused(tmp_path):
    Image.new("L", (32, 28)).save(tmp_path / "wide.png")
    Image.new("RGB", (28, 28), "red").save(tmp_path / "red.png")
    for image, message in [
        (tmp_path / "wide.png", "wide.png is 32x28 .* makes images of 28x28; nothing is resized here: crop or resize"),
        (tmp_path / "red.png", r"red.png is coloured \(RGB\), and this generator's images are gray"),
        (str(tmp_path / "no.png"), "no.png is not a file; type image=FILE with a picture"),
        (Image.new("L", (28, 20)), "the picture is 28x20"),
        (
            torch.zeros(1, 32, 32, dtype=torch.uint8),
            r"shape \(1, 32, 32\), and this generator's images are \(1, 28, 28\)",
        ),
        (np.zeros((28, 28)), "numbers of type float64; whole numbers from 0 to 255 of type uint8 are allowed"),
    ]:
        with pytest.raises(UserError, match=message):
            read_target(image, (1, 28, 28))


def test_what_cannot_be_drawn_is_refused(conditional):
    with pytest.raises(UserError, match="n=0 is not allowed: type a whole number, 1 or more"):
        conditional.sample(0)
    with pytest.raises(UserError, match="steps=1 is not allowed: type a whole number, 2 or more"):
        conditional.interpolate(1, steps=1)
    with pytest.raises(UserError, match="kind=round is not allowed; type kind=spherical or kind=linear"):
        conditional.interpolate(1, kind="round")
    with pytest.raises(UserError, match="labels=ten is not allowed: classes are 0 to 9; type labels=9"):
        conditional.sample(1, labels="ten")
    with pytest.raises(UserError, match="weights=best is not allowed; type weights=ema or weights=raw"):
        gl.load("latest", weights="best")
    with pytest.raises(UserError, match="run=nobody is (no run folder|neither a run folder)"):
        gl.load("nobody")


def test_a_generator_without_classes_takes_no_labels(finished):
    generator = gl.load(finished.last, weights="raw")
    assert generator.facts.weights == "raw" and generator.num_classes == 0 and generator.class_names == []
    assert generator.sample(3).shape == (3, 1, 28, 28)
    with pytest.raises(UserError, match="labels=3: this generator is not class-conditional; leave labels= out"):
        generator.sample(3, labels=3)


def test_a_notebook_shows_a_generator_as_its_grid(conditional):
    picture = Image.open(io.BytesIO(conditional._repr_png_()))
    assert picture.size == conditional.grid().size and picture.mode == "L"
    page = conditional._repr_html_()
    assert base64.b64encode(conditional._repr_png_()).decode() in page and "ema weights, 1x28x28, 10 classes" in page
    assert "2 generator steps, seed 0" in page
    assert conditional.grid(4, columns=4).width > 3 * conditional.grid(4, columns=4).height


# Runs


@pytest.mark.parametrize("count", [1, 5, 9])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_images_of_a_grid_are_cut_out_again(count, channels):
    images = torch.randint(0, 256, (count, channels, 5, 7), dtype=torch.uint8)
    assert torch.equal(cut(grid(images), (channels, 5, 7)), images)


def test_a_run_gives_its_numbers_scores_and_samples(finished):
    read = gl.Run(finished.path)
    assert read.metrics["generator_steps"].tolist() == [2, 4, 6] and read.metrics["loss_d"].dtype == float
    assert read.scores.empty and "real_baseline" in read.scores.columns
    assert read.status["state"] == "finished" and read.config.model.latent_dim == 64
    assert list(read.samples) == [int(file.stem[5:]) for file in finished.grids()]
    assert np.array_equal(read.samples[6], gl.load(finished.path).sample(4).numpy())
    assert "finished, 6 generator steps" in repr(read) and "<img" in (read._repr_html_() or "")
    with pytest.raises(UserError, match="is neither a run folder|is no run folder"):
        gl.Run("nobody")


def test_a_run_is_scored_as_by_the_command(tmp_path, finished):
    folder = tmp_path / "it's a run"
    shutil.copytree(finished.path, folder)
    read = gl.Run(folder)
    scores = read.evaluate(n=150, split="validation")
    assert set(scores.source) == {"ema", "raw"} and set(scores.n) == {150} and set(scores.split) == {"validation"}
    again = read.evaluate(n=150, split="validation", seed=1)
    assert len(read.scores) == 2 * len(scores) == 2 * len(again) and again.index[0] == 0
    assert (again.real_baseline.dropna() == scores.real_baseline.dropna()).all()
    with pytest.raises(UserError, match="count"):
        read.evaluate(count=150)


def test_training_in_python_is_training_on_the_command_line(tmp_path, finished):
    words = (*TINY, *SHORT, "max_generator_steps=6", "callbacks.samples.first=2", f"out={tmp_path / 'run'}")
    level, handlers = logging.getLogger("gan_lightning").level, list(logging.getLogger("gan_lightning").handlers)
    trained = gl.train(*words)
    assert trained.status["label"]["name"] == "dcgan mnist_5k seed 0"
    assert trained.status["sessions"][0]["command"].startswith("python -m gan_lightning data=mnist_5k")
    assert same(weights(trained.files), weights(finished))
    assert "finished after 6 generator steps" in (trained.folder / "train.log").read_text()
    assert (level, handlers) == (logging.getLogger("gan_lightning").level, logging.getLogger("gan_lightning").handlers)
    with pytest.raises(UserError, match="already holds a run"):
        gl.train(*words)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=wgan_gb", "model=wgan_gb is not a valid choice. Did you mean wgan_gp?"),
        ("seed=0,1", "seed=0,1 names several values"),
        ("trainer.devices=2", "trains in this process alone .trainer.devices=2.; type trainer.devices=1"),
        ("epoch", "epoch"),
    ],
)
def test_words_that_cannot_be_trained_are_refused_and_leave_nothing(word, message, tmp_path):
    with pytest.raises(UserError, match=message):
        gl.train("data=mnist_5k", f"out={tmp_path / 'run'}", word)
    assert not (tmp_path / "run").exists()
