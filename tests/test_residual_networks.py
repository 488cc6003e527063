"""The residual networks, the autoencoder that is a discriminator, and what a critic may see of several samples."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gan_lightning.build import build
from gan_lightning.config.compose import compose
from gan_lightning.config.schema import check
from gan_lightning.errors import UserError
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.autoencoder import AutoencoderDiscriminator
from gan_lightning.networks.began import BEGANDiscriminator, BEGANGenerator, sizes
from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator, resolutions
from gan_lightning.networks.r3gan import (
    ACTIVATION_GAIN,
    BilinearDown,
    BilinearUp,
    FixupBlock,
    R3GANDiscriminator,
    R3GANGenerator,
    Resampling,
)
from gan_lightning.networks.resnet import (
    ConditionalBatchNorm,
    ResNetDiscriminator,
    ResNetGenerator,
    attention_size,
    widths,
)
from gan_lightning.networks.statistics import MinibatchStd, pack
from tests.helpers import assert_same, in_float64, pair

NETWORKS = ("resnet", "r3gan", "autoencoder", "began")
SHAPES = [(channels, size, size) for size in (28, 32, 64) for channels in (1, 3)]
DIGITS = (1, 28, 28)
CLASSES = 3


def one_hot(*labels):
    return torch.eye(CLASSES)[list(labels)]


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


# The contract


@pytest.mark.parametrize("network", ["resnet", "r3gan"])
def test_the_label_behind_z_is_part_of_the_input(network):
    generator, _ = pair(network, DIGITS, num_classes=CLASSES)
    z = torch.randn(1, 10).expand(CLASSES, -1)
    images = generator.eval()(torch.cat([z, torch.eye(CLASSES)], 1))
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in itertools.combinations(images, 2))


@pytest.mark.parametrize("network", NETWORKS)
def test_first_logits_are_of_order_one(network):
    """Without spectral norm, too, a sum over pixels or a deep skip path gives no logits of a hundred."""
    torch.manual_seed(0)
    for image_shape in ((1, 28, 28), (3, 64, 64)):
        _, discriminator = pair(network, image_shape)
        assert 0.01 < discriminator(torch.rand(8, *image_shape) * 2 - 1).square().mean().sqrt() < 10


@pytest.mark.parametrize("network,options", [*((network, {}) for network in NETWORKS), ("resnet", {"attention": True})])
def test_gradient_penalties_reach_every_weight(network, options):
    """Double backward works through every layer: penalties differentiate the critic's input gradient."""
    _, discriminator = pair(network, DIGITS, **options)
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter, 0.0, 0.1)
    images = torch.randn(2, *DIGITS, requires_grad=True)
    (gradients,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    gradients.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        if parameter.ndim > 1:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("network", NETWORKS)
def test_both_players_run_in_bfloat16(network):
    generator, discriminator = pair(network, DIGITS)
    with torch.autocast("cpu", torch.bfloat16):
        logits = discriminator(generator(torch.randn(2, 10)))
    logits.float().sum().backward()
    gradients = [parameter.grad for parameter in generator.parameters() if parameter.grad is not None]
    assert logits.isfinite().all() and all(gradient.isfinite().all() for gradient in gradients)


def cost(generator, discriminator):
    """Floating-point operations of one step at 28 pixels: D on real and fake with all gradients, G, D for G's sake."""
    with torch.no_grad(), FlopCounterMode(display=False) as of_g:
        images = generator(torch.zeros(1, 10))
    with torch.no_grad(), FlopCounterMode(display=False) as of_d:
        discriminator(images)
    return 3 * of_g.get_total_flops() + 8 * of_d.get_total_flops()


@pytest.mark.parametrize("network", sorted({*NETWORKS} - {"began"}))
def test_a_step_costs_little_more_than_one_of_dcgans_of_the_papers_widths(network):
    """Small enough for two cores: at most half as much again as the work of DCGAN's pair with 64 channels."""
    papers = DCGANGenerator(DIGITS, 10, 0, width=64), DCGANDiscriminator(DIGITS, width=64)
    assert 0.1 < cost(*pair(network, DIGITS)) / cost(*papers) < 1.5


# ResNet


def test_widths_double_at_each_lower_resolution_as_in_table_3():
    assert widths(64, 64) == [64, 128, 256, 512, 1024]
    generator, discriminator = ResNetGenerator((3, 64, 64), 128, 0), ResNetDiscriminator((3, 64, 64))
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
    generator = ResNetGenerator((channels, 28, 28), latent_dim, 0, width=width)
    assert parameters(generator) == linear + up(four, two) + up(two, w) + 2 * w + conv(3, w, channels)
    discriminator = ResNetDiscriminator((channels, 28, 28), width=width)
    assert parameters(discriminator) == down(channels, w, w) + down(w, w, two) + down(two, two, four) + four + 1


@in_float64
def test_the_skip_paths_commute_with_resampling():
    """1x1 convolutions are put where maps are small: the same function as where the paper puts them."""
    generator, discriminator = ResNetGenerator(DIGITS, 10, 0, width=4), ResNetDiscriminator(DIGITS, width=4)
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
    """A discriminator that hands the image's own maps on: ReLU and the sum are all that is left."""
    discriminator = ResNetDiscriminator(DIGITS, width=4)
    discriminator.blocks = nn.Identity()
    maps = torch.randn(2, 16, 7, 7)
    assert_same(discriminator.features(maps), maps.clamp(min=0).sum((2, 3)))


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
def test_with_conditional_norm_the_label_speaks_through_gains_and_biases_alone():
    generator = ResNetGenerator(DIGITS, latent_dim=10, num_classes=CLASSES, width=4, norm="conditional").eval()
    assert generator.project[0].in_features == 10
    latent = torch.cat([torch.randn(1, 10).expand(CLASSES, -1), torch.eye(CLASSES)], 1)
    same = generator(latent)
    assert_same(same[0], same[1])  # all classes start with gain 1 and bias 0
    for module in generator.modules():
        if isinstance(module, ConditionalBatchNorm):
            nn.init.normal_(module.gain, 1.0, 0.5)
            nn.init.normal_(module.bias, 0.0, 0.5)
    images = generator(latent)
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in itertools.combinations(images, 2))


def test_conditional_norm_without_classes_is_refused_with_a_way_out():
    message = r"norm=conditional needs a conditional game.*or type network.generator.norm=batch"
    with pytest.raises(UserError, match=message):
        ResNetGenerator(DIGITS, latent_dim=10, num_classes=0, norm="conditional")
    cfg = compose("network=resnet", "network.generator.norm=conditional")
    check(cfg)  # a choice like any other
    with pytest.raises(UserError, match=message):
        build(cfg.network.generator, image_shape=DIGITS, latent_dim=10, num_classes=0)


# Attention


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


@pytest.mark.parametrize("image_size,size", [(28, 14), (32, 16), (64, 16)])
def test_attention_is_at_14_or_16_pixels_in_both_players(image_size, size):
    assert attention_size(image_size) == size
    generator = ResNetGenerator((1, image_size, image_size), 10, 0, width=4, attention=True)
    discriminator = ResNetDiscriminator((1, image_size, image_size), width=4, attention=True)
    seen = []
    for network in (generator, discriminator):
        modules = [module for module in network.modules() if isinstance(module, SelfAttention)]
        assert len(modules) == 1
        modules[0].register_forward_hook(lambda module, inputs, output: seen.append(output.shape[2:]))
    discriminator(generator(torch.randn(2, 10)))
    assert seen == [(size, size)] * 2


def test_attention_in_very_small_images_is_refused():
    with pytest.raises(UserError, match="attention=true needs images of 16 pixels or more, not 14; type"):
        ResNetDiscriminator((1, 14, 14), attention=True)


# R3GAN


def blocks_of(network):
    return [module for module in network.modules() if isinstance(module, FixupBlock)]


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("image_size,resolutions", [(28, 3), (32, 4)])
def test_residual_blocks_start_as_their_skip_path(blocks, image_size, resolutions):
    image_shape = (1, image_size, image_size)
    generator = R3GANGenerator(image_shape, 10, 0, width=8, blocks=blocks)
    discriminator = R3GANDiscriminator(image_shape, width=8, blocks=blocks)
    for network in (generator, discriminator):
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


@pytest.mark.parametrize("resample", [BilinearUp(6), BilinearDown(6)])
def test_resampling_treats_directions_and_channels_alike(resample):
    resample = resample.double()
    maps = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    for axes in ((2,), (3,), (2, 3)):
        assert_same(resample(maps.flip(axes)), resample(maps).flip(axes))
    assert_same(resample(maps.transpose(2, 3)), resample(maps).transpose(2, 3))
    for channel in range(3):  # each channel for itself
        assert_same(resample(maps[:, [channel]]), resample(maps)[:, [channel]])


@pytest.mark.parametrize("resample,edge", [(BilinearUp(6), 3 / 4), (BilinearDown(6), 7 / 8)])
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


@pytest.mark.parametrize("size", [4, 6, 14])
def test_resampling_is_the_121_filter(size):
    maps = torch.randn(2, 3, size, size, dtype=torch.float64)
    up = smooth(maps.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert_same(BilinearUp(size).double()(maps), up)
    assert_same(BilinearDown(size).double()(maps), F.avg_pool2d(smooth(maps), 2))


@in_float64
def test_down_sampling_is_up_sampling_transposed():
    small, large = torch.randn(1, 1, 4, 4, dtype=torch.float64), torch.randn(1, 1, 8, 8, dtype=torch.float64)
    up, down = BilinearUp(4).double(), BilinearDown(8).double()
    assert_same((up(small) * large).sum(), 4 * (small * down(large)).sum())


@pytest.mark.parametrize("image_size", [28, 32, 64])
def test_every_map_is_resampled_by_the_matrix_of_its_size(image_size):
    for network in pair("r3gan", (1, image_size, image_size)):
        steps = [module.matrix.shape for module in network.modules() if isinstance(module, Resampling)]
        sizes = resolutions(image_size) if isinstance(network, R3GANDiscriminator) else resolutions(image_size)[::-1]
        assert [tuple(shape)[::-1] for shape in steps] == list(itertools.pairwise(sizes))


def test_no_checkerboard_survives_downsampling():
    """The finest pattern of pixels, +1 and -1 by turns, is smoothed away but at the edges."""
    signs = torch.tensor([1.0, -1.0]).repeat(4)
    board = signs.outer(signs)[None, None]
    assert BilinearDown(8)(board)[..., 1:-1, 1:-1].abs().max() < 1e-12


@in_float64
def test_r3gans_last_map_is_weighted_pixel_by_pixel():
    _, discriminator = pair("r3gan", DIGITS)
    maps = discriminator.layers(torch.randn(2, *DIGITS))
    expected = (maps * discriminator.basis.weight[:, 0]).sum((2, 3))
    discriminator.layers = nn.Identity()
    assert_same(discriminator.features(maps), expected)


# Autoencoder


@pytest.mark.parametrize("image_shape", SHAPES)
def test_codes_and_reconstructions_have_their_shapes(image_shape):
    discriminator = AutoencoderDiscriminator(image_shape, width=4, code_dim=7)
    images = torch.randn(2, *image_shape)
    code = discriminator.encode(images)
    assert code.shape == (2, 7)
    assert discriminator.decode(code).shape == images.shape


@in_float64
@pytest.mark.parametrize("power", [1, 2])
def test_logits_are_minus_the_energy_which_is_each_images_mean_error(power):
    discriminator = AutoencoderDiscriminator((3, 28, 28), width=4, code_dim=7, power=power)
    images = torch.randn(3, 3, 28, 28)
    reconstructions = discriminator.decode(discriminator.encode(images))
    expected = [(abs(x - y) ** power).mean() for x, y in zip(images, reconstructions, strict=True)]
    assert_same(discriminator.energy(images, discriminator.encode(images)), torch.stack(expected))
    assert_same(discriminator(images), -torch.stack(expected))


@pytest.mark.parametrize("power", [1, 2])
def test_a_perfect_reconstruction_has_no_energy_and_an_error_of_two_has_two_to_the_power(power):
    discriminator = AutoencoderDiscriminator(DIGITS, width=4, code_dim=784, power=power)
    discriminator.encoder, discriminator.decoder = nn.Flatten(), nn.Unflatten(1, DIGITS)
    images = torch.rand(2, *DIGITS) * 2 - 1
    assert torch.equal(discriminator.energy(images, discriminator.encode(images)), torch.zeros(2))
    discriminator.decoder = nn.Sequential(nn.Hardtanh(-1, 1), nn.Unflatten(1, DIGITS))
    bright = torch.full((1, *DIGITS), 3.0)
    assert discriminator.energy(bright, discriminator.encode(bright)).item() == 2.0**power


def test_the_energy_is_in_float32_whatever_the_images_are():
    discriminator = AutoencoderDiscriminator(DIGITS, width=4, code_dim=7)
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator(torch.randn(2, *DIGITS).bfloat16()).dtype == torch.float32


# BEGAN


@pytest.mark.parametrize("image_size,maps", [(28, [28, 14, 7]), (32, [32, 16, 8]), (64, [64, 32, 16, 8])])
def test_began_halves_down_to_7_or_8_pixels(image_size, maps):
    """At each size two convolutions of stride 1, in G as in D's decoder."""
    assert sizes(image_size) == maps
    generator, discriminator = pair("began", (1, image_size, image_size))
    for network in (generator.layers[0], discriminator.decoder):
        seen, through = [], torch.randn(2, network[0].in_features)
        for layer in network:
            through = layer(through)
            if isinstance(layer, nn.Conv2d):
                seen.append(through.shape[2])
        assert seen == [size for size in maps[::-1] for _ in range(2)] + [image_size]


def test_the_generator_of_began_is_its_critics_decoder_squashed():
    generator = BEGANGenerator((3, 32, 32), latent_dim=10, num_classes=0, width=8).double()
    discriminator = BEGANDiscriminator((3, 32, 32), width=8, code_dim=10).double()
    discriminator.decoder.load_state_dict(generator.layers[0].state_dict())
    z = torch.randn(2, 10, dtype=torch.float64)
    torch.testing.assert_close(generator(z), discriminator.decode(z).tanh())


def test_the_encoder_of_began_gains_as_many_channels_at_each_size():
    convolutions = [layer for layer in BEGANDiscriminator((1, 64, 64), width=4).encoder if isinstance(layer, nn.Conv2d)]
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
    discriminator = BEGANDiscriminator(DIGITS, width=4, code_dim=7).double()
    images = torch.rand(3, *DIGITS, dtype=torch.float64) * 2 - 1
    expected = F.l1_loss(discriminator.decode(discriminator.encode(images)), images, reduction="none").mean((1, 2, 3))
    torch.testing.assert_close(discriminator(images), -expected)


# Several samples at once


@in_float64
def test_minibatch_std_of_identical_samples_is_zero():
    features = torch.randn(1, 5).expand(4, -1)
    result = MinibatchStd(4)(features)
    assert result.shape == (4, 6) and torch.equal(result[:, :5], features)
    # the number inside the square root that keeps its slope finite: sqrt(1e-8)
    assert result[:, 5].tolist() == pytest.approx([1e-4] * 4, rel=1e-9)


@in_float64
def test_minibatch_std_of_two_samples_is_half_their_mean_distance():
    a, b = torch.randn(2, 6)
    result = MinibatchStd(2)(torch.stack([a, b]))
    expected = ((a - b).square() / 4 + 1e-8).sqrt().mean().item()  # 1e-8 keeps the root's slope finite
    assert result[:, 6].tolist() == pytest.approx([expected] * 2, rel=1e-9)


@in_float64
def test_minibatch_std_sees_a_group_as_a_set_and_nothing_of_the_others():
    features, order = torch.randn(8, 5), torch.randperm(4)
    layer = MinibatchStd(4)
    before = layer(features)[:, 5]
    features[:4] = features[:4][order]
    features[4:] = 7.0
    after = layer(features)[:, 5]
    assert_same(after[:4], before[:4])
    assert before[:4].unique().numel() == 1 and not torch.allclose(after[4:], before[4:], atol=1e-3)


def test_minibatch_std_passes_gradients_even_where_samples_coincide():
    features = torch.ones(4, 3, requires_grad=True)
    MinibatchStd(2)(features).sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_packs_hold_every_image_once(count):
    images = torch.randn(6, 3, 4, 4)
    packs = pack(images, count)
    assert packs.shape == (6 // count, count * 3, 4, 4)
    assert torch.equal(packs.flatten(0, 1).unflatten(0, (6, 3)), images)
    assert torch.equal(packs[0, -3:], images[count - 1])
    assert torch.equal(packs.unflatten(1, (count, -1)).flatten(0, 1), images)


def test_batches_that_do_not_divide_are_refused_with_one_that_does():
    with pytest.raises(
        UserError, match="packing of 4 needs a batch that 4 divides, not 10 images; type data.batch_size=8"
    ):
        pack(torch.zeros(10, 1, 4, 4), 4)
    with pytest.raises(
        UserError, match="groups of 4 needs a batch that 4 divides, not 3 images; type data.batch_size=4"
    ):
        MinibatchStd(4)(torch.zeros(3, 2))
