"""Models are words of the configuration: each is the one `GAN` of its parts, and parts of different papers combine."""

import ast
import inspect
import pkgutil
from importlib import import_module

import pytest
import torch

import gan_lightning
from gan_lightning.config.compose import options
from gan_lightning.losses import BEGAN
from gan_lightning.models import GAN, gan
from gan_lightning.models.discriminate import Sample
from tests.helpers import built, in_float64
from tests.training import assert_trains, batch

# Every model by name


@pytest.mark.parametrize("model", options("model"))
def test_every_model_names_its_paper(model):
    assert "arXiv:" in options("model")[model]


@pytest.mark.parametrize("model", options("model"))
def test_every_model_is_the_same_class_with_other_parts(model):
    module = built(f"model={model}")
    assert type(module) is GAN and GAN.__module__ == "gan_lightning.models.gan"
    assert module.automatic_optimization is False


def test_no_class_of_the_package_is_a_subclass_of_gan():
    subclasses = []
    for info in pkgutil.walk_packages(gan_lightning.__path__, "gan_lightning."):
        if not info.name.endswith("__main__"):
            members = inspect.getmembers(import_module(info.name), inspect.isclass)
            subclasses += [cls for _, cls in members if issubclass(cls, GAN) and cls is not GAN]
    assert subclasses == []


def test_the_algorithm_is_short_and_asks_no_part_for_its_class():
    source = inspect.getsource(gan)
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert len(source.splitlines()) < 200
    assert names.isdisjoint({"isinstance", "issubclass", "hasattr", "type"})


# What composition buys: parts of different papers, by words of the configuration alone


COMBINATIONS = {  # metrics beside the losses; whether D's logits depend on y
    "model=r3gan conditioning=projection": ({"penalty"}, True),
    "model=r3gan conditioning=channel": ({"penalty"}, True),
    "model=r3gan network=r3gan conditioning=projection": ({"penalty"}, True),
    "model=wgan_gp conditioning=projection": ({"penalty"}, True),
    "model=acgan conditioning=projection": ({"classification_d", "classification_g"}, True),
    "model=acgan": ({"classification_d", "classification_g"}, False),
    "model=infogan loss=hinge model.spectral_norm=true": ({"mutual_information_d", "mutual_information_g"}, False),
    "model=infogan loss=wasserstein penalty=wgan_gp network.discriminator.norm=none": (
        {"mutual_information_d", "mutual_information_g", "penalty"},
        False,
    ),
    "model=ebgan conditioning=labels": ({"pulling_away_g"}, False),
}


def others(y):
    """Other classes or categories than y's."""
    return y.roll(1, 1) if y.shape[1] == 10 else torch.cat([y[:, :10].roll(1, 1), y[:, 10:]], 1)


@torch.no_grad()
def logits_differ(module):
    """Whether the discriminator's logit of each fake changes with its condition: all, none, or a mixture (None)."""
    _, fake = batch(module)
    got, other = (module.discriminate(Sample(fake.x, y)).logits for y in (fake.y, others(fake.y)))
    different = got != other
    return bool(different.all()) if different.all() or not different.any() else None


@torch.no_grad()
def images_differ(module):
    """Whether each fake changes with its condition."""
    z, y = module.sample_inputs(batch(module)[0].y)
    return bool((module.generator(z, y) != module.generator(z, others(y))).flatten(1).any(1).all())


@pytest.mark.parametrize("words", COMBINATIONS)
def test_parts_of_different_papers_combine(words):
    terms, critic_is_conditional = COMBINATIONS[words]
    module = built(*words.split())
    rows = assert_trains(module)
    assert terms <= set(rows[-1])
    assert all(row[name].abs() > 0 for row in rows for name in terms & set(row))
    module.eval()
    assert images_differ(module)
    assert logits_differ(module) is critic_is_conditional


@pytest.mark.parametrize("model", ["acgan", "infogan"])
def test_the_auxiliary_output_can_be_computed_without_the_condition(model):
    """What D says of the class or the code comes from the image: it would otherwise be read off the condition."""
    module = built(f"model={model}").eval()
    _, fake = batch(module)
    got, other = (module.discriminate(Sample(fake.x, y)).aux for y in (fake.y, others(fake.y)))
    assert torch.equal(got, other)


# BEGAN's balance


@in_float64
def test_began_steers_its_balance():
    loss = BEGAN(gamma=0.5, rate=0.1)
    real, fake = -torch.tensor([1.0, 3.0]), -torch.tensor([0.5, 0.5])
    assert loss.discriminator(real=real, fake=fake).item() == pytest.approx(2.0, rel=1e-9)  # k starts at 0
    assert loss.balance.item() == pytest.approx(0.1 * (0.5 * 2 - 0.5), rel=1e-9)
    assert loss.extra_metrics()["convergence"].item() == pytest.approx(2 + 0.5, rel=1e-9)
    assert loss.discriminator(real=real, fake=fake).item() == pytest.approx(2.0 - 0.05 * 0.5, rel=1e-9)
    for _ in range(50):
        loss.discriminator(real=real, fake=fake)
    assert loss.balance.item() == 1  # never more
    assert loss.generator(real=None, fake=fake).item() == pytest.approx(0.5, rel=1e-9)
    assert "balance" in loss.state_dict()
