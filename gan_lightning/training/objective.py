"""The objective of a run: the one number by which Hydra's sweepers (Optuna, Ax, Nevergrad) compare the jobs of a sweep.

It is the score of the last evaluation, not the best one: the lowest of many values is biased downwards, the more so the
more often a run is evaluated, and the weights that a run ends with are those its budget has paid for.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from pytorch_lightning import Callback
from torch import Tensor

from gan_lightning.callbacks.evaluation import MonitoredScore, evaluation_interval
from gan_lightning.errors import UserError
from gan_lightning.evaluation.protocol import SCORES


def check_objective(score: str | None, callbacks: Iterable[Callback], num_classes: int) -> None:
    """Refuse an objective that will not be measured or cannot be minimized, before training starts.

    Args:
        score: Name of a score, or None.
        callbacks: The callbacks of the run.
        num_classes: Number of classes of the data set.

    Raises:
        UserError: The score is unknown, has no order or is not measured in training, or evaluation is off.
    """
    if score is None:
        return
    allowed = f"type objective=frechet; allowed: {', '.join(get_args(MonitoredScore))}, null"
    if score in SCORES and SCORES[score].higher_is_better is None:
        raise UserError(f"objective={score} cannot be minimized: neither lower nor higher values are better; {allowed}")
    if score not in get_args(MonitoredScore):
        raise UserError(f"objective={score} is not a score that is measured in training; {allowed}")
    if score == "classifier_score" and num_classes < 2:
        raise UserError(f"objective={score} needs classes, and this data set has none; type objective=frechet")
    if evaluation_interval(callbacks) is None:
        raise UserError(
            f"objective={score} is never measured, as evaluation is off; type callbacks.evaluation.every_n_epochs=1, "
            "or objective=null"
        )


def read_objective(score: str | None, measured: Mapping[str, Tensor]) -> float | None:
    """The objective of a run that has ended, lower always better; None without one.

    Args:
        score: Name of the score, or None.
        measured: The last value of each score by its short name, `trainer.callback_metrics`.

    Raises:
        UserError: The run ended before its first evaluation.
    """
    if score is None:
        return None
    if score not in measured:
        raise UserError(
            f"objective={score} was not measured: the run ended before callbacks.evaluation.every_n_epochs epochs were "
            "over; type callbacks.evaluation.every_n_epochs=1, or a longer budget"
        )
    value = float(measured[score])
    return -value if SCORES[score].higher_is_better else value
