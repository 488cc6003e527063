"""Penalties of the discriminator: closed forms, per-sample norms, where gradients are taken."""

import math

import pytest
import torch
from torch import nn

from gan_lightning.config.compose import options
from gan_lightning.penalties import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    WGANLP,
    LeCam,
    WGANDiv,
    gradient_norms,
    input_gradients,
    interpolate,
)
from tests.helpers import assert_same, built, discriminator_metrics, in_float64, logits_of_both, make_penalty, sample

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 4, 6)]


def linear_critic(shape, slope=None):
    """D(x) = <w, x>, whose gradient is w everywhere."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)) if slope is None else slope
    return weight, lambda images: (images * weight).flatten(1).sum(1)


def bowl(images):
    """D(x) = |x|^2 / 2, whose gradient at x is x."""
    return images.flatten(1).square().sum(1) / 2


def value_of(penalty, critic, real, fake):
    """A penalty of a critic on images."""
    return penalty(critic, real, fake, critic(real), critic(fake))


@in_float64
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_a_linear_critic_is_its_weight(shape):
    weight, critic = linear_critic(shape)
    gradients = input_gradients(critic, torch.randn(5, *shape))
    assert_same(gradients, weight.expand(5, *shape))


CLOSED_FORMS = {  # of a linear critic with a gradient of norm n
    "wgan_gp": (WGANGP(10.0), lambda n: 10 * (n - 1) ** 2),
    "wgan_lp": (WGANLP(10.0), lambda n: 10 * max(0, n - 1) ** 2),
    "dragan": (DRAGAN(10.0), lambda n: 10 * (n - 1) ** 2),
    "r1": (R1(10.0), lambda n: 5 * n**2),
    "r2": (R2(10.0), lambda n: 5 * n**2),
    "wgan_div": (WGANDiv(2.0, 6.0), lambda n: 2 * n**6),
}


def test_every_penalty_has_a_closed_form_here():
    assert set(options("penalty")) == {*CLOSED_FORMS, "none", "lecam"}


@in_float64
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_penalty_of_a_linear_critic_has_a_closed_form(name, norm, shape):
    penalty, closed_form = CLOSED_FORMS[name]
    slope = torch.nn.functional.normalize(linear_critic(shape)[0].flatten(), dim=0).view(shape) * norm
    _, critic = linear_critic(shape, slope)
    value = value_of(penalty, critic, torch.randn(5, *shape), torch.randn(5, *shape))
    seen = math.sqrt(norm**2 + 1e-12)  # what keeps the root's slope finite shows where the critic is flat
    assert value.item() == pytest.approx(closed_form(seen), rel=1e-9, abs=1e-9)


@in_float64
@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0])
def test_penalties_are_in_proportion_to_their_weights(weight):
    shape = (1, 4, 4)
    _, critic = linear_critic(shape)
    real, fake = torch.randn(2, 6, *shape)
    factors = {"r1": "gamma", "r2": "gamma", "wgan_div": "k"}
    for name in CLOSED_FORMS:
        by_weight = (make_penalty(name, **{factors.get(name, "weight"): factor}) for factor in (1.0, weight))
        one, more = (value_of(penalty, critic, real, fake).item() for penalty in by_weight)
        assert more == pytest.approx(weight * one, rel=1e-9)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_flat_critic_can_learn(name):
    """The slope of the penalty in the weights is finite where the gradient is 0."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    nn.init.zeros_(flat[1].weight)
    real, fake = torch.randn(2, 6, 1, 2, 2)
    value_of(CLOSED_FORMS[name][0], lambda x: flat(x).squeeze(1), real, fake).backward()
    assert torch.isfinite(flat[1].weight.grad).all()


@in_float64
def test_norms_are_per_sample():
    """Each sample's norm is its own, whatever the others are."""
    images = torch.randn(4, 3, 5, 5) * torch.tensor([0.1, 1.0, 10.0, 100.0]).view(4, 1, 1, 1)
    norms = gradient_norms(bowl, images)
    assert_same(norms, images.flatten(1).norm(dim=1))


@in_float64
@pytest.mark.parametrize("name", sorted(CLOSED_FORMS.keys() - {"dragan"}))  # whose noise depends on the batch
def test_a_batchs_penalty_is_the_mean_of_its_samples(name):
    penalty = CLOSED_FORMS[name][0]
    images = torch.tensor([0.1, 0.7, 1.5]).view(3, 1, 1, 1).expand(3, 1, 2, 2)  # real equals fake: no chance between
    together = value_of(penalty, bowl, images, images)
    alone = [value_of(penalty, bowl, one, one) for one in images.split(1)]
    assert_same(together, torch.stack(alone).mean())


# Where gradients are taken


def test_interpolation_draws_one_position_per_sample():
    torch.manual_seed(0)
    positions = interpolate(torch.zeros(64, 3, 4, 4), torch.ones(64, 3, 4, 4)).flatten(1)
    assert (positions == positions[:, :1]).all()  # the same for every channel and pixel
    assert positions[:, 0].unique().numel() == 64  # another for every sample
    assert positions.min() >= 0 and positions.max() <= 1


@in_float64
def test_r1_sees_real_images_and_r2_fakes():
    real, fake = torch.randn(2, 6, 3, 4, 4) * torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
    for penalty, images in ((R1(4.0), real), (R2(4.0), fake)):
        expected = 2 * images.flatten(1).square().sum(1).mean()
        assert_same(value_of(penalty, bowl, real, fake), expected)


@pytest.mark.parametrize("penalty", [WGANGP(10.0), WGANLP(10.0), WGANDiv(2.0, 6.0)])
def test_others_take_gradients_between_real_and_fake(penalty):
    """Between 2 and 3 pixels of value 1 the bowl's norm is in [2, 3], for every sample another."""
    torch.manual_seed(0)
    real, fake = torch.full((512, 1, 2, 2), 1.0), torch.full((512, 1, 2, 2), 1.5)
    cost = {WGANGP: lambda n: 10 * (n - 1) ** 2, WGANLP: lambda n: 10 * (n - 1) ** 2, WGANDiv: lambda n: 2 * n**6}
    low, high = (cost[type(penalty)](norm) for norm in (2, 3))
    value = value_of(penalty, bowl, real, fake).item()
    assert low + 0.2 * (high - low) < value < low + 0.8 * (high - low)  # all at one end would be at 0 or 1


@in_float64
def test_dragan_looks_around_real_images_only():
    torch.manual_seed(0)
    seen = []
    real = torch.randn(64, 1, 8, 8) * 2
    value_of(DRAGAN(10.0), lambda x: seen.append(x) or bowl(x), real, torch.full_like(real, 1e6))
    moved = (seen[-1] - real).detach()
    noise = 0.5 * real.std(correction=0)
    assert moved.min() > -1e-12 and moved.max() < noise  # one-sided, up to half a standard deviation of the whole batch
    assert (moved.flatten(1).std(1) > 0).all()  # another for each pixel
    reach = moved.flatten(1).amax(1) / noise  # close to alpha, the position of each sample: the largest of 64 uniforms
    assert reach.min() < 0.2 and reach.max() > 0.8


def test_fakes_get_no_gradient_from_a_penalty():
    """The generator does not learn from it, even where fakes come with their graph."""
    fake = torch.randn(4, 1, 2, 2, requires_grad=True)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), nn.Flatten(0))
    for penalty, _ in CLOSED_FORMS.values():
        penalty(critic, torch.randn(4, 1, 2, 2), fake, None, None).backward()
    assert fake.grad is None
    assert critic[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["wgan_gp", "r2", "wgan_div"])
def test_the_penalty_trains_the_critic_in_float32_under_autocast(name):
    penalty = make_penalty(name)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    computed_in = []
    critic[1].register_forward_hook(lambda _, inputs, outputs: computed_in.append(outputs.dtype))
    images = torch.randn(4, 1, 4, 4).bfloat16()  # so that fakes in bfloat16 are the very same
    torch.manual_seed(0)
    plain = penalty(critic, images.float(), -images.float(), None, None)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = penalty(critic, images.float(), -images, None, None)
    assert set(computed_in) == {torch.float32}
    torch.testing.assert_close(mixed, plain)
    mixed.backward()
    assert critic[1].weight.grad.abs().sum() > 0


# In a GAN


def test_penalties_are_combined_on_the_command_line():
    module = built("network=mlp", "penalty=[r1,r2]", "penalty.r1.gamma=2")
    assert [(type(penalty), penalty.gamma) for penalty in module.penalties] == [(R1, 2), (R2, 1)]
    assert not built("network=mlp", "penalty=none").penalties
    assert [type(penalty) for penalty in built("network=mlp", "penalty=[none,lecam]").penalties] == [LeCam]


@in_float64
def test_combined_penalties_add_up():
    real, fake = torch.randn(2, 8, 1, 28, 28)
    shared = ("network=mlp", "network.discriminator.norm=none")
    r1, r2, both = (
        discriminator_metrics(built(*shared, f"penalty={words}"), real, fake) for words in ("r1", "r2", "[r1,r2]")
    )
    assert_same(both["penalty"], r1["penalty"] + r2["penalty"])
    assert both["penalty"] > max(r1["penalty"], r2["penalty"]) > 0
    assert "penalty" not in discriminator_metrics(built(*shared), real, fake)


@pytest.mark.parametrize("name", ["wgan_gp", "wgan_lp", "dragan", "r1", "r2", "wgan_div", "lecam"])
def test_penalties_have_gradients_in_every_weight(name):
    module = built("network=mlp", f"penalty={name}", *(["penalty.lecam.start=0"] if name == "lecam" else []))
    real, fake = torch.randn(2, 8, 1, 28, 28)

    def steep_critic(images):  # so steep that WGAN-LP is above 0, too
        return 100 * module.discriminate(sample(images)).logits

    for _ in range(2):  # LeCam is 0 in the first
        steep = module.penalties[0](steep_critic, real, fake, *logits_of_both(module, real, fake))
    gradients = torch.autograd.grad(steep, list(module.discriminator.parameters()), allow_unused=True)
    assert all(gradient.abs().sum() > 0 for gradient in gradients if gradient is not None and gradient.ndim > 1)
