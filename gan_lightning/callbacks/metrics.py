import math
import time
from typing import Any

import torch
from pydantic import PositiveInt
from pytorch_lightning import Callback, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_lightning.errors import UserError
from gan_lightning.loggers import CSVLogger
from gan_lightning.models import GAN
from gan_lightning.models.gan import DISCRIMINATOR, GENERATOR

PLAYERS = {GENERATOR: "grad_norm_g", DISCRIMINATOR: "grad_norm_d"}


def gradient_norm(parameters: list[nn.Parameter]) -> Tensor:
    """Euclidean norm of all gradients together."""
    return torch.linalg.vector_norm(
        torch.stack(torch._foreach_norm([p.grad for p in parameters if p.grad is not None]))
    )


class Metrics(Callback):
    """Numbers of the game, averaged over `every` batches and sent to all loggers against generator steps.

    Losses, D(x) and D(G(z)) are summed as tensors and read once per row, so that no step waits for them. The
    pixels' mean and standard deviation and D's gradient norm are of the row's last batch, G's of its last step.
    The row that the end of training cuts short is sent, too.

    Args:
        every: batches between two rows.

    Raises:
        UserError: when a number is no longer finite.
    """

    def __init__(self, every: PositiveInt = 50) -> None:
        self.every = every
        self.batches = 0
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.norms: dict[str, Tensor] = {}
        self.latest: dict[str, float] = {}
        self.last_read = (0.0, 0)
        self.last_images: tuple[Tensor, Tensor] | None = None

    @property
    def is_due(self) -> bool:
        """Whether the current batch ends a row."""
        return (self.batches + 1) % self.every == 0

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Start the clock; rows of steps that a crash undid are forgotten."""
        self.started = time.monotonic()
        self.last_read = (self.started, module.images_seen)
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                logger.forget_after(module.images_seen)

    def on_before_optimizer_step(self, trainer: Trainer, module: GAN, optimizer: Optimizer) -> None:  # type: ignore[override]
        """Measure the gradients a player is about to follow."""
        player = trainer.optimizers.index(optimizer)
        if self.is_due or player == GENERATOR:  # with several critic steps G's turn may not end a row
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            self.norms[PLAYERS[player]] = gradient_norm(parameters)

    def on_train_batch_end(self, trainer: Trainer, module: GAN, outputs: Any, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        """Add the batch to the row; send the row when it is complete."""
        for name, value in outputs.items():
            if value.ndim == 0:
                self.sums[name] = self.sums[name] + value if name in self.sums else value
                self.counts[name] = self.counts.get(name, 0) + 1
        self.last_images = outputs["real"], outputs["fake"]
        if self.is_due:
            self.send(trainer, module)
        self.batches += 1

    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Send what is left."""
        if self.sums:
            self.send(trainer, module)

    def read(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The row's numbers, brought over from the device in one piece; the next row starts empty."""
        fake = fake.float()
        row = {name: total / self.counts[name] for name, total in self.sums.items()}
        row |= self.norms
        row |= {"real_mean": real.mean(), "real_std": real.std(), "fake_mean": fake.mean(), "fake_std": fake.std()}
        self.sums, self.counts, self.norms = {}, {}, {}
        return dict(zip(row, torch.stack([value.float() for value in row.values()]).tolist(), strict=True))

    def send(self, trainer: Trainer, module: GAN) -> None:
        """Read the row, add speed and counters and give it to every logger."""
        assert self.last_images is not None
        row = self.read(*self.last_images)
        for name, value in row.items():
            if not math.isfinite(value):
                raise UserError(
                    f"training diverged: {name} is {value} at generator step {module.generator_steps:,}; "
                    "start again with a lower learning rate (model.discriminator_optimizer.lr=) or precision=32"
                )
        now, (before, images_before) = time.monotonic(), self.last_read
        self.last_read = (now, module.images_seen)
        self.latest = row | {
            "images_seen": module.images_seen,
            "epoch": trainer.current_epoch,
            "seconds": round(now - self.started, 2),
            "images_per_second": round((module.images_seen - images_before) / (now - before), 1),
        }
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.generator_steps)
