import math

import pytest
import torch
from torch import nn

from gan_lightning.build import build
from gan_lightning.config.compose import compose, options
from gan_lightning.errors import UserError
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.dcgan import channels, resolutions
from gan_lightning.networks.layers import FlattenPixels, StretchedSigmoid, UnflattenPixels
from gan_lightning.networks.maxout import Maxout
from gan_lightning.networks.mlp import OUTPUT_LAYER, MLPGenerator
from tests.helpers import assert_same, in_float64, pair

SHAPES = [(1, 28, 28), (3, 28, 28), (1, 32, 32), (3, 32, 32), (1, 64, 64), (3, 64, 64)]


@pytest.mark.slow
@pytest.mark.parametrize("network", options("network"))
@pytest.mark.parametrize("image_shape", SHAPES)
def test_shapes_and_ranges(network, image_shape):
    generator, discriminator = pair(network, image_shape)
    for parameter in generator.parameters():  # weights that start small stay in the middle of the range
        parameter.data += 0.3 * torch.randn_like(parameter)
    images = generator(torch.randn(3, 10))
    assert images.shape == (3, *image_shape)
    assert -1 <= images.min() < -0.3 and 0.3 < images.max() <= 1
    assert discriminator(images).shape == (3,)


def test_infogans_networks_are_the_papers():
    """Appendix C.1: 74 numbers, fully connected to 1,024 and to 7x7x128, convolutions to 64 and 1; D likewise."""
    cfg = compose("network=infogan").network
    generator = build(cfg.generator, image_shape=(1, 28, 28), latent_dim=62, num_classes=12)
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    shapes = [tuple(layer.weight.shape) for layer in generator.modules() if isinstance(layer, kinds)]
    assert shapes == [(1024, 74), (7 * 7 * 128, 1024), (128, 64, 4, 4), (64, 1, 4, 4)]
    discriminator = build(cfg.discriminator, image_shape=(1, 28, 28))
    shapes = [tuple(layer.weight.shape) for layer in discriminator.modules() if isinstance(layer, kinds)]
    assert shapes == [(64, 1, 4, 4), (128, 64, 4, 4), (1024, 7 * 7 * 128), (1, 1024)]


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_a_dcgan_generator_may_have_fully_connected_layers_in_front(norm):
    cfg = compose("network=dcgan", "network.generator.hidden=[16,24]", f"network.generator.norm={norm}").network
    generator = build(cfg.generator, image_shape=(1, 28, 28), latent_dim=10, num_classes=0)
    widths = [(layer.in_features, layer.out_features) for layer in generator.modules() if isinstance(layer, nn.Linear)]
    assert widths == [(10, 16), (16, 24), (24, 2 * cfg.generator.width * 7**2)]
    assert generator(torch.randn(3, 10)).shape == (3, 1, 28, 28)


HEADS = sorted(set(options("network")) - {"autoencoder", "began"})  # whose logits are minus an energy


@in_float64
@pytest.mark.parametrize("network", HEADS)
def test_logits_are_not_squashed(network):
    """No network ends in a sigmoid: scaling the last layer scales the logits."""
    _, discriminator = pair(network, (1, 28, 28))
    discriminator.eval()
    images = torch.rand(4, 1, 28, 28) * 2 - 1
    before = discriminator(images)
    with torch.no_grad():
        for parameter in discriminator.head.parameters():
            parameter.mul_(1000)
    assert_same(discriminator(images), before * 1000)


@pytest.mark.parametrize("network", options("network"))
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_without_batch_norm_samples_are_independent(network, norm):
    """In training mode: batch norm would join them there only."""
    _, discriminator = pair(network, (1, 28, 28), norm=norm)
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    (gradients,) = torch.autograd.grad(discriminator(images)[0], images)
    assert gradients[0].abs().sum() > 0
    assert gradients[1:].abs().sum() == 0


@pytest.mark.parametrize("network", options("network"))
def test_with_batch_norm_they_are_not(network):
    _, discriminator = pair(network, (1, 28, 28), norm="batch")
    for parameter in discriminator.parameters():  # blocks that start at 0 hide their norm
        nn.init.normal_(parameter, 0.0, 0.3)
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    (gradients,) = torch.autograd.grad(discriminator(images)[0], images)
    assert gradients[1:].abs().sum() > 0


@in_float64
@pytest.mark.parametrize("network", HEADS)
def test_every_discriminator_is_a_linear_head_on_features(network):
    _, discriminator = pair(network, (3, 28, 28))
    discriminator.eval()
    images = torch.rand(4, 3, 28, 28) * 2 - 1
    features = discriminator.features(images)
    assert isinstance(discriminator.head, nn.Linear)
    assert features.shape == (4, discriminator.head.in_features) and discriminator.head.out_features == 1
    logits = features @ discriminator.head.weight[0] + discriminator.head.bias
    assert_same(discriminator(images), logits)


@pytest.mark.parametrize("network", HEADS)
def test_under_autocast_the_head_computes_in_float32(network):
    _, discriminator = pair(network, (1, 28, 28))
    discriminator.eval()  # no dropout: features are the same twice
    images = torch.rand(4, 1, 28, 28) * 2 - 1
    with torch.autocast("cpu", torch.bfloat16):
        features, logits = discriminator.features(images), discriminator(images)
    assert features.dtype == torch.bfloat16 and logits.dtype == torch.float32
    assert torch.equal(logits, discriminator.head(features.float()).squeeze(1))


@pytest.mark.parametrize("network", options("network"))
def test_logits_of_a_discriminator_in_float64_are_in_float64(network):
    _, discriminator = pair(network, (1, 28, 28))
    assert discriminator.double()(torch.rand(4, 1, 28, 28, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("network", options("network"))
def test_a_generator_for_classes_reads_the_label_behind_z(network):
    cfg = compose(f"network={network}").network.generator
    plain, labelled = (
        build(cfg, image_shape=(1, 28, 28), latent_dim=latent_dim, **facts)
        for latent_dim, facts in ((13, {"num_classes": 0}), (10, {"num_classes": 3}))
    )
    assert labelled.load_state_dict(plain.state_dict()) and labelled(torch.randn(2, 13)).shape == (2, 1, 28, 28)


def test_dcgan_halves_down_to_7_or_4_pixels():
    assert resolutions(28) == [28, 14, 7]
    assert resolutions(32) == [32, 16, 8, 4]
    assert resolutions(64) == [64, 32, 16, 8, 4]
    assert channels((3, 64, 64), 64) == [3, 64, 128, 256, 512]
    with pytest.raises(UserError, match="images of 50 pixels cannot be halved"):
        resolutions(50)


def test_levels_may_be_asked_for_and_only_5x5_kernels_halve_odd_sizes():
    assert resolutions(28, kernel=5, levels=3) == [28, 14, 7, 4]
    assert resolutions(28, kernel=5, levels=4) == [28, 14, 7, 4, 2]
    assert resolutions(64, levels=2) == [64, 32, 16]
    for size, kernel, levels in ((28, 4, 3), (28, 5, 5), (32, 5, 5)):
        with pytest.raises(UserError, match=f"levels={levels} halves images of {size} pixels to .*: type a smaller"):
            resolutions(size, kernel, levels)


def dcgan(**options):
    """The DCGAN pair for 28 pixels and z of 128, built with some options (D has no `output`)."""
    paper = [
        f"network.{network}.{key}" for network in ("generator", "discriminator") for key in ("width=64", "hidden=[]")
    ]
    cfg = compose("network=dcgan", *paper).network
    of_discriminator = {key: value for key, value in options.items() if key != "output"}
    generator = build(cfg.generator, image_shape=(1, 28, 28), latent_dim=128, num_classes=0, **options)
    return generator, build(cfg.discriminator, image_shape=(1, 28, 28), **of_discriminator)


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
    images = generator(torch.randn(3, 128))
    assert sizes == [7, 14, 28] and critic(images).shape == (3,)
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
    generator, discriminator = (
        build(node, bias=False, image_shape=(1, 28, 28), **facts)
        for node, facts in zip(
            compose("network=dcgan").network.values(), ({"latent_dim": 10, "num_classes": 0}, {}), strict=True
        )
    )
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


@in_float64
def test_a_stretched_sigmoid_is_twice_the_sigmoid_less_one():
    x = torch.linspace(-20, 20, 101)
    assert_same(StretchedSigmoid()(x), 2 * torch.sigmoid(x) - 1)


def test_the_norm_stands_where_the_mlp_is_told():
    for norm_after, order in (
        (False, [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU]),
        (True, [nn.Linear, nn.LeakyReLU, nn.BatchNorm1d]),
    ):
        layers = MLPGenerator((1, 28, 28), 10, 0, [5, 6], norm_after=norm_after, output="sigmoid").layers
        assert [type(layer) for layer in layers[:-1]] == [*order, *order, nn.Linear, StretchedSigmoid]


def test_xavier_weights_fill_the_bound_of_their_fans():
    torch.manual_seed(0)
    generator, discriminator = pair("conv_pool", (1, 28, 28))
    linear, transposed = generator.layers[3], generator.layers[7]
    for layer, fans in ((linear, 1024 + 7 * 7 * 128), (transposed, 16 * (128 + 64)), (discriminator.head, 1024 + 1)):
        bound = math.sqrt(6 / fans)
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.02)  # of 1,024 draws or more
        assert layer.weight.abs().max() <= bound
        assert layer.weight.mean().item() == pytest.approx(0, abs=6 * bound / math.sqrt(3 * layer.weight.numel()))


@in_float64
def test_maxout_is_the_largest_of_its_pieces():
    layer = Maxout(3, units=2, pieces=4)
    x = torch.randn(5, 3)
    pieces = (x @ layer.linear.weight.T + layer.linear.bias).view(5, 2, 4)
    assert_same(layer(x), pieces.max(2).values)


@in_float64
@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_the_2014_generator_starts_at_the_mean_image(output):
    cfg = compose("network=maxout_mlp", f"network.generator.output={output}").network
    generator = build(cfg.generator, image_shape=(1, 28, 28), latent_dim=10, num_classes=0)
    images = torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8)
    generator.fit_to_data(images)
    with torch.no_grad():
        generator.layers[OUTPUT_LAYER].weight.zero_()  # only the output bias speaks
    expected = images.double().mean(0) / 127.5 - 1
    assert_same(generator(torch.zeros(1, 10))[0], expected)


def test_parameter_counts():
    """The fully connected pair of conf/network/mlp.yaml, counted by hand with z of 100."""
    generator, discriminator = pair("mlp", (1, 28, 28), latent_dim=100)
    linear = [(100, 256), (256, 512), (512, 1024), (1024, 784)]
    expected = sum(i * o + o for i, o in linear) + 2 * (256 + 512 + 1024)
    assert sum(p.numel() for p in generator.parameters()) == expected
    assert sum(p.numel() for p in discriminator.parameters()) == 533_505


def test_without_norms_the_signal_keeps_its_scale():
    """He's weights keep the second moment of pre-activations; N(0, 0.02) would divide it by a hundred or more."""
    torch.manual_seed(0)
    for norm, low, high in (("none", 1.4, 2.1), ("batch", 0.0045, 0.0067)):  # 2 and 16 * 0.02^2, less the padding
        _, discriminator = pair("dcgan", (1, 28, 28), norm=norm)
        images = torch.randn(256, 1, 28, 28)
        convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
        assert low < convolutions[0](images).square().mean() < high


def test_pixel_by_pixel_vectors_are_channels_last_maps_as_they_lie_in_memory():
    maps = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    vectors = FlattenPixels()(maps)
    assert vectors.data_ptr() == maps.data_ptr()  # nothing was copied
    assert torch.equal(vectors[1, :3], maps[1, :, 0, 0])
    back = UnflattenPixels(3, 4)(vectors)
    assert torch.equal(back, maps) and back.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("image_size,attended", [(28, 14), (32, 16), (64, 16)])
def test_sagans_networks_attend_to_the_middle_maps_once(image_size, attended):
    seen = []
    networks = pair("sagan", (1, image_size, image_size))
    for network in networks:
        (attention,) = [module for module in network.modules() if isinstance(module, SelfAttention)]
        attention.register_forward_hook(lambda _, inputs, maps: seen.append((inputs[0].shape[2:], maps.shape[2:])))
    generator, discriminator = networks
    assert discriminator(generator(torch.randn(2, 10))).shape == (2,)
    assert seen == [((attended,) * 2, (attended,) * 2)] * 2
