"""Which options of Lightning's Trainer a run takes, and what to type instead of the others."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

DDP = ("ddp", "ddp_spawn", "ddp_fork", "ddp_notebook")
"""Strategies of several processes; each loss touches one network only, so that all must find unused parameters."""

FIND_UNUSED = "_find_unused_parameters_true"

PROFILERS = ("simple", "advanced", "pytorch")


def check_duration(text: str) -> str:
    """The duration, when it is of the form DD:HH:MM:SS, the only one of Lightning's that means one thing."""
    if not re.fullmatch(r"\d+:\d\d:\d\d:\d\d", text, re.ASCII):
        raise ValueError("should be of the form DD:HH:MM:SS; type trainer.max_time=00:00:05:00 for five minutes")
    if not re.search("[1-9]", text) or len(text) > len("0000:00:00:00"):
        raise ValueError("should be at least a second and less than 10,000 days")
    return text


Duration = Annotated[str, AfterValidator(check_duration)]
Strategy = Literal[("auto", *DDP, *(f"{name}{FIND_UNUSED}" for name in DDP))]  # type: ignore[valid-type]
Share = Annotated[float, Field(gt=0, le=1)]

TAKEN: dict[str, Any] = {
    "accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps"],
    "benchmark": bool | None,
    "detect_anomaly": bool,
    "deterministic": bool | Literal["warn"] | None,
    "devices": PositiveInt | Literal[-1, "auto"] | list[NonNegativeInt],
    "enable_model_summary": bool,
    "inference_mode": bool,
    "limit_train_batches": PositiveInt | Share | None,
    "log_every_n_steps": PositiveInt,  # for callbacks of Lightning's, as LearningRateMonitor
    "max_epochs": PositiveInt | Literal[-1] | None,
    "max_steps": PositiveInt | Literal[-1],
    "max_time": Duration | None,
    "num_nodes": PositiveInt,
    "profiler": Literal[PROFILERS] | None,
    "strategy": Strategy,
    "sync_batchnorm": bool,
}
"""The options of the Trainer that work as Lightning documents them, and what they may hold."""

ALWAYS_SET = ("accelerator", "devices", "strategy", "max_epochs", "max_time")
"""The options that conf/ sets, and that the program reads."""

BUDGET = "type max_images=, max_generator_steps=, trainer.max_epochs= or trainer.max_time="
SCORING = "type callbacks.evaluation.every_n_epochs=1, which says when samples are scored"

REFUSED: dict[str, str] = {
    "accumulate_grad_batches": "the algorithm steps its optimizers itself; type a larger data.batch_size=",
    "barebones": "it switches off what a run folder is made of; type logger=csv ~callbacks.samples for a plain run",
    "callbacks": "callbacks have a group of their own; type +callbacks.NAME._target_=CLASS",
    "check_val_every_n_epoch": SCORING,
    "default_root_dir": "the run folder is Hydra's; type hydra.run.dir=FOLDER",
    "enable_autolog_hparams": "loggers are given the whole configuration at the start",
    "enable_checkpointing": "checkpoints are a callback; type ~callbacks.checkpoints for a run without them",
    "enable_progress_bar": "a terminal shows a bar, a file lines",
    "fast_dev_run": "it leaves no run folder; type max_generator_steps=1 for the shortest run",
    "gradient_clip_algorithm": "the algorithm steps its optimizers itself, and no gradient is clipped",
    "gradient_clip_val": "the algorithm steps its optimizers itself, and no gradient is clipped; type penalty= or "
    "model.weight_clip= to bound the discriminator",
    "limit_predict_batches": "training predicts nothing",
    "limit_test_batches": "training tests nothing; type `python -m gan_lightning evaluate run=FOLDER` afterwards",
    "limit_val_batches": SCORING,
    "logger": "loggers are a group of their own; type logger=csv, logger=tensorboard or logger=wandb",
    "min_epochs": f"a run ends where its budget does; {BUDGET}",
    "min_steps": f"a run ends where its budget does; {BUDGET}",
    "model_registry": "no model is uploaded to Lightning's registry",
    "num_sanity_val_steps": SCORING,
    "overfit_batches": f"every pass is over all images; {BUDGET}",
    "plugins": "they follow from precision=; type precision=bf16 or precision=32",
    "precision": "type precision=auto, precision=bf16 or precision=32, without trainer.",
    "reload_dataloaders_every_n_epochs": "the images are in memory, and each pass has an order of its own already",
    "use_distributed_sampler": "each process takes its own share of every batch already",
    "val_check_interval": SCORING,
}
"""The options of the Trainer that the program sets itself or that would have no effect, and what to type instead."""
