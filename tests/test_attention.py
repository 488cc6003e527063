"""Self-attention, and where networks have it."""

import pytest
import torch
from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.resnet import (
    attention_size,
)
from tests.helpers import assert_same, generate, in_float64, logits, make_discriminator, make_generator

DIGITS = (1, 28, 28)


def test_attention_starts_as_the_identity():
    maps = torch.randn(2, 16, 5, 5)
    assert torch.equal(SelfAttention(16)(maps), maps)


@in_float64
def test_attention_weights_are_a_distribution_over_positions():
    weights = SelfAttention(16).weights(torch.randn(2, 16, 5, 4))
    assert weights.shape == (2, 20, 20) and weights.min() >= 0
    assert_same(weights.sum(2), torch.ones(2, 20))


@in_float64
def test_attention_equals_its_equations():
    attention = SelfAttention(8)
    nn.init.constant_(attention.gamma, 0.7)
    maps = torch.randn(1, 8, 2, 3)
    x = maps.flatten(2)[0]  # (C, positions)
    f, g, h, v = (layer.weight.flatten(1) for layer in (attention.f, attention.g, attention.h, attention.v))
    assert f.shape == g.shape == (1, 8) and h.shape == (4, 8) and v.shape == (8, 4)
    scores = (f @ x).T @ (g @ x)  # s_ij = f(x_i) . g(x_j)
    beta = scores.exp() / scores.exp().sum(0)
    expected = x + 0.7 * v @ (h @ x @ beta)
    assert_same(attention(maps).flatten(2)[0], expected)


@in_float64
def test_attention_moves_with_its_positions():
    """It knows no geometry: permuted positions in, permuted positions out."""
    attention = SelfAttention(8)
    nn.init.constant_(attention.gamma, 1.0)
    maps, order = torch.randn(2, 8, 3, 3), torch.randperm(9)
    moved = maps.flatten(2)[:, :, order].unflatten(2, (3, 3))
    expected = attention(maps).flatten(2)[:, :, order].unflatten(2, (3, 3))
    assert_same(attention(moved), expected)


@pytest.mark.parametrize(
    "image_size,size", [((28, 28), (14, 14)), ((32, 32), (16, 16)), ((64, 64), (16, 16)), ((32, 48), (16, 24))]
)
def test_attention_is_at_about_16_pixels_in_both_networks(image_size, size):
    assert attention_size(image_size) == size
    options = {"image_shape": (1, *image_size), "width": 4, "attention": True}
    generator, discriminator = make_generator("resnet", **options), make_discriminator("resnet", **options)
    seen = []
    for network in (generator, discriminator):
        modules = [module for module in network.modules() if isinstance(module, SelfAttention)]
        assert len(modules) == 1
        modules[0].register_forward_hook(lambda module, inputs, output: seen.append(output.shape[2:]))
    logits(discriminator, generate(generator, torch.randn(2, 10)))
    assert seen == [size] * 2


def test_attention_in_very_small_images_is_refused():
    with pytest.raises(
        UserError, match="attention=true needs images of 16 pixels or more on each side, not 14x14; type"
    ):
        make_discriminator("resnet", (1, 14, 14), attention=True)
