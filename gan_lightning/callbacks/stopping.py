import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, Trainer

from gan_lightning.models import GAN

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Budget(Callback):
    """Stop after so many real images or generator steps, whichever comes first."""

    def __init__(self, max_images: int | None, max_generator_steps: int | None) -> None:
        self.max_images = max_images
        self.max_generator_steps = max_generator_steps

    def spent(self, module: GAN) -> bool:
        """Whether either limit is reached."""
        return (self.max_images is not None and module.images_seen >= self.max_images) or (
            self.max_generator_steps is not None and module.generator_steps >= self.max_generator_steps
        )

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Ask to stop; the counters are the same in every process."""
        if self.spent(module):
            trainer.should_stop = True


class GracefulStop(Callback):
    """Ctrl-C (or SIGTERM) ends training after the current step, with everything saved; a second one at once."""

    def __init__(self) -> None:
        self.requested = False
        self.previous: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Listen for the signals, which only the main thread may."""
        self.requested = False
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            self.previous[number] = signal.signal(number, self.request)

    def request(self, number: int, frame: FrameType | None) -> None:
        """Remember the wish; the next signal has its usual, immediate effect."""
        self.requested = True
        self.restore()
        log.info("\nStopping after this step and saving; press Ctrl-C again to stop at once.")

    def restore(self) -> None:
        """Put back the handlers found."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Ask to stop; with several processes all stop at the same step."""
        stop = self.requested
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self.requested = trainer.should_stop = True

    def teardown(self, trainer: Trainer, module: GAN, stage: str) -> None:  # type: ignore[override]
        """Stop listening."""
        self.restore()
