"""Drawing images: each depends on its own input alone, the same seed gives the same, and training is not touched."""

import pytest
import torch

from gan_lightning import sampling
from gan_lightning.config.compose import options
from gan_lightning.errors import UserError
from gan_lightning.images import to_uint8
from gan_lightning.sampling import Inputs
from tests.helpers import assert_same, built, in_float64
from tests.training import snapshot

pytestmark = pytest.mark.slow

KINDS = ("model=dcgan", "model=projection", "model=infogan", "model=sagan", "model=gan")
"""Unconditional, by class, by latent codes, with attention and spectral norm, without convolutions."""


def perturb(network):
    """Weights of its own: batch-norm statistics too."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value += 0.05 * torch.rand_like(value)


@in_float64
@pytest.mark.parametrize("model", options("model"))
def test_an_image_does_not_depend_on_those_drawn_with_it(model):
    module = built(f"model={model}").train()
    for weights in ("ema", "raw"):
        sampler = module.sampler(weights)
        inputs = sampler.sample_inputs(6, seed=0)
        together = sampler.generate(inputs)
        for size in (1, 4):
            parts = zip(inputs.z.split(size), inputs.y.split(size), strict=True)
            assert_same(torch.cat([sampler.generate(Inputs(*part)) for part in parts]), together)
        assert not together.requires_grad


@in_float64
@pytest.mark.parametrize("words", KINDS)
def test_images_drawn_in_parts_are_those_drawn_in_one_go(words, monkeypatch):
    sampler = built(words).sampler()
    images = sampler.sample(7, seed=3)
    assert torch.equal(images, to_uint8(sampler.generate(sampler.sample_inputs(7, seed=3))))
    monkeypatch.setattr(sampling, "SAMPLE_BATCH_SIZE", 3)
    assert torch.equal(sampler.sample(7, seed=3), images)


@pytest.mark.parametrize("words", KINDS)
def test_images_are_uint8_of_the_datas_shape(words):
    images = built(words).sampler().sample(3)
    assert images.shape == (3, 1, 28, 28) and images.dtype == torch.uint8 and images.device.type == "cpu"


@pytest.mark.parametrize("words", KINDS)
def test_the_same_seed_gives_the_same_images_and_another_seed_others(words):
    module = built(words)
    first = module.sampler().sample(4, seed=5)
    torch.manual_seed(99)  # training has gone on meanwhile
    assert torch.equal(module.sampler().sample(4, seed=5), first)
    assert not torch.equal(module.sampler().sample(4, seed=6), first)
    z, other = (module.sampler().sample_inputs(4, seed).z for seed in (5, 6))
    assert (z != other).all()


@pytest.mark.parametrize("words", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_drawing_leaves_random_numbers_modes_and_buffers_as_they_are(words, training):
    module = built(words).train(training)
    before, random = snapshot(module), torch.get_rng_state()
    for weights in ("ema", "raw"):
        sampler = module.sampler(weights)
        sampler.sample(5, seed=1)
        sampler.traversals(seed=1)
        assert all(layer.training == training for layer in sampler.generator.modules())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.generator.parameters())


def test_the_generators_mode_comes_back_even_when_drawing_fails():
    module = built("network=mlp").train()
    torch.nn.init.constant_(module.generator.layers[0].weight, float("nan"))
    with pytest.raises(UserError, match=r"images that are not finite: its training diverged; use another run"):
        module.sampler("raw").sample(2)
    module.generator.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        module.sampler("raw").sample(2)
    assert module.generator.training and torch.is_grad_enabled()


def test_raw_and_averaged_images_are_those_of_either_network():
    module = built("model=projection")
    perturb(module.averaged.network)
    averaged, raw = (module.sampler(weights) for weights in ("ema", "raw"))
    assert averaged.generator is module.averaged.network and raw.generator is module.generator
    assert module.sampler().generator is averaged.generator and module.kept_weights == ["ema", "raw"]
    inputs = averaged.sample_inputs(4, seed=0)
    assert all(torch.equal(one, other) for one, other in zip(inputs, raw.sample_inputs(4, seed=0), strict=True))
    assert not torch.equal(averaged.sample(4), raw.sample(4))
    for network, sampler in ((module.averaged.network, averaged), (module.generator, raw)):
        with torch.no_grad():
            assert torch.equal(network.eval()(*inputs), sampler.generate(inputs))


@pytest.mark.parametrize("model", ["cgan", "acgan", "projection", "sagan"])
def test_labels_are_respected_and_change_nothing_but_the_condition(model):
    sampler = built(f"model={model}").sampler()
    labels = torch.tensor([7, 0, 7, 3])
    inputs, unasked = sampler.sample_inputs(4, seed=2, labels=labels), sampler.sample_inputs(4, seed=2)
    assert inputs.y.argmax(1).tolist() == labels.tolist() and torch.equal(inputs.y.sum(1), torch.ones(4))
    assert unasked.y.argmax(1).tolist() == sampler.labels(4).tolist() == [0, 1, 2, 3]
    assert torch.equal(inputs.z, unasked.z)
    assert torch.equal(sampler.sample(4, seed=2, labels=torch.arange(4)), sampler.sample(4, seed=2))
    alone = sampler.generate(Inputs(inputs.z[:1], inputs.y[:1]))
    torch.testing.assert_close(sampler.generate(inputs)[:1], alone)


def test_latent_codes_take_each_category_in_turn_and_no_labels():
    sampler = built("model=infogan").sampler()
    assert sampler.labels(4) is None
    assert sampler.sample_inputs(20, seed=0).y[:, :10].argmax(1).tolist() == [*range(10)] * 2


@pytest.mark.parametrize("words", ["model=dcgan", "model=cgan"])
def test_there_are_traversals_of_latent_codes_alone(words):
    assert built(words).sampler().traversals(seed=0) == {}
