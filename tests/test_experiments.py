"""The systems this project grew from: their networks, counted by hand, and the numbers their authors state."""

from itertools import pairwise

import pytest
import torch

from gan_lightning.config.compose import compose, options
from gan_lightning.config.schema import check
from gan_lightning.networks.layers import StretchedSigmoid
from tests.helpers import built, no_condition, run, sample

pytestmark = pytest.mark.slow


def dense(*sizes):
    """Weights and biases of fully connected layers."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def batch_norms(*channels):
    """Scales and offsets."""
    return 2 * sum(channels)


UPWARD = dense(96, 1024, 7 * 7 * 128) + (4 * 4 * 128 + 1) * 64 + (4 * 4 * 64 + 1) * 1
POOLED = (
    UPWARD + batch_norms(1024, 7 * 7 * 128, 64),
    (5 * 5 * 1 + 1) * 32 + (5 * 5 * 32 + 1) * 64 + dense(4 * 4 * 64, 1024, 1),
)
STRIDED = (UPWARD, (4 * 4 * 1 + 1) * 64 + (4 * 4 * 64 + 1) * 128 + dense(5 * 5 * 128, 1024, 1))

STUDY = ("comparative_vanilla", "comparative_lsgan", "comparative_dcgan_lsgan", "comparative_wgan_gp")
ADDITIONS = ("comparative_dcgan", "comparative_wgan")  # this project's, on the study's networks

PARAMETERS = {  # of the generator and the discriminator
    "digit_dcgan": (
        4 * 4 * (100 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 1) + 1,  # the output has a bias
        (4 * 4 * 1 + 1) * 64
        + 4 * 4 * (64 * 128 + 128 * 256 + 256 * 512)
        + batch_norms(128, 256, 512)
        + (4 * 4 * 512 + 1) * 1,
    ),
    "understanding_gan": (dense(100, 128, 256, 784), dense(784, 256, 128, 1)),
    **dict.fromkeys(
        ("mnist_mlp_bn", "fashion_mlp_bn"),
        (dense(100, 256, 512, 1024, 784) + batch_norms(256, 512, 1024), dense(784, 512, 256, 1)),
    ),
    "simple_gan": (dense(64, 256, 784), dense(784, 128, 1)),
    **dict.fromkeys(
        ("comparative_vanilla", "comparative_lsgan"), (dense(96, 1024, 1024, 784), dense(784, 256, 256, 1))
    ),
    **dict.fromkeys(("comparative_dcgan", "comparative_dcgan_lsgan", "comparative_wgan"), POOLED),
    "comparative_wgan_gp": STRIDED,
}

STATED = {  # loss, batch, latent, prior, shared fakes, rate, first beta, (epochs, generator steps)
    "digit_dcgan": ("NonSaturating", 128, 100, "normal", True, 2e-4, 0.5, (5, None)),
    "understanding_gan": ("NonSaturating", 64, 100, "normal", False, 2e-4, 0.9, (20, None)),
    "mnist_mlp_bn": ("NonSaturating", 32, 100, "normal", False, 2e-4, 0.5, (None, 15_000)),
    "fashion_mlp_bn": ("NonSaturating", 32, 100, "normal", False, 2e-4, 0.5, (None, 15_000)),
    "simple_gan": ("NonSaturating", 32, 64, "normal", True, 3e-4, 0.9, (50, None)),
    "comparative_vanilla": ("NonSaturating", 128, 96, "uniform", False, 1e-3, 0.5, (10, None)),
    "comparative_lsgan": ("LeastSquares", 128, 96, "uniform", False, 1e-3, 0.5, (10, None)),
    "comparative_dcgan_lsgan": ("LeastSquares", 128, 96, "uniform", False, 1e-3, 0.5, (5, None)),
    "comparative_dcgan": ("NonSaturating", 128, 96, "uniform", False, 1e-3, 0.5, (5, None)),
    "comparative_wgan": ("Wasserstein", 128, 96, "uniform", False, 1e-3, 0.5, (10, None)),
    "comparative_wgan_gp": ("Wasserstein", 128, 96, "uniform", False, 1e-3, 0.5, (6, None)),
}


def test_the_five_systems_can_be_named():
    assert set(STATED) == set(PARAMETERS) == set(SHAPED) <= set(options("experiment"))


@pytest.mark.parametrize("experiment", PARAMETERS)
def test_networks_have_the_parameters_of_the_described_ones(experiment):
    module = built(f"experiment={experiment}")
    counts = tuple(
        sum(parameter.numel() for parameter in network.parameters())
        for network in (module.generator, module.discriminator)
    )
    assert counts == PARAMETERS[experiment]
    images = module.generator(*module.sample_inputs(no_condition(2)))
    assert images.shape == ((2, 1, 64, 64) if experiment == "digit_dcgan" else (2, 1, 28, 28))
    assert module.discriminate(sample(images)).logits.shape == (2,)


LEAKY, SHALLOW, RELU, TANH = ("LeakyReLU", 0.2), ("LeakyReLU", 0.01), ("ReLU", 0), ("Tanh", None)
SHAPED = {  # activations in their order: of the generator, whether norms follow them, of the discriminator
    "digit_dcgan": ([RELU] * 4 + [TANH], False, [LEAKY] * 4),
    "understanding_gan": ([SHALLOW] * 2 + [TANH], False, [SHALLOW] * 2),
    **dict.fromkeys(
        ("mnist_mlp_bn", "fashion_mlp_bn"), ([LEAKY] * 3 + [("StretchedSigmoid", None)], True, [LEAKY] * 2)
    ),
    "simple_gan": ([SHALLOW, TANH], False, [SHALLOW]),
    **dict.fromkeys(("comparative_vanilla", "comparative_lsgan"), ([RELU] * 2 + [TANH], False, [SHALLOW] * 2)),
    **dict.fromkeys(
        ("comparative_dcgan", "comparative_dcgan_lsgan", "comparative_wgan", "comparative_wgan_gp"),
        ([RELU] * 3 + [TANH], None, [SHALLOW] * 3),
    ),
}


def activations(network):
    """Names and slopes of a network's activations; a LeakyReLU of slope 0 is a ReLU."""
    kinds = (torch.nn.LeakyReLU, torch.nn.ReLU, torch.nn.Tanh, torch.nn.Sigmoid, StretchedSigmoid)
    found = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.ReLU) or getattr(layer, "negative_slope", None) == 0:
            found.append(RELU)
        elif isinstance(layer, kinds):
            found.append((type(layer).__name__, getattr(layer, "negative_slope", None)))
    return found


@pytest.mark.parametrize("experiment", SHAPED)
def test_activations_are_the_described_ones(experiment):
    module = built(f"experiment={experiment}")
    of_generator, norm_after, of_discriminator = SHAPED[experiment]
    assert activations(module.generator) == of_generator
    assert activations(module.discriminator) == of_discriminator
    if norm_after is not None:
        kinds = [type(layer).__name__ for layer in module.generator.layers]
        pairs = [pair for pair in pairwise(kinds) if pair[1] == "BatchNorm1d"]
        assert pairs == [("LeakyReLU", "BatchNorm1d")] * (3 if norm_after else 0)


@pytest.mark.parametrize("experiment", ["mnist_mlp_bn", "fashion_mlp_bn"])
def test_the_authors_counts_are_met(experiment):
    """Keras counts batch norm's running mean and variance, and has no counter of batches."""
    module = built(f"experiment={experiment}")
    state = {name: value for name, value in module.generator.state_dict().items() if "num_batches_tracked" not in name}
    assert sum(value.numel() for value in state.values()) == 1_493_520
    assert sum(value.numel() for value in module.discriminator.parameters()) == 533_505
    assert any(isinstance(layer, StretchedSigmoid) for layer in module.generator.modules())


@pytest.mark.parametrize("experiment", STATED)
def test_numbers_are_the_stated_ones(experiment):
    cfg = compose(f"experiment={experiment}")
    check(cfg)
    model, adam = cfg.model, cfg.optimizer.generator
    assert adam == cfg.optimizer.discriminator
    assert adam._target_ == "torch.optim.Adam" and adam.betas[1] == 0.999
    found = (cfg.loss._target_.rpartition(".")[2], cfg.data.batch_size, model.latent_dim, model.prior)
    found += (cfg.updates.share_fakes, adam.lr, adam.betas[0], (cfg.trainer.max_epochs, cfg.max_generator_steps))
    assert found == STATED[experiment]
    assert model.ema_half_life is None and cfg.optimizer.scheduler is None and not cfg.updates.generator_first
    assert not cfg.annealing and not cfg.auxiliary


@pytest.mark.parametrize("experiment", STATED)
def test_data_are_the_stated_ones(experiment):
    data = compose(f"experiment={experiment}").data
    assert data._target_.rpartition(".")[2] == ("FashionMNIST" if experiment == "fashion_mlp_bn" else "MNIST")
    assert data.size == (64 if experiment == "digit_dcgan" else 28)
    if experiment in STUDY + ADDITIONS:  # the first 50,000
        assert (data.validation_images, data.validation_from) == (10_000, "end")


def test_what_is_not_in_the_study_says_so():
    described = {name: text for name, text in options("experiment").items() if name.startswith("comparative")}
    assert set(described) == {*STUDY, *ADDITIONS}
    for name, text in described.items():
        assert ("added to the comparative study by this project" in text) == (name in ADDITIONS)


@pytest.mark.parametrize("experiment", STATED)
def test_only_the_wasserstein_variants_constrain_the_critic(experiment):
    cfg = compose(f"experiment={experiment}")
    assert cfg.updates.n_critic == (5 if experiment == "comparative_wgan" else 1)
    assert cfg.model.weight_clip == (0.01 if experiment == "comparative_wgan" else None)
    weights = {name: penalty.weight for name, penalty in cfg.penalty.items()}
    assert weights == ({"wgan_gp": 10} if experiment == "comparative_wgan_gp" else {})


def test_the_studys_wgan_has_strided_unpadded_convolutions_and_no_norms():
    module = built("experiment=comparative_wgan_gp")
    convolutions = [layer for layer in module.discriminator.modules() if isinstance(layer, torch.nn.Conv2d)]
    shapes = [(tuple(layer.weight.shape), layer.stride, layer.padding) for layer in convolutions]
    assert shapes == [((64, 1, 4, 4), (2, 2), (0, 0)), ((128, 64, 4, 4), (2, 2), (0, 0))]
    layers = [type(layer).__name__ for layer in (*module.generator.modules(), *module.discriminator.modules())]
    assert not [name for name in layers if "BatchNorm" in name or "MaxPool" in name]


def test_digit_dcgan_draws_its_weights_around_zero_and_has_biases_only_where_no_norm_may_follow():
    module = built("experiment=digit_dcgan")
    counts = [sum(it.numel() for it in network.parameters()) for network in (module.generator, module.discriminator)]
    assert counts == [12_650_497, 2_763_585]  # as the author's
    (bias,) = [it for name, it in module.generator.named_parameters() if name.endswith("bias")]
    assert bias.shape == (1,)
    weights = module.generator.layers[0].weight  # 1.6 million draws
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    norms = [layer for layer in module.discriminator.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [128, 256, 512]
    assert torch.cat([norm.weight for norm in norms]).mean().item() == pytest.approx(0, abs=0.005)  # 7 standard errors


def test_the_command_line_wins_over_the_experiment():
    cfg = compose("experiment=simple_gan", "data=mnist_5k", "loss=minimax", "data.batch_size=7", "trainer.max_epochs=1")
    assert cfg.data._target_.endswith("MNIST5k") and cfg.loss._target_.endswith("Minimax")
    assert (cfg.data.batch_size, cfg.trainer.max_epochs) == (7, 1)
    assert cfg.network.generator.hidden == [256]


def test_two_steps_of_the_smallest(tmp_path):
    folder = run(tmp_path / "run", "experiment=simple_gan", "max_generator_steps=2")
    status = folder.status()
    assert (status["state"], status["generator_steps"]) == ("finished", 2)
