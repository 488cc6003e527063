"""One training run, from its configuration to a finished run folder."""

import logging
import os
import shlex
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler
from pytorch_lightning.utilities import rank_zero_only

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
from gan_lightning.config.allowed import foreign_names
from gan_lightning.config.messages import word_of
from gan_lightning.config.schema import check
from gan_lightning.config.trainer import DDP, FIND_UNUSED
from gan_lightning.csv_logger import CSVLogger
from gan_lightning.data.fingerprint import check_same_data
from gan_lightning.errors import UserError
from gan_lightning.evaluation.outlook import can_be_scored
from gan_lightning.loggers import RunLabel, build_logger
from gan_lightning.training.ending import conclude, in_seconds, now, readable, recorded_ending
from gan_lightning.training.lock import locked_run
from gan_lightning.training.objective import check_objective, read_objective
from gan_lightning.training.precision import choose_precision
from gan_lightning.training.run_folder import RunFolder, read_checkpoint

log = logging.getLogger(__name__)

PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}


class RunExistsError(UserError):
    """A run would be started where there is one already."""


class Result(NamedTuple):
    """What a training run ends with.

    Attributes:
        state: "finished", or "interrupted" when the user stopped it.
        objective: The value of the score that `objective` names, lower always better; None without an objective, and
            for a run that was interrupted.
    """

    state: str
    objective: float | None


def train(cfg: DictConfig, folder: RunFolder, label: RunLabel, checkpoint: Path | None = None) -> Result:
    """Train what a configuration says in a run folder; go on from a checkpoint when one is given.

    Args:
        cfg: A composed configuration.
        folder: The folder that everything is kept in.
        label: Name, group and choices of the run, which dashboards show.
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
    options |= {"callbacks": callbacks}
    with locked_run(folder.path):
        if checkpoint is not None:
            check_same_data(data, read_checkpoint(checkpoint).get("data"))
        elif rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            refuse_used(folder)
        start_folder(cfg, folder, label, resumed=checkpoint is not None)
        loggers: list[Logger] = []
        with recorded_ending(folder, callbacks, loggers, module.loss):
            loggers += start_loggers(cfg, folder, label)
            trainer = build_trainer(**options, logger=loggers, default_root_dir=folder.path)
            announce(cfg, folder, trainer)
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
        conclude(cfg, folder, loggers, learns=any(rates), scorable=can_be_scored(data))
        return settle_result(cfg, folder, trainer)


def refuse_used(folder: RunFolder) -> None:
    """Refuse to start in a folder that holds a run with a checkpoint, or what is no run at all.

    A run that was killed before its first checkpoint has nothing to lose: the new one writes over it.
    """
    if folder.is_used():
        raise run_exists_error(folder)
    if folder.status():
        log.info("%s holds a run without a checkpoint: it starts over", readable(folder.path))


def run_exists_error(folder: RunFolder, why: str = "") -> RunExistsError:
    """The error for a folder that holds a run already, which is never written over.

    Args:
        folder: The folder.
        why: What else there is to say.
    """
    resume = f"python -m gan_lightning resume {word_of('run', folder.path)}"
    return RunExistsError(
        f"{folder.path} already holds a run{why}; go on with it by `{resume}`, or type another hydra.run.dir= "
        "(hydra.sweep.dir= for a sweep)"
    )


def settle_result(cfg: DictConfig, folder: RunFolder, trainer: Trainer) -> Result:
    """The result of a run that has ended; its objective is kept in status.json, for a sweep that is repeated."""
    status = folder.status()
    if status["state"] == "interrupted":
        return Result("interrupted", None)
    objective = read_objective(cfg.objective, trainer.callback_metrics)
    if objective is not None and trainer.is_global_zero:
        folder.write_status(status | {"objective": objective})
    return Result(status["state"], objective)


def settle_budget(cfg: DictConfig) -> None:
    """Give a run without any budget the generator steps that its model's file says are worth waiting for."""
    given = (cfg.max_images, cfg.max_generator_steps, *map(cfg.trainer.get, ("max_epochs", "max_time", "max_steps")))
    if all(budget is None for budget in given):
        cfg.max_generator_steps = cfg.default_generator_steps


def settle_folder(cfg: DictConfig) -> None:
    """Name the folder of the data, where there is one, as it is found from anywhere."""
    if cfg.data.get("dir"):
        cfg.data.dir = str(Path(cfg.data.dir).expanduser().resolve())


def build_callbacks(cfg: DictConfig) -> list[Callback]:
    """The configured ones, and those no run goes without."""
    configured: list[Callback] = list(build_parts("callbacks", cfg.callbacks, Callback).values())
    metrics = next((callback for callback in configured if isinstance(callback, TrainingMetrics)), TrainingMetrics())
    forecast = Forecast()
    lines = ProgressLines(metrics, forecast, cfg.max_generator_steps)
    progress = ProgressBar(metrics, forecast) if sys.stdout.isatty() else lines
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
    if options["accelerator"] == "mps" and not torch.backends.mps.is_available():
        raise UserError(
            f"accelerator=mps, but torch {torch.__version__} sees no Apple GPU (macOS 12.3 and Apple silicon or an AMD "
            "GPU are needed); type accelerator=cpu"
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


def build_trainer(**options: Any) -> Trainer:
    """Lightning's Trainer.

    Raises:
        UserError: Its options do not fit together, or not this machine.
    """
    try:
        return Trainer(**options)
    except (TypeError, ValueError, RuntimeError, ImportError) as error:  # a MisconfigurationException has its own words
        typed = ", ".join(f"trainer.{name}={options[name]}" for name in ("accelerator", "devices", "strategy"))
        raise UserError(f"Lightning builds no Trainer of {typed}: {error}") from error


def profiler_options(cfg: DictConfig, folder: RunFolder) -> dict[str, Any]:
    """Lightning's profiler that the configuration names, its report written to `fit-profile.txt` in the run folder."""
    name = cfg.trainer.get("profiler")
    return {} if name is None else {"profiler": PROFILERS[name](dirpath=folder.path, filename="profile")}


@rank_zero_only
def start_folder(cfg: DictConfig, folder: RunFolder, label: RunLabel, resumed: bool) -> None:
    """Write the configuration, its folder of images as one that is found from anywhere, and the first status.json."""
    folder.path.mkdir(parents=True, exist_ok=True)
    settle_folder(cfg)
    command = shlex.join(["python", "-m", "gan_lightning", *sys.argv[1:]])
    refuse_secrets(command, OmegaConf.to_yaml(cfg, resolve=True))
    folder.write_config(cfg)
    entry = {"command": command, "started": now(), "gan_lightning": __version__, "torch": torch.__version__}
    earlier = folder.unended_status() if resumed else {}
    sessions = [*earlier.get("sessions", []), entry]
    foreign = foreign_names(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    status = {"state": "starting", "label": asdict(label), "sessions": sessions, "foreign_code": foreign}
    folder.write_status(earlier | status)


def refuse_secrets(*texts: str) -> None:
    """Refuse to write the key of W&B into a run folder, which is made to be handed on.

    Raises:
        UserError: The key stands in a text.
    """
    key = os.environ.get("WANDB_API_KEY")
    if key and any(key in text for text in texts):
        raise UserError(
            "the value of WANDB_API_KEY stands in the command or the configuration, which the run folder keeps: "
            "leave it out; W&B reads it from the environment"
        )


def start_loggers(cfg: DictConfig, folder: RunFolder, label: RunLabel) -> Iterator[Logger]:
    """metrics.csv and the loggers asked for; only the former in the helper processes of a several-process run."""
    yield CSVLogger(folder.metrics)
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    for node in cfg.logger.values() if rank_zero_only.rank == 0 else ():  # type: ignore[attr-defined]
        logger = build_logger(node, folder.path, config, label) if node else None
        if logger is not None:
            yield logger


@rank_zero_only
def announce(cfg: DictConfig, folder: RunFolder, trainer: Trainer) -> None:
    """Say what is about to happen, and where."""
    _, why = choose_precision(cfg.precision, cfg.trainer.accelerator)
    device = trainer.strategy.root_device
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    processes = f" x {trainer.world_size}" if trainer.world_size > 1 else ""
    log.info("run folder  %s", readable(folder.path))
    log.info("device      %s%s%s, %s", device, processes, threads, why)
    log.info("budget      %s", budget_in_words(cfg))


def budget_in_words(cfg: DictConfig) -> str:
    """What ends a run: all limits that it is given."""
    limits = {
        "generator steps": cfg.max_generator_steps,
        "images": cfg.max_images,
        "epochs": cfg.trainer.max_epochs,
        "optimizer steps": cfg.trainer.get("max_steps"),
    }
    words = [f"{limit:,} {what}" for what, limit in limits.items() if limit is not None and limit > 0]
    words += [f"{timedelta(seconds=in_seconds(cfg.trainer.max_time))} of training"] if cfg.trainer.max_time else []
    if len(words) > 1:
        return f"{' or '.join(words)}, whatever is first"
    return words[0] if words else "none: it trains until you stop it"


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
