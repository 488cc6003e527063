"""What W&B and TensorBoard have in common: they show a run, and a failure of theirs never stops training."""

import functools
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pytorch_lightning.loggers import Logger
from torch import Tensor

from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.loggers.sections import best_value, in_section, is_charted
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


def never_fatal(method: F) -> F:
    """A failure of the wrapped method is reported once and then ignored: a dashboard never stops training."""

    @functools.wraps(method)
    def guarded(self: "Dashboard", *args: Any, **kwargs: Any) -> None:
        if self.broken:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.broken = True
            log.warning("%s failed and is left out from here on (training goes on): %s", self.title, error)

    return guarded  # type: ignore[return-value]


class Dashboard(Logger):
    """A logger that shows a run: numbers in sections, scores beside their real-data baselines, and pictures.

    Every row is that of a generator step and says `images_seen`. What Lightning's own callbacks log (learning rates, by
    batches) waits for the next such row, as in metrics.csv.

    Attributes:
        title: What a person calls it.
        folder: The run folder that it shows.
        broken: Whether it has failed and is left out.
        upload: Command by which what it has recorded is uploaded later; None when there is nothing to do.
    """

    title: ClassVar[str]
    folder: RunFolder
    broken = False
    upload: str | None = None
    waiting: Mapping[str, float] = {}

    def sectioned(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """A row of training with the sections' names, and what waits for it; empty for what has to wait."""
        if "images_seen" not in metrics:
            self.waiting = {**self.waiting, **{f"system/{name}": value for name, value in metrics.items()}}
            return {}
        row = {**self.waiting, **{in_section(name): value for name, value in metrics.items()}}
        self.waiting = {}
        return row

    @abstractmethod
    def log_samples(self, picture: Tensor, step: int) -> None:
        """Show a grid of samples, uint8 (C, H, W), beside real images."""

    @abstractmethod
    def log_scores(self, records: Sequence[ScoreRecord], epoch: int | None) -> None:
        """Show the scores of one evaluation, in training or after it."""

    @abstractmethod
    def log_pictures(self, files: Mapping[str, Path], step: int | None) -> None:
        """Show pictures.

        Args:
            files: The files by name, such as `curves/losses`; those that are missing are left out.
            step: Generator steps that the pictures are of.
        """

    @abstractmethod
    def close(self, failed: bool) -> None:
        """Write, or upload, the rest."""


def send_scores(loggers: Iterable[Logger], records: Sequence[ScoreRecord], epoch: int | None = None) -> None:
    """Give the scores of one evaluation to every logger: to dashboards as records, to others as a row of numbers."""
    row: dict[str, Any] = {name: value for record in records for name, value in record.named_values().items()}
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.log_scores(records, epoch)
        else:
            logger.log_metrics(
                row | {"images_seen": records[0].images_seen, "epoch": epoch}, records[0].generator_steps
            )
        logger.save()


def log_picture(logger: Logger, picture: Tensor, step: int) -> None:
    """Send a grid of samples, uint8 (C, H, W), to a logger that shows pictures."""
    if isinstance(logger, Dashboard):
        logger.log_samples(picture, step)


def closing_pictures(folder: RunFolder) -> dict[str, Path]:
    """The pictures of a run that has ended: traversals of codes, the time-lapse and the curves."""
    shown = {*folder.grids(), folder.samples / "real.png"}
    samples = {f"samples/{file.stem}": file for file in sorted(folder.samples.glob("*.png")) if file not in shown}
    drawn = {"samples/timelapse": folder.timelapse, "curves/training": folder.plot, "curves/scores": folder.scores_plot}
    return samples | drawn


def score_name(record: ScoreRecord, records: Sequence[ScoreRecord]) -> str:
    """The name of a score's curve: that of its protocol; with the source, where it is not the evaluation's first."""
    return f"scores/{record.full_name}{'' if record.source == records[0].source else f'_{record.source}'}"


def score_rows(records: Sequence[ScoreRecord]) -> tuple[dict[str, float], dict[str, float]]:
    """The scores of an evaluation by the names of their curves; and their real-data baselines and standard errors."""
    values: dict[str, float] = {}
    beside: dict[str, float] = {}
    for record in records:
        name = score_name(record, records)
        values[name] = record.value
        further = {f"scores/{record.full_name}_real": record.real_baseline, f"{name}_error": record.error}
        beside |= {name: value for name, value in further.items() if value is not None}
    return values, beside


def training_curves(folder: RunFolder) -> dict[str, list[ScoreRecord]]:
    """The scores measured in training that have a best value, by full name, oldest first."""
    curves: dict[str, list[ScoreRecord]] = {}
    for record in folder.scores():
        if record.during_training and is_charted(record):
            curves.setdefault(record.full_name, []).append(record)
    return curves


def best_scores(curves: Mapping[str, Sequence[ScoreRecord]]) -> dict[str, float]:
    """The best value of each score in training."""
    return {f"best/{name}": best_value(curve, bool(curve[0].higher_is_better)) for name, curve in curves.items()}
