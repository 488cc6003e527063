"""Discriminators that are autoencoders: EBGAN's and BEGAN's."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_lightning.networks.began import sizes
from tests.helpers import assert_same, generate, in_float64, logits, make_discriminator, make_generator, pair

SHAPES = [(channels, size, size) for size in (28, 32, 64) for channels in (1, 3)]
DIGITS = (1, 28, 28)


@pytest.mark.parametrize("image_shape", SHAPES)
def test_codes_and_reconstructions_have_their_shapes(image_shape):
    discriminator = make_discriminator("autoencoder", image_shape, width=4, code_dim=7)
    images = torch.randn(2, *image_shape)
    code = discriminator.encode(images)
    assert code.shape == (2, 7)
    assert discriminator.decode(code).shape == images.shape


@in_float64
@pytest.mark.parametrize("power", [1, 2])
def test_logits_are_minus_the_energy_which_is_each_images_mean_error(power):
    discriminator = make_discriminator("autoencoder", (3, 28, 28), width=4, code_dim=7, power=power)
    images = torch.randn(3, 3, 28, 28)
    reconstructions = discriminator.decode(discriminator.encode(images))
    expected = [(abs(x - y) ** power).mean() for x, y in zip(images, reconstructions, strict=True)]
    assert_same(discriminator.energy(images, discriminator.encode(images)), torch.stack(expected))
    assert_same(logits(discriminator, images), -torch.stack(expected))


@pytest.mark.parametrize("power", [1, 2])
def test_a_perfect_reconstruction_has_no_energy_and_an_error_of_two_has_two_to_the_power(power):
    discriminator = make_discriminator("autoencoder", DIGITS, width=4, code_dim=784, power=power)
    discriminator.encoder, discriminator.decoder = nn.Flatten(), nn.Unflatten(1, DIGITS)
    images = torch.rand(2, *DIGITS) * 2 - 1
    assert torch.equal(discriminator.energy(images, discriminator.encode(images)), torch.zeros(2))
    discriminator.decoder = nn.Sequential(nn.Hardtanh(-1, 1), nn.Unflatten(1, DIGITS))
    bright = torch.full((1, *DIGITS), 3.0)
    assert discriminator.energy(bright, discriminator.encode(bright)).item() == 2.0**power


def test_the_energy_is_in_float32_whatever_the_images_are():
    discriminator = make_discriminator("autoencoder", DIGITS, width=4, code_dim=7)
    with torch.autocast("cpu", torch.bfloat16):
        assert logits(discriminator, torch.randn(2, *DIGITS).bfloat16()).dtype == torch.float32


# BEGAN


@pytest.mark.parametrize("image_size,maps", [(28, [28, 14, 7]), (32, [32, 16, 8]), (64, [64, 32, 16, 8])])
def test_began_halves_down_to_7_or_8_pixels(image_size, maps):
    """At each size two convolutions of stride 1, in G as in D's decoder."""
    assert sizes((image_size, image_size)) == [(side, side) for side in maps]
    generator, discriminator = pair("began", (1, image_size, image_size))
    for network in (generator.layers[0], discriminator.decoder):
        seen, through = [], torch.randn(2, network[0].in_features)
        for layer in network:
            through = layer(through)
            if isinstance(layer, nn.Conv2d):
                seen.append(through.shape[2])
        assert seen == [size for size in maps[::-1] for _ in range(2)] + [image_size]


def test_the_generator_of_began_is_its_critics_decoder_squashed():
    generator = make_generator("began", (3, 32, 32), width=8).double()
    discriminator = make_discriminator("began", (3, 32, 32), width=8, code_dim=10).double()
    discriminator.decoder.load_state_dict(generator.layers[0].state_dict())
    z = torch.randn(2, 10, dtype=torch.float64)
    torch.testing.assert_close(generate(generator, z), discriminator.decode(z).tanh())


def test_the_encoder_of_began_gains_as_many_channels_at_each_size():
    encoder = make_discriminator("began", (1, 64, 64), width=4).encoder
    convolutions = [layer for layer in encoder if isinstance(layer, nn.Conv2d)]
    shapes = [(layer.in_channels, layer.out_channels, layer.stride[0]) for layer in convolutions]
    assert shapes == [
        (1, 4, 1), (4, 4, 1), (4, 4, 1),
        (4, 4, 2), (4, 8, 1), (8, 8, 1),
        (8, 8, 2), (8, 12, 1), (12, 12, 1),
        (12, 12, 2), (12, 16, 1), (16, 16, 1),
    ]  # fmt: skip


def test_began_starts_from_glorots_weights():
    torch.manual_seed(0)
    for network in pair("began", DIGITS):
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                space = layer.weight[0, 0].numel() if layer.weight.ndim > 2 else 1
                bound = math.sqrt(6 / (space * sum(layer.weight.shape[:2])))
                assert 0.9 * bound < layer.weight.abs().max() <= bound and not layer.bias.any()


def test_the_error_of_began_is_l1():
    discriminator = make_discriminator("began", DIGITS, width=4, code_dim=7).double()
    images = torch.rand(3, *DIGITS, dtype=torch.float64) * 2 - 1
    expected = F.l1_loss(discriminator.decode(discriminator.encode(images)), images, reduction="none").mean((1, 2, 3))
    torch.testing.assert_close(logits(discriminator, images), -expected)
