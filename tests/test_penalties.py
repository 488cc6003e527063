import pytest
import torch
from torch import nn

from gan_lightning.penalties import WGANGP, gradient_norms, input_gradients, interpolate

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 4, 6)]


def linear_critic(shape, slope=None):
    """D(x) = <w, x>, whose gradient is w everywhere."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)) if slope is None else slope
    return weight, lambda images: (images * weight).flatten(1).sum(1)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_a_linear_critic_is_its_weight(shape):
    weight, critic = linear_critic(shape)
    gradients = input_gradients(critic, torch.randn(5, *shape))
    torch.testing.assert_close(gradients, weight.expand(5, *shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weight_of_penalty", [0.0, 1.0, 10.0])
def test_the_penalty_of_a_linear_critic_has_a_closed_form(shape, weight_of_penalty):
    weight, critic = linear_critic(shape)
    penalty = WGANGP(weight_of_penalty)(critic, torch.randn(5, *shape), torch.randn(5, *shape))
    expected = weight_of_penalty * (weight.norm() - 1) ** 2
    torch.testing.assert_close(penalty, expected, rtol=1e-5, atol=1e-6)


def test_a_critic_of_unit_slope_pays_nothing_and_a_flat_one_pays_the_weight():
    shape = (1, 2, 2)
    _, unit = linear_critic(shape, torch.full(shape, 0.5))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    nn.init.zeros_(flat[1].weight)
    real, fake = torch.randn(6, *shape), torch.randn(6, *shape)
    assert WGANGP(10.0)(unit, real, fake).item() == pytest.approx(0, abs=1e-9)
    penalty = WGANGP(10.0)(lambda x: flat(x).squeeze(1), real, fake)
    assert penalty.item() == pytest.approx(10, rel=1e-5)
    penalty.backward()  # the norm's slope at 0 must not be infinite
    assert all(torch.isfinite(p.grad).all() for p in flat.parameters() if p.grad is not None)


def test_norms_are_per_sample():
    """D(x) = |x|^2 / 2 has gradient x: each sample's norm is its own."""
    images = torch.randn(4, 3, 5, 5) * torch.tensor([0.1, 1.0, 10.0, 100.0]).view(4, 1, 1, 1)
    norms = gradient_norms(lambda x: x.flatten(1).square().sum(1) / 2, images)
    torch.testing.assert_close(norms, images.flatten(1).norm(dim=1), rtol=1e-5, atol=1e-5)


def test_interpolation_draws_one_position_per_sample():
    torch.manual_seed(0)
    positions = interpolate(torch.zeros(64, 3, 4, 4), torch.ones(64, 3, 4, 4)).flatten(1)
    assert (positions == positions[:, :1]).all()  # the same for every channel and pixel
    assert positions[:, 0].unique().numel() == 64  # another for every sample
    assert positions.min() >= 0 and positions.max() <= 1


def test_the_penalty_trains_the_critic_in_float32_under_autocast():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    images = torch.randn(4, 1, 4, 4)
    torch.manual_seed(0)
    plain = WGANGP()(lambda x: critic(x).squeeze(1), images, -images)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = WGANGP()(lambda x: critic(x).squeeze(1), images, -images.bfloat16())
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, plain, rtol=2e-2, atol=1e-3)  # only the fakes were rounded to bfloat16
    mixed.backward()
    assert critic[1].weight.grad.abs().sum() > 0
