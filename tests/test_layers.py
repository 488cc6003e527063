"""Layers and initial weights that several networks share."""

import math

import pytest
import torch

from gan_lightning.networks.layers import FlattenPixels, StretchedSigmoid, UnflattenPixels
from tests.helpers import assert_same, in_float64, pair


@in_float64
def test_a_stretched_sigmoid_is_twice_the_sigmoid_less_one():
    x = torch.linspace(-20, 20, 101)
    assert_same(StretchedSigmoid()(x), 2 * torch.sigmoid(x) - 1)


def test_xavier_weights_fill_the_bound_of_their_fans():
    torch.manual_seed(0)
    generator, discriminator = pair("conv_pool", (1, 28, 28))
    linear, transposed = generator.layers[3], generator.layers[7]
    for layer, fans in ((linear, 1024 + 7 * 7 * 128), (transposed, 16 * (128 + 64)), (discriminator.head, 1024 + 1)):
        bound = math.sqrt(6 / fans)
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.02)  # of 1,024 draws or more
        assert layer.weight.abs().max() <= bound
        assert layer.weight.mean().item() == pytest.approx(0, abs=6 * bound / math.sqrt(3 * layer.weight.numel()))


def test_pixel_by_pixel_vectors_are_channels_last_maps_as_they_lie_in_memory():
    maps = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    vectors = FlattenPixels()(maps)
    assert vectors.data_ptr() == maps.data_ptr()  # nothing was copied
    assert torch.equal(vectors[1, :3], maps[1, :, 0, 0])
    back = UnflattenPixels(3, (4, 4))(vectors)
    assert torch.equal(back, maps) and back.is_contiguous(memory_format=torch.channels_last)
