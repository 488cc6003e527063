"""One training run, from its configuration to a finished run folder."""

import logging
import os
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan_lightning import __version__
from gan_lightning.build import build_data, build_module, build_parts
from gan_lightning.callbacks import (
    Budget,
    Forecast,
    GracefulStop,
    ProgressBar,
    ProgressLines,
    Status,
    TrainingMetrics,
)
from gan_lightning.callbacks.evaluation import check_monitors, validation_options
from gan_lightning.config.messages import word_of
from gan_lightning.config.schema import check
from gan_lightning.config.trainer import DDP, FIND_UNUSED
from gan_lightning.errors import UserError
from gan_lightning.loggers import CSVLogger, GuardedWandbLogger, build_logger
from gan_lightning.report.figures import plot_metrics, plot_scores
from gan_lightning.training.objective import check_objective, read_objective
from gan_lightning.training.precision import choose_precision
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}


class Result(NamedTuple):
    """What a training run ends with.

    Attributes:
        state: "finished", or "interrupted" when the user stopped it.
        objective: The value of the score that `objective` names, lower always better; None without an objective, and
            for a run that was interrupted.
    """

    state: str
    objective: float | None


def train(
    cfg: DictConfig, folder: RunFolder, name: str, group: str | None = None, checkpoint: Path | None = None
) -> Result:
    """Train what a configuration says in a run folder; go on from a checkpoint when one is given.

    Args:
        cfg: A composed configuration.
        folder: The folder that everything is kept in.
        name: Name of the run in W&B.
        group: Name of the W&B runs that belong together, such as a sweep's.
        checkpoint: The checkpoint to go on from; None starts anew.

    Raises:
        UserError: Something is wrong that the user can put right; nearly always before any data is read.
    """
    check(cfg)
    settle_budget(cfg)
    quieten_lightning()
    seed_everything(cfg.seed, workers=True, verbose=False)
    data = build_data(cfg)
    module = build_module(cfg, data.image_shape, len(data.class_names))
    callbacks = build_callbacks(cfg)
    check_monitors(callbacks)
    check_objective(cfg.objective, callbacks, len(data.class_names))
    options = validation_options(callbacks) | trainer_options(cfg) | profiler_options(cfg, folder)
    start_folder(cfg, folder, resumed=checkpoint is not None)
    loggers: list[Logger] = []
    with recorded_ending(folder, callbacks, loggers):
        loggers += start_loggers(cfg, folder, name, group)
        trainer = Trainer(**options, callbacks=callbacks, logger=loggers, default_root_dir=folder.path)
        announce(cfg, folder, trainer)
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
    rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
    conclude(cfg, folder, loggers, learns=any(rates))
    state = folder.status()["state"]
    return Result(state, None if state == "interrupted" else read_objective(cfg.objective, trainer.callback_metrics))


def settle_budget(cfg: DictConfig) -> None:
    """Give a run without any budget the generator steps that its model's file says are worth waiting for."""
    given = (cfg.max_images, cfg.max_generator_steps, *map(cfg.trainer.get, ("max_epochs", "max_time", "max_steps")))
    if all(budget is None for budget in given):
        cfg.max_generator_steps = cfg.default_generator_steps


def build_callbacks(cfg: DictConfig) -> list[Callback]:
    """The configured ones, and those no run goes without."""
    configured: list[Callback] = list(build_parts("callbacks", cfg.callbacks, Callback).values())
    metrics = next((callback for callback in configured if isinstance(callback, TrainingMetrics)), TrainingMetrics())
    forecast = Forecast()
    progress = ProgressBar(metrics, forecast) if sys.stdout.isatty() else ProgressLines(metrics, forecast)
    always = [Budget(cfg.max_images, cfg.max_generator_steps), forecast, progress, GracefulStop(), Status()]
    return [*configured, *([] if metrics in configured else [metrics]), *always]


def trainer_options(cfg: DictConfig) -> dict[str, Any]:
    """Arguments of Lightning's Trainer: the configured ones, and what a GAN's run needs."""
    options: dict[str, Any] = OmegaConf.to_container(cfg.trainer, resolve=True)  # type: ignore[assignment]
    del options["_target_"]
    if options["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            f"accelerator=gpu, but torch {torch.__version__} sees no GPU; type accelerator=cpu, "
            "or install a build of torch for your GPU and its driver"
        )
    if options["max_epochs"] is None:
        options["max_epochs"] = -1  # another budget ends the run
    if options["strategy"] == "auto" and options["devices"] != 1:
        options["strategy"] = "ddp"
    if options["strategy"] in DDP:
        options["strategy"] += FIND_UNUSED
    precision, _ = choose_precision(cfg.precision, options["accelerator"])
    fixed = {
        "plugins": [precision],
        "enable_progress_bar": sys.stdout.isatty(),
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    return fixed | options


def profiler_options(cfg: DictConfig, folder: RunFolder) -> dict[str, Any]:
    """Lightning's profiler that the configuration names, its report written to `fit-profile.txt` in the run folder."""
    name = cfg.trainer.get("profiler")
    return {} if name is None else {"profiler": PROFILERS[name](dirpath=folder.path, filename="profile")}


@rank_zero_only
def start_folder(cfg: DictConfig, folder: RunFolder, resumed: bool) -> None:
    """Write the configuration, its folder of images as one that is found from anywhere, and the first status.json."""
    folder.path.mkdir(parents=True, exist_ok=True)
    if cfg.data.get("dir"):
        cfg.data.dir = str(Path(cfg.data.dir).expanduser().resolve())
    folder.write_config(cfg)
    command = shlex.join(["python", "-m", "gan_lightning", *sys.argv[1:]])
    entry = {"command": command, "started": now(), "gan_lightning": __version__, "torch": torch.__version__}
    sessions = [*(folder.status().get("sessions", []) if resumed else []), entry]
    folder.write_status((folder.status() if resumed else {}) | {"state": "starting", "sessions": sessions})


def start_loggers(cfg: DictConfig, folder: RunFolder, name: str, group: str | None) -> Iterator[Logger]:
    """metrics.csv and the loggers asked for; only the former in the helper processes of a several-process run."""
    yield CSVLogger(folder.metrics)
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    for node in cfg.logger.values() if rank_zero_only.rank == 0 else ():  # type: ignore[attr-defined]
        logger = build_logger(node, folder.path, config, name, group) if node else None
        if logger is not None:
            yield logger


@contextmanager
def recorded_ending(folder: RunFolder, callbacks: list[Callback], loggers: list[Logger]) -> Iterator[None]:
    """However training ends, status.json says so and W&B's run is closed; known errors get plain words."""
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
        record_ending(folder, loggers, ending)


@rank_zero_only
def record_ending(folder: RunFolder, loggers: list[Logger], ending: dict[str, Any]) -> None:
    """Write how training ended, as far as the disk allows, and close W&B's run."""
    with suppress(OSError):
        folder.write_status(folder.status() | ending | {"ended": now()})
    for logger in loggers:
        if isinstance(logger, GuardedWandbLogger):
            logger.finish(exit_code=int(ending["state"] == "failed"))


@rank_zero_only
def announce(cfg: DictConfig, folder: RunFolder, trainer: Trainer) -> None:
    """Say what is about to happen, and where."""
    _, why = choose_precision(cfg.precision, cfg.trainer.accelerator)
    device = trainer.strategy.root_device
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    processes = f" x {trainer.world_size}" if trainer.world_size > 1 else ""
    log.info("run folder  %s", readable(folder.path))
    log.info("device      %s%s%s, %s", device, processes, threads, why)


@rank_zero_only
def conclude(cfg: DictConfig, folder: RunFolder, loggers: list[Logger], learns: bool) -> None:
    """Draw the curves and name everything the run has left; it goes on only if a learning rate is above 0."""
    plot_metrics(folder.metrics, folder.plot)
    plot_scores(folder.scores(), folder.scores_plot)
    status = folder.status()
    spent = timedelta(seconds=round(status["seconds"]))
    log.info(
        "\n%s after %s generator steps, %s images, %s of training",
        status["state"], f"{status['generator_steps']:,}", f"{status['images_seen']:,}", spent,
    )  # fmt: skip
    run = word_of("run", readable(folder.path))
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
        "profile": folder.path / "fit-profile.txt",
    }
    rows = {what: readable(file) for what, file in files.items() if file is not None and file.exists()}
    rows["more samples"] = f"python -m gan_lightning sample {run} n=100 out=grid.png"
    rows["every score"] = f"python -m gan_lightning evaluate {run}"
    if learns:
        rows["train longer"] = " ".join(["python -m gan_lightning resume", run, *longer(cfg, status)])
    for logger in loggers:
        if isinstance(logger, GuardedWandbLogger) and logger.sync_command:
            rows["W&B upload"] = logger.sync_command
    for what, where in rows.items():
        log.info("  %-13s %s", what, where)


def longer(cfg: DictConfig, status: dict[str, Any]) -> list[str]:
    """The words that double the budgets a run has spent; none for a run that was stopped before."""
    if status["state"] != "finished":
        return []
    done = {"max_images": status["images_seen"], "max_generator_steps": status["generator_steps"]}
    counted = [f"{key}={2 * cfg[key]}" for key in done if cfg[key] and done[key] >= cfg[key]]
    if counted:
        return counted
    limit, epochs = cfg.trainer.max_time, cfg.trainer.max_epochs
    if limit is not None and (epochs is None or status["seconds"] >= in_seconds(limit)):
        minutes, seconds = divmod(2 * in_seconds(limit), 60)
        return [f"trainer.max_time=00:{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"]
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


def quieten_lightning() -> None:
    """Keep Lightning's advertising, and warnings that do not apply here, off the screen."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.callbacks").setLevel(logging.INFO)  # what they say was asked for
    for message in (
        "The number of training batches .* is smaller than the logging interval",
        ".*LeafSpec.*deprecated",
        "Be aware that when using `ckpt_path`",
        "Checkpoint directory .* exists and is not empty",  # of a resumed run
    ):
        warnings.filterwarnings("ignore", message)
