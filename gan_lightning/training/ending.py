"""How a run ends: what its status.json says, its curves, time-lapse and report, and the list of what it has left."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan_lightning.callbacks import GracefulStop
from gan_lightning.config.messages import word_of
from gan_lightning.errors import UserError
from gan_lightning.images import save_gif
from gan_lightning.loggers import Dashboard, closing_pictures
from gan_lightning.losses import Loss
from gan_lightning.report.figures import plot_metrics, plot_scores
from gan_lightning.report.page import write_run_page
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)


@contextmanager
def recorded_ending(folder: RunFolder, callbacks: list[Callback], loggers: list[Logger], loss: Loss) -> Iterator[None]:
    """However training ends, status.json says so, the curves are drawn and the dashboards closed.

    Known errors get plain words.
    """
    ending: dict[str, Any] = {"state": "failed"}
    try:
        yield
        stopped = any(isinstance(callback, GracefulStop) and callback.requested for callback in callbacks)
        ending = {"state": "interrupted" if stopped else "finished"}
    except (KeyboardInterrupt, SystemExit):
        ending = {"state": "interrupted"}
        raise
    except Exception as error:
        ending["error"] = str(error)
        if isinstance(error, OSError):
            raise UserError(f"{error}; what was saved before is whole, in {folder.path}") from error
        if isinstance(error, MisconfigurationException) or "Early stopping conditioned on metric" in str(error):
            raise UserError(str(error)) from error
        raise
    finally:
        record_ending(folder, loggers, loss, ending)


@rank_zero_only
def record_ending(folder: RunFolder, loggers: list[Logger], loss: Loss, ending: dict[str, Any]) -> None:
    """Write how training ended, as far as the disk allows; draw the curves; show them, and close the dashboards."""
    with suppress(OSError):
        folder.write_status(folder.status() | ending | {"ended": now()})
    draw(folder, loss, ending.get("error", ""))
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.log_pictures(closing_pictures(folder), folder.status().get("generator_steps"))
            logger.close(failed=ending["state"] == "failed")


@rank_zero_only
def draw(folder: RunFolder, loss: Loss, error: str = "") -> None:
    """Draw the curves, join the grids and write the report, as far as files can be read; what fails is reported only.

    Args:
        folder: The run's folder.
        loss: Its adversarial loss, which says what the discriminator's output means.
        error: What ended the run, if an error did.
    """
    title = "/".join(folder.path.resolve().parts[-2:]) + (f"\n{error.partition(';')[0]}" if error else "")
    drawings: dict[Path, Callable[[], None]] = {
        folder.plot: lambda: plot_metrics(folder.metrics, folder.plot, title, loss),
        folder.scores_plot: lambda: plot_scores(folder.scores(), folder.scores_plot, title),
        folder.timelapse: lambda: save_gif(folder.grids(), folder.timelapse),
    }
    for file, drawing in drawings.items():
        try:
            drawing()
        except Exception as error:
            log.warning("WARNING: %s could not be drawn: %s", file, error)
    write_run_page(folder)


@rank_zero_only
def conclude(cfg: DictConfig, folder: RunFolder, loggers: list[Logger], learns: bool, scorable: bool) -> None:
    """Name everything the run has left.

    Args:
        cfg: The run's configuration.
        folder: The run's folder.
        loggers: The run's loggers, of which W&B's may have files to upload.
        learns: Whether a learning rate is above 0, so that training longer changes something.
        scorable: Whether there are test images enough for scores.
    """
    status = folder.status()
    spent = timedelta(seconds=round(status.get("seconds", 0)))
    log.info(
        "\n%s after %s generator steps, %s images, %s of training",
        status["state"], f"{status['generator_steps']:,}", f"{status['images_seen']:,}", spent,
    )  # fmt: skip
    rows = left_behind(folder)
    run = " ".join([word_of("run", readable(folder.path)), *(["trust=true"] if status.get("foreign_code") else [])])
    rows["more samples"] = f"python -m gan_lightning sample {run} n=100 out=grid.png"
    if scorable:
        rows["every score"] = f"python -m gan_lightning evaluate {run}"
    if learns:
        rows["train longer"] = " ".join(["python -m gan_lightning resume", run, *longer(cfg, status)])
    for logger in loggers:
        if isinstance(logger, Dashboard) and logger.upload:
            rows["W&B upload"] = logger.upload
    for what, where in rows.items():
        log.info("  %-13s %s", what, where)


def left_behind(folder: RunFolder) -> dict[str, str]:
    """The files of a run that a person opens, by what they are."""
    grids = folder.grids()
    files = {
        f"samples ({len(grids)})": grids[-1] if grids else None,
        "to compare": folder.samples / "real.png",
        "time-lapse": folder.timelapse,
        "curves": folder.plot,
        "scores": folder.scores_plot,
        "numbers": folder.metrics,
        "checkpoint": folder.last,
        "best": folder.best,
        "report": folder.report,
        "profile": folder.path / "fit-profile.txt",
    }
    return {what: readable(file) for what, file in files.items() if file is not None and file.exists()}


def longer(cfg: DictConfig, status: dict[str, Any]) -> list[str]:
    """The words that double the budgets a run has spent; none for a run that was stopped before."""
    if status["state"] != "finished":
        return []
    done = {"max_images": status["images_seen"], "max_generator_steps": status["generator_steps"]}
    counted = [f"{key}={2 * cfg[key]}" for key in done if cfg[key] and done[key] >= cfg[key]]
    if counted:
        return counted
    limit, epochs = cfg.trainer.max_time, cfg.trainer.max_epochs
    if limit is not None and (epochs is None or status.get("seconds", 0) >= in_seconds(limit)):
        minutes, seconds = divmod(2 * in_seconds(limit), 60)
        return [f"trainer.max_time=00:{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"]
    if cfg.trainer.get("max_steps", -1) > 0:
        return [f"trainer.max_steps={2 * cfg.trainer.max_steps}"]
    return [f"trainer.max_epochs={2 * epochs}"] if epochs else []


def in_seconds(max_time: str) -> int:
    """DD:HH:MM:SS as seconds."""
    days, hours, minutes, seconds = map(int, max_time.split(":"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def readable(path: Path) -> str:
    """A path as one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def now() -> str:
    """The time of day, to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
