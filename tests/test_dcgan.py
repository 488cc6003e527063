"""The DCGAN pair: resolutions, kernels, initial weights, biases."""

import math

import pytest
import torch
from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.dcgan import channels, resolutions
from gan_lightning.networks.layers import StretchedSigmoid
from tests.helpers import generate, logits, make_discriminator, make_generator, pair


def test_infogans_networks_are_the_papers():
    """Appendix C.1: 74 numbers, fully connected to 1,024 and to 7x7x128, convolutions to 64 and 1; D likewise."""
    generator, discriminator = pair("infogan", (1, 28, 28), latent_dim=62, condition_dim=12)
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    shapes = [tuple(layer.weight.shape) for layer in generator.modules() if isinstance(layer, kinds)]
    assert shapes == [(1024, 74), (7 * 7 * 128, 1024), (128, 64, 4, 4), (64, 1, 4, 4)]
    shapes = [tuple(layer.weight.shape) for layer in discriminator.modules() if isinstance(layer, kinds)]
    assert shapes == [(64, 1, 4, 4), (128, 64, 4, 4), (1024, 7 * 7 * 128), (1, 1024)]


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_a_dcgan_generator_may_have_fully_connected_layers_in_front(norm):
    generator = make_generator("dcgan", (1, 28, 28), hidden=[16, 24], width=40, norm=norm)
    widths = [(layer.in_features, layer.out_features) for layer in generator.modules() if isinstance(layer, nn.Linear)]
    assert widths == [(10, 16), (16, 24), (24, 2 * 40 * 7**2)]
    assert generate(generator, torch.randn(3, 10)).shape == (3, 1, 28, 28)


def sides(*sizes):
    return [(side, side) for side in sizes]


def test_dcgan_halves_down_to_4_to_7_pixels():
    assert resolutions((28, 28)) == sides(28, 14, 7)
    assert resolutions((32, 32)) == sides(32, 16, 8, 4)
    assert resolutions((64, 64)) == sides(64, 32, 16, 8, 4)
    assert resolutions((24, 24)) == sides(24, 12, 6)
    assert resolutions((28, 40)) == [(28, 40), (14, 20), (7, 10)]
    assert resolutions((128, 16)) == [(128, 16), (64, 8), (32, 4)]
    assert channels((3, 64, 64), 64) == [3, 64, 128, 256, 512]
    with pytest.raises(
        UserError, match=r"images of 50x33 \(height x width\) cannot be .*; type data.size=\[48,32\], or"
    ):
        resolutions((50, 33))


def test_levels_may_be_asked_for_and_only_5x5_kernels_halve_odd_sizes():
    assert resolutions((28, 28), kernel=5, levels=3) == sides(28, 14, 7, 4)
    assert resolutions((28, 28), kernel=5, levels=4) == sides(28, 14, 7, 4, 2)
    assert resolutions((64, 64), levels=2) == sides(64, 32, 16)
    for size, kernel, levels in ((28, 4, 3), (28, 5, 5), (32, 5, 5)):
        with pytest.raises(UserError, match=f"levels={levels} halves images of {size}x{size} to .*: type a smaller"):
            resolutions((size, size), kernel, levels)


def dcgan(output="tanh", **options):
    """The DCGAN pair of the paper's widths for 28 pixels and z of 128."""
    options |= {"width": 64, "hidden": []}
    generator = make_generator("dcgan", (1, 28, 28), latent_dim=128, output=output, **options)
    return generator, make_discriminator("dcgan", (1, 28, 28), **options)


def test_the_mnist_networks_of_wgan_gps_authors_can_be_built():
    """gan_mnist.py: 4x4x256, then 5x5 kernels to 7x7x128, 14x14x64 and the image, a sigmoid; the critic likewise."""
    generator, critic = dcgan(norm="none", kernel=5, levels=3, output="sigmoid", init="glorot_he")
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (generator, critic)]
    assert counts == [
        129 * 4096 + (25 * 256 + 1) * 128 + (25 * 128 + 1) * 64 + (25 * 64 + 1) * 1,
        (25 * 1 + 1) * 64 + (25 * 64 + 1) * 128 + (25 * 128 + 1) * 256 + 4096 + 1,
    ]
    sizes = []
    for layer in generator.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, inputs, maps: sizes.append(maps.shape[2]))
    images = generate(generator, torch.randn(3, 128))
    assert sizes == [7, 14, 28] and logits(critic, images).shape == (3,)
    assert isinstance(generator.layers[-1], StretchedSigmoid)


@pytest.mark.parametrize("kernel,levels", [(4, None), (5, None), (5, 3)])
def test_glorot_he_weights_fill_the_bound_of_their_fans(kernel, levels):
    """U(-b, b) of variance b^2 / 3 = 4 / (fan-in + fan-out), on linear layers 2; strides thin one of the fans out."""
    torch.manual_seed(0)
    for network in dcgan(norm="none", kernel=kernel, levels=levels, init="glorot_he"):
        layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
        for layer in layers:
            if isinstance(layer, nn.Linear):
                variance = 2 / (layer.in_features + layer.out_features)
            else:
                here, thinned = layer.in_channels * kernel**2, layer.out_channels * kernel**2 / 4
                if isinstance(layer, nn.ConvTranspose2d):
                    here, thinned = layer.in_channels * kernel**2 / 4, layer.out_channels * kernel**2
                variance = 4 / (here + thinned)
            assert layer.weight.abs().max() <= math.sqrt(3 * variance)
            assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(3 * variance), rel=0.02)  # of 1,000 draws
            assert (layer.bias == 0).all()


def test_dcgan_follows_the_papers_rules():
    generator, discriminator = pair("dcgan", (1, 64, 64))
    weights = torch.cat([m.weight.flatten() for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)  # 2.7 million draws
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len(convolutions) - 1  # none on D's first layer
    assert isinstance(generator.layers[-2], nn.ConvTranspose2d)  # none on G's output
    assert isinstance(generator.layers[-1], nn.Tanh)


def test_dcgan_without_biases_keeps_them_where_no_norm_follows():
    generator = make_generator("dcgan", (1, 28, 28), bias=False)
    discriminator = make_discriminator("dcgan", (1, 28, 28), bias=False)
    *others, output = [m for m in generator.modules() if isinstance(m, (nn.Linear, nn.ConvTranspose2d))]
    assert output.bias is not None
    assert all(layer.bias is None for layer in others)
    first, *others = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert first.bias is not None and discriminator.head.bias is not None
    assert all(layer.bias is None for layer in others)


@pytest.mark.parametrize(
    "init,weight_std,norm_mean", [("normal", 0.02, 1), ("normal_all", 0.02, 0), ("he", None, None)]
)
def test_dcgan_draws_the_initial_weights_asked_for(init, weight_std, norm_mean):
    torch.manual_seed(0)
    _, discriminator = pair("dcgan", (1, 28, 28), init=init, width=128)
    conv = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)][1]  # 256 x 128 x 4 x 4 draws
    assert conv.weight.std().item() == pytest.approx(weight_std or math.sqrt(2 / (128 * 16)), rel=0.01)
    norm = next(m for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d))  # 256 draws
    if init == "he":
        assert (norm.weight == 1).all()  # He's rule is for layers
    else:
        assert norm.weight.mean().item() == pytest.approx(norm_mean, abs=0.01)  # 8 standard errors
        assert norm.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert (conv.bias == 0).all() == (init != "normal_all")  # whose biases stay as torch draws them


def test_without_norms_the_signal_keeps_its_scale():
    """He's weights keep the second moment of pre-activations; N(0, 0.02) would divide it by a hundred or more."""
    torch.manual_seed(0)
    for norm, low, high in (("none", 1.4, 2.1), ("batch", 0.0045, 0.0067)):  # 2 and 16 * 0.02^2, less the padding
        _, discriminator = pair("dcgan", (1, 28, 28), norm=norm)
        images = torch.randn(256, 1, 28, 28)
        convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
        assert low < convolutions[0](images).square().mean() < high


@pytest.mark.parametrize("image_size,attended", [(28, 14), (32, 16), (64, 16)])
def test_sagans_networks_attend_to_the_middle_maps_once(image_size, attended):
    seen = []
    networks = pair("sagan", (1, image_size, image_size))
    for network in networks:
        (attention,) = [module for module in network.modules() if isinstance(module, SelfAttention)]
        attention.register_forward_hook(lambda _, inputs, maps: seen.append((inputs[0].shape[2:], maps.shape[2:])))
    generator, discriminator = networks
    assert logits(discriminator, generate(generator, torch.randn(2, 10))).shape == (2,)
    assert seen == [((attended,) * 2, (attended,) * 2)] * 2
