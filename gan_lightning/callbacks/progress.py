import logging
import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.callbacks.training_metrics import TrainingMetrics
from gan_lightning.models import GAN

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 15
SECONDS_BEFORE_FORECAST = 8  # the first steps are slower than those to come

SHOWN = {
    "loss_d": ("loss D", "{:.2f}"),
    "loss_g": ("loss G", "{:.2f}"),
    "d_real": ("D(x)", "{:.2f}"),
    "d_fake": ("D(G(z))", "{:.2f}"),
    "images_per_second": ("images/s", "{:.0f}"),
}


def shown(metrics: TrainingMetrics) -> dict[str, str]:
    """The latest row as a person reads it: losses, D(x), D(G(z)), speed."""
    row = metrics.latest
    return {label: text.format(row[name]) for name, (label, text) in SHOWN.items() if name in row}


def in_words(seconds: float) -> str:
    """A length of time as a person says it: 40 s, 4 min, 1 h 20 min."""
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def of_all(done: int, limit: int | None) -> str:
    """`3 of 20`; without a limit, which Lightning writes as -1, `3`."""
    return f"{done:,} of {limit:,}" if limit is not None and limit > 0 else f"{done:,}"


class Forecast(Callback):
    """How long the run will still take on this machine, by how fast its budget is being spent; says so once.

    It reads `module.budget_spent`, which `Budget` must have set before: `Budget` stands earlier among the callbacks.
    """

    def __init__(self) -> None:
        self.left: str | None = None  # in words, None until it can be estimated
        self.started: tuple[float, float] | None = None  # clock and share spent

    def on_train_batch_start(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Start the clock at the first batch; estimate anew at each later one, now that another is done."""
        now, spent = time.monotonic(), module.budget_spent
        if self.started is None:
            self.started = now, spent
        clock, share = self.started
        seconds = now - clock
        if seconds < SECONDS_BEFORE_FORECAST or spent <= share:
            return
        first, self.left = self.left is None, in_words((1 - spent) * seconds / (spent - share))
        if first:
            self.announce()

    @rank_zero_only
    def announce(self) -> None:
        """Say what the run will take, and how to change it."""
        log.info("this run ends in about %s on this machine; Ctrl-C ends it earlier, with everything saved", self.left)


class ProgressBar(TQDMProgressBar):
    """A progress bar for a terminal; it shows the rows of `TrainingMetrics`."""

    def __init__(self, metrics: TrainingMetrics, forecast: Forecast) -> None:
        super().__init__(refresh_rate=10)
        self.metrics = metrics
        self.forecast = forecast

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        left = {"left": self.forecast.left} if self.forecast.left else {}
        return shown(self.metrics) | left

    def init_validation_tqdm(self) -> Tqdm:
        """No bar: validation is one batch and then the scores, which have no steps to count."""
        return Tqdm(disable=True)

    def on_train_epoch_start(self, trainer: Trainer, *unused: Any) -> None:
        """Count epochs from one, as status.json does."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(f"epoch {of_all(trainer.current_epoch + 1, trainer.max_epochs)}")


class ProgressLines(Callback):
    """Lines for a file or a notebook, where a bar would write thousands; they show the rows of `TrainingMetrics`."""

    def __init__(self, metrics: TrainingMetrics, forecast: Forecast, max_generator_steps: int | None = None) -> None:
        self.metrics = metrics
        self.max_generator_steps = max_generator_steps
        self.forecast = forecast
        self.last = 0.0

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """A line now and then."""
        now = time.monotonic()
        if self.metrics.latest and now - self.last > SECONDS_BETWEEN_LINES:
            self.last = now
            numbers = "  ".join(f"{label} {text}" for label, text in shown(self.metrics).items())
            left = f", {self.forecast.left} left" if self.forecast.left else ""
            epoch = of_all(trainer.current_epoch + 1, trainer.max_epochs)
            step = of_all(module.generator_steps, self.max_generator_steps)
            log.info("epoch %s  step %s%s  %s", epoch, step, left, numbers)
