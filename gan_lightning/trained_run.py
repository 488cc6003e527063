"""The Python API of a run: train one, and read what a run folder holds."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, open_dict
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from gan_lightning.cli.evaluate import main as evaluate
from gan_lightning.cli.options import check_choices, expand, parse, take_path_literally
from gan_lightning.config.compose import compose
from gan_lightning.config.messages import explained, word_with_quotes
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.generator import Generator, load
from gan_lightning.images import BACKGROUND, GAP, ImageShape, read_frame
from gan_lightning.loggers import RunLabel, make_label
from gan_lightning.models.module import Weights
from gan_lightning.runs import find_run
from gan_lightning.training import run as training
from gan_lightning.training.readers import read_metrics
from gan_lightning.training.run_folder import RunFolder


class Run:
    """What a training run has left in its folder; each property reads it anew, so a run that goes on can be watched.

    Args:
        folder: Run folder, `latest`, or a part of the name of a run in runs/ or multirun/.
        trust: Whether the folder may name code from outside this project, which is run when its generator is loaded.

    Attributes:
        folder: The run folder.

    Raises:
        UserError: It is no run folder.
    """

    def __init__(self, folder: str | Path, trust: bool = False) -> None:
        self.folder = Path(find_run(str(folder)))
        self.trust = trust
        self.files = RunFolder(self.folder)
        if not self.files.config_file.is_file():
            raise UserError(f"run={folder} is no run folder (it holds no .hydra/config.yaml)")

    @property
    def status(self) -> dict[str, Any]:
        """How far the run has come and how it ended: `state`, `generator_steps`, `images_seen`, `seconds` ..."""
        return self.files.status()

    @property
    def config(self) -> DictConfig:
        """Every option of the run."""
        return self.files.config(self.trust)

    @property
    def metrics(self) -> pd.DataFrame:
        """The numbers of training, a row every so many batches: `generator_steps`, `loss_d`, `loss_g` ..."""
        return pd.DataFrame(read_metrics(self.files.metrics)).replace("", np.nan).apply(pd.to_numeric)

    @property
    def scores(self) -> pd.DataFrame:
        """Every score that was measured, a row for each value, with its protocol and what real images score."""
        columns = [field.name for field in fields(ScoreRecord)]
        return pd.DataFrame([asdict(record) for record in self.files.scores()], columns=columns)

    @property
    def samples(self) -> dict[int, np.ndarray]:
        """The images of each sample grid, uint8 (n, C, H, W), in the order of its cells, by generator steps."""
        shape = self.load().image_shape
        frames = {int(file.stem.removeprefix("step-")): read_frame(file) for file in self.files.grids()}
        return {
            step: cut(pil_to_tensor(frame.picture), shape).numpy()
            for step, frame in frames.items()
            if frame is not None
        }

    def load(self, weights: Weights = "ema", device: str = "cpu") -> Generator:
        """The generator of the last checkpoint; see `gan_lightning.load`."""
        return load(self.folder, weights, self.trust, device)

    def evaluate(self, **options: Any) -> pd.DataFrame:
        """Measure every score, as the command `evaluate` does, which prints them; the new rows of `scores`.

        Args:
            options: Options of that command: `n`, `split`, `seed`, `tstr`, `inception`.

        Raises:
            UserError: There is no such option, there are too few images, or another process writes to the run.
        """
        before = len(self.files.scores())
        words = [f"{name}={value}" for name, value in options.items()]
        evaluate([word_with_quotes("run", str(self.folder)), f"trust={self.trust}", *words])
        return self.scores[before:].reset_index(drop=True)

    def __repr__(self) -> str:
        status = self.status
        return f"Run({self.folder}, {status.get('state')}, {status.get('generator_steps', 0):,} generator steps)"

    def _repr_html_(self) -> str | None:
        """What Jupyter shows: what its generator shows, once there is a checkpoint."""
        return self.load()._repr_html_() if self.files.newest_checkpoint() else None


def cut(picture: Tensor, shape: ImageShape) -> Tensor:
    """The images (n, C, H, W) of a grid (C, height, width), without the empty cells at its end."""
    _, height, width = shape
    if picture.shape[1:] == (height, width):  # one image makes itself, without gaps
        return picture[None]
    cells = picture[:, GAP:, GAP:].unfold(1, height, height + GAP).unfold(2, width, width + GAP)
    images = cells.flatten(1, 2).transpose(0, 1)
    used = (images != BACKGROUND).flatten(1).any(1).nonzero()
    return images[: int(used.max()) + 1 if len(used) else 0]


# Training


def train(*words: str) -> Run:
    """Train in this process what a command line says: `train("model=wgan_gp", "data=mnist_5k", "epochs=5")`.

    The run is the same, to the last bit, as that of `python -m gan_lightning` with these words. An interrupt ends it
    after its current step, with everything saved.

    Args:
        words: Options as they are typed on the command line.

    Raises:
        UserError: The words say nothing that can be trained here, or training failed.
    """
    typed = expand(words)
    check_choices(typed)
    parse(typed)
    cfg, folder, label = compose_run(typed)
    if cfg.trainer.devices != 1:
        raise UserError(
            f"train() trains in this process alone (trainer.devices={cfg.trainer.devices}); type trainer.devices=1, or "
            "train on the command line"
        )
    with logged(folder), words_of_command(typed):
        training.train(cfg, folder, label)
    return Run(folder.path, trust=True)


def compose_run(words: Sequence[str]) -> tuple[DictConfig, RunFolder, RunLabel]:
    """The configuration, folder and label of the run that full words of a command line say."""
    with explained(words):
        cfg = compose(*map(take_path_literally, words), with_hydra=True)
        folder, label = RunFolder(Path(cfg.hydra.run.dir)), label_of(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
    return cfg, folder, label


def label_of(cfg: DictConfig) -> RunLabel:
    """What dashboards call the run."""
    return make_label(cfg.hydra.runtime.choices, cfg.seed, cfg.hydra.overrides.task, (), None)


@contextmanager
def logged(folder: RunFolder) -> Iterator[None]:
    """What training says goes to train.log, and to the screen, too, unless the program has set up its own logging."""
    ours = logging.getLogger("gan_lightning")
    folder.path.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(folder.path / "train.log", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(logging.Formatter("%(message)s"))
    handlers: list[logging.Handler] = [file] if logging.getLogger().handlers else [file, screen]
    level = ours.level
    ours.setLevel(logging.INFO)
    for handler in handlers:
        ours.addHandler(handler)
    try:
        yield
    finally:
        ours.setLevel(level)
        for handler in handlers:
            ours.removeHandler(handler)
        file.close()
        if not any(folder.path.iterdir()):  # refused before it began
            folder.path.rmdir()


@contextmanager
def words_of_command(words: list[str]) -> Iterator[None]:
    """The command that status.json keeps is the one that trains the same."""
    before = sys.argv
    sys.argv = [before[0] if before else "", *words]
    try:
        yield
    finally:
        sys.argv = before
