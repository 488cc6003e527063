"""A run in TensorBoard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from gan_lightning.config.compose import leaves
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.images import beside
from gan_lightning.loggers.dashboard import Dashboard, best_scores, never_fatal, score_rows, training_curves
from gan_lightning.loggers.label import RunLabel
from gan_lightning.loggers.sections import PANELS, score_panels
from gan_lightning.training.run_folder import RunFolder

FOLDER = "tensorboard"
"""Folder of the events in a run folder."""

HYPERPARAMETERS = (
    "model", "network", "loss", "penalty", "augment", "conditioning", "auxiliary", "updates", "optimizer", "annealing",
    "data", "seed", "precision",
)  # fmt: skip
"""Keys of the configuration that are hyperparameters: those on which the weights depend."""


class GuardedTensorBoardLogger(Dashboard, TensorBoardLogger):
    """Lightning's TensorBoard logger, with the run's pictures and scores; its failures never stop training.

    The step of every number and picture is the generator step.

    Args:
        folder: The run folder.
    """

    title = "TensorBoard"

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(str(folder.path), name="", version=FOLDER, default_hp_metric=False)
        self.folder = folder

    @never_fatal
    def begin(self, config: Mapping[str, Any], label: RunLabel) -> None:
        """Write the hyperparameters, and which curves share a panel of the tab CUSTOM SCALARS.

        TensorBoard itself finds the metrics of its tab HPARAMS: the last value of every curve, those included that an
        evaluation adds later.
        """
        from torch.utils.tensorboard.summary import hparams

        self.hparams = dict(label.choices) | hyperparameters(config)
        _, start, _ = hparams(self.hparams, {})
        self.experiment._get_file_writer().add_summary(start)
        layout = {section: {title: ["Multiline", [f"{name}$" for name in names]] for title, names in panels.items()}
                  for section, panels in PANELS.items()}  # fmt: skip
        scores = {name: ["Multiline", [pattern]] for name, pattern in score_panels().items()}
        self.experiment.add_custom_scalars(layout | {"scores": scores})

    @rank_zero_only
    @never_fatal
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Numbers of training."""
        if row := self.sectioned(metrics):
            super().log_metrics(row, step)

    @rank_zero_only
    @never_fatal
    def log_samples(self, picture: Tensor, step: int) -> None:
        """Real images at the left, samples at the right."""
        real = self.folder.samples / "real.png"
        pictures = [*([read_picture(real)] if real.is_file() else []), picture.expand(3, -1, -1).cpu()]
        self.experiment.add_image("samples/real and generated", beside(pictures), step)

    @rank_zero_only
    @never_fatal
    def log_scores(self, records: Sequence[ScoreRecord], epoch: int | None) -> None:
        """Scores, their real-data baselines and standard errors, and the best value of each so far in training."""
        values, further = score_rows(records)
        best = best_scores(training_curves(self.folder)) if records[0].during_training else {}
        super().log_metrics(values | further | best, records[0].generator_steps)

    @rank_zero_only
    @never_fatal
    def log_pictures(self, files: Mapping[str, Path], step: int | None) -> None:
        """Pictures; a GIF is left out, of which TensorBoard would show one frame."""
        for name, file in files.items():
            if file.is_file() and file.suffix == ".png":
                self.experiment.add_image(name, read_picture(file), step)

    @rank_zero_only
    @never_fatal
    def save(self) -> None:
        """Write what has been logged."""
        super().save()

    @rank_zero_only
    @never_fatal
    def finalize(self, status: str) -> None:
        """Write what has been logged."""
        super().finalize(status)

    @rank_zero_only
    @never_fatal
    def close(self, failed: bool) -> None:
        """Write the rest."""
        self.experiment.close()


def start_tensorboard(folder: Path, config: dict[str, Any], label: RunLabel, job: str) -> GuardedTensorBoardLogger:
    """TensorBoard's events in the folder `tensorboard` of a run folder.

    Args:
        folder: The run folder.
        config: The run's whole configuration, whose hyperparameters TensorBoard shows.
        label: The choices that are hyperparameters, too.
        job: What is done, train or evaluate; hyperparameters are written in training.

    Raises:
        UserError: TensorBoard is not installed.
    """
    try:
        logger = GuardedTensorBoardLogger(RunFolder(folder))
    except ModuleNotFoundError as error:
        raise UserError("logger=tensorboard needs TensorBoard: pip install tensorboard") from error
    if job == "train":
        logger.begin(config, label)
    return logger


def hyperparameters(config: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """What of a configuration is a hyperparameter, by full keys; without `_target_` and the like, and without None."""
    return {
        key: value if isinstance(value, bool | int | float | str) else str(value)
        for key, value in leaves({key: config[key] for key in HYPERPARAMETERS if key in config})
        if value not in (None, {}) and not key.rpartition(".")[2].startswith("_")
    }


def read_picture(file: Path) -> Tensor:
    """A picture as uint8 (3, H, W)."""
    with Image.open(file) as picture:
        return pil_to_tensor(picture.convert("RGB"))
