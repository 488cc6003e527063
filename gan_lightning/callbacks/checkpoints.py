import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveFloat, PositiveInt
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint

from gan_lightning.data import ImageData
from gan_lightning.data.fingerprint import fingerprint
from gan_lightning.errors import DivergenceError
from gan_lightning.models import GAN
from gan_lightning.training.checkpoint_file import put_in_place, seal
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

BATCHES_BETWEEN_CLOCKS = 16
"""Batches after which the processes of a run ask the first one's clock: each time, all of them wait for it."""


class Checkpoints(Checkpoint):
    """`checkpoints/last.ckpt` every few minutes, at every epoch's end and wherever training stops; others now and then.

    Lightning's ModelCheckpoint does the latter, but has no last.ckpt that resumes bit for bit: this one holds the place
    in the data and the state of every process's random numbers, and a run that stops inside an epoch is saved before
    Lightning counts that epoch as done. Resuming it gives the weights of a run never stopped.

    `checkpoints/previous.ckpt` is the one that last.ckpt has replaced: it is used where last.ckpt cannot be read.

    Args:
        every_n_epochs: Epochs between two checkpoints that are kept as `epoch-N.ckpt`; None keeps only the last.
        every_minutes: Minutes of training between two checkpoints inside an epoch, which are what a killed run can
            lose; None saves at an epoch's end and where training stops.
    """

    def __init__(self, every_n_epochs: PositiveInt | None = None, every_minutes: PositiveFloat | None = 2) -> None:
        super().__init__()
        self.every_n_epochs = every_n_epochs
        self.seconds = math.inf if every_minutes is None else 60 * every_minutes
        self.saved_step = 0
        self.saved_at = 0.0
        self.random_states: list[dict[str, torch.Tensor]] = []
        self.fingerprint: dict[str, Any] = {}

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Save inside an epoch when the time has come, or when training is about to stop there.

        After its last batch, an epoch is saved when it ends.
        """
        if not trainer.is_last_batch and (is_stopping(trainer) or self.is_due(trainer)):
            self.save_once(trainer, module)

    def on_validation_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Save inside an epoch when a score has made a callback ask to stop."""
        if not trainer.is_last_batch and is_stopping(trainer):
            self.save_once(trainer, module)

    def is_due(self, trainer: Trainer) -> bool:
        """Whether the last checkpoint is old; several processes go by the first one's clock, now and then."""
        due = time.monotonic() - self.saved_at >= self.seconds
        if trainer.world_size == 1 or self.seconds == math.inf:
            return due
        now = trainer.fit_loop.epoch_loop.batch_idx % BATCHES_BETWEEN_CLOCKS == 0
        return now and bool(trainer.strategy.broadcast(due))

    def save_once(self, trainer: Trainer, module: GAN) -> None:
        """Save the last step, unless it is saved already."""
        if self.saved_step != trainer.global_step:
            self.save(trainer, module, "last")

    def on_train_epoch_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Save a whole epoch."""
        if not trainer.is_last_batch:
            return
        self.save(trainer, module, "last")
        epoch = trainer.current_epoch + 1
        if self.every_n_epochs is not None and epoch % self.every_n_epochs == 0:
            self.save(trainer, module, f"epoch-{epoch:04d}")

    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Save the last step where Lightning has ended training in a way that none of the above has foreseen."""
        self.save_once(trainer, module)

    def on_exception(self, trainer: Trainer, module: GAN, exception: BaseException) -> None:  # type: ignore[override]
        """Save the last step when an error has come after it was whole: in a callback, in an evaluation.

        Several processes do not: who has met the error would wait for those that have not.
        """
        if isinstance(exception, DivergenceError) or trainer.world_size > 1 or not is_between_steps(trainer):
            return
        try:
            if trainer.is_last_batch:
                count_epoch(trainer)
            self.save_once(trainer, module)
        except Exception as error:
            log.warning("the last step could not be saved: %s", error)

    def save(self, trainer: Trainer, module: GAN, name: str) -> None:
        """Write one checkpoint and remember of which step and when."""
        save(trainer, module, name)
        self.saved_step, self.saved_at = trainer.global_step, time.monotonic()

    def on_save_checkpoint(self, trainer: Trainer, module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Keep every process's random state, what the data were, and their shape and classes, which sampling needs."""
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        checkpoint["image_shape"] = list(data.image_shape)
        checkpoint["num_classes"] = len(data.class_names)
        self.fingerprint = self.fingerprint or fingerprint(data)
        checkpoint["data"] = self.fingerprint
        checkpoint["random_states"] = gather(random_state(), trainer.world_size)

    def on_load_checkpoint(self, trainer: Trainer, module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Remember the random states until training starts."""
        self.random_states = checkpoint["random_states"]

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Start the clock, and go on with the random numbers where the checkpoint stopped."""
        self.saved_step, self.saved_at = trainer.global_step, time.monotonic()
        if len(self.random_states) == trainer.world_size:
            state = self.random_states[trainer.global_rank]
            torch.set_rng_state(state["cpu"])
            if "cuda" in state:
                torch.cuda.set_rng_state(state["cuda"])


def is_stopping(trainer: Trainer) -> bool:
    """Whether Lightning will end training after this batch: a callback has asked for it, or trainer.max_steps is over.

    A request that comes before trainer.min_epochs or min_steps does not count yet.
    """
    asked = trainer.should_stop and trainer.fit_loop._can_stop_early
    return asked or 0 <= trainer.max_steps <= trainer.global_step


def is_between_steps(trainer: Trainer) -> bool:
    """Whether the last step is whole and no other has begun, by Lightning's counts of batches."""
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return batches.ready == batches.started == batches.processed > 0


def count_epoch(trainer: Trainer) -> None:
    """Count an epoch whose last batch is done but which an error kept from its end, as Lightning counts it there."""
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress
    epochs: Any = trainer.fit_loop.epoch_progress
    if epochs.current.processed < epochs.current.started:
        epochs.increment_processed()
        trainer.fit_loop.epoch_loop._batches_that_stepped += 1
    if batches.current.completed < batches.current.processed:
        batches.increment_completed()


def save(trainer: Trainer, module: GAN, name: str) -> None:
    """Write one checkpoint beside the one it replaces, which goes only when the new one is whole and on the disk."""
    if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
        raise DivergenceError(
            f"training diverged: at generator step {module.generator_steps:,} weights are no longer finite and are "
            "not saved; start again with a lower learning rate (optimizer.discriminator.lr=) or precision=32"
        )
    folder = RunFolder(Path(trainer.default_root_dir))
    file = folder.checkpoints / f"{name}.ckpt"
    part = file.with_suffix(".part")
    try:
        if trainer.is_global_zero:
            part.unlink(missing_ok=True)
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            seal(part)
            put_in_place(part, file, folder.previous if file == folder.last else None)
    finally:
        if trainer.is_global_zero:
            part.unlink(missing_ok=True)


def random_state() -> dict[str, torch.Tensor]:
    """The state of this process's random numbers."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def gather(state: dict[str, torch.Tensor], world_size: int) -> list[dict[str, torch.Tensor]]:
    """One state from each process, in the order of their ranks."""
    if world_size == 1:
        return [state]
    states: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(states, state)
    return states
