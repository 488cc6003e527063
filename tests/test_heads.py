"""What is put on a discriminator: projections, auxiliary outputs, spectral norm, minibatch standard deviation."""

import pytest
import torch
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.errors import UserError
from gan_lightning.networks.heads import AuxiliaryHead, LabelChannel, ProjectionHead, head_of, unwrapped
from gan_lightning.networks.resnet import ConditionalBatchNorm
from tests.helpers import assert_same, built, in_float64, no_condition, pair
from tests.training import batch


@in_float64
def test_a_projection_is_the_head_plus_an_inner_product():
    module = built("model=projection", "model.spectral_norm=false")
    real, _ = batch(module)
    critic = module.discriminator
    features = critic.discriminator.features(real.x, real.y)
    labels = real.y.argmax(1)
    expected = critic.discriminator.head(features).squeeze(1) + (critic.embedding.weight.T[labels] * features).sum(1)
    assert_same(module.discriminate(real).logits, expected)


@in_float64
@pytest.mark.parametrize("network", ["dcgan", "mlp"])
def test_a_projection_starts_small(network):
    """E<e, h>^2 = |h|^2 / F * 0.1^2: the first logits are nearly those of an unconditional discriminator."""
    torch.manual_seed(0)
    _, discriminator = pair(network, (1, 28, 28))
    head = ProjectionHead(discriminator, 1000)
    features = torch.randn(1, head_of(discriminator).in_features)
    features = features / features.square().mean().sqrt()
    products = head.projection(features.expand(1000, -1), torch.eye(1000))
    assert products.std().item() == pytest.approx(0.1, rel=0.1)  # of 1,000 embeddings, from a fixed seed


@in_float64
def test_a_label_channel_is_the_plane_of_the_label_beside_the_image():
    module = built("model=cgan", "network.discriminator.norm=none")
    real, _ = batch(module)
    critic = module.discriminator
    planes = critic.planes.weight.T[real.y.argmax(1)].reshape(-1, 1, 28, 28)
    assert_same(module.discriminate(real).logits, critic.discriminator(torch.cat([real.x, planes], 1), real.y).logits)


@in_float64
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_wrappers_stand_around_each_other_in_any_order(order):
    """Label channel, projection and auxiliary output: the logits are those of the same weights in any order."""
    _, network = pair("mlp", (2, 28, 28))  # images of one channel and the label's
    x, y = torch.randn(5, 1, 28, 28), torch.eye(10)[:5]
    wrap = [
        lambda inner: LabelChannel(inner, 10, (1, 28, 28)),
        lambda inner: ProjectionHead(inner, 10),
        lambda inner: AuxiliaryHead(inner, 3),
    ]
    critic = network
    for index in order:
        critic = wrap[index](critic)
    parts = {type(part): part for part in critic.modules()}
    images = torch.cat([x, parts[LabelChannel].planes(y).reshape(5, 1, 28, 28)], 1)
    features = network.features(images, y)
    projection = (parts[ProjectionHead].embedding(y) * features).sum(1)
    assert unwrapped(critic) is network and head_of(critic) is network.head
    assert_same(critic(x, y).logits, network.head(features).squeeze(1) + projection)
    if order[-1] == 2:
        assert_same(critic(x, y).aux, parts[AuxiliaryHead].aux(features))


@torch.no_grad()
def in_bfloat16(module):
    """The output on some images in eval mode under autocast, their condition, and the features it comes from."""
    real, _ = batch(module.eval())
    with torch.autocast("cpu", torch.bfloat16):
        return module.discriminate(real), real.y, module.discriminator.discriminator.features(real.x, real.y)


def test_under_autocast_a_projection_is_computed_in_float32():
    module = built("model=projection")
    output, y, features = in_bfloat16(module)
    expected = module.discriminator.discriminator.logits(features, y) + module.discriminator.projection(
        features.float(), y
    )
    assert features.dtype == torch.bfloat16 and torch.equal(output.logits, expected)


@pytest.mark.parametrize("model", ["acgan", "infogan"])
def test_under_autocast_an_auxiliary_output_is_computed_in_float32(model):
    module = built(f"model={model}")
    output, _, features = in_bfloat16(module)
    assert features.dtype == torch.bfloat16
    assert torch.equal(output.aux, module.discriminator.aux(features.float()))


# Spectral norm


@pytest.mark.parametrize("name", ["discriminator", "generator"])
def test_spectral_norm_bounds_every_layer_and_rests_in_eval_mode(name):
    both = ["model.spectral_norm=true", "model.generator_spectral_norm=true"]
    module = built("model=hinge", "network=mlp", *both)
    network = getattr(module, name)
    inputs = torch.rand(4, 1, 28, 28) if name == "discriminator" else module.prior.sample(4, module.device)
    for _ in range(60):
        network(inputs, no_condition(4))
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert len(layers) == (3 if name == "discriminator" else 4)
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, rel=0.02)
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(inputs, no_condition(4))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_spectral_norm_divides_layers_and_spares_the_gains_of_norms():
    module = built("model=sagan", "network=resnet", "network.generator.norm=conditional")
    layers = [m for m in module.generator.modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d))]
    norms = [m for m in module.generator.modules() if isinstance(m, ConditionalBatchNorm)]
    assert layers and all(is_parametrized(layer) for layer in layers)
    assert norms and not any(is_parametrized(norm) for norm in norms)
    assert is_parametrized(module.discriminator.embedding)


def test_spectral_norm_of_zero_weights_is_refused():
    with pytest.raises(UserError, match="R3GANDiscriminator's start at zero; .* or model.spectral_norm=false"):
        built("network=r3gan", "model.spectral_norm=true")
    with pytest.raises(UserError, match="type network=resnet, or model.generator_spectral_norm=false"):
        built("network=r3gan", "model.generator_spectral_norm=true")


# Minibatch standard deviation


@in_float64
def test_minibatch_std_leaves_what_the_head_makes_of_the_other_features_alone():
    plain, wider = (built("network=resnet", f"model.minibatch_std={word}").discriminator for word in ("false", "true"))
    wider.blocks.load_state_dict(plain.blocks.state_dict())
    head = wider.head[1]
    assert head.in_features == plain.head.in_features + 1
    with torch.no_grad():
        head.weight[:, -1] = 0
        images = torch.rand(8, 1, 28, 28)
        assert_same(wider(images, no_condition(8)).logits, plain(images, no_condition(8)).logits)
    with pytest.raises(UserError, match="BEGANDiscriminator has no head.*; type model.minibatch_std=false"):
        built("model=began", "model.minibatch_std=true")


def test_minibatch_std_shows_the_critic_a_collapse():
    module = built("model.minibatch_std=true", "network.discriminator.norm=none")
    one = torch.rand(1, 1, 28, 28).expand(8, -1, -1, -1)
    head, y = module.discriminator.head, no_condition(8)
    varied = head[0](module.discriminator.features(torch.rand(8, 1, 28, 28), y))[:, -1]
    assert head[0](module.discriminator.features(one, y))[:, -1].max() < 1e-3 < varied.min()
