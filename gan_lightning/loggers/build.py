"""From the configuration of loggers to loggers, for training and for an evaluation after it."""

import inspect
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from gan_lightning.build import build
from gan_lightning.errors import UserError
from gan_lightning.loggers.dashboard import Dashboard
from gan_lightning.loggers.label import RunLabel, read_label
from gan_lightning.loggers.wandb_run import Job
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

TRACES = {
    "gan_lightning.loggers.start_wandb": "wandb_id.txt",
    "gan_lightning.loggers.start_tensorboard": "tensorboard",
}
"""What a dashboard has left in a run folder that it has shown, by the function that starts it."""


def build_logger(
    node: DictConfig, folder: Path, config: dict[str, Any], label: RunLabel, job: Job = "train"
) -> Logger | None:
    """One logger of the configuration.

    `_partial_: true` marks a function like `start_wandb`: it is called with the run's facts, and may return None. All
    else is a Lightning logger's class: it is built from its own options alone, in the run folder where it requires a
    `save_dir` and none is given, and gets the configuration as hyperparameters.

    Args:
        node: The logger's part of the configuration.
        folder: The run folder.
        config: The run's whole configuration.
        label: Name, group and choices of the run.
        job: What is done.

    Raises:
        UserError: The class cannot be built, or is no logger.
    """
    if node.get("_partial_"):
        try:
            return build(node)(folder=folder, config=config, label=label, job=job)
        except TypeError as error:  # an option of its node is missing
            raise UserError(f"logger: {node.get('_target_')}: {error}") from error
    logger = build(node, **({"save_dir": str(folder)} if lacks_save_dir(node) else {}))
    if not isinstance(logger, Logger):
        raise UserError(
            f"logger: {node.get('_target_')} is not a logger of Lightning's; type a class such as "
            "pytorch_lightning.loggers.MLFlowLogger, or logger=csv for none besides metrics.csv"
        )
    logger.log_hyperparams(config)
    return logger


def lacks_save_dir(node: DictConfig) -> bool:
    """Whether a logger's class requires a `save_dir` that its node does not give."""
    save_dir = inspect.signature(get_object(node._target_)).parameters.get("save_dir")
    return save_dir is not None and save_dir.default is save_dir.empty and "save_dir" not in node


def reopen_dashboards(cfg: DictConfig, folder: RunFolder, trust: bool) -> Iterator[Dashboard]:
    """The dashboards that show a run already, to add an evaluation to what they show.

    Args:
        cfg: The run's configuration.
        folder: The run folder.
        trust: Whether it may name a W&B entity to send to: a stranger's folder might name the stranger's.
    """
    nodes: Mapping[str, Any] = cfg.logger or {}
    for node in nodes.values():
        trace = TRACES.get(node.get("_target_")) if node else None
        if trace is None or not (folder.path / trace).exists():
            continue
        if node.get("entity") and not trust:
            log.warning(
                "this evaluation is not shown in W&B: %s would send it to entity=%s; add trust=true if that is yours",
                folder.config_file, node.entity,
            )  # fmt: skip
        else:
            config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
            try:
                dashboard = build_logger(node, folder.path, config, read_label(folder), "evaluate")
            except UserError as error:  # such as TensorBoard, which is no longer installed
                log.warning("this evaluation is not shown: %s", error)
                continue
            if isinstance(dashboard, Dashboard):
                yield dashboard
