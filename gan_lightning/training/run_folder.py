"""The run folder: everything a training run leaves, and how to get a generator back out of it."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_lightning.config.stored import read_config
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord, parse_record
from gan_lightning.files import write_atomically


@dataclass(frozen=True)
class RunFolder:
    """Names of what is in a run folder."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The whole configuration, resolved."""
        return self.path / ".hydra" / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of `last.ckpt` and the per-epoch checkpoints."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / "last.ckpt"

    @property
    def metrics(self) -> Path:
        """One row of numbers every so many batches."""
        return self.path / "metrics.csv"

    @property
    def samples(self) -> Path:
        """Grids from fixed noise, named by generator steps, and `real.png`."""
        return self.path / "samples"

    @property
    def timelapse(self) -> Path:
        """The grids as a film."""
        return self.path / "timelapse.gif"

    @property
    def plot(self) -> Path:
        """Losses, D(x) and D(G(z)), pixels and gradients over training."""
        return self.path / "losses.png"

    @property
    def scores_plot(self) -> Path:
        """Scores over training, when epochs are scored."""
        return self.path / "scores.png"

    @property
    def scores_file(self) -> Path:
        """One record of a score per line, as JSON: `pandas.read_json(file, lines=True)` reads it as a table."""
        return self.path / "scores.jsonl"

    @property
    def best(self) -> Path:
        """The checkpoint of the best score, when epochs are scored."""
        return self.checkpoints / "best.ckpt"

    @property
    def status_file(self) -> Path:
        """How far the run has come and how it ended."""
        return self.path / "status.json"

    def grids(self) -> list[Path]:
        """Sample grids in the order of training."""
        return sorted(self.samples.glob("step-*.png"))

    def is_used(self) -> bool:
        """Whether a run has left something here."""
        return self.checkpoints.exists() or self.samples.exists()

    def status(self) -> dict[str, Any]:
        """The content of status.json; empty before the run has written one."""
        return json.loads(self.status_file.read_text()) if self.status_file.is_file() else {}

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace status.json."""
        write_atomically(self.status_file, json.dumps(status, indent=2).encode())

    def scores(self) -> list[ScoreRecord]:
        """The scores of every evaluation so far, oldest first; a line that a crash left incomplete is left out.

        Raises:
            UserError: when the file was written by another version, whose lines have other fields.
        """
        found = []
        for line in self.scores_file.read_text().splitlines() if self.scores_file.is_file() else []:
            try:
                with suppress(ValueError):
                    found.append(parse_record(line))
            except TypeError as error:
                raise UserError(
                    f"{self.scores_file} was written by another version of gan_lightning ({error}); "
                    "rename it to keep it, and evaluate again"
                ) from error
        return found

    def write_scores(self, records: list[ScoreRecord]) -> None:
        """Replace the scores of all evaluations; a value that is not finite raises ValueError."""
        write_atomically(self.scores_file, "".join(record.to_json() + "\n" for record in records).encode())

    def add_scores(self, records: list[ScoreRecord]) -> None:
        """Add the scores of an evaluation."""
        self.write_scores([*self.scores(), *records])

    def forget_scores_after(self, generator_steps: int) -> None:
        """Drop evaluations of steps after a checkpoint: a crash undid them, and they are now being done again."""
        records = self.scores()
        kept = [record for record in records if (record.generator_steps or 0) <= generator_steps]
        if len(kept) < len(records):
            self.write_scores(kept)

    def config(self, trust: bool = False) -> DictConfig:
        """The configuration the run was started with, which may come from a stranger.

        Args:
            trust: Whether it may name any code, which is then imported and run, and not only parts of this project.

        Raises:
            UserError: It is damaged, or names code that is not trusted.
        """
        return read_config(self.config_file, trust)

    def write_config(self, cfg: DictConfig) -> None:
        """Keep the configuration, resolved, so that it says the same whatever the defaults become."""
        write_atomically(self.config_file, OmegaConf.to_yaml(cfg, resolve=True).encode())


def open_run(run: str) -> tuple[RunFolder, Path]:
    """The folder and the checkpoint that `run=` names: a run folder (its last checkpoint) or a checkpoint file.

    Raises:
        UserError: when it is neither, or holds no checkpoint yet.
    """
    path = Path(run)
    folder = RunFolder(path.resolve().parent.parent if path.is_file() else path.resolve())
    if not folder.config_file.is_file():
        raise UserError(
            f"run={run} is no run folder (it holds no .hydra/config.yaml); "
            "type run=FOLDER with a folder that a training run named at its end"
        )
    checkpoint = path if path.is_file() else folder.last
    if not checkpoint.is_file():
        raise UserError(f"run={run} holds no checkpoint: the run ended before its first epoch or budget was over")
    return folder, checkpoint


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's content: tensors and plain values only, so that loading one runs no code.

    Raises:
        UserError: when the file is damaged, no checkpoint, or of a version whose networks were others.
    """
    try:
        content: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no one error for "not a checkpoint"
        reason = str(error).splitlines()[0]
        raise UserError(f"{checkpoint} cannot be read as a checkpoint ({reason}); use an earlier one") from error
    if "num_classes" not in content:
        raise UserError(
            f"{checkpoint} was written by gan_lightning 0.1, whose networks were others; train again, or install 0.1"
        )
    return content
