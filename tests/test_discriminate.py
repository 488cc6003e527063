"""How the discriminator sees images: together or apart, in packs, through its wrappers."""

import pytest
import torch

from gan_lightning.models.discriminate import Sample, frozen
from tests.helpers import assert_same, built, in_float64, logits_of_both, no_condition, sample
from tests.training import batch


@in_float64
@pytest.mark.parametrize("norm,passes", [("none", 1), ("layer", 1), ("batch", 2)])
def test_real_and_fake_go_through_in_one_pass_unless_batch_norm_would_mix_them(norm, passes):
    module = built(f"network.discriminator.norm={norm}")
    real, fake = torch.randn(2, 8, 1, 28, 28)
    alone = [module.discriminate(sample(images)).logits for images in (real, fake)]
    calls = []
    module.discriminator.register_forward_hook(lambda *_: calls.append(1))
    for together, expected in zip(logits_of_both(module, real, fake), alone, strict=True):
        assert_same(together, expected)
    assert len(calls) == passes


@in_float64
@pytest.mark.parametrize("words", ["model=projection", "model=cgan", "model=acgan conditioning=projection"])
def test_in_one_pass_each_image_keeps_its_own_condition_and_its_own_auxiliary_output(words):
    norm = [] if "model=projection" in words else ["network.discriminator.norm=none"]
    module = built(*words.split(), *norm).eval()
    real, fake = batch(module)
    fake = Sample(fake.x, fake.y.roll(3, 0))
    for got, expected in zip(module.discriminate.both(real, fake), map(module.discriminate, (real, fake)), strict=True):
        assert_same(got.logits, expected.logits)
        assert (got.aux is None) == (expected.aux is None) == ("acgan" not in words)
        if got.aux is not None:
            assert_same(got.aux, expected.aux)


@in_float64
def test_an_autoencoder_is_called_as_a_whole():
    """Hooks and torch.compile take hold of `forward` alone."""
    module = built("model=ebgan")
    calls = []
    module.discriminator.register_forward_hook(lambda *_: calls.append(1))
    images = torch.rand(4, 1, 28, 28)
    output = module.discriminate(sample(images))
    assert calls == [1] and output.aux.shape == (4, 64)
    assert_same(output.logits, module.discriminator(images, no_condition(4)).logits)


@pytest.mark.parametrize("words", [(), ("model=projection",), ("model=cgan",), ("model=acgan",), ("model=infogan",)])
def test_a_discriminator_is_called_as_a_whole_whatever_wraps_it(words):
    module = built(*words)
    calls = []
    module.discriminator.register_forward_hook(lambda *_: calls.append(1))
    real, _ = batch(module)
    module.discriminate(real)
    assert calls == [1]


def test_a_packed_critic_sees_pairs_of_different_images():
    module = built("model=pacgan")
    real, fake = batch(module)
    seen = []
    module.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    on_real, on_fake = module.discriminate.both(real, fake)
    assert seen[0].shape == (10, 2, 28, 28) and on_real.logits.shape == on_fake.logits.shape == (10,)
    assert torch.equal(seen[0][0, 0], real.x[0, 0]) and torch.equal(seen[0][0, 1], real.x[1, 0])


def test_outputs_under_autocast_are_in_float32():
    module = built("model=acgan").eval()
    real, _ = batch(module)
    with torch.autocast("cpu", torch.bfloat16):
        output = module.discriminate(real)
    assert output.logits.dtype == output.aux.dtype == torch.float32


def test_a_frozen_network_passes_gradients_on_and_keeps_none():
    network, images = torch.nn.Linear(3, 1), torch.rand(2, 3, requires_grad=True)
    network.bias.requires_grad_(False)
    with frozen(network):
        network(images).sum().backward()
    assert images.grad.abs().sum() > 0 and network.weight.grad is None
    assert network.weight.requires_grad and not network.bias.requires_grad  # as before
