"""Learning rates, gammas and second betas over training: closed forms, and any annealing for any model."""

import math
from types import SimpleNamespace

import pytest
import torch

from gan_lightning.config.compose import options
from gan_lightning.models import BurnIn, LinearDecay
from gan_lightning.models.annealing import Annealing, Progress
from tests.helpers import built
from tests.training import SGD, assert_trains, fit


def annealed(module, monkeypatch, *, images_seen=0, budget_spent=0.0):
    """The module's optimizers as a batch finds them after so much training."""
    optimizers, _ = module.configure_optimizers()
    monkeypatch.setattr(module, "optimizers", lambda: [SimpleNamespace(optimizer=it) for it in optimizers])
    for module.images_seen, module.budget_spent in ((7, 0.9), (images_seen, budget_spent)):  # the past does not matter
        module.on_train_batch_start(batch=None, batch_idx=0)
    return optimizers


@pytest.mark.parametrize("images,moved", [(0, 0.0), (10, 0.5 - math.sqrt(0.5) / 2), (20, 0.5), (40, 1.0), (4000, 1.0)])
def test_r3gans_numbers_move_along_a_cosine_and_rest(images, moved, monkeypatch):
    numbers = ["penalty.r1.gamma=10", "penalty.r2.gamma=2"]
    numbers += ["annealing.burn_in.images=40", "annealing.burn_in.final_rate=0.25"]
    for index, network in enumerate(("generator", "discriminator")):
        numbers += [f"optimizer.{network}.lr={(index + 1) * 2e-4}", f"optimizer.{network}.betas=[0,0.9]"]
    module = built("model=r3gan", *numbers)
    for index, optimizer in enumerate(annealed(module, monkeypatch, images_seen=images)):
        (group,) = optimizer.param_groups
        assert group["lr"] == pytest.approx((index + 1) * 2e-4 * (1 - 0.75 * moved))
        assert group["betas"] == pytest.approx((0.0, 0.9 + 0.09 * moved))
    assert [penalty.gamma for penalty in module.penalties] == pytest.approx([10 - 9 * moved, 2 - 1.8 * moved])


@pytest.mark.parametrize("spent", [0.0, 0.25, 1.0])
def test_linear_decay_leaves_the_share_of_the_budget_that_is_left(spent, monkeypatch):
    module = built("network=mlp", "annealing=linear_decay", *SGD)
    generator, discriminator = annealed(module, monkeypatch, budget_spent=spent)
    assert generator.param_groups[0]["lr"] == pytest.approx(0.1 * (1 - spent))
    assert discriminator.param_groups[0]["lr"] == pytest.approx(0.05 * (1 - spent))


@pytest.mark.parametrize("words", [(), SGD, ("optimizer=rmsprop",)])
def test_annealings_apply_one_after_another_with_any_optimizer(words, monkeypatch):
    numbers = ["annealing.burn_in.images=100", "annealing.burn_in.final_rate=0.5", "annealing.burn_in.final_beta2=0.9"]
    module = built("network=mlp", "annealing=[burn_in,linear_decay]", *numbers, *words)
    for optimizer in annealed(module, monkeypatch, images_seen=100, budget_spent=0.75):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.25 * 0.5 * optimizer.defaults["lr"])
        if "betas" in optimizer.defaults:
            assert optimizer.param_groups[0]["betas"] == pytest.approx((0.5, 0.9))


def test_without_annealing_all_numbers_stay_as_configured(monkeypatch):
    module = built("model=r3gan", "annealing=none")
    for optimizer in annealed(module, monkeypatch, images_seen=10**9, budget_spent=1.0):
        assert optimizer.param_groups[0]["lr"] == optimizer.defaults["lr"]
        assert optimizer.param_groups[0]["betas"] == optimizer.defaults["betas"]
    assert [penalty.gamma for penalty in module.penalties] == [1.0, 1.0]


def test_the_base_annealing_is_the_identity_and_linear_decay_concerns_rates_alone():
    for kind in (Annealing, LinearDecay):
        assert kind().gamma(3.0, Progress(5, 0.5)) == 3.0 and kind().beta2(0.9, Progress(5, 0.5)) == 0.9
    assert Annealing().learning_rate(0.1, Progress(5, 0.5)) == 0.1


def test_a_burn_in_is_monotone_and_symmetric_about_its_middle():
    burn_in = BurnIn(images=100, final_rate=0.2, final_gamma=0.1, final_beta2=0.99)
    rates = [burn_in.learning_rate(1.0, Progress(images, 0.0)) for images in range(0, 101, 10)]
    assert rates == sorted(rates, reverse=True) and rates[0] == 1.0 and rates[-1] == pytest.approx(0.2)
    assert [a + b for a, b in zip(rates, reversed(rates), strict=True)] == pytest.approx([1.2] * len(rates))


def test_gammas_are_annealed_from_the_configured_ones_after_a_resumed_run(monkeypatch):
    """Penalties keep no annealed gamma in a checkpoint: what is configured is what is annealed."""
    module = built("model=r3gan", "annealing.burn_in.images=40")
    annealed(module, monkeypatch, images_seen=40)
    again = built("model=r3gan", "annealing.burn_in.images=40")
    again.load_state_dict(module.state_dict())
    annealed(again, monkeypatch, images_seen=40)
    assert [penalty.gamma for penalty in again.penalties] == pytest.approx([0.1, 0.1])


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_trains_with_a_burn_in_and_linear_decay(model):
    words = ("annealing=[burn_in,linear_decay]", "annealing.burn_in.images=16", "optimizer.scheduler=null")
    module = built(f"model={model}", *words)
    assert_trains(module)
    images = (module.images_seen - module.trainer.datamodule.batch_size) / 16  # seen when the last batch began
    cosine = (1 + math.cos(math.pi * min(images, 1.0))) / 2
    assert [type(it) for it in module.annealer.annealings] == [BurnIn, LinearDecay]
    for optimizer in module.trainer.optimizers:
        (group,) = optimizer.param_groups
        assert group["lr"] == pytest.approx(optimizer.defaults["lr"])  # final_rate is 1; no budget is spent here
        if "betas" in group:
            first = optimizer.defaults["betas"][1]
            assert group["betas"][1] == pytest.approx(0.99 + (first - 0.99) * cosine)


def test_annealing_reaches_a_training_run():
    module = built("network=mlp", "annealing=[burn_in,linear_decay]", "annealing.burn_in.images=16", *SGD)
    module.budget_spent = 0.5
    fit(module, batches=3)
    assert module.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.05)
    assert all(torch.isfinite(parameter).all() for parameter in module.parameters())
