"""Which network steps when, and on which fakes."""

import pytest

from gan_lightning.config.compose import options
from gan_lightning.models import Alternating, WGANWarmup, updates
from tests.helpers import built
from tests.training import assert_trains, fit, moved, snapshot


@pytest.mark.parametrize("n_critic,batches,steps", [(1, 4, 4), (2, 6, 3), (3, 8, 2)])
def test_one_generator_step_after_n_critic_discriminator_steps(n_critic, batches, steps):
    module = fit(built("network=mlp", f"updates.n_critic={n_critic}"), batches)
    assert module.generator_steps == steps
    assert module.images_seen == batches * 8
    assert module.discriminator_steps == batches - steps * n_critic
    assert module.trainer.global_step == batches + steps  # Lightning's own counter adds both optimizers


def test_wgan_trains_its_critic_longer_at_first_and_now_and_then():
    module = built("model=wgan", "updates=wgan_warmup", "updates.n_critic=5")
    expected = {0: 100, 24: 100, 25: 5, 499: 5, 500: 100, 501: 5, 1000: 100}
    for step, iterations in expected.items():
        assert module.updates.discriminator_steps(step) == iterations


@pytest.mark.parametrize("kind", [Alternating, WGANWarmup])
@pytest.mark.parametrize("first", [False, True])
def test_the_discriminator_steps_on_every_batch_and_the_generator_where_it_is_due(kind, first):
    schedule = kind(n_critic=1, share_fakes=False, generator_batch=1, generator_first=first)
    both = ("generator", "discriminator") if first else ("discriminator", "generator")
    assert schedule.order(generator_is_due=True) == both
    assert schedule.order(generator_is_due=False) == ("discriminator",)


@pytest.mark.parametrize("first", ["false", "true"])
def test_a_training_step_follows_the_order(first, monkeypatch):
    module = built("network=mlp", f"updates.generator_first={first}", "updates.n_critic=2")
    order = []
    for name in ("discriminator_step", "generator_step"):
        step = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *samples, name=name, step=step: order.append(name[0]) or step(*samples)
        )
    fit(module, batches=4)
    assert "".join(order) == ("dgd" if first == "true" else "ddg") * 2


@pytest.mark.parametrize("shared,passes", [("true", 1), ("false", 2)])
def test_sharing_fakes_saves_one_pass_through_the_generator(shared, passes):
    module = built("network=mlp", f"updates.share_fakes={shared}")
    calls = []
    module.generator.register_forward_hook(lambda *_: calls.append(1))
    before = snapshot(module.generator)
    fit(module, batches=3)
    assert len(calls) == 3 * passes
    assert moved(before, module.generator)


def test_a_generators_batch_may_be_larger_than_its_critics():
    numbers = ["updates.n_critic=2", "updates.generator_batch=2", "updates.share_fakes=false"]
    module = built("model=projection", "network=mlp", *numbers)
    sizes = []
    module.generator.register_forward_hook(lambda _, inputs, images: sizes.append((len(images), images.requires_grad)))
    fit(module, batches=4)
    assert sizes == [(8, False), (8, False), (16, True)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("model", options("model"))
def test_every_model_trains_with_wgans_warm_up(model, monkeypatch):
    monkeypatch.setattr(updates, "WARMUP_ITERATIONS", 3)
    monkeypatch.setattr(updates, "WARMUP_GENERATOR_STEPS", 1)
    module = built(f"model={model}", "updates=wgan_warmup")
    assert [module.updates.discriminator_steps(step) for step in (0, 1, 500)] == [3, module.updates.n_critic, 3]
    assert_trains(module)
