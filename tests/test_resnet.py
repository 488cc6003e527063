"""The residual networks of SNGAN, and batch norm by class."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_lightning.config.compose import compose
from gan_lightning.config.schema import check
from gan_lightning.errors import UserError
from gan_lightning.networks.resnet import (
    ConditionalBatchNorm,
    widths,
)
from tests.helpers import assert_same, features, in_float64, make_discriminator, make_generator

DIGITS = (1, 28, 28)
CLASSES = 3


def one_hot(*labels):
    return torch.eye(CLASSES)[list(labels)]


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_widths_double_at_each_lower_resolution_as_in_table_3():
    assert widths((64, 64), 64) == [64, 128, 256, 512, 1024]
    generator = make_generator("resnet", (3, 64, 64), 128, width=64)
    discriminator = make_discriminator("resnet", (3, 64, 64), width=64)
    assert [block.conv1.in_channels for block in generator.blocks] == [1024, 512, 256, 128]
    assert [block.conv2.out_channels for block in discriminator.blocks] == [64, 128, 256, 512, 1024]


@pytest.mark.parametrize("channels,width,latent_dim", [(1, 16, 10), (3, 8, 5)])
def test_resnets_parameters_are_counted(channels, width, latent_dim):
    def conv(size, inputs, outputs):
        return size**2 * inputs * outputs + outputs

    def up(inputs, outputs):
        norms = 2 * inputs + 2 * outputs
        return norms + conv(3, inputs, outputs) + conv(3, outputs, outputs) + conv(1, inputs, outputs)

    def down(inputs, hidden, outputs):
        return conv(3, inputs, hidden) + conv(3, hidden, outputs) + conv(1, inputs, outputs)

    w, two, four = width, 2 * width, 4 * width
    linear = (latent_dim + 1) * four * 49
    generator = make_generator("resnet", (channels, 28, 28), latent_dim, width=width)
    assert parameters(generator) == linear + up(four, two) + up(two, w) + 2 * w + conv(3, w, channels)
    discriminator = make_discriminator("resnet", (channels, 28, 28), width=width)
    assert parameters(discriminator) == down(channels, w, w) + down(w, w, two) + down(two, two, four) + four + 1


@in_float64
def test_the_skip_paths_commute_with_resampling():
    """1x1 convolutions are put where maps are small: the same function as where the paper puts them."""
    generator = make_generator("resnet", DIGITS, width=4)
    discriminator = make_discriminator("resnet", DIGITS, width=4)
    up, down = generator.blocks[0], discriminator.blocks[1]
    for conv in (up.conv2, down.conv2):  # the skip path alone
        nn.init.zeros_(conv.weight)
    maps = torch.randn(2, 16, 7, 7)
    expected = up.skip(maps.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert_same(up(maps, torch.zeros(2, 0)), expected)
    maps = torch.randn(2, 4, 14, 14)
    assert_same(down(maps), F.avg_pool2d(down.skip(maps), 2))


@in_float64
def test_features_are_sums_over_pixels():
    """Without its blocks, ReLU and the sum are all that is left of the discriminator."""
    discriminator = make_discriminator("resnet", DIGITS, width=4)
    discriminator.blocks = nn.Identity()
    maps = torch.randn(2, 16, 7, 7)
    assert_same(features(discriminator, maps), maps.clamp(min=0).sum((2, 3)))


# Conditional batch norm


@in_float64
@pytest.mark.parametrize("training", [True, False])
def test_conditional_batch_norm_with_equal_classes_is_batch_norm(training):
    conditional, plain = ConditionalBatchNorm(4, CLASSES).train(training), nn.BatchNorm2d(4).train(training)
    gain, bias = torch.randn(2, 4, 1)
    with torch.no_grad():
        conditional.gain.copy_(gain.T.expand(CLASSES, -1))
        conditional.bias.copy_(bias.T.expand(CLASSES, -1))
        plain.weight.copy_(gain[:, 0])
        plain.bias.copy_(bias[:, 0])
    maps = 3 * torch.randn(6, 4, 5, 5) + 1
    result = conditional(maps, one_hot(0, 1, 2, 2, 1, 0))
    assert_same(result, plain(maps))


@in_float64
def test_each_class_has_its_own_gain_and_bias():
    norm = ConditionalBatchNorm(2, CLASSES).eval()  # running mean 0 and variance 1: maps stay but for epsilon
    nn.init.normal_(norm.gain)
    nn.init.normal_(norm.bias)
    maps = torch.randn(CLASSES, 2, 4, 4)
    result = norm(maps, torch.eye(CLASSES))
    for label in range(CLASSES):
        gain, bias = norm.gain[label], norm.bias[label]
        expected = maps[label] / math.sqrt(1 + 1e-5) * gain[:, None, None] + bias[:, None, None]
        assert_same(result[label], expected)


@in_float64
def test_with_conditional_norm_the_label_acts_through_gains_and_biases_alone():
    generator = make_generator("resnet", DIGITS, condition_dim=CLASSES, width=4, norm="conditional").eval()
    assert generator.project[0].in_features == 10
    z, y = torch.randn(1, 10).expand(CLASSES, -1), torch.eye(CLASSES)
    same = generator(z, y)
    assert_same(same[0], same[1])  # all classes start with gain 1 and bias 0
    for module in generator.modules():
        if isinstance(module, ConditionalBatchNorm):
            nn.init.normal_(module.gain, 1.0, 0.5)
            nn.init.normal_(module.bias, 0.0, 0.5)
    images = generator(z, y)
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in itertools.combinations(images, 2))


def test_conditional_norm_without_classes_is_refused_with_a_way_out():
    check(compose("network=resnet", "network.generator.norm=conditional"))  # a choice like any other
    message = (
        "norm=conditional needs a generator that is conditional on the class; type conditioning=labels, channel or "
        "projection, or network.generator.norm=batch"
    )
    with pytest.raises(UserError, match=message):
        make_generator("resnet", DIGITS, norm="conditional")
