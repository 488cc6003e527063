"""Recipes of others: they state every number themselves, whatever the defaults are or become."""

import shutil

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from gan_lightning.config.compose import CONF_DIR, compose, options
from tests.test_experiments import STATED

pytestmark = pytest.mark.slow

PUBLISHED = [name for name in options("experiment") if name.startswith("paper/")]


GROUPS = ("network", "loss", "penalty", "conditioning", "auxiliary", "updates", "annealing", "optimizer")

CHOSEN = {"network": {"attention"}, "conditioning": {"discriminator"}, "optimizer": {"_partial_", "fused"}}
"""What a file stands for besides its class: self-attention, how D takes labels into account, how Adam is made."""


@pytest.fixture(scope="module")
def bare_conf(tmp_path_factory):
    """A copy of conf/ whose models set nothing and whose groups state nothing but their classes."""
    folder = tmp_path_factory.mktemp("bare") / "conf"
    shutil.copytree(CONF_DIR, folder)
    for file in (folder / "model").iterdir():
        file.write_text("# @package _global_\n")
    for file in (file for group in GROUPS for file in (folder / group).iterdir()):
        package = next((line for line in file.read_text().splitlines() if line.startswith("# @package")), "")
        content = OmegaConf.to_container(OmegaConf.load(file)) or {}
        kept = {"_target_", "defaults"} | CHOSEN.get(file.parent.name, set())
        file.write_text(f"{package}\n{OmegaConf.to_yaml(bare(content, kept))}")
    train = OmegaConf.load(folder / "train.yaml")
    train.model = {key: train.model[key] for key in ("_target_", "algorithm", "compile") if key in train.model}
    (folder / "train.yaml").write_text(OmegaConf.to_yaml(train))
    return folder


def bare(node, kept):
    """What is to be kept of a mapping, without its other numbers."""
    return {
        key: bare(value, kept) if isinstance(value, dict) else value
        for key, value in node.items()
        if key in kept or isinstance(value, dict)
    }


@pytest.mark.parametrize("experiment", [*STATED, *PUBLISHED])
def test_an_experiment_of_others_stays_whatever_the_defaults_become(experiment, bare_conf, monkeypatch):
    """It states every number itself: nothing comes from the files of its model, networks, loss and other parts."""
    usual = compose(f"experiment={experiment}")
    monkeypatch.setattr("gan_lightning.config.compose.CONF_DIR", bare_conf)
    assert compose(f"experiment={experiment}") == usual


@pytest.mark.parametrize("experiment", [*STATED, *PUBLISHED])
def test_an_experiment_of_others_takes_back_what_its_model_sets(experiment, bare_conf, tmp_path, monkeypatch):
    usual = compose(f"experiment={experiment}")
    shutil.copytree(bare_conf, tmp_path / "conf")
    for file in (tmp_path / "conf" / "model").iterdir():
        file.write_text(MODEL_WITH_OTHER_DEFAULTS)
    monkeypatch.setattr("gan_lightning.config.compose.CONF_DIR", tmp_path / "conf")
    assert compose(f"experiment={experiment}") == usual


MODEL_WITH_OTHER_DEFAULTS = """# @package _global_
defaults:
  - override /loss: hinge
  - override /penalty: r1
  - override /augment: diffaugment
  - override /conditioning: channel
  - override /auxiliary: classification
  - override /updates: wgan_warmup
  - override /annealing: linear_decay
  - override /optimizer: adam_no_momentum

data: {batch_size: 7}
max_generator_steps: 3
updates: {n_critic: 9, share_fakes: true, generator_batch: 5, generator_first: true}
model:
  spectral_norm: true
  ema_half_life: 5
optimizer:
  generator: {lr: 1.0}
  discriminator: {lr: 1.0}
  scheduler: {_target_: torch.optim.lr_scheduler.LinearLR, _partial_: true, start_factor: 0.5, total_iters: 9}
"""


@pytest.mark.parametrize("model", options("model"))
def test_models_set_nothing_of_their_optimizers_that_an_experiment_could_not_take_back(model):
    """Experiments state learning rates and betas; any other option would stay."""
    optimizer = OmegaConf.load(CONF_DIR / "model" / f"{model}.yaml").get("optimizer", {})
    assert optimizer.keys() <= {"generator", "discriminator", "scheduler"}
    assert all(optimizer.get(name, {}).keys() <= {"lr", "betas"} for name in ("generator", "discriminator"))


def test_the_choice_of_a_model_is_the_recipes_own():
    """It names the run's folder; one recipe that starts from another replaces it."""
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        for name in PUBLISHED:
            cfg = hydra_compose("train", overrides=[f"experiment={name}"], return_hydra_config=True)
            assert f"paper/{cfg.hydra.runtime.choices.model}" == name
