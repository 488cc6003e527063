import math
import time
from typing import Any

import torch
from pydantic import PositiveInt
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.floats import at_least_float32
from gan_lightning.loggers import CSVLogger
from gan_lightning.models import GAN


def gradient_norms(module: GAN) -> dict[str, Tensor]:
    """Euclidean norm of all gradients together that each player followed last; they stay until its next step."""
    players = {"d": module.discriminator, "g": module.generator}
    gradients = {name: [p.grad for p in player.parameters() if p.grad is not None] for name, player in players.items()}
    return {
        name: torch.linalg.vector_norm(torch.stack(torch._foreach_norm(own))) for name, own in gradients.items() if own
    }


class Metrics(Callback):
    """Numbers of the game, averaged over `every` batches and sent to all loggers against generator steps.

    Losses, D(x) and D(G(z)) are summed as tensors and read once per row, so that no step waits for them. The
    pixels' mean and standard deviation are of the row's last batch, the gradients' norms of each player's last step.
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
        self.latest: dict[str, float] = {}
        self.last_read = (0.0, 0)
        self.last_images: tuple[Tensor, Tensor] | None = None

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Start the clock; rows of steps that a crash undid are forgotten."""
        self.started = time.monotonic()
        self.last_read = (self.started, module.images_seen)
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                logger.forget_after(module.images_seen)

    def on_train_batch_end(self, trainer: Trainer, module: GAN, outputs: Any, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        """Add the batch to the row; send the row when it is complete."""
        for name, value in outputs.items():
            if value.ndim == 0:
                self.sums[name] = self.sums[name] + value if name in self.sums else value
                self.counts[name] = self.counts.get(name, 0) + 1
        self.last_images = outputs["real"], outputs["fake"]
        self.batches += 1
        if self.batches % self.every == 0:
            self.send(trainer, module)

    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Send what is left."""
        if self.sums:
            self.send(trainer, module)

    def read(self, module: GAN, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The row's numbers, brought over from the device in one piece; the next row starts empty."""
        fake = at_least_float32(fake)
        row = {name: total / self.counts[name] for name, total in self.sums.items()}
        row |= {f"grad_norm_{player}": norm for player, norm in gradient_norms(module).items()}
        row |= {"real_mean": real.mean(), "real_std": real.std(), "fake_mean": fake.mean(), "fake_std": fake.std()}
        self.sums, self.counts = {}, {}
        return dict(zip(row, torch.stack([at_least_float32(value) for value in row.values()]).tolist(), strict=True))

    def send(self, trainer: Trainer, module: GAN) -> None:
        """Read the row, add speed and counters and give it to every logger."""
        assert self.last_images is not None
        row = self.read(module, *self.last_images)
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
