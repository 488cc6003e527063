"""Small runs for tests."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from pytorch_lightning import Trainer
from torch import nn

from gan_lightning.build import build, build_data, build_module
from gan_lightning.config.compose import compose
from gan_lightning.config.schema import check
from gan_lightning.images import ImageShape
from gan_lightning.loggers import RunLabel
from gan_lightning.losses import Loss
from gan_lightning.models import GAN
from gan_lightning.models.discriminate import Sample
from gan_lightning.penalties import Penalty
from gan_lightning.training.run import train
from gan_lightning.training.run_folder import RunFolder

ROOT = Path(__file__).parent.parent

TINY = ("data=mnist_5k", "data.batch_size=8", "precision=32", "logger=csv", "callbacks.samples.images=4")
"""A run of seconds on real digits."""

SMALL = ("network=mlp", "network.generator.hidden=[32]", "network.discriminator.hidden=[32]")

SHORT = (*SMALL, "callbacks.training_metrics.every_n_batches=2")
"""A run of about a second."""

SCORED = (*SHORT, "data.batch_size=500", "callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=130")
"""A run of eight steps in each epoch, scored after each."""

in_float64 = pytest.mark.usefixtures("float64")
"""For laws that two computations are one: float32 sums differ between processors, and training amplifies that."""


def composed(*overrides: str) -> DictConfig:
    cfg = compose(*TINY, *overrides)
    check(cfg)
    return cfg


def built(*overrides: str) -> GAN:
    """The module a command line gives, weights drawn from seed 0."""
    cfg = composed(*overrides)
    torch.manual_seed(0)
    data = build_data(cfg)
    return build_module(cfg, data.image_shape, len(data.class_names))


def make_generator(
    network: str, image_shape: ImageShape, latent_dim: int = 10, condition_dim: int = 0, **options: Any
) -> nn.Module:
    """A network's generator as its file has it, but for some options."""
    node = compose(f"network={network}").network.generator
    return build(node, image_shape=image_shape, latent_dim=latent_dim, condition_dim=condition_dim, **options)


def make_discriminator(network: str, image_shape: ImageShape, **options: Any) -> nn.Module:
    """A network's discriminator as its file has it, but for some options."""
    return build(compose(f"network={network}").network.discriminator, image_shape=image_shape, **options)


def pair(
    network: str, image_shape: ImageShape, latent_dim: int = 10, condition_dim: int = 0, **discriminator: Any
) -> tuple[nn.Module, nn.Module]:
    """A network's generator and discriminator, without a GAN around them."""
    generator = make_generator(network, image_shape, latent_dim, condition_dim)
    return generator, make_discriminator(network, image_shape, **discriminator)


def generate(generator: nn.Module, z: torch.Tensor) -> torch.Tensor:
    """Images of an unconditional generator."""
    return generator(z, no_condition(len(z)))


def logits(discriminator: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits of an unconditional discriminator."""
    return discriminator(images, no_condition(len(images))).logits


def features(discriminator: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Features of an unconditional discriminator."""
    return discriminator.features(images, no_condition(len(images)))


def make_loss(name: str) -> Loss:
    """A loss as its file has it."""
    return build(compose(f"loss={name}").loss)


def make_penalty(name: str, **options: Any) -> Penalty:
    """A penalty as its file has it, but for some options."""
    return build(compose(f"penalty={name}").penalty[name], **options)


def sample(images: torch.Tensor) -> Sample:
    """Unconditional images."""
    return Sample(images, no_condition(len(images)))


def no_condition(count: int) -> torch.Tensor:
    """The condition of unconditional images, of width 0."""
    return torch.empty(count, 0)


def logits_of_both(module: GAN, real: torch.Tensor, fake: torch.Tensor) -> list[torch.Tensor]:
    """The logits of real and fake images, as the discriminator's step sees them."""
    return [output.logits for output in module.discriminate.both(sample(real), sample(fake))]


def discriminator_metrics(module: GAN, real: torch.Tensor, fake: torch.Tensor) -> dict[str, torch.Tensor]:
    """The metrics of a discriminator step that leaves the weights as they are."""
    module.trainer = Trainer(accelerator="cpu", barebones=True)
    module.backward_and_step = lambda loss, network: None  # type: ignore[method-assign]
    return module.discriminator_step(sample(real), sample(fake))


def assert_same(got: torch.Tensor, expected: torch.Tensor) -> None:
    """Two ways to one result, in float64: all that may differ is the order of sums."""
    assert got.dtype == expected.dtype == torch.float64
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


def run(folder: Path, *overrides: str) -> RunFolder:
    """Train in this process."""
    run_folder = RunFolder(folder)
    train(composed(*overrides), run_folder, RunLabel("test"))
    return run_folder


def metric_rows(folder: RunFolder) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv."""
    with folder.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two state dicts are equal to the last bit."""
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def command(*words: str, cwd: Path = ROOT, timeout: int = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m gan_lightning WORDS` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gan_lightning", *words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    """Every tensor of a run's last checkpoint."""
    content = torch.load(folder.last, weights_only=True)
    return content["state_dict"]
