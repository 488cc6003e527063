"""What watches a run: numbers, pictures, checkpoints, progress, and what may stop it."""

from gan_lightning.callbacks.checkpoints import Checkpoints
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.progress import Forecast, ProgressBar, ProgressLines
from gan_lightning.callbacks.samples import SampleGrids
from gan_lightning.callbacks.status import Status
from gan_lightning.callbacks.stopping import Budget, GracefulStop
from gan_lightning.callbacks.training_metrics import TrainingMetrics

__all__ = [
    "Budget",
    "Checkpoints",
    "Evaluation",
    "Forecast",
    "GracefulStop",
    "ProgressBar",
    "ProgressLines",
    "SampleGrids",
    "Status",
    "TrainingMetrics",
]
