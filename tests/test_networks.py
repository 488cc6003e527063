"""What every generator and every discriminator promises."""

import itertools

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gan_lightning.config.compose import options
from tests.helpers import assert_same, features, generate, in_float64, logits, make_discriminator, make_generator, pair

SHAPES = [(1, 28, 28), (3, 28, 28), (1, 32, 32), (3, 32, 32), (1, 64, 64), (3, 64, 64)]


@pytest.mark.slow
@pytest.mark.parametrize("network", options("network"))
@pytest.mark.parametrize("image_shape", SHAPES)
def test_shapes_and_ranges(network, image_shape):
    generator, discriminator = pair(network, image_shape)
    for parameter in generator.parameters():  # weights that start small stay in the middle of the range
        parameter.data += 0.3 * torch.randn_like(parameter)
    images = generate(generator, torch.randn(3, 10))
    assert images.shape == (3, *image_shape)
    assert -1 <= images.min() < -0.3 and 0.3 < images.max() <= 1
    assert logits(discriminator, images).shape == (3,)


HEADS = sorted(set(options("network")) - {"autoencoder", "began"})  # whose logits are minus an energy


@in_float64
@pytest.mark.parametrize("network", HEADS)
def test_logits_are_not_squashed(network):
    """No network ends in a sigmoid: scaling the last layer scales the logits."""
    _, discriminator = pair(network, (1, 28, 28))
    discriminator.eval()
    images = torch.rand(4, 1, 28, 28) * 2 - 1
    before = logits(discriminator, images)
    with torch.no_grad():
        for parameter in discriminator.head.parameters():
            parameter.mul_(1000)
    assert_same(logits(discriminator, images), before * 1000)


@pytest.mark.parametrize("network", options("network"))
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_without_batch_norm_samples_are_independent(network, norm):
    """In training mode: batch norm would join them there only."""
    _, discriminator = pair(network, (1, 28, 28), norm=norm)
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    (gradients,) = torch.autograd.grad(logits(discriminator, images)[0], images)
    assert gradients[0].abs().sum() > 0
    assert gradients[1:].abs().sum() == 0


@pytest.mark.parametrize("network", options("network"))
def test_with_batch_norm_they_are_not(network):
    _, discriminator = pair(network, (1, 28, 28), norm="batch")
    for parameter in discriminator.parameters():  # blocks that start at 0 hide their norm
        nn.init.normal_(parameter, 0.0, 0.3)
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    (gradients,) = torch.autograd.grad(logits(discriminator, images)[0], images)
    assert gradients[1:].abs().sum() > 0


@in_float64
@pytest.mark.parametrize("network", HEADS)
def test_every_discriminator_is_a_linear_head_on_features(network):
    _, discriminator = pair(network, (3, 28, 28))
    discriminator.eval()
    images = torch.rand(4, 3, 28, 28) * 2 - 1
    found = features(discriminator, images)
    assert isinstance(discriminator.head, nn.Linear)
    assert found.shape == (4, discriminator.head.in_features) and discriminator.head.out_features == 1
    assert_same(logits(discriminator, images), found @ discriminator.head.weight[0] + discriminator.head.bias)


@pytest.mark.parametrize("network", HEADS)
def test_under_autocast_the_head_computes_in_float32(network):
    _, discriminator = pair(network, (1, 28, 28))
    discriminator.eval()  # no dropout: features are the same twice
    images = torch.rand(4, 1, 28, 28) * 2 - 1
    with torch.autocast("cpu", torch.bfloat16):
        found, output = features(discriminator, images), logits(discriminator, images)
    assert found.dtype == torch.bfloat16 and output.dtype == torch.float32
    assert torch.equal(output, discriminator.head(found.float()).squeeze(1))


@pytest.mark.parametrize("network", options("network"))
def test_logits_of_a_discriminator_in_float64_are_in_float64(network):
    _, discriminator = pair(network, (1, 28, 28))
    assert logits(discriminator.double(), torch.rand(4, 1, 28, 28, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("network", options("network"))
def test_a_conditional_generator_reads_the_condition_beside_z(network):
    """Its first layer is that of an unconditional generator whose z is as wide as both."""
    plain, conditional = make_generator(network, (1, 28, 28), 13), make_generator(network, (1, 28, 28), 10, 3)
    assert conditional.load_state_dict(plain.state_dict())
    z, y = torch.randn(2, 10), torch.randn(2, 3)
    images = conditional(z, y)
    assert images.shape == (2, 1, 28, 28)
    assert torch.equal(images, generate(plain, torch.cat([z, y], 1)))


DEEP = ("resnet", "r3gan", "autoencoder", "began")
DIGITS = (1, 28, 28)
CLASSES = 3


# Signals and gradients of the deeper networks


@pytest.mark.parametrize("network", ["resnet", "r3gan"])
def test_images_depend_on_the_label(network):
    generator = make_generator(network, DIGITS, condition_dim=CLASSES)
    z = torch.randn(1, 10).expand(CLASSES, -1)
    images = generator.eval()(z, torch.eye(CLASSES))
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in itertools.combinations(images, 2))


@pytest.mark.parametrize("network", DEEP)
def test_first_logits_are_of_order_one(network):
    """Without spectral norm, too, a sum over pixels or a deep skip path gives no logits of a hundred."""
    torch.manual_seed(0)
    for image_shape in ((1, 28, 28), (3, 64, 64)):
        _, discriminator = pair(network, image_shape)
        images = torch.rand(8, *image_shape) * 2 - 1
        assert 0.01 < logits(discriminator, images).square().mean().sqrt() < 10


@pytest.mark.parametrize("network,extra", [*((network, {}) for network in DEEP), ("resnet", {"attention": True})])
def test_gradient_penalties_reach_every_weight(network, extra):
    """Double backward works through every layer: penalties differentiate the critic's input gradient."""
    _, discriminator = pair(network, DIGITS, **extra)
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter, 0.0, 0.1)
    images = torch.randn(2, *DIGITS, requires_grad=True)
    (gradients,) = torch.autograd.grad(logits(discriminator, images).sum(), images, create_graph=True)
    gradients.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        if parameter.ndim > 1:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("network", DEEP)
def test_both_networks_run_in_bfloat16(network):
    generator, discriminator = pair(network, DIGITS)
    with torch.autocast("cpu", torch.bfloat16):
        output = logits(discriminator, generate(generator, torch.randn(2, 10)))
    output.float().sum().backward()
    gradients = [parameter.grad for parameter in generator.parameters() if parameter.grad is not None]
    assert output.isfinite().all() and all(gradient.isfinite().all() for gradient in gradients)


def cost(generator, discriminator):
    """Floating-point operations of one step at 28 pixels: D on real and fake images, G, and D in G's step."""
    with torch.no_grad(), FlopCounterMode(display=False) as of_g:
        images = generate(generator, torch.zeros(1, 10))
    with torch.no_grad(), FlopCounterMode(display=False) as of_d:
        logits(discriminator, images)
    return 3 * of_g.get_total_flops() + 8 * of_d.get_total_flops()


@pytest.mark.parametrize("network", sorted({*DEEP} - {"began"}))
def test_a_step_costs_little_more_than_one_of_dcgans_of_the_papers_widths(network):
    """Small enough for two cores: at most half as much again as the work of DCGAN's pair with 64 channels."""
    paper = {"width": 64, "hidden": []}
    papers = make_generator("dcgan", DIGITS, **paper), make_discriminator("dcgan", DIGITS, **paper)
    assert 0.1 < cost(*pair(network, DIGITS)) / cost(*papers) < 1.5
