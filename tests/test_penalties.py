import copy
import math

import pytest
import torch
from torch import nn

from gan_lightning.__main__ import run_command
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
from tests import helpers
from tests.helpers import assert_same, built, in_float64, run, sample, weights
from tests.test_runs import SMALL

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 4, 6)]


def linear_critic(shape, slope=None):
    """D(x) = <w, x>, whose gradient is w everywhere."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)) if slope is None else slope
    return weight, lambda images: (images * weight).flatten(1).sum(1)


def bowl(images):
    """D(x) = |x|^2 / 2, whose gradient at x is x."""
    return images.flatten(1).square().sum(1) / 2


def charge(penalty, critic, real, fake):
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
    value = charge(penalty, critic, torch.randn(5, *shape), torch.randn(5, *shape))
    seen = math.sqrt(norm**2 + 1e-12)  # what keeps the root's slope finite shows where the critic is flat
    assert value.item() == pytest.approx(closed_form(seen), rel=1e-9, abs=1e-9)


@in_float64
@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0])
def test_penalties_are_in_proportion_to_their_weights(weight):
    shape = (1, 4, 4)
    _, critic = linear_critic(shape)
    real, fake = torch.randn(2, 6, *shape)
    for kind in (WGANGP, WGANLP, DRAGAN, R1, R2, WGANDiv):
        one, more = (charge(kind(factor), critic, real, fake).item() for factor in (1.0, weight))
        assert more == pytest.approx(weight * one, rel=1e-9)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_flat_critic_can_learn(name):
    """The slope of the penalty in the weights is finite where the gradient is 0."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    nn.init.zeros_(flat[1].weight)
    real, fake = torch.randn(2, 6, 1, 2, 2)
    charge(CLOSED_FORMS[name][0], lambda x: flat(x).squeeze(1), real, fake).backward()
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
    together = charge(penalty, bowl, images, images)
    alone = [charge(penalty, bowl, one, one) for one in images.split(1)]
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
        assert_same(charge(penalty, bowl, real, fake), expected)


@pytest.mark.parametrize("penalty", [WGANGP(), WGANLP(), WGANDiv()])
def test_others_look_between_real_and_fake(penalty):
    """Between 2 and 3 pixels of value 1 the bowl's norm is in [2, 3], for every sample another."""
    torch.manual_seed(0)
    real, fake = torch.full((512, 1, 2, 2), 1.0), torch.full((512, 1, 2, 2), 1.5)
    cost = {WGANGP: lambda n: 10 * (n - 1) ** 2, WGANLP: lambda n: 10 * (n - 1) ** 2, WGANDiv: lambda n: 2 * n**6}
    low, high = (cost[type(penalty)](norm) for norm in (2, 3))
    value = charge(penalty, bowl, real, fake).item()
    assert low + 0.2 * (high - low) < value < low + 0.8 * (high - low)  # all at one end would be at 0 or 1


@in_float64
def test_dragan_looks_around_real_images_only():
    torch.manual_seed(0)
    seen = []
    real = torch.randn(64, 1, 8, 8) * 2
    charge(DRAGAN(), lambda x: seen.append(x) or bowl(x), real, torch.full_like(real, 1e6))
    moved = (seen[-1] - real).detach()
    noise = 0.5 * real.std(correction=0)
    assert moved.min() > -1e-12 and moved.max() < noise  # one-sided, up to half a standard deviation of the whole batch
    assert (moved.flatten(1).std(1) > 0).all()  # another for each pixel
    reach = moved.flatten(1).amax(1) / noise  # close to alpha, the position of each sample: the largest of 64 uniforms
    assert reach.min() < 0.2 and reach.max() > 0.8


def test_fakes_get_no_gradient_from_a_penalty():
    """The generator is not taught by it, though its images come with their graph."""
    fake = torch.randn(4, 1, 2, 2, requires_grad=True)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), nn.Flatten(0))
    for kind in (WGANGP, WGANLP, DRAGAN, R1, R2, WGANDiv):
        kind()(critic, torch.randn(4, 1, 2, 2), fake, None, None).backward()
    assert fake.grad is None
    assert critic[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", [WGANGP, R2, WGANDiv])
def test_the_penalty_trains_the_critic_in_float32_under_autocast(kind):
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    computed_in = []
    critic[1].register_forward_hook(lambda _, inputs, outputs: computed_in.append(outputs.dtype))
    images = torch.randn(4, 1, 4, 4).bfloat16()  # so that fakes in bfloat16 are the very same
    torch.manual_seed(0)
    plain = kind()(critic, images.float(), -images.float(), None, None)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = kind()(critic, images.float(), -images, None, None)
    assert set(computed_in) == {torch.float32}
    torch.testing.assert_close(mixed, plain)
    mixed.backward()
    assert critic[1].weight.grad.abs().sum() > 0


# LeCam


def judged(penalty, real, fake):
    """A step of LeCam, which looks at logits alone."""
    return penalty(None, None, None, torch.tensor(real), torch.tensor(fake)).item()


@in_float64
def test_lecam_has_a_closed_form_after_two_steps():
    penalty = LeCam(weight=0.3, decay=0.9, start=0)
    assert judged(penalty, [1.0, 3.0], [-1.0, 0.0]) == 0  # the anchors come first: 2 and -0.5
    # real anchor 0.9 * 2 + 0.1 * 4 = 2.2, fake anchor 0.9 * -0.5 + 0.1 * 1.5 = -0.3
    expected = 0.3 * ((3.3**2 + 5.3**2) / 2 + (2.2**2 + 0) / 2)
    assert judged(penalty, [3.0, 5.0], [0.0, 3.0]) == pytest.approx(expected, rel=1e-9)
    assert penalty.real_anchor.item() == pytest.approx(2.2, rel=1e-9)
    assert penalty.fake_anchor.item() == pytest.approx(-0.3, rel=1e-9)


@in_float64
def test_lecam_waits_with_the_last_batch_as_its_anchor():
    penalty = LeCam(start=2)
    assert judged(penalty, [9.0], [-9.0]) == judged(penalty, [1.0], [-1.0]) == 0
    assert (penalty.real_anchor.item(), penalty.fake_anchor.item()) == (1.0, -1.0)
    assert judged(penalty, [1.0], [-1.0]) == 0  # from here on they move slowly
    assert judged(penalty, [1.0], [-1.0]) == pytest.approx(0.3 * 8, rel=1e-9)


def test_lecam_pulls_logits_towards_the_other_sides_anchor():
    penalty = LeCam(start=0)
    real, fake = (torch.tensor([value], requires_grad=True) for value in (2.0, -2.0))
    for _ in range(2):
        loss = penalty(None, None, None, real, fake)
    loss.backward()
    assert fake.grad.item() < 0 < real.grad.item()  # followed downhill: real logits down, fake ones up
    assert not penalty.real_anchor.requires_grad


def test_lecam_goes_on_from_its_state():
    first, second = LeCam(start=1), LeCam(start=1)
    for _ in range(3):
        judged(first, [1.0, 4.0], [-2.0, 0.5])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.steps == 3
    for logits in (([0.5], [0.4]), ([2.0], [-3.0])):
        assert judged(first, *logits) == judged(second, *logits)


# In the game


def test_penalties_are_combined_on_the_command_line():
    module = built("network=mlp", "penalty=[r1,r2]", "penalty.r1.gamma=2")
    assert [(type(penalty), penalty.gamma) for penalty in module.penalties] == [(R1, 2), (R2, 1)]
    assert not built("network=mlp", "penalty=none").penalties
    assert [type(penalty) for penalty in built("network=mlp", "penalty=[none,lecam]").penalties] == [LeCam]


def discriminator_step(module, real, fake):
    """The numbers of one step whose gradients nobody follows."""
    module.descend = lambda loss, player: None
    return module.discriminator_step(sample(real), sample(fake))


@in_float64
def test_combined_penalties_add_up():
    real, fake = torch.randn(2, 8, 1, 28, 28)
    shared = ("network=mlp", "network.discriminator.norm=none")
    r1, r2, both = (
        discriminator_step(built(*shared, f"penalty={words}"), real, fake) for words in ("r1", "r2", "[r1,r2]")
    )
    assert_same(both["penalty"], r1["penalty"] + r2["penalty"])
    assert both["penalty"] > max(r1["penalty"], r2["penalty"]) > 0
    assert "penalty" not in discriminator_step(built(*shared), real, fake)


def test_lecams_averages_are_in_the_checkpoint():
    module = built("network=mlp", "penalty=[r1,lecam]")
    discriminator_step(module, *torch.randn(2, 8, 1, 28, 28))
    content = module.state_dict()
    assert content["penalties.1.steps"] == 1
    other = built("network=mlp", "penalty=[r1,lecam]")
    other.load_state_dict(content)
    assert torch.equal(other.penalties[1].real_anchor, module.penalties[1].real_anchor)


@pytest.mark.slow
def test_a_resumed_run_with_lecam_equals_one_that_never_stopped(tmp_path):
    words = (*SMALL, "penalty=lecam", "penalty.lecam.start=1", "augment=diffaugment", "loss=hinge")
    whole = weights(run(tmp_path / "whole", *words, "max_generator_steps=6"))
    parts = run(tmp_path / "parts", *words, "max_generator_steps=3")
    run_command("resume", f"run={parts.path}", "max_generator_steps=6")
    assert whole["penalties.0.steps"] == 6
    assert all(torch.equal(value, whole[name]) for name, value in weights(parts).items())


@pytest.mark.parametrize("name", ["wgan_gp", "wgan_lp", "dragan", "r1", "r2", "wgan_div", "lecam"])
def test_penalties_teach_the_discriminator(name):
    module = built("network=mlp", f"penalty={name}", *(["penalty.lecam.start=0"] if name == "lecam" else []))
    real, fake = torch.randn(2, 8, 1, 28, 28)

    def steep_critic(images):  # so steep that WGAN-LP, too, has something to say
        return 100 * module.assess(sample(images)).logits

    for _ in range(2):  # LeCam is silent in the first
        steep = module.penalties[0](steep_critic, real, fake, *helpers.judged(module, real, fake))
    gradients = torch.autograd.grad(steep, list(module.discriminator.parameters()), allow_unused=True)
    assert all(gradient.abs().sum() > 0 for gradient in gradients if gradient is not None and gradient.ndim > 1)
