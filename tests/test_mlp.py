"""Fully connected networks: the MLP pair and the maxout pair of 2014."""

import pytest
import torch
from torch import nn

from gan_lightning.networks.layers import StretchedSigmoid
from gan_lightning.networks.maxout import Maxout
from gan_lightning.networks.mlp import OUTPUT_LAYER
from tests.helpers import assert_same, generate, in_float64, make_generator, pair


def test_the_norm_stands_before_or_after_the_activation_of_the_mlp():
    for norm_after, order in (
        (False, [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU]),
        (True, [nn.Linear, nn.LeakyReLU, nn.BatchNorm1d]),
    ):
        options = {"hidden": [5, 6], "norm": "batch", "norm_after": norm_after, "output": "sigmoid"}
        layers = make_generator("mlp", (1, 28, 28), **options).layers
        assert [type(layer) for layer in layers[:-1]] == [*order, *order, nn.Linear, StretchedSigmoid]


@in_float64
def test_maxout_is_the_largest_of_its_pieces():
    layer = Maxout(3, units=2, pieces=4)
    x = torch.randn(5, 3)
    pieces = (x @ layer.linear.weight.T + layer.linear.bias).view(5, 2, 4)
    assert_same(layer(x), pieces.max(2).values)


@in_float64
@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_the_2014_generator_starts_at_the_mean_image(output):
    generator = make_generator("maxout_mlp", (1, 28, 28), output=output)
    images = torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8)
    generator.fit_to_data(images)
    with torch.no_grad():
        generator.layers[OUTPUT_LAYER].weight.zero_()  # the output bias alone is left
    expected = images.double().mean(0) / 127.5 - 1
    assert_same(generate(generator, torch.zeros(1, 10))[0], expected)


def test_parameter_counts():
    """The fully connected pair of conf/network/mlp.yaml, counted by hand with z of 100."""
    generator, discriminator = pair("mlp", (1, 28, 28), latent_dim=100)
    linear = [(100, 256), (256, 512), (512, 1024), (1024, 784)]
    expected = sum(i * o + o for i, o in linear) + 2 * (256 + 512 + 1024)
    assert sum(p.numel() for p in generator.parameters()) == expected
    assert sum(p.numel() for p in discriminator.parameters()) == 533_505
