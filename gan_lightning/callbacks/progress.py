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
    "loss_d": "loss D {:.2f}",
    "loss_g": "G {:.2f}",
    "d_real": "D(x) {:.2f}",
    "d_fake": "D(G(z)) {:.2f}",
    "images_per_second": "{:.0f} img/s",
}


def shown(metrics: Metrics) -> str:
    """The latest row in words: losses, D(x), D(G(z)), speed."""
    return "  ".join(text.format(metrics.latest[name]) for name, text in SHOWN.items() if name in metrics.latest)


class Bar(TQDMProgressBar):
    """A progress bar for a terminal; it shows the rows of `Metrics`."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(refresh_rate=10)
        self.metrics = metrics

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        return {"": shown(self.metrics)}


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
            epoch = trainer.current_epoch + 1
            log.info("epoch %d  step %s  %s", epoch, f"{module.generator_steps:,}", shown(self.metrics))
