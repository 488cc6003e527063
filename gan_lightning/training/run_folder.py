"""The run folder: everything a training run leaves, and how to get a generator back out of it."""

import json
import logging
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_lightning.config.stored import read_config
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.files import write_atomically
from gan_lightning.runs import CONFIG_FILE, STATUS_FILE
from gan_lightning.training.checkpoint_file import DamagedCheckpointError, verify
from gan_lightning.training.readers import read_scores, read_status, report

log = logging.getLogger(__name__)

GRID_NAME = re.compile(r"step-\d{1,18}\.png")


@dataclass(frozen=True)
class RunFolder:
    """Names of what is in a run folder."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The whole configuration, resolved."""
        return self.path / CONFIG_FILE

    @property
    def checkpoints(self) -> Path:
        """The folder of `last.ckpt` and the per-epoch checkpoints."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous(self) -> Path:
        """The checkpoint before the newest, for when that cannot be read."""
        return self.checkpoints / "previous.ckpt"

    @property
    def damaged(self) -> Path:
        """What was `last.ckpt` before it could not be read."""
        return self.checkpoints / "damaged.ckpt"

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
    def report(self) -> Path:
        """All of it on one page."""
        return self.path / "report.html"

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
        return self.path / STATUS_FILE

    def grids(self) -> list[Path]:
        """Sample grids in the order of training; files of other names are left out."""
        found = (file for file in self.samples.glob("step-*.png") if GRID_NAME.fullmatch(file.name) and file.is_file())
        return sorted(found, key=lambda file: int(file.stem.removeprefix("step-")))

    def is_used(self) -> bool:
        """Whether a run has left a checkpoint here, or something else has folders of a run's names."""
        if any(self.checkpoints.glob("*.ckpt")):
            return True
        return (self.checkpoints.exists() or self.samples.exists()) and not self.status_file.is_file()

    def status(self) -> dict[str, Any]:
        """The content of status.json, as far as it can be read; empty before the run has written one."""
        return read_status(self.status_file)

    def unended_status(self) -> dict[str, Any]:
        """The same without how and when the last session ended, for one that goes on."""
        return {name: value for name, value in self.status().items() if name not in ("error", "ended")}

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace status.json."""
        write_atomically(self.status_file, json.dumps(status, indent=2).encode())

    def scores(self) -> list[ScoreRecord]:
        """The scores of every evaluation so far, oldest first; lines that cannot be read are left out.

        Raises:
            UserError: when the file was written by another version, whose lines have other fields.
        """
        return read_scores(self.scores_file)

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

    def newest_checkpoint(self) -> Path | None:
        """The last checkpoint, or the one before it where the last cannot be read; None when there is neither.

        Raises:
            DamagedCheckpointError: when no checkpoint can be read.
        """
        errors = []
        for file in filter(Path.is_file, (self.last, self.previous)):
            try:
                verify(file)
            except DamagedCheckpointError as error:
                errors.append(error)
                continue
            if file == self.previous:
                reason = errors[0].reason if errors else "it is missing"
                report(f"{self.last} is lost ({reason}); the checkpoint before it is used: {file}")
            return file
        if errors:
            others = sorted(set(self.checkpoints.glob("*.ckpt")) - {self.last, self.previous, self.damaged})
            hint = "".join(f"; type resume run={other}" for other in others[-1:])
            raise DamagedCheckpointError(self.last, f"{errors[0].reason}{hint}")
        return None

    def set_aside_damaged(self) -> None:
        """Rename a last checkpoint that cannot be read, so that the next one does not replace the one before it."""
        if not self.last.is_file():
            return
        try:
            verify(self.last)
        except DamagedCheckpointError:
            self.last.replace(self.damaged)
            log.warning("%s is kept as %s", self.last, self.damaged.name)

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
    checkpoint = path if path.is_file() else folder.newest_checkpoint()
    if checkpoint is None:
        raise UserError(
            f"run={run} holds no checkpoint: the run ended before the first one was written; "
            "the command it was started with starts it over"
        )
    return folder, checkpoint


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's content: tensors and plain values only, so that loading one runs no code.

    Raises:
        UserError: when the file is damaged, no checkpoint, or of a version whose networks were others.
    """
    verify(checkpoint)
    try:
        content: Any = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # torch's words, which advise to load the file all the same, are left out
        raise DamagedCheckpointError(
            checkpoint, "it holds more than tensors and plain values, which could run code and is never loaded"
        ) from None
    except Exception as error:  # torch has no one error for "not a checkpoint"
        raise DamagedCheckpointError(checkpoint, next(iter(str(error).splitlines()), type(error).__name__)) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise DamagedCheckpointError(checkpoint, "it holds no weights")
    if any(tensor.nbytes > tensor.untyped_storage().nbytes() for tensor in tensors(content)):
        raise DamagedCheckpointError(checkpoint, "it holds tensors larger than their numbers")
    if "num_classes" not in content:
        raise UserError(
            f"{checkpoint} was written by gan_lightning 0.1, whose networks were others; train again, or install 0.1"
        )
    return content


def tensors(node: Any) -> Iterator[torch.Tensor]:
    """All tensors in dictionaries and lists."""
    if isinstance(node, torch.Tensor):
        yield node
    elif isinstance(node, Mapping):
        yield from (tensor for part in node.values() for tensor in tensors(part))
    elif isinstance(node, list | tuple):
        yield from (tensor for part in node for tensor in tensors(part))
