"""Where the numbers and pictures of a run go besides the terminal: metrics.csv always, others on request."""

import contextlib
import csv
import functools
import importlib.util
import io
import logging
import netrc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan_lightning.data.cache import write_atomically
from gan_lightning.errors import UserError
from gan_lightning.images import to_pil

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class CSVLogger(Logger):
    """Rows of metrics.csv, each written at once; a resumed run goes on in the same file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.columns: list[str] = []

    @property
    def name(self) -> str:
        """Lightning asks for one."""
        return "csv"

    @property
    def version(self) -> str:
        """Lightning asks for one."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are in .hydra/config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row; a new column rewrites the file."""
        row = {"generator_steps": step, **metrics}
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

    `required=False` (logger=auto) uses W&B only when the user is logged in. `required=True` (logger=wandb) records
    offline inside the run folder when not. WANDB_MODE is obeyed. None when W&B is not used or could not start.
    """
    mode = os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")
    if not required and (mode == "disabled" or not logged_in()):
        log.info("Weights & Biases is off: `wandb login` once turns it on, logger=wandb records offline")
        return None
    try:
        import wandb

        id_file = folder / "wandb_id.txt"
        run = wandb.init(
            project=project,
            entity=entity,
            name=name,
            group=group,
            config=config,
            dir=folder,
            mode=mode,  # type: ignore[arg-type]
            id=id_file.read_text() if id_file.is_file() else None,
            resume="allow" if mode == "online" else None,
            reinit="finish_previous",
        )
        id_file.write_text(run.id)
        run.define_metric("trainer/global_step")  # Lightning's name of the step its loggers are given
        run.define_metric("*", step_metric="trainer/global_step")
        logger = GuardedWandbLogger(experiment=run)
    except Exception as error:
        log.warning("Weights & Biases could not start (training goes on without it): %s", error)
        return None
    if mode == "offline":
        logger.sync_command = f"wandb sync {Path(run.dir).parent}"
    return logger


def start_tensorboard(folder: Path, **unused: Any) -> Logger:
    """TensorBoard event files in the run folder."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("logger=tensorboard needs the package tensorboard: pip install tensorboard")
    return TensorBoardLogger(folder, name="", version="tensorboard")


def log_picture(logger: Logger, name: str, picture: Tensor, step: int) -> None:
    """Send a uint8 (C, H, W) picture to a logger that shows pictures."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, step)
    elif isinstance(logger, WandbLogger):
        logger.log_image(name, [to_pil(picture)], step)
