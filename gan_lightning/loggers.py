"""Where the numbers and pictures of a run go besides the terminal: metrics.csv always, others on request."""

import contextlib
import csv
import functools
import inspect
import io
import logging
import netrc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hydra.utils import get_object
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan_lightning.build import build
from gan_lightning.data.cache import write_atomically
from gan_lightning.errors import UserError
from gan_lightning.images import to_pil

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class CSVLogger(Logger):
    """Rows of metrics.csv, each written at once; a resumed run goes on in the same file.

    Every row is that of a generator step and says `images_seen`. What Lightning's own callbacks log (learning rates, by
    batches) waits for the next such row.

    Args:
        file: The metrics.csv to write.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.columns: list[str] = []
        self.waiting: dict[str, float] = {}

    @property
    def name(self) -> str:
        """Empty: a `ModelCheckpoint` without a folder of its own then writes to checkpoints/ in the run folder."""
        return ""

    @property
    def version(self) -> str:
        """Empty, as the name."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are in .hydra/config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row; a new column rewrites the file."""
        if "images_seen" not in metrics:
            self.waiting.update(metrics)
            return
        row = {**self.waiting, "generator_steps": step, **metrics}
        self.waiting = {}
        if not set(row) <= set(self.columns):
            self.rewrite(self.read(), columns=[*self.columns, *(name for name in row if name not in self.columns)])
        with self.file.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    @rank_zero_only
    def forget_after(self, images_seen: int) -> None:
        """Drop rows of steps after a checkpoint: a crash undid them, and they are now being done again."""
        rows = [row for row in self.read() if int(row["images_seen"]) <= images_seen]
        if rows:
            self.rewrite(rows, columns=list(rows[0]))
        else:
            self.file.unlink(missing_ok=True)

    def rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        """Replace the file, all of it or nothing."""
        self.columns = columns
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.file, text.getvalue().encode())

    def read(self) -> list[dict[str, str]]:
        """All whole rows written so far; a row that a crash tore is left out."""
        if not self.file.is_file():
            return []
        with self.file.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]


def never_fatal(method: F) -> F:
    """A failure of the wrapped method is reported once and then ignored: a dashboard never stops training."""

    @functools.wraps(method)
    def guarded(self: "GuardedWandbLogger", *args: Any, **kwargs: Any) -> None:
        if self.broken:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.broken = True
            log.warning("Weights & Biases failed and is left out from here on (training goes on): %s", error)

    return guarded  # type: ignore[return-value]


class GuardedWandbLogger(WandbLogger):
    """Lightning's W&B logger whose failures never stop training, and that closes its run at the end."""

    broken = False
    sync_command: str | None = None

    @rank_zero_only
    @never_fatal
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Numbers against generator steps."""
        super().log_metrics(metrics, step)

    @rank_zero_only
    @never_fatal
    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Pictures against generator steps."""
        super().log_image(key, images, step, **kwargs)

    @rank_zero_only
    @never_fatal
    def log_film(self, key: str, file: Path) -> None:
        """A GIF."""
        import wandb

        self.experiment.log({key: wandb.Video(str(file), format="gif")})

    @rank_zero_only
    @never_fatal
    def finish(self, exit_code: int) -> None:
        """Upload the rest and close the run, so that the next job of a sweep gets one of its own."""
        self.experiment.finish(exit_code=exit_code)


def logged_in() -> bool:
    """Whether W&B has credentials, found without importing wandb (which takes a while)."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    with contextlib.suppress(OSError, netrc.NetrcParseError):
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    return False


def start_wandb(
    folder: Path, config: dict[str, Any], name: str, group: str | None, required: bool, project: str, entity: str | None
) -> Logger | None:
    """A W&B run for this run folder, the same one when the folder is resumed.

    Args:
        folder: The run folder.
        config: The run's whole configuration, which W&B shows beside the numbers.
        name: Name of the W&B run.
        group: Name of the W&B runs that belong together, such as those of a sweep.
        required: Whether to record offline inside the run folder when the user is not logged in (logger=wandb); without
            it W&B is then left out (logger=auto). WANDB_MODE is obeyed.
        project: W&B's project.
        entity: W&B's user or team; None for the user's own default.

    Returns:
        The logger, or None when W&B is not used or could not start.
    """
    mode = os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")
    if not required and (mode == "disabled" or not logged_in()):
        log.info("Weights & Biases is off: `wandb login` once turns it on, logger=wandb records offline")
        return None
    try:
        run = open_wandb_run(folder, mode, project=project, entity=entity, name=name, group=group, config=config)
        logger = GuardedWandbLogger(experiment=run)
    except Exception as error:
        log.warning("Weights & Biases could not start (training goes on without it): %s", error)
        return None
    if mode == "offline":
        logger.sync_command = f"wandb sync {Path(run.dir).parent}"
    return logger


def open_wandb_run(folder: Path, mode: str, **options: Any) -> Any:
    """The W&B run whose id stands in a run folder, or a new one; its numbers are plotted against generator steps.

    Args:
        folder: The run folder.
        mode: W&B's mode: online, offline, disabled or shared.
        options: Project, name, configuration and other arguments of `wandb.init`.
    """
    import wandb

    id_file = folder / "wandb_id.txt"
    run = wandb.init(
        dir=folder,
        mode=mode,  # type: ignore[arg-type]
        id=id_file.read_text() if id_file.is_file() else None,
        resume="allow" if mode == "online" else None,
        reinit="finish_previous",
        **options,
    )
    id_file.write_text(run.id)
    run.define_metric("trainer/global_step")  # Lightning's name of the step its loggers are given
    run.define_metric("*", step_metric="trainer/global_step")
    return run


def build_logger(node: DictConfig, folder: Path, config: dict[str, Any], name: str, group: str | None) -> Logger | None:
    """One logger of the configuration.

    `_partial_: true` marks a function like `start_wandb`: it is called with the run's facts, and may return None. All
    else is a Lightning logger's class: it is built from its own options alone, in the run folder where it requires a
    `save_dir` and none is given, and gets the configuration as hyperparameters.

    Args:
        node: The logger's part of the configuration.
        folder: The run folder.
        config: The run's whole configuration.
        name: Name of the run.
        group: Name of the runs that belong together, such as those of a sweep.

    Raises:
        UserError: The class cannot be built, or is no logger.
    """
    if node.get("_partial_"):
        try:
            return build(node)(folder=folder, config=config, name=name, group=group)
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


def log_picture(logger: Logger, name: str, picture: Tensor, step: int) -> None:
    """Send a uint8 (C, H, W) picture to a logger that shows pictures."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, step)
    elif isinstance(logger, WandbLogger):
        logger.log_image(name, [to_pil(picture)], step)
