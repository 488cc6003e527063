import logging
import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.callbacks.metrics import Metrics
from gan_lightning.models import GAN

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 15

SHOWN = {
    "loss_d": ("loss D", "{:.2f}"),
    "loss_g": ("loss G", "{:.2f}"),
    "d_real": ("D(x)", "{:.2f}"),
    "d_fake": ("D(G(z))", "{:.2f}"),
    "images_per_second": ("images/s", "{:.0f}"),
}


def shown(metrics: Metrics) -> dict[str, str]:
    """The latest row as a person reads it: losses, D(x), D(G(z)), speed."""
    row = metrics.latest
    return {label: text.format(row[name]) for name, (label, text) in SHOWN.items() if name in row}


class Bar(TQDMProgressBar):
    """A progress bar for a terminal; it shows the rows of `Metrics`."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(refresh_rate=10)
        self.metrics = metrics

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        return shown(self.metrics)

    def on_train_epoch_start(self, trainer: Trainer, *unused: Any) -> None:
        """Count epochs from one, as status.json does."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch + 1}")


class Lines(Callback):
    """Lines for a file or a notebook, where a bar would write thousands; they show the rows of `Metrics`."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.last = 0.0

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """A line now and then."""
        now = time.monotonic()
        if self.metrics.latest and now - self.last > SECONDS_BETWEEN_LINES:
            self.last = now
            numbers = "  ".join(f"{label} {text}" for label, text in shown(self.metrics).items())
            log.info("epoch %d  step %s  %s", trainer.current_epoch + 1, f"{module.generator_steps:,}", numbers)
