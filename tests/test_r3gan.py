"""R3GAN's networks: blocks that start as their skip path, bilinear resampling."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_lightning.networks.dcgan import resolutions
from gan_lightning.networks.r3gan import (
    ACTIVATION_GAIN,
    BilinearDown,
    BilinearUp,
    FixupBlock,
    R3GANDiscriminator,
    Resampling,
)
from tests.helpers import assert_same, features, in_float64, make_discriminator, make_generator, pair

DIGITS = (1, 28, 28)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def blocks_of(network):
    return [module for module in network.modules() if isinstance(module, FixupBlock)]


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("image_size,resolutions", [(28, 3), (32, 4)])
def test_residual_blocks_start_as_their_skip_path(blocks, image_size, resolutions):
    image_shape = (1, image_size, image_size)
    options = {"width": 8, "blocks": blocks}
    for network in (
        make_generator("r3gan", image_shape, **options),
        make_discriminator("r3gan", image_shape, **options),
    ):
        assert len(blocks_of(network)) == blocks * resolutions
        for block in blocks_of(network):
            maps = torch.randn(2, block.layers[0].in_channels, 4, 4)
            assert torch.equal(block(maps), maps)


@pytest.mark.parametrize("blocks", [1, 16])
def test_fixup_divides_the_other_weights_by_the_fourth_root_of_the_number_of_blocks(blocks):
    torch.manual_seed(0)
    layers = FixupBlock(64, expansion=2, group_size=16, blocks=blocks, norm="none").layers
    for conv, fan_in in ((layers[0], 64), (layers[3], 16 * 9)):
        expected = ACTIVATION_GAIN / math.sqrt(fan_in) / blocks**0.25
        # 8,192 and 18,432 draws: the standard error is at most 0.8 %, allowed six of them
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert not conv.bias.any()
    assert not layers[-1].weight.any()


@pytest.mark.parametrize("channels,size,groups", [(16, 16, 2), (64, 16, 8), (5, 16, 5), (8, 1, 16)])
def test_3x3_convolutions_join_groups_of_at_most_the_given_size(channels, size, groups):
    block = FixupBlock(channels, expansion=2, group_size=size, blocks=1, norm="none")
    assert block.layers[3].groups == groups  # 10 channels in groups of 2, the largest that divides both


def test_r3gans_parameters_are_counted():
    def block(channels):
        inner, group = 2 * channels, 8
        return channels * inner + inner + 9 * group * inner + inner + inner * channels

    w, two, four = 16, 32, 64
    blocks = block(w) + block(two) + block(four)
    between = w * two + two * four
    generator, discriminator = pair("r3gan", (3, 28, 28))
    assert parameters(generator) == 10 * four * 49 + blocks + between + 3 * w
    assert parameters(discriminator) == 3 * w + blocks + between + four * 49 + four + 1


@pytest.mark.parametrize("resample", [BilinearUp((6, 6)), BilinearDown((6, 6))])
def test_resampling_treats_directions_and_channels_alike(resample):
    resample = resample.double()
    maps = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    for axes in ((2,), (3,), (2, 3)):
        assert_same(resample(maps.flip(axes)), resample(maps).flip(axes))
    assert_same(resample(maps.transpose(2, 3)), resample(maps).transpose(2, 3))
    for channel in range(3):  # each channel for itself
        assert_same(resample(maps[:, [channel]]), resample(maps)[:, [channel]])


@pytest.mark.parametrize("resample,edge", [(BilinearUp((6, 6)), 3 / 4), (BilinearDown((6, 6)), 7 / 8)])
def test_constants_stay_but_at_the_edges_where_they_meet_zeros(resample, edge):
    result = resample.double()(torch.ones(1, 1, 6, 6, dtype=torch.float64))[0, 0]
    profile = torch.ones(len(result), dtype=torch.float64)
    profile[0] = profile[-1] = edge
    assert torch.equal(result, profile.outer(profile))


def smooth(maps):
    """[1, 2, 1] / 4 along both axes, zeros outside."""
    weights = torch.tensor([1, 2, 1], dtype=maps.dtype) / 4
    kernel = weights.outer(weights).expand(maps.shape[1], 1, 3, 3)
    return F.conv2d(maps, kernel, padding=1, groups=maps.shape[1])


@pytest.mark.parametrize("size", [(4, 4), (6, 6), (14, 14), (6, 10)])
def test_resampling_is_the_121_filter(size):
    maps = torch.randn(2, 3, *size, dtype=torch.float64)
    up = smooth(maps.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert_same(BilinearUp(size).double()(maps), up)
    assert_same(BilinearDown(size).double()(maps), F.avg_pool2d(smooth(maps), 2))


@in_float64
def test_down_sampling_is_up_sampling_transposed():
    small, large = torch.randn(1, 1, 4, 4, dtype=torch.float64), torch.randn(1, 1, 8, 8, dtype=torch.float64)
    up, down = BilinearUp((4, 4)).double(), BilinearDown((8, 8)).double()
    assert_same((up(small) * large).sum(), 4 * (small * down(large)).sum())


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (32, 48)])
def test_every_map_is_resampled_by_the_matrices_of_its_size(size):
    for network in pair("r3gan", (1, *size)):
        steps = [module for module in network.modules() if isinstance(module, Resampling)]
        sizes = resolutions(size) if isinstance(network, R3GANDiscriminator) else resolutions(size)[::-1]
        for step, (before, after) in zip(steps, itertools.pairwise(sizes), strict=True):
            assert step.down.shape == (after[0], before[0]) and step.across.shape == (after[1], before[1])


def test_no_checkerboard_survives_downsampling():
    """The finest pattern of pixels, +1 and -1 by turns, is smoothed away but at the edges."""
    signs = torch.tensor([1.0, -1.0]).repeat(4)
    board = signs.outer(signs)[None, None]
    assert BilinearDown((8, 8))(board)[..., 1:-1, 1:-1].abs().max() < 1e-12


@in_float64
def test_r3gans_last_map_is_weighted_pixel_by_pixel():
    _, discriminator = pair("r3gan", DIGITS)
    maps = discriminator.layers(torch.randn(2, *DIGITS))
    expected = (maps * discriminator.basis.weight[:, 0]).sum((2, 3))
    discriminator.layers = nn.Identity()
    assert_same(features(discriminator, maps), expected)
