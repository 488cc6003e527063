"""A run in Weights & Biases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.images import to_pil
from gan_lightning.loggers.dashboard import Dashboard, best_scores, never_fatal, score_rows, training_curves
from gan_lightning.training.run_folder import RunFolder


class GuardedWandbLogger(Dashboard, WandbLogger):
    """Lightning's W&B logger, with the run's pictures and scores; its failures never stop training.

    Curves are drawn against generator steps; images_seen and epoch are in every row and can be chosen as the x axis.

    Args:
        run: The W&B run.
        folder: The run folder.
    """

    title = "Weights & Biases"

    def __init__(self, run: Any, folder: RunFolder) -> None:
        super().__init__(experiment=run)
        self.folder = folder
        self.shows_real = False
        self.hidden: set[str] = set()

    def send(self, row: Mapping[str, Any], step: int | None) -> None:
        """Log a row at a generator step."""
        self.experiment.log({**row, "generator_steps": step})

    @rank_zero_only
    @never_fatal
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Numbers of training."""
        if row := self.sectioned(metrics):
            self.send(row, step)

    @rank_zero_only
    @never_fatal
    def log_samples(self, picture: Tensor, step: int) -> None:
        """A grid of samples; the first one with the real images to compare with."""
        import wandb

        row = {"samples/generated": wandb.Image(to_pil(picture), caption=f"samples after {step:,} generator steps")}
        real = self.folder.samples / "real.png"
        if not self.shows_real and real.is_file():
            row["samples/real"] = wandb.Image(str(real), caption=caption(real, step))
            self.shows_real = True
        self.send(row, step)

    @rank_zero_only
    @never_fatal
    def log_scores(self, records: Sequence[ScoreRecord], epoch: int | None) -> None:
        """Scores; for those measured in training a panel of each with its real-data baseline, and the best value.

        Baselines and standard errors of their own are numbers without panels.
        """
        run, first = self.experiment, records[0]
        values, beside = score_rows(records)
        for name in beside.keys() - self.hidden:
            run.define_metric(name, step_metric="generator_steps", step_sync=False, hidden=True)
        self.hidden |= beside.keys()
        place = {"images_seen": first.images_seen, **({} if epoch is None else {"epoch": epoch})}
        charts: dict[str, Any] = {}
        if first.during_training:
            curves = training_curves(self.folder)
            charts = {f"scores/{name} and real images": chart(name, curve) for name, curve in curves.items()}
            run.summary.update(best_scores(curves))
        self.send(values | beside | place | charts, first.generator_steps)

    @rank_zero_only
    @never_fatal
    def log_pictures(self, files: Mapping[str, Path], step: int | None) -> None:
        """Pictures with captions; a GIF as a video."""
        import wandb

        row: dict[str, Any] = {}
        for name, file in files.items():
            if file.is_file():
                is_film = file.suffix == ".gif"
                picture = wandb.Video(str(file), format="gif") if is_film else wandb.Image(str(file))
                picture._caption = caption(file, step)
                row[name] = picture
        if row:
            self.send(row, step)

    @rank_zero_only
    @never_fatal
    def close(self, failed: bool) -> None:
        """Upload the rest and close the run, so that the next job of a sweep gets one of its own."""
        self.experiment.finish(exit_code=int(failed))


def chart(name: str, curve: Sequence[ScoreRecord]) -> Any:
    """A panel of one score over training and of its real-data baseline."""
    import wandb

    steps = [record.generator_steps for record in curve]
    values: list[list[Any]] = [[record.value for record in curve], [record.real_baseline for record in curve]]
    return wandb.plot.line_series(
        steps, values, keys=["samples", "real images"], title=name, xname="generator steps", split_table=True
    )


CAPTIONS = {
    "real": "real images",
    "losses": "training metrics",
    "scores": "scores in training, dashed: real images",
    "timelapse": "the same latents all along",
    "real-and-samples": "left: real images, right: samples",
    "classes": "share of each class among the samples",
    "nearest": "pairs: a sample, and the training image it is suspiciously near to",
}
"""What the files of a run folder show, by their names without ending."""


def caption(file: Path, step: int | None) -> str:
    """What a picture shows, and of which generator step."""
    what = CAPTIONS.get(file.stem, file.stem)
    return what if file.stem == "real" or step is None else f"{what}, after {step:,} generator steps"
