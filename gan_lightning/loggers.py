"""Where the numbers and pictures of a run go besides the terminal: metrics.csv always, others on request."""

import contextlib
import functools
import inspect
import logging
import netrc
import os
import re
import shlex
import threading
import urllib.error
import urllib.request
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
from gan_lightning.errors import UserError
from gan_lightning.files import write_atomically
from gan_lightning.images import to_pil
from gan_lightning.training.readers import is_readable, report

log = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 4.0
"""How long W&B's server may take to answer at all."""

SECONDS_TO_OPEN = 10.0
"""How long a server that answers may take to open a run."""

F = TypeVar("F", bound=Callable[..., Any])


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
    host = urlsplit(server()).netloc
    with contextlib.suppress(OSError, netrc.NetrcParseError):
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    return False


def server() -> str:
    """Address of the W&B server."""
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


@functools.cache
def unreachable(url: str) -> str | None:
    """Why a server does not answer, None when it does; asked once, and so once for all jobs of a sweep.

    W&B itself would try for minutes. Any answer counts but that of a broken server; the wait includes the name's.
    """
    reasons = [f"no answer in {SECONDS_TO_ANSWER:.0f} s"]

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=SECONDS_TO_ANSWER).close()
            reasons.clear()
        except urllib.error.HTTPError as error:
            reasons[:] = [str(error)] if error.code >= 500 else []
        except Exception as error:
            reasons[:] = [str(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_ANSWER)
    return reasons[0] if reasons else None


def choose_wandb_mode() -> str:
    """W&B's mode: WANDB_MODE, else online for who is logged in and has a network, else offline."""
    mode = os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")
    if mode == "online" and (reason := unreachable(server())) is not None:
        log.warning(
            "Weights & Biases does not answer at %s (%s): the run is recorded offline; its end says how to upload it",
            server(),
            reason,
        )
        return "offline"
    return mode


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
    if not required and (os.environ.get("WANDB_MODE") == "disabled" or not logged_in()):
        log.info("Weights & Biases is off: `wandb login` once turns it on, logger=wandb records offline")
        return None
    mode = choose_wandb_mode()
    try:
        run = open_wandb_run(folder, mode, project=project, entity=entity, name=name, group=group, config=config)
        logger = GuardedWandbLogger(experiment=run)
    except Exception as error:
        log.warning("Weights & Biases could not start (training goes on without it): %s", error)
        return None
    offline = sorted((folder / "wandb").glob("offline-run-*"))
    if mode == "offline" or offline:
        sessions = offline or [Path(run.dir).parent]
        logger.sync_command = shlex.join(["wandb", "sync", *map(str, sessions)])
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
        id=read_wandb_id(id_file),
        settings=wandb.Settings(init_timeout=SECONDS_TO_OPEN),
        resume="allow" if mode == "online" else None,
        reinit="finish_previous",
        **options,
    )
    write_atomically(id_file, run.id.encode())
    run.define_metric("trainer/global_step")  # Lightning's name of the step its loggers are given
    run.define_metric("*", step_metric="trainer/global_step")
    return run


def read_wandb_id(file: Path) -> str | None:
    """The id of a run that goes on; None when there is none that can be read."""
    text = file.read_bytes().decode(errors="replace").strip() if is_readable(file) else None
    if text is None or re.fullmatch(r"[\w-]{1,64}", text, re.ASCII):
        return text
    report(f"{file} holds no id of a W&B run and is left out: a new one begins")
    return None


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
