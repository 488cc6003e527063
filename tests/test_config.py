"""Every yaml composes and is checked; every mistake gets an error that names the alternatives."""

import itertools
import re

import pytest
from omegaconf import OmegaConf
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.__main__ import run_command, split_command
from gan_lightning.config.compose import compose, describe, groups, options, top_level_keys
from gan_lightning.config.messages import CONFIG_ERRORS, explain
from gan_lightning.config.schema import check
from gan_lightning.errors import UserError
from gan_lightning.training.ending import longer
from gan_lightning.training.precision import bfloat16_is_faster, choose_precision
from gan_lightning.training.run import trainer_options
from tests.helpers import built, run

CHOICES = [(group, choice) for group in groups() for choice in options(group)]


@pytest.mark.slow
@pytest.mark.parametrize("group,choice", CHOICES)
def test_every_choice_composes_passes_the_check_and_is_described(group, choice):
    cfg = compose(f"{group}={choice}")
    check(cfg)
    assert set(cfg) == set(top_level_keys())


def test_every_choice_has_a_description_of_one_line():
    for group, choice in CHOICES:
        assert 5 < len(options(group)[choice]) < 130, f"{group}={choice} needs a first comment line"


UNPACKED = sorted(set(options("model")) - {"pacgan"})  # a pack's penalty would be no single image's


@pytest.mark.slow
@pytest.mark.parametrize("model,penalty", itertools.product(UNPACKED, options("penalty")))
def test_every_model_takes_every_penalty_once_its_critic_has_no_batch_norm(model, penalty):
    built(f"model={model}", f"penalty={penalty}", "network.discriminator.norm=layer").configure_optimizers()


def adam(rate, first=0.5, second=0.999):
    return "Adam", rate, (first, second)


def both(optimizer):
    """The same for G and for D."""
    return optimizer, optimizer


SLOW, NO_MOMENTUM = adam(1e-4, 0.5, 0.9), adam(2e-4, 0.0, 0.9)

PUBLISHED = sorted(name.removeprefix("paper/") for name in options("experiment") if name.startswith("paper/"))

RECIPES = {  # batch, prior, latent, n_critic, clip; the optimizers of G and D: rate, momentum or betas
    "gan": (100, "uniform_unit_variance", 100, 1, None, ("SGD", 0.1, 0.5), ("SGD", 0.05, 0.5)),
    "lsgan": (64, "uniform", 100, 1, None, *both(adam(2e-4))),
    "dcgan": (128, "uniform", 100, 1, None, *both(adam(2e-4))),
    "wgan": (64, "normal", 100, 5, 0.01, *both(("RMSprop", 5e-5, None))),
    "wgan_gp": (50, "normal", 128, 5, None, *both(SLOW)),
    "wgan_lp": (50, "normal", 128, 5, None, *both(SLOW)),
    "wgan_div": (50, "normal", 128, 5, None, *both(SLOW)),
    "dragan": (128, "uniform", 100, 1, None, *both(SLOW)),
    "sngan": (64, "normal", 128, 5, None, *both(NO_MOMENTUM)),
    "hinge": (64, "normal", 100, 1, None, *both(adam(2e-4))),
    "ragan": (64, "normal", 100, 1, None, *both(adam(2e-4))),
    "r1gan": (64, "normal", 256, 1, None, *both(("RMSprop", 1e-4, None))),
    "r3gan": (512, "normal", 64, 1, None, *both(NO_MOMENTUM)),
    "pacgan": (128, "uniform", 100, 1, None, *both(adam(2e-4))),
    "cgan": (100, "uniform_unit_variance", 100, 1, None, ("SGD", 0.1, 0.5), ("SGD", 0.05, 0.5)),
    "acgan": (100, "normal", 100, 1, None, *both(adam(2e-4))),
    "projection": (64, "normal", 128, 5, None, *both(NO_MOMENTUM)),
    "infogan": (128, "uniform", 62, 1, None, adam(1e-3), adam(2e-4)),
    "ebgan": (64, "uniform", 100, 1, None, *both(adam(2e-4))),
    "began": (16, "uniform", 64, 1, None, *both(adam(8e-5, 0.9))),
    "sagan": (256, "normal", 128, 1, None, adam(1e-4, 0.0, 0.9), adam(4e-4, 0.0, 0.9)),
}


def numbers_of(optimizer):
    momentum = tuple(optimizer.betas) if "betas" in optimizer else optimizer.get("momentum")
    return optimizer._target_.rpartition(".")[2], optimizer.lr, momentum


def test_every_model_has_its_published_recipe():
    assert set(PUBLISHED) == set(options("model")) == set(RECIPES) == set(MODELS) == set(BUDGETS) == set(LAYERS)


@pytest.mark.parametrize("model", PUBLISHED)
def test_recipes_are_the_published_ones(model):
    cfg = compose(f"experiment=paper/{model}")
    check(cfg)
    recipe = (cfg.data.batch_size, cfg.model.prior, cfg.model.latent_dim, cfg.updates.n_critic, cfg.model.weight_clip)
    optimizers = (cfg.optimizer.generator, cfg.optimizer.discriminator)
    assert (*recipe, *map(numbers_of, optimizers)) == RECIPES[model]


COMMON = {  # what most models share; a pair of names is of G and of D
    "networks": ("DCGANGenerator", "DCGANDiscriminator"), "norms": ("batch", "batch"),
    "loss": "NonSaturating", "penalties": {}, "spectral_norm": False, "generator_spectral_norm": False, "pack": 1,
    "minibatch_std": False, "share_fakes": False, "generator_batch": 1, "generator_first": False,
    "scheduler": None, "ema_half_life": None, "compile": None, "attention": False,
    "conditioning": ("Unconditional", {}), "auxiliary": {}, "annealing": {}, "updates": "Alternating",
    "algorithm": "gan_lightning.models.GAN",
}  # fmt: skip
RESNETS = {"networks": ("ResNetGenerator", "ResNetDiscriminator"), "norms": ("batch", "none")}
MAXOUT = {"networks": ("MaxoutGenerator", "MaxoutDiscriminator"), "norms": ("none", "none")}
AUTOENCODER = {"networks": ("DCGANGenerator", "AutoencoderDiscriminator"), "norms": ("batch", "none")}
NO_NORMS, CRITIC_WITHOUT_NORM = {"norms": ("none", "none")}, {"norms": ("batch", "none")}
AS_IN_2014 = MAXOUT | {
    "share_fakes": True,
    "generator_first": True,
    "scheduler": ("ExponentialLR", {"gamma": 1 - 4e-6}),
}
HINGE = {"loss": "Hinge", "spectral_norm": True}


def conditional(discriminator):
    """Conditional on the class, D in some way."""
    return {"conditioning": ("ClassLabels", {"discriminator": discriminator})}


TO_ZERO = ("LinearLR", {"start_factor": 1, "end_factor": 0, "total_iters": 50_000})

MODELS = {  # what makes a model that model
    "gan": AS_IN_2014,
    "lsgan": {"share_fakes": True, "loss": "LeastSquares", "loss.a": 0, "loss.b": 1, "loss.c": 1},
    "dcgan": {},
    "wgan": {"updates": "WGANWarmup", "loss": "Wasserstein"},
    "wgan_gp": NO_NORMS | {"loss": "Wasserstein", "penalties": {"WGANGP": {"weight": 10}}},
    "wgan_lp": NO_NORMS | {"loss": "Wasserstein", "penalties": {"WGANLP": {"weight": 10}}},
    "wgan_div": NO_NORMS | {"loss": "Wasserstein", "penalties": {"WGANDiv": {"k": 2, "p": 6}}},
    "dragan": NO_NORMS | {"networks": ("MLPGenerator", "MLPDiscriminator"), "penalties": {"DRAGAN": {"weight": 10}}},
    "sngan": RESNETS | HINGE | {"generator_batch": 2, "scheduler": TO_ZERO},
    "hinge": CRITIC_WITHOUT_NORM | HINGE,
    "ragan": {"loss": "RelativisticAverage"},
    "r1gan": RESNETS | NO_NORMS | {"penalties": {"R1": {"gamma": 20}}, "ema_half_life": 44_000},
    "r3gan": NO_NORMS
    | {"networks": ("R3GANGenerator", "R3GANDiscriminator"), "loss": "RelativisticPairing"}
    | {"penalties": {"R1": {"gamma": 1}, "R2": {"gamma": 1}}, "ema_half_life": 500_000}
    | {"annealing": {"BurnIn": {"images": 2_000_000, "final_rate": 1, "final_gamma": 0.1, "final_beta2": 0.99}}},
    "pacgan": {"pack": 2, "share_fakes": True},
    "cgan": AS_IN_2014 | conditional("channel"),
    "acgan": conditional("none") | {"auxiliary": {"Classification": {"weight": 1, "on_fakes": True}}},
    "projection": RESNETS
    | HINGE
    | conditional("projection")
    | {"norms": ("conditional", "none"), "generator_batch": 2},
    "infogan": {
        "conditioning": ("LatentCodes", {"categories": 10, "continuous": 2}),
        "auxiliary": {"MutualInformation": {"category_weight": 1, "continuous_weight": 1}},
    },
    "ebgan": AUTOENCODER | {"loss": "EnergyMargin", "loss.margin": 1, "auxiliary": {"PullingAway": {"weight": 0.1}}},
    "began": NO_NORMS
    | {"networks": ("BEGANGenerator", "BEGANDiscriminator"), "loss": "BEGAN", "loss.gamma": 0.5, "loss.rate": 0.001}
    | {"share_fakes": True, "generator_first": True}
    | {"scheduler": ("StepLR", {"step_size": 100_000, "gamma": 0.5})},
    "sagan": RESNETS
    | HINGE
    | conditional("projection")
    | {"norms": ("conditional", "none"), "generator_spectral_norm": True}
    | {"attention": True},
}
IN_RECIPES = {"latent_dim", "prior", "n_critic", "weight_clip"}


def named(node):
    """The class a node of the configuration makes, and what it is given."""
    return node._target_.rpartition(".")[2], {key: node[key] for key in node if not key.startswith("_")}


def described(cfg):
    """A composed model, as COMMON and MODELS write it."""
    networks = cfg.network.generator, cfg.network.discriminator
    (loss, of_loss), (updates, of_updates) = named(cfg.loss), named(cfg.updates)
    return {
        **{key: value for key, value in (named(cfg.model)[1] | of_updates).items() if key not in IN_RECIPES},
        "updates": updates,
        "conditioning": named(cfg.conditioning),
        **{group: dict(named(part) for part in cfg[group].values()) for group in ("auxiliary", "annealing")},
        "networks": tuple(named(network)[0] for network in networks),
        "norms": tuple(network.norm for network in networks),
        "attention": all(network.get("attention", False) for network in networks),
        "loss": loss,
        **{f"loss.{key}": value for key, value in of_loss.items()},
        "penalties": dict(named(penalty) for penalty in cfg.penalty.values() if penalty),
        "scheduler": named(cfg.optimizer.scheduler) if cfg.optimizer.scheduler else None,
    }


@pytest.mark.parametrize("model", PUBLISHED)
def test_models_are_the_published_ones(model):
    assert described(compose(f"experiment=paper/{model}")) == COMMON | MODELS[model]


BUDGETS = dict.fromkeys(RECIPES) | {  # what the authors say of it
    "wgan": ("max_epochs", 25),
    **dict.fromkeys(("wgan_gp", "wgan_lp", "wgan_div", "dragan"), ("max_generator_steps", 200_000)),
    "sngan": ("max_generator_steps", 50_000),
    "projection": ("max_generator_steps", 450_000),
    "pacgan": ("max_generator_steps", 100_000),
    "infogan": ("max_generator_steps", 5_000),
    "began": ("max_generator_steps", 500_000),
    "r3gan": ("max_images", 10_000_000),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_budgets_are_the_published_ones_or_none(model):
    cfg = compose(f"experiment=paper/{model}")
    limits = {"max_generator_steps": cfg.max_generator_steps, "max_images": cfg.max_images}
    limits |= {"max_epochs": cfg.trainer.max_epochs, "max_time": cfg.trainer.max_time}
    spent = [(name, limit) for name, limit in limits.items() if limit is not None]
    assert spent == [BUDGETS[model]] if BUDGETS[model] else not spent


BOTH_NARROW = {"hidden": [], "width": 64, "init": "normal", "kernel": 4, "levels": None, "bias": True}
OF_THE_SCRIPT = BOTH_NARROW | {"init": "glorot_he", "kernel": 5, "levels": 3}
LAYERS = {  # what the networks are besides their classes and norms: of G and, where others, of D
    **dict.fromkeys(
        ("gan", "cgan"),
        (
            {"hidden": [1200, 1200], "slope": 0, "output": "sigmoid", "init_bound": 0.05},
            {"hidden": [240, 240], "pieces": 5, "input_dropout": 0.2, "hidden_dropout": 0.5, "init_bound": 0.005},
        ),
    ),
    **dict.fromkeys(("lsgan", "ragan", "acgan"), (BOTH_NARROW,)),
    "hinge": (BOTH_NARROW, BOTH_NARROW | {"init": "he"}),
    "wgan": (BOTH_NARROW | {"bias": False},),
    "dcgan": (BOTH_NARROW | {"kernel": 5},),
    "pacgan": (BOTH_NARROW | {"kernel": 5, "levels": 4},),
    **dict.fromkeys(
        ("wgan_gp", "wgan_lp", "wgan_div"), (OF_THE_SCRIPT | {"output": "sigmoid"}, OF_THE_SCRIPT | {"slope": 0.2})
    ),
    "infogan": (
        BOTH_NARROW | {"hidden": [1024], "output": "sigmoid"},
        BOTH_NARROW | {"hidden": [1024], "slope": 0.1},
    ),
    "dragan": ({"hidden": [128], "slope": 0, "output": "sigmoid"}, {"hidden": [128], "slope": 0}),
    **dict.fromkeys(("sngan", "projection", "sagan", "r1gan"), ({"width": 64},)),
    "r3gan": ({"width": 288, "blocks": 2, "expansion": 2, "group_size": 16},),
    "ebgan": ({"width": 64}, {"width": 32, "code_dim": 64, "power": 2}),
    "began": ({"width": 64}, {"width": 64, "code_dim": 64}),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_networks_are_the_published_ones(model):
    networks = compose(f"experiment=paper/{model}").network
    for network, expected in zip((networks.generator, networks.discriminator), LAYERS[model] * 2, strict=False):
        assert {key: network[key] for key in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize("model", PUBLISHED)
def test_published_recipes_can_be_built(model):
    built(f"experiment=paper/{model}", "data.batch_size=16").configure_optimizers()


def test_the_networks_of_r3gan_have_about_as_many_weights_as_their_authors():
    module = built("experiment=paper/r3gan", "data.batch_size=16")
    for network in (module.generator, module.discriminator):
        weights = sum(parameter.numel() for parameter in network.parameters())
        assert weights == pytest.approx(20.7e6, rel=0.25)


def test_the_command_line_wins_over_the_model_and_the_model_over_the_defaults():
    assert compose("model=wgan").loss._target_.endswith("Wasserstein")
    assert compose("loss=least_squares", "model=wgan").loss._target_.endswith("LeastSquares")
    assert compose("model=wgan", "loss=least_squares").loss._target_.endswith("LeastSquares")
    assert compose("model=wgan", "data.batch_size=7").data.batch_size == 7


def message(*overrides):
    """The error a command line gets, before any data is read."""
    try:
        check(compose(*overrides))
    except UserError as error:
        return str(error)
    except CONFIG_ERRORS as error:
        return str(explain(error))
    raise AssertionError(f"{overrides} was accepted")


MISTAKES = {
    "modle=wgan": r"modle is not a valid option. Did you mean model\? Allowed: .*model, network",
    "model=wgan_pg": r"is not a valid choice. Did you mean wgan_lp\? Allowed: acgan, began, .*, wgan_gp, wgan_lp$",
    "logger=wandbb": r"is not a valid choice. Did you mean wandb\? Allowed: auto, csv, tensorboard, wandb",
    "data.batchsize=3": r"is not a valid option. Did you mean data.batch_size\? Allowed: balanced, batch_size",
    "trainer.max_epoch=1": r"trainer.max_epoch is not a valid option. Did you mean trainer.max_epochs\?",
    "optimizer.generator.lrr=1": r"Did you mean optimizer.generator.lr\? Allowed: betas, fused, lr",
    "callbacks.sample.images=3": r"callbacks.sample is not a valid option. Did you mean callbacks.samples\?",
    "experiment=paper/dcgann": r"is not a valid choice. Did you mean paper/dcgan\?.* paper/acgan,",
    "experiment=wgan_gp": r"experiment=wgan_gp is not a valid choice. Did you mean paper/wgan_gp\?",
    "hydra/job_logging=quit": r"is not a valid choice.* Allowed: default, disabled, none, run_folder",
    "penalty=null": r"Config group override must be a string or a list",
    "penalty=r3": r"is not a valid choice. Did you mean r\d\? Allowed: dragan, lecam, none, r1, r2, wgan_div",
    "penalty=[r1,lecan]": r"is not a valid choice. Did you mean lecam\? Allowed: dragan, lecam, none, r1, r2",
    "logger=[csv,wandbb]": r"is not a valid choice. Did you mean wandb\? Allowed: auto, csv, tensorboard, wandb",
    "augment=diffaugmet": r"is not a valid choice. Did you mean diffaugment\? Allowed: ada, diffaugment,",
    "penalty.weight=3": r"penalty.weight is not a valid option",
    "callbacks.samples.growth=0.5": r"growth=0.5 is not allowed: it should be greater than or equal to 1",
    "+foo=1": r"foo is not a valid option. Allowed: annealing, augment, auxiliary, callbacks, conditioning, data",
    "+updates.n_critics=1": r"updates.n_critics is not a valid option. Did you mean updates.n_critic\?",
    "data.batch_size=many": r"data.batch_size=many is not allowed: it should be a valid integer",
    "data.batch_size=0": r"data.batch_size=0 is not allowed: it should be greater than 0",
    "network.generator.width=-64": r"network.generator.width=-64 is not allowed: it should be greater than 0",
    "seed=-1": r"seed=-1 is not allowed: it should be greater than or equal to 0",
    "trainer.max_epochs=0": r"trainer.max_epochs=0 is not allowed: it should be greater than 0, or it should be -1",
    "max_images=0": r"max_images=0 is not allowed: it should be greater than 0",
    "model.prior=gaussian": r"model.prior=gaussian is not allowed: it should be 'normal', 'uniform' or 'uniform_unit_v",
    "network.generator.norm=bacth": r"it should be 'none', 'batch', 'layer' or 'instance'",
    "precision=fp8": r"precision=fp8 is not allowed: it should be 'auto', 'bf16' or 32",
    "model.ema_half_life=-5": r"model.ema_half_life=-5 is not allowed: it should be greater than 0",
    "callbacks.training_metrics.every_n_batches=0": r"every_n_batches=0 is not allowed: it should be greater than 0",
    "optimizer.generator._target_=torch.optim.Adm": r"torch.optim.Adm names nothing that can be imported",
    "optimizer.generator=null": r"optimizer.generator=None is not allowed",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_explained(mistake):
    assert re.search(MISTAKES[mistake], message(mistake))


CONVERTED = {  # what is typed, where it stands, and what it means
    "optimizer.generator.betas=[0,1]": ("optimizer.generator.betas", [0.0, 1.0]),
    "optimizer.discriminator.lr=1": ("optimizer.discriminator.lr", 1.0),
    "penalty.wgan_gp.weight=10": ("penalty.wgan_gp.weight", 10.0),
    "callbacks.samples.growth=2": ("callbacks.samples.growth", 2.0),
    "callbacks.samples.images='9'": ("callbacks.samples.images", 9),
    "network.generator.width=8.0": ("network.generator.width", 8),
    "network.generator.bias=no": ("network.generator.bias", False),
    "network.generator.hidden=['8',9.0]": ("network.generator.hidden", [8, 9]),
    "model.spectral_norm=no": ("model.spectral_norm", False),
    "model.spectral_norm=yes": ("model.spectral_norm", True),
    "updates.share_fakes=0": ("updates.share_fakes", False),
    "model.ema_half_life=500": ("model.ema_half_life", 500.0),
    "logger.wandb.required=off": ("logger.wandb.required", False),
    "trainer.sync_batchnorm=yes": ("trainer.sync_batchnorm", True),
    "trainer.max_epochs=3.0": ("trainer.max_epochs", 3),
    "max_images=100.0": ("max_images", 100),
    "seed=7.0": ("seed", 7),
    # left as they are, since the hint allows either: one batch is not all of them
    "+trainer.limit_train_batches=1": ("trainer.limit_train_batches", 1),
    "+trainer.limit_train_batches=1.0": ("trainer.limit_train_batches", 1.0),
    "data.dir=somewhere": ("data.dir", "somewhere"),
    "optimizer.scheduler=null": ("optimizer.scheduler", None),
}


@pytest.mark.parametrize("typed", CONVERTED)
def test_the_check_leaves_values_in_the_type_they_are_meant_in(typed):
    path, meant = CONVERTED[typed]
    cfg = compose("model=wgan_gp", "logger=wandb", typed)
    check(cfg)
    found = OmegaConf.select(cfg, path)
    found = OmegaConf.to_container(found) if OmegaConf.is_config(found) else found
    assert repr(found) == repr(meant)  # 1 == 1.0 == True


def test_a_configuration_is_converted_once():
    cfg = compose("model=wgan_gp", "model.spectral_norm=yes", "optimizer.generator.betas=[0,0.9]")
    check(cfg)
    once = OmegaConf.to_yaml(cfg)
    check(cfg)
    assert OmegaConf.to_yaml(cfg) == once


@pytest.mark.parametrize("word,normalised", [("no", False), ("off", False), ("yes", True), ("1", True)])
def test_a_yes_or_no_is_built_as_it_was_understood(word, normalised):
    module = built("network.discriminator.norm=none", f"model.spectral_norm={word}")
    assert is_parametrized(module.discriminator.head) == normalised


def test_integers_do_where_floats_are_meant_and_the_run_folder_says_what_was_used(tmp_path):
    words = ("betas=[0,0.9]", "lr=0")
    typed = [f"optimizer.{network}.{word}" for network in ("generator", "discriminator") for word in words]
    folder = run(
        tmp_path / "run", "model=wgan_gp", "penalty.wgan_gp.weight=10", "model.spectral_norm=no",
        "network.generator.width=8", "network.discriminator.width=8", "updates.n_critic=1.0",
        "max_generator_steps=2", *typed,
    )  # fmt: skip
    cfg = folder.config()
    assert folder.status()["generator_steps"] == 2
    found = [*cfg.optimizer.generator.betas, cfg.optimizer.discriminator.lr, cfg.penalty.wgan_gp.weight]
    assert repr([*found, cfg.updates.n_critic, cfg.model.spectral_norm]) == "[0.0, 0.9, 0.0, 10.0, 1, False]"


def test_a_penaltys_options_are_under_its_own_name():
    assert compose("model=wgan_gp", "penalty.wgan_gp.weight=3").penalty == {
        "wgan_gp": {"_target_": "gan_lightning.penalties.WGANGP", "weight": 3}
    }
    assert list(compose("model=wgan_gp", "penalty=[r1,r2]").penalty) == ["r1", "r2"]
    assert compose("model=wgan_gp", "penalty=none").penalty == compose("model=dcgan").penalty == {}


@pytest.mark.parametrize("name", options("penalty"))
def test_a_penaltys_name_is_its_files(name):
    assert set(compose(f"penalty={name}").penalty) == {name} - {"none"}


def test_wrong_options_of_a_penalty_are_explained():
    assert message("model=wgan_gp", "penalty.weight=3") == (
        "penalty.weight is not a valid option. Did you mean penalty.wgan_gp.weight? Allowed: wgan_gp"
    )
    too_small = message("model=wgan_gp", "penalty.wgan_gp.weight=-1.0")
    assert too_small == "penalty.wgan_gp.weight=-1.0 is not allowed: it should be greater than or equal to 0"


def test_numbers_of_a_loss_or_penalty_that_is_not_chosen_are_explained():
    words = ("experiment=paper/wgan_gp", "penalty=none")
    advice = r"penalty.wgan_gp has numbers.* leave penalty= out, or type ~penalty.wgan_gp, too"
    assert re.search(advice, message(*words))
    assert compose(*words, "~penalty.wgan_gp").penalty == {}
    mistake = message("experiment=paper/lsgan", "loss=hinge")
    assert re.search(r"loss.a is not a valid option.* where you did not type that, .* leave loss= out", mistake)


def test_a_wrong_key_inside_a_yaml_file_is_explained():
    cfg = compose()
    cfg.network.generator = {**cfg.network.generator, "widht": 64}
    with pytest.raises(
        UserError, match=r"generator.widht is not a valid option. Did you mean network.generator.width\?"
    ):
        check(cfg)


def test_optimizers_are_tried_before_training():
    with pytest.raises(UserError, match="optimizer.generator.*Invalid learning rate: -1"):
        built("optimizer.generator.lr=-1")


def test_a_missing_gpu_and_a_malformed_time_are_explained(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for accelerator in ("gpu", "multi_gpu"):
        with pytest.raises(UserError, match="accelerator=gpu, but torch .* sees no GPU; type accelerator=cpu"):
            trainer_options(compose(f"accelerator={accelerator}"))
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(UserError, match="accelerator=mps, but torch .* sees no Apple GPU .*; type accelerator=cpu"):
        trainer_options(compose("accelerator=mps"))
    wrong = "trainer.max_time=5min is not allowed: it should be of the form DD:HH:MM:SS; type trainer.max_time=00:00:05"
    with pytest.raises(UserError, match=wrong):
        check(compose("trainer.max_time=5min"))


def test_epochs_are_limited_only_where_they_are_the_budget():
    assert trainer_options(compose())["max_epochs"] == -1
    assert trainer_options(compose("max_images=10"))["max_epochs"] == -1
    assert trainer_options(compose("trainer.max_time=00:00:01:00"))["max_epochs"] == -1
    assert trainer_options(compose("max_images=10", "trainer.max_epochs=3"))["max_epochs"] == 3


FAR = {"state": "finished", "images_seen": 50, "generator_steps": 7, "seconds": 86_550.1}  # a day, 2 minutes, 30 s


@pytest.mark.parametrize(
    "budgets,words",
    [
        (["trainer.max_epochs=20"], ["trainer.max_epochs=40"]),
        (["+trainer.max_steps=14"], ["trainer.max_steps=28"]),
        (["trainer.max_epochs=3", "trainer.max_time=09:00:00:00"], ["trainer.max_epochs=6"]),
        (["trainer.max_epochs=3", "trainer.max_time=01:00:02:30"], ["trainer.max_time=00:48:05:00"]),
        (["max_images=50"], ["max_images=100"]),
        (["max_images=50", "trainer.max_time=01:00:02:30"], ["max_images=100"]),
        (["max_images=60", "max_generator_steps=7"], ["max_generator_steps=14"]),
        (["max_images=60", "trainer.max_time=01:00:02:30"], ["trainer.max_time=00:48:05:00"]),
    ],
)
def test_the_advice_to_train_longer_doubles_the_budget_that_is_spent(budgets, words):
    assert longer(compose(*budgets), FAR) == words
    assert longer(compose(*budgets), FAR | {"state": "interrupted"}) == []


def test_several_processes_get_a_strategy_for_two_optimizers():
    options_of_two = trainer_options(compose("accelerator=cpu", "trainer.devices=2"))
    assert options_of_two["strategy"] == "ddp_find_unused_parameters_true"
    spawned = trainer_options(compose("accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp_spawn"))
    assert spawned["strategy"] == "ddp_spawn_find_unused_parameters_true"
    assert trainer_options(compose("accelerator=cpu"))["strategy"] == "auto"
    assert compose("accelerator=multi_gpu").trainer.sync_batchnorm


INTELS, AMDS = "vendor_id\t: GenuineIntel\n", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu intel_ppin\n"

PROCESSORS = {  # what torch finds, /proc/cpuinfo (None: there is none) and whether bfloat16 is faster
    "Intel's with AMX": ({"amx_bf16": True, "avx512_bf16": True}, INTELS, True),
    "Intel's with AVX512-BF16": ({"amx_bf16": False, "avx512_bf16": True}, INTELS, False),
    "the same, by name": ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, None, False),
    "AMD's with AVX512-BF16": ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": "AMD EPYC 9R14"}, AMDS, True),
    "AMD's without": ({"avx512_bf16": False}, AMDS, False),
    "Apple's": ({"bf16": True}, None, True),
    "an old one": ({}, INTELS, False),
}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_precision_is_chosen_by_the_kind_of_processor_and_explained(processor, monkeypatch, tmp_path):
    capabilities, cpuinfo, faster = PROCESSORS[processor]
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: capabilities)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("gan_lightning.training.precision.CPUINFO", tmp_path / "cpuinfo")
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    precision, why = choose_precision("auto", "cpu")
    assert precision.precision == ("bf16-mixed" if faster else "32-true")
    assert why == (
        "bfloat16 where safe (precision=auto: bfloat16 is faster on this processor)"
        if faster
        else "float32 (precision=auto: bfloat16 is no faster on this processor)"
    )


def test_windows_names_the_vendor_in_its_description(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr("gan_lightning.training.precision.CPUINFO", tmp_path / "none")
    for vendor, faster in (("GenuineIntel", False), ("AuthenticAMD", True)):
        description = f"x Family 6 Model 143 Stepping 8, {vendor}"
        monkeypatch.setattr("platform.processor", lambda description=description: description)
        assert bfloat16_is_faster("cpu") == faster


def test_a_precision_that_is_asked_for_is_the_one():
    assert choose_precision("bf16", "cpu")[0].precision == "bf16-mixed"
    assert choose_precision(32, "cpu")[0].precision == "32-true"


# The other commands' words


def test_commands_and_their_words():
    assert split_command([]) == ("train", [])
    assert split_command(["model=gan"]) == ("train", ["model=gan"])
    assert split_command(["-m", "seed=0,1"]) == ("train", ["-m", "seed=0,1"])
    assert split_command(["resume", "run=x"]) == ("resume", ["run=x"])
    with pytest.raises(UserError, match=r"resum is not a command. Did you mean resume\? Allowed: train, study, resume"):
        split_command(["resum"])


@pytest.mark.parametrize(
    "words,complaint",
    [
        (
            ["rnu=x"],
            r"rnu is not a valid option here. Did you mean run\? Allowed: labels, n, out, replace, run, seed, trun",
        ),
        (["n=5"], r"run= is missing"),
        (["run=x", "n=0"], r"n=0 is not allowed: it should be greater than or equal to 1"),
        (["run=x", "weights=average"], r"weights=average is not allowed: it should be 'ema' or 'raw'"),
        (["x"], r"x is not of the form key=value"),
    ],
)
def test_mistakes_in_sample_are_explained(words, complaint):
    with pytest.raises(UserError, match=complaint):
        run_command("sample", *words)


def test_list_names_every_choice(capsys):
    run_command("list")
    printed = capsys.readouterr().out
    for group in groups():
        assert f"{group}=" in printed
        for choice, description in options(group).items():
            assert re.search(rf"^  {choice} +{re.escape(description)}$", printed, re.MULTILINE)


def test_data_fetches_and_reports(capsys):
    run_command("data", "name=mnist_5k")
    assert "4,000 train + 500 validation + 500 test images of 1x28x28, 10 classes" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"name=mnst is not a data set that can be fetched. Did you mean mnist\?"):
        run_command("data", "name=mnst")


def test_descriptions_skip_hydras_directives(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("# @package _global_\n# What it is\nkey: 1\n")
    assert describe(file) == "What it is"
