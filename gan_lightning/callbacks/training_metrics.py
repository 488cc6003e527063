import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import PositiveInt
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from gan_lightning.csv_logger import CSVLogger
from gan_lightning.errors import DivergenceError
from gan_lightning.floats import at_least_float32
from gan_lightning.models import GAN
from gan_lightning.training.readers import read_metrics
from gan_lightning.training.run_folder import RunFolder


def gradient_norms(module: GAN) -> dict[str, Tensor]:
    """Euclidean norm of all gradients of D ("d") and of G ("g"), of each network's last step; they stay until the next.

    Only one of the two is there until both networks have stepped.
    """
    networks = {"d": module.discriminator, "g": module.generator}
    gradients = {
        name: [p.grad for p in network.parameters() if p.grad is not None] for name, network in networks.items()
    }
    return {
        name: torch.linalg.vector_norm(torch.stack(torch._foreach_norm(own))) for name, own in gradients.items() if own
    }


def publish(trainer: Trainer, numbers: Mapping[str, float]) -> None:
    """Put numbers where Lightning's callbacks look for what they monitor: `trainer.callback_metrics`.

    `self.log` would do so, too, but then walks through all numbers after every batch, not only where a row is due.
    `epoch` stays out: Lightning's callbacks know it, and that of a row may be an earlier one.
    """
    numbers = {name: value for name, value in numbers.items() if name != "epoch"}
    trainer.callback_metrics.update({name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()})


def send_to_loggers(trainer: Trainer, row: Mapping[str, float], step: int) -> None:
    """Give one row to every logger and have it written: some of Lightning's keep their rows until `save`."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(row), step=step)
        logger.save()


def mean_over_processes(trainer: Trainer, row: dict[str, float]) -> dict[str, float]:
    """The mean of each number over all processes, the same in each of them; every process must ask at the same time."""
    if trainer.world_size == 1:
        return row
    values = torch.tensor(list(row.values()), dtype=torch.float64, device=trainer.strategy.root_device)
    means: Any = trainer.strategy.reduce(values, reduce_op="mean")
    return dict(zip(row, means.tolist(), strict=True))


class BatchMetrics(NamedTuple):
    """One batch's numbers, still on the device, and how far training was after it."""

    generator_steps: int
    images_seen: int
    values: dict[str, Tensor]


class TrainingMetrics(Callback):
    """Numbers of training, averaged over some batches and sent to all loggers against generator steps.

    They are in `trainer.callback_metrics`, too, where callbacks that monitor one (`EarlyStopping`, `ModelCheckpoint`)
    find the last row's. Losses, D(x) and D(G(z)) stay tensors and are read once per row, so that no step waits for
    them. The pixels' mean and standard deviation are of the row's last batch, the gradients' norms of each network's
    last step. With several processes, each number is the mean over them. The first row comes at the end of the first
    epoch at the latest; the row that the end of training or an error cuts short is sent, too. Where a row's numbers are
    not finite, there is a row for each of its batches instead, up to the first one that is not.

    Args:
        every_n_batches: Batches between two rows.

    Raises:
        DivergenceError: A number is no longer finite.
    """

    def __init__(self, every_n_batches: PositiveInt = 50) -> None:
        self.every_n_batches = every_n_batches
        self.batches = 0
        self.unread: list[BatchMetrics] = []
        self.latest: dict[str, float] = {}
        self.last_read = (0.0, 0)
        self.last_images: tuple[Tensor, Tensor] | None = None

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Drop rows of steps that a crash undid; start the clock, or go on from where an earlier session's stopped."""
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                logger.forget_after(module.images_seen)
        now = time.monotonic()
        self.started = now - seconds_trained(RunFolder(Path(trainer.default_root_dir)))
        self.last_read = (now, module.images_seen)

    def on_train_batch_end(self, trainer: Trainer, module: GAN, outputs: Any, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        """Add the batch to the row; send the row when it is complete."""
        values = {name: value for name, value in outputs.items() if value.ndim == 0}
        self.unread.append(BatchMetrics(module.generator_steps, module.images_seen, values))
        self.last_images = outputs["real"], outputs["fake"]
        self.batches += 1
        if self.batches % self.every_n_batches == 0 or (not self.latest and trainer.is_last_batch):
            self.send(trainer, module)

    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Send what is left."""
        if self.unread:
            self.send(trainer, module)

    def on_exception(self, trainer: Trainer, module: GAN, exception: BaseException) -> None:  # type: ignore[override]
        """Send what is left: the curves of a run that fails are drawn, too.

        Several processes do not: who has met the error would wait for those that have not.
        """
        if self.unread and trainer.world_size == 1:
            with suppress(Exception):  # the first error is the one to report
                self.send(trainer, module)

    def read(self, module: GAN, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The row's numbers, brought over from the device in one piece; the next row starts empty."""
        fake = at_least_float32(fake)
        values: dict[str, list[Tensor]] = {}
        for batch in self.unread:
            for name, value in batch.values.items():
                values.setdefault(name, []).append(at_least_float32(value))
        row = {name: torch.stack(parts).mean() for name, parts in values.items()}
        row |= {f"grad_norm_{network}": norm for network, norm in gradient_norms(module).items()}
        row |= {"real_mean": real.mean(), "real_std": real.std(), "fake_mean": fake.mean(), "fake_std": fake.std()}
        self.unread = []
        return dict(zip(row, torch.stack([at_least_float32(value) for value in row.values()]).tolist(), strict=True))

    def send(self, trainer: Trainer, module: GAN) -> None:
        """Read the row, add speed and counters, publish it and give it to every logger."""
        assert self.last_images is not None
        batches = self.unread
        steps, images = batches[-1].generator_steps, batches[-1].images_seen
        row = mean_over_processes(trainer, self.read(module, *self.last_images) | self.speed(module))
        if not all(map(math.isfinite, row.values())):
            send_each(trainer, batches)
        check_finite(row, steps)
        self.latest = row | {"images_seen": images, "epoch": trainer.current_epoch}
        publish(trainer, self.latest | {"generator_steps": steps})
        send_to_loggers(trainer, self.latest, steps)

    def speed(self, module: GAN) -> dict[str, float]:
        """Seconds of training, all sessions together, and real images per second since the last row."""
        now, (before, images_before) = time.monotonic(), self.last_read
        self.last_read = (now, module.images_seen)
        return {
            "seconds": round(now - self.started, 2),
            "images_per_second": round((module.images_seen - images_before) / (now - before), 1),
        }


def seconds_trained(folder: RunFolder) -> float:
    """Seconds of training in earlier sessions: status.json's, and no less than metrics.csv has."""
    rows = [float(row["seconds"]) for row in read_metrics(folder.metrics) if row.get("seconds")]
    return max([folder.status().get("seconds", 0.0), *filter(math.isfinite, rows)])


def send_each(trainer: Trainer, batches: list[BatchMetrics]) -> None:
    """Give every logger a row for each batch, up to the first whose numbers are not all finite, which is an error."""
    for batch in batches:
        row = {name: value.item() for name, value in batch.values.items()}
        place = {"images_seen": batch.images_seen, "epoch": trainer.current_epoch}
        send_to_loggers(trainer, row | place, batch.generator_steps)
        check_finite(row, batch.generator_steps)


def check_finite(row: dict[str, float], generator_steps: int) -> None:
    """Refuse to go on with numbers that are nan or infinite."""
    for name, value in row.items():
        if not math.isfinite(value):
            raise DivergenceError(
                f"training diverged: {name} is {value} at generator step {generator_steps:,}; "
                "start again with a lower learning rate (optimizer.discriminator.lr=) or precision=32"
            )
