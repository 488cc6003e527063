import logging
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning import Callback, Trainer

from gan_lightning.callbacks.checkpoints import save
from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import make_records
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.models import GAN
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)


Decisive = Literal["frechet", "kernel", "classifier_score", "precision", "recall", "density", "coverage"]


class Evaluation(Callback):
    """Scores samples of the averaged generator against validation images every few epochs; keeps `best.ckpt`.

    Every score goes to all loggers and scores.jsonl, beside it what real images score. Samples come from noise of
    their own seed and are not compared with test images, so that watching changes neither training nor what the final
    figures mean. Its time counts towards trainer.max_time.

    Args:
        every_n_epochs: None never scores.
        n: samples, and as many validation images; None for as many as there are, at most 10,000.
        score: decides which checkpoint is the best.
        seed: of the noise.
    """

    def __init__(
        self,
        every_n_epochs: PositiveInt | None = None,
        n: PositiveInt | None = None,
        score: Decisive = "frechet",
        seed: NonNegativeInt = 0,
    ) -> None:
        self.every_n_epochs = every_n_epochs
        self.n = n
        self.score = score
        self.seed = seed
        self.best: float | None = None
        self.scorer: Scorer | None = None

    def on_fit_start(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Refuse what cannot be scored, then measure the real images, before training starts."""
        if self.every_n_epochs is None or not trainer.is_global_zero:
            return
        data: ImageData = trainer.datamodule  # type: ignore[attr-defined]
        if self.score == "classifier_score" and len(data.class_names) < 2:
            raise UserError(
                f"callbacks.evaluation.score=classifier_score needs classes, which {data.short_name} has not; "
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

    def on_train_epoch_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Score a whole epoch when it is due; Lightning calls this before `Checkpoints`, which keeps the best score."""
        whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if self.every_n_epochs is None or not whole or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        is_best = self.evaluate(trainer, module) if trainer.is_global_zero else False
        if trainer.strategy.broadcast(is_best):
            save(trainer, module, "best")

    def evaluate(self, trainer: Trainer, module: GAN) -> bool:
        """Score, log, and say whether no epoch before was better."""
        assert self.scorer is not None
        measured = self.scorer.measure(module.draw(self.scorer.n, self.seed))
        facts = {"during_training": True, "generator_steps": module.generator_steps,
                 "images_seen": module.images_seen, "seed": self.seed}  # fmt: skip
        records = make_records({module.kept_weights[0]: measured}, self.real_baseline, self.scorer.protocol, facts)
        RunFolder(Path(trainer.default_root_dir)).add_scores(records)
        row = {name: value for record in records for name, value in record.named_values().items()}
        place = {"images_seen": module.images_seen, "epoch": trainer.current_epoch}
        for logger in trainer.loggers:
            logger.log_metrics(row | place, step=module.generator_steps)
        value, higher = measured.scores[self.score], SCORES[self.score].higher_is_better
        is_best = self.best is None or (value > self.best if higher else value < self.best)
        if is_best:
            self.best = value
        log.info(
            "epoch %d  %s %.4g (real %.4g)%s",
            trainer.current_epoch + 1, self.scorer.full_name(self.score), value, self.real_baseline.scores[self.score],
            ", the best so far" if is_best else "",
        )  # fmt: skip
        return is_best

    def on_train_end(self, trainer: Trainer, module: GAN) -> None:  # type: ignore[override]
        """Say so when the run ended before an epoch was due."""
        if self.scorer is not None and self.best is None:
            log.info("no epoch was scored: the run ended before callbacks.evaluation.every_n_epochs of them were over")
