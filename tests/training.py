"""Training a module for a few batches, and what tests look at before and after."""

import copy
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from torch import nn

from gan_lightning.data import MNIST5k
from gan_lightning.models import GAN
from gan_lightning.models.discriminate import Sample
from gan_lightning.training.precision import Float32

SGD = ("optimizer=sgd", "optimizer.generator.lr=0.1", "optimizer.discriminator.lr=0.05")
"""Gradient descent, at two rates; Adam's first steps follow the sign of rounding errors, too."""


def fit(module: GAN, batches: int, plugin=None, batch_size: int = 8, **options) -> GAN:
    """Train a module on real digits for some batches; nothing is written."""
    data = MNIST5k(batch_size=batch_size)
    torch.manual_seed(1)
    Trainer(
        max_epochs=1, limit_train_batches=batches, accelerator="cpu", plugins=[plugin or Float32()],
        use_distributed_sampler=False, **(options or {"barebones": True}),
    ).fit(module, datamodule=data)  # fmt: skip
    return module


def record_metrics(module: GAN) -> list[dict[str, torch.Tensor]]:
    """A list that fills with the scalars of each training step."""
    rows: list[dict[str, torch.Tensor]] = []
    step = module.training_step

    def recorded(batch, batch_idx):
        outcome = step(batch, batch_idx)
        rows.append({name: value for name, value in outcome.items() if value.ndim == 0})
        return outcome

    module.training_step = recorded  # type: ignore[method-assign]
    return rows


def snapshot(network: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers as they are now."""
    return copy.deepcopy(network.state_dict())


def moved(before: dict[str, torch.Tensor], network: nn.Module) -> bool:
    """Whether every weight differs from before; a bias may have no gradient (a critic's last, one before a norm)."""
    weights = {name: value for name, value in network.named_parameters() if value.ndim > 1}
    return all(not torch.equal(before[name], value) for name, value in weights.items())


def assert_trains(module: GAN, generator_steps: int = 2) -> list[dict[str, torch.Tensor]]:
    """Every weight of both networks moves in a few generator steps and every scalar is finite; returns the scalars."""
    generator, discriminator, rows = snapshot(module.generator), snapshot(module.discriminator), record_metrics(module)
    fit(module, sum(module.updates.discriminator_steps(step) for step in range(generator_steps)))
    assert module.generator_steps == generator_steps
    assert moved(generator, module.generator) and moved(discriminator, module.discriminator)
    assert all(torch.isfinite(value) for row in rows for value in row.values())
    return rows


def batch(module: GAN, count: int = 20) -> tuple[Sample, Sample]:
    """Real-looking images with every class, and fakes of the same classes, with a graph."""
    real = Sample(torch.rand(count, 1, 28, 28) * 2 - 1, module.conditioning.of_real(torch.arange(count) % 10))
    return real, module.generate(*module.sample_inputs(real.y), graph=True)


def make_diverge(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Have D's loss be nan at one batch of an epoch."""
    step = GAN.training_step

    def poisoned(self: GAN, images: Any, batch_idx: int) -> Any:
        outcome = step(self, images, batch_idx)
        return outcome | {"loss_d": outcome["loss_d"] * (float("nan") if batch_idx == batch else 1)}

    monkeypatch.setattr(GAN, "training_step", poisoned)
