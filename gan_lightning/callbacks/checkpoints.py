from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint

from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import RunFolder


class Checkpoints(Checkpoint):
    """`checkpoints/last.ckpt` at every epoch's end and wherever training stops; others every few epochs.

    Lightning's ModelCheckpoint does the latter, but has no last.ckpt that resumes bit for bit: this one holds the place
    in the data and the state of every process's random numbers, and a run that stops inside an epoch is saved before
    Lightning counts that epoch as done. Resuming it gives the weights of a run never stopped.

    Args:
        every_n_epochs: Epochs between two checkpoints that are kept as `epoch-N.ckpt`; None keeps only the last.
    """

    def __init__(self, every_n_epochs: PositiveInt | None = None) -> None:
        super().__init__()
        self.every_n_epochs = every_n_epochs
        self.saved_step = -1
        self.random_states: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Save inside an epoch when a budget or the user has asked to stop."""
        self.save_unfinished_epoch(trainer, module)

    def on_validation_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Save inside an epoch when a score has made a callback ask to stop."""
        self.save_unfinished_epoch(trainer, module)

    def save_unfinished_epoch(self, trainer: Trainer, module: GAN) -> None:
        """Save once the place where training is about to stop; after its last batch, an epoch is saved when it ends."""
        if trainer.should_stop and not trainer.is_last_batch and self.saved_step != trainer.global_step:
            self.save(trainer, module, "last")

    def on_train_epoch_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Save a whole epoch."""
        if not trainer.is_last_batch:
            return
        self.save(trainer, module, "last")
        epoch = trainer.current_epoch + 1
        if self.every_n_epochs is not None and epoch % self.every_n_epochs == 0:
            self.save(trainer, module, f"epoch-{epoch:04d}")

    def save(self, trainer: Trainer, module: GAN, name: str) -> None:
        """Write one checkpoint and remember of which step."""
        save(trainer, module, name)
        self.saved_step = trainer.global_step

    def on_save_checkpoint(self, trainer: Trainer, module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Keep every process's random state, and the images' shape and classes, so that sampling needs no data."""
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        checkpoint["image_shape"] = list(data.image_shape)
        checkpoint["num_classes"] = len(data.class_names)
        checkpoint["random_states"] = gather(random_state(), trainer.world_size)

    def on_load_checkpoint(self, trainer: Trainer, module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Remember the random states until training starts."""
        self.random_states = checkpoint["random_states"]

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Go on with the random numbers where the checkpoint stopped."""
        if len(self.random_states) == trainer.world_size:
            state = self.random_states[trainer.global_rank]
            torch.set_rng_state(state["cpu"])
            if "cuda" in state:
                torch.cuda.set_rng_state(state["cuda"])


def save(trainer: Trainer, module: GAN, name: str) -> None:
    """Write one checkpoint beside the one it replaces, which goes only when the new one is whole."""
    if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
        raise UserError(
            f"training diverged: at generator step {module.generator_steps:,} weights are no longer finite and are "
            "not saved; start again with a lower learning rate (optimizer.discriminator.lr=) or precision=32"
        )
    file = RunFolder(Path(trainer.default_root_dir)).checkpoints / f"{name}.ckpt"
    part = file.with_suffix(".part")
    try:
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            part.replace(file)
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
