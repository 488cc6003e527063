"""Where the numbers and pictures of a run go besides the terminal: metrics.csv always, dashboards on request."""

from gan_lightning.loggers.build import build_logger, reopen_dashboards
from gan_lightning.loggers.dashboard import Dashboard, closing_pictures, log_picture, send_scores
from gan_lightning.loggers.label import RunLabel, make_label, read_label
from gan_lightning.loggers.tensorboard_logger import GuardedTensorBoardLogger, start_tensorboard
from gan_lightning.loggers.wandb_logger import GuardedWandbLogger
from gan_lightning.loggers.wandb_run import read_wandb_id, start_wandb
from gan_lightning.loggers.wandb_server import choose_wandb_mode, logged_in

__all__ = [
    "Dashboard",
    "GuardedTensorBoardLogger",
    "GuardedWandbLogger",
    "RunLabel",
    "build_logger",
    "choose_wandb_mode",
    "closing_pictures",
    "log_picture",
    "logged_in",
    "make_label",
    "read_label",
    "read_wandb_id",
    "reopen_dashboards",
    "send_scores",
    "start_tensorboard",
    "start_wandb",
]
