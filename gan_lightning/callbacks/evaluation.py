import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveInt
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import Checkpoint

from gan_lightning.callbacks.checkpoints import is_stopping, save
from gan_lightning.callbacks.training_metrics import publish
from gan_lightning.config.values import Seed
from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.outlook import describe_scoring
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import Measurement, make_records
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.loggers import send_scores
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

MonitoredScore = Literal["frechet", "kernel", "classifier_score", "precision", "recall", "density", "coverage"]

Scores = dict[str, float]

MODES = {False: "min", True: "max"}
"""Whether higher is better, and what Lightning calls it."""


class Evaluation(Checkpoint):
    """Scores samples of the averaged generator against validation images every few epochs; keeps `best.ckpt`.

    The Trainer's own validation loop runs, and scores are ready when it ends: under their short names (`frechet`,
    `recall` ...) they are in `trainer.callback_metrics` of every process, so that Lightning's `EarlyStopping` and
    `ModelCheckpoint` can monitor them. The last step of a run is scored, too, wherever its budget ends it; one that
    Ctrl-C stops inside an epoch is not. (As a `Checkpoint`, this callback is asked after all that may stop training.)

    Every score goes to all loggers and scores.jsonl, beside what real images score. Samples come from noise of their
    own seed and are not compared with test images, so that watching changes neither training nor what the final
    figures mean. Only the first process scores, the others wait. Its time counts towards trainer.max_time.

    `best.ckpt` is not a ModelCheckpoint's: that one remembers its best score in last.ckpt, which a budget's end writes
    before the last score, and by the folder's absolute path. Here scores.jsonl is the memory.

    Args:
        every_n_epochs: Epochs between two evaluations; the last step is scored, too. None never scores.
        n: Number of samples, and of validation images; None for as many as there are, at most 10,000.
        score: The score that decides which checkpoint is the best.
        seed: Seed of the noise that all samples are drawn from.
    """

    def __init__(
        self,
        every_n_epochs: PositiveInt | None = None,
        n: PositiveInt | None = None,
        score: MonitoredScore = "frechet",
        seed: Seed = 0,
    ) -> None:
        self.every_n_epochs = every_n_epochs
        self.n = n
        self.score = score
        self.seed = seed
        self.best: float | None = None
        self.scorer: Scorer | None = None

    def on_fit_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Say what scoring takes, refuse what cannot be scored and measure real images, all before training starts."""
        if not trainer.is_global_zero:
            return
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        for line in describe_scoring(data):
            log.info(line)
        if self.every_n_epochs is None:
            return
        if self.score == "classifier_score" and len(data.class_names) < 2:
            raise UserError(
                f"callbacks.evaluation.score=classifier_score needs classes, and {data.short_name} has none; "
                "type callbacks.evaluation.score=frechet"
            )
        self.scorer = Scorer(data, "validation", self.n)
        self.real_baseline = self.scorer.real_baseline()

    def on_train_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Forget scores of steps that a crash undid; the best of the others, by the same protocol, is to be beaten."""
        if not trainer.is_global_zero:
            return
        folder = RunFolder(Path(trainer.default_root_dir))
        folder.forget_scores_after(module.generator_steps)
        if self.scorer is not None:
            deciding = (True, self.score, self.scorer.protocol(self.score))
            earlier = [record.value for record in folder.scores()
                       if (record.during_training, record.score, record.protocol) == deciding]  # fmt: skip
            self.best = (max if SCORES[self.score].higher_is_better else min)(earlier, default=None)

    def on_train_batch_end(self, trainer: Trainer, module: GAN, *unused: Any) -> None:  # type: ignore[override]
        """Have Lightning validate the run's last step as that of an epoch that is due."""
        if self.every_n_epochs is None:
            return
        if is_stopping(trainer):
            trainer.should_stop = True  # Lightning does not ask whether trainer.max_steps is over
            trainer.check_val_every_n_epoch = 1
        elif trainer.is_last_batch and 0 < (trainer.max_epochs or -1) <= trainer.current_epoch + 1:
            trainer.check_val_every_n_epoch = 1

    def on_validation_epoch_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Score, before anything that monitors a score is asked."""
        outcome: tuple[Scores, bool] = self.evaluate(trainer, module) if trainer.is_global_zero else ({}, False)
        scores, is_best = trainer.strategy.broadcast(outcome)
        publish(trainer, scores)
        if is_best:
            save(trainer, module, "best")

    def evaluate(self, trainer: Trainer, module: GAN) -> tuple[Scores, bool]:
        """Score, record, and say whether no evaluation before was better."""
        assert self.scorer is not None
        measured = self.scorer.measure(module.sampler().sample(self.scorer.n, self.seed))
        self.record(trainer, module, self.scorer, measured)
        value, higher = measured.scores[self.score], SCORES[self.score].higher_is_better
        is_best = self.best is None or (value > self.best if higher else value < self.best)
        if is_best:
            self.best = value
        log.info(
            "epoch %d  %s %.4g (real %.4g)%s",
            trainer.current_epoch + 1, self.scorer.full_name(self.score), value, self.real_baseline.scores[self.score],
            ", the best so far" if is_best else "",
        )  # fmt: skip
        return measured.scores, is_best

    def record(self, trainer: Trainer, module: GAN, scorer: Scorer, measured: Measurement) -> None:
        """Send the scores and those of real images to all loggers and to scores.jsonl."""
        facts = {"during_training": True, "generator_steps": module.generator_steps,
                 "images_seen": module.images_seen, "seed": self.seed}  # fmt: skip
        records = make_records({module.kept_weights[0]: measured}, self.real_baseline, scorer.protocol, facts)
        RunFolder(Path(trainer.default_root_dir)).add_scores(records)
        send_scores(trainer.loggers, records, trainer.current_epoch)

    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Say so when the run was stopped before an epoch was due."""
        if self.scorer is not None and self.best is None:
            log.info("nothing was scored: the run was stopped before callbacks.evaluation.every_n_epochs epochs")


def evaluation_interval(callbacks: Iterable[Callback]) -> int | None:
    """Epochs between two evaluations of a run with these callbacks; None when it is never scored."""
    return next((callback.every_n_epochs for callback in callbacks if isinstance(callback, Evaluation)), None)


def validation_options(callbacks: Iterable[Callback]) -> dict[str, Any]:
    """Arguments of the Trainer that run its validation loop when `Evaluation` is due, else never.

    One batch is enough: scores are of a whole set of samples, which `Evaluation` draws when the loop ends.
    """
    every = evaluation_interval(callbacks)
    return {"limit_val_batches": 0} if every is None else {"limit_val_batches": 1, "check_val_every_n_epoch": every}


def check_monitors(callbacks: Iterable[Callback]) -> None:
    """Refuse callbacks that monitor a score which is never measured, or the wrong way round.

    Raises:
        UserError: A callback's `monitor` is a score's name, but evaluation is off, or its `mode` keeps the worst.
    """
    callbacks = list(callbacks)
    is_on = evaluation_interval(callbacks) is not None
    for callback in callbacks:
        monitor, mode = getattr(callback, "monitor", None), getattr(callback, "mode", None)
        if monitor not in SCORES:
            continue
        name = type(callback).__name__
        if not is_on:
            raise UserError(
                f"{name} monitors {monitor}, which is never measured; type callbacks.evaluation.every_n_epochs=1"
            )
        higher = SCORES[monitor].higher_is_better
        if higher is not None and mode != MODES[higher]:
            raise UserError(
                f"{name} monitors {monitor} with mode={mode}, which keeps the worst; type mode={MODES[higher]}"
            )
