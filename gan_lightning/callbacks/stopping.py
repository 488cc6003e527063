import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import Timer

from gan_lightning.data import ImageData
from gan_lightning.models import GAN

log = logging.getLogger(__name__)

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]
"""Ctrl-C, and what schedulers and closing terminals send; Windows has only the first two."""


class Budget(Callback):
    """What the run may spend, in images, generator steps, epochs or time: ends it, and tells the module how far it is.

    Epochs and time are Lightning's own limits, which it enforces itself; here they count towards the share spent.

    Args:
        max_images: Real images after which training stops; None for no such limit.
        max_generator_steps: Generator steps after which training stops; None for no such limit.
    """

    def __init__(self, max_images: int | None = None, max_generator_steps: int | None = None) -> None:
        self.max_images = max_images
        self.max_generator_steps = max_generator_steps

    def share_spent(self, trainer: Trainer, module: GAN) -> float:
        """From 0 to 1: how much of the budget is spent, by the limit that will be reached first."""
        shares = [0.0]
        if self.max_images is not None:
            shares.append(module.images_seen / self.max_images)
        if self.max_generator_steps is not None:
            shares.append(module.generator_steps / self.max_generator_steps)
        if trainer.max_epochs is not None and trainer.max_epochs > 0:
            data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
            images_per_epoch = trainer.num_training_batches * data.batch_size
            shares.append(module.images_seen / (trainer.max_epochs * images_per_epoch))
        shares += [share_of_time(timer) for timer in trainer.callbacks if isinstance(timer, Timer)]  # type: ignore[attr-defined]
        return min(1.0, max(shares))

    def on_train_batch_start(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Tell the module, whose learning rates may depend on it; all processes go by the first one's clock."""
        share = self.share_spent(trainer, module)
        module.budget_spent = trainer.strategy.broadcast(share) if trainer.world_size > 1 else share

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Ask to stop; the counters are the same in every process."""
        images, steps = self.max_images, self.max_generator_steps
        if (images is not None and module.images_seen >= images) or (
            steps is not None and module.generator_steps >= steps
        ):
            trainer.should_stop = True


def share_of_time(timer: Timer) -> float:
    """How much of `trainer.max_time` is over, all sessions together; 0 without a limit."""
    remaining = timer.time_remaining()
    elapsed = timer.time_elapsed()
    return 0.0 if remaining is None else elapsed / max(elapsed + remaining, 1e-9)


class GracefulStop(Callback):
    """A signal ends training after the current step, with everything saved; a second Ctrl-C ends it at once.

    A terminal that closes sends its SIGHUP more than once, and so may a scheduler its signal: one counts for all. The
    SIGHUP that `nohup` has switched off stays off.
    """

    def __init__(self) -> None:
        self.requested = False
        self.previous: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Listen for the signals, which only the main thread may."""
        self.requested = False
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                self.previous[number] = signal.signal(number, self.request)

    def request(self, number: int, frame: FrameType | None) -> None:
        """Remember the request; the next Ctrl-C has its usual, immediate effect."""
        if not self.requested:
            log.info("\nStopping after this step and saving; press Ctrl-C again to stop at once.")
        self.requested = True
        self.restore(signal.SIGINT)

    def restore(self, *numbers: signal.Signals) -> None:
        """Put back the handlers found."""
        for number in numbers:
            if number in self.previous:
                signal.signal(number, self.previous.pop(number))

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Ask to stop; with several processes all stop at the same step."""
        stop = self.requested
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self.requested = trainer.should_stop = True
            if not trainer.is_last_batch:
                trainer.limit_val_batches = 0  # who stops by hand does not wait for scores

    def teardown(self, trainer: Trainer, module: GAN, stage: str) -> None:  # type: ignore[override]
        """Stop listening."""
        self.restore(*self.previous)
