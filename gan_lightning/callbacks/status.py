import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.data import ImageData
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import RunFolder


class Status(Callback):
    """Keeps status.json: how far training has come, updated at its start, with every checkpoint and at its end."""

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Training begins, or goes on: seconds of earlier sessions count."""
        self.folder = RunFolder(Path(trainer.default_root_dir))
        self.seconds_before = self.folder.status().get("seconds", 0)
        self.started = time.monotonic()
        self.update(trainer, module, state="running")

    @rank_zero_only
    def on_save_checkpoint(self, trainer: Trainer, module: GAN, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """So much is about to be saved."""
        self.update(trainer, module)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Training is over."""
        self.update(trainer, module)

    def update(self, trainer: Trainer, module: GAN, **more: Any) -> None:
        """Write the counters and anything else over what the file says."""
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        self.folder.write_status(
            self.folder.status()
            | {
                "epochs": round(module.images_seen / len(data.training.images), 2),
                "generator_steps": module.generator_steps,
                "images_seen": module.images_seen,
                "seconds": round(self.seconds_before + time.monotonic() - self.started, 1),
            }
            | more
        )
