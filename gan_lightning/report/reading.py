"""Run folders read for a report: what cannot be read is listed with the reason and never stops it."""

import logging
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_lightning.cli.options import is_plain
from gan_lightning.config.compose import leaves
from gan_lightning.config.messages import CONFIG_ERRORS, word_with_quotes
from gan_lightning.config.stored import read_plain
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.loggers.label import RunLabel, read_label
from gan_lightning.training import readers
from gan_lightning.training.run_folder import RunFolder

OF_A_RUN = ("checkpoints", "samples", "evaluation", "wandb", ".hydra", "__pycache__")
"""Folders inside a run folder, in which no runs are looked for."""

FINISHED = "finished"


@dataclass(frozen=True)
class ReportedRun:
    """What a report knows of one run.

    Attributes:
        folder: The run folder.
        place: The folder as it is named in the report.
        label: Name and choices of the run.
        options: Every option by its full key.
        status: What status.json says.
        records: Every score.
        metrics: The rows of metrics.csv.
    """

    folder: RunFolder
    place: str
    label: RunLabel
    options: Mapping[str, Any]
    status: Mapping[str, Any]
    records: list[ScoreRecord] = field(repr=False)
    metrics: list[dict[str, str]] = field(repr=False)

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.options["seed"])

    @property
    def state(self) -> str:
        """How the run ended, or that it has not."""
        return str(self.status.get("state", "unknown"))

    @property
    def is_finished(self) -> bool:
        """Whether the run has spent its budget, so that its scores may stand for its arm."""
        return self.state == FINISHED

    @property
    def command(self) -> str:
        """The command that trains this run again, alone."""
        sessions = self.status.get("sessions") or [{}]
        command = sessions[0].get("command", "") if isinstance(sessions[0], dict) else ""
        return reproduce(str(command), self.label, self.options)


class LeftOut(NamedTuple):
    """A run that takes no part, or a file that cannot be read, and why."""

    place: str
    why: str


def read_runs(folders: Iterable[Path]) -> tuple[list[ReportedRun], list[LeftOut]]:
    """The runs in some folders, at any depth, and what is left out.

    Args:
        folders: Run folders, or folders that hold some.
    """
    places = {place.resolve(): place for folder in folders for place in find_run_folders(folder)}
    runs: list[ReportedRun] = []
    left_out: list[LeftOut] = []
    with damage_noted(left_out):
        for place in sorted(places.values(), key=sort_key):
            try:
                runs.append(read_run(place))
            except (UserError, OSError, ValueError, TypeError) as error:
                left_out.append(LeftOut(str(place), str(error).splitlines()[0]))
    left_out += [LeftOut(run.place, why_unfinished(run)) for run in runs if not run.is_finished]
    return runs, left_out


def sort_key(place: Path) -> list[tuple[int, str]]:
    """Names that begin with a number in the order of these: 2_lsgan before 10_dcgan."""
    heads = (part.partition("_")[0] for part in place.parts)
    return [(int(head) if head.isdecimal() else 0, part) for head, part in zip(heads, place.parts, strict=True)]


def find_run_folders(folder: Path) -> Iterator[Path]:
    """The run folders at a folder or below it, links not followed; half-written ones, too."""
    for path, names, files in os.walk(folder):
        here = Path(path)
        is_run = (here / ".hydra" / "config.yaml").is_file() or "checkpoints" in names
        names[:] = [] if is_run else sorted(set(names) - set(OF_A_RUN))
        if is_run or ("status.json" in files and not names):
            yield here


def read_run(place: Path) -> ReportedRun:
    """What a run folder holds.

    Raises:
        UserError: It is no whole run folder.
    """
    folder = RunFolder(place)
    status = folder.status()
    if not folder.config_file.is_file():
        why = status.get("error") or "it holds no .hydra/config.yaml: its run ended before it began, or it is a part"
        raise UserError(str(why))
    options = dict(leaves(read_plain(folder.config_file)))
    if isinstance(options.get("seed"), bool) or not isinstance(options.get("seed"), int):
        raise UserError(f"{folder.config_file} has no whole number as its seed")
    return ReportedRun(
        folder, str(place), read_label(folder), options, status, folder.scores(), readers.read_metrics(folder.metrics)
    )


def why_unfinished(run: ReportedRun) -> str:
    """How a run ended that has not finished, in words."""
    steps = f"after {run.status.get('generator_steps', 0):,} generator steps"
    if error := run.status.get("error"):
        return f"{run.state} {steps}: {' '.join(str(error).split())}"
    if run.state == "running":
        return f"running or killed, {steps}"
    if run.state == "unknown":
        return "it holds no status.json that can be read"
    return f"{run.state} {steps}"


@contextmanager
def damage_noted(left_out: list[LeftOut]) -> Iterator[None]:
    """Collect what the readers of run folders report as damaged, instead of logging it."""
    readers.report.cache_clear()
    handler = NoteHandler(left_out)
    propagate = readers.log.propagate
    readers.log.addHandler(handler)
    readers.log.propagate = False
    try:
        yield
    finally:
        readers.log.propagate = propagate
        readers.log.removeHandler(handler)


class NoteHandler(logging.Handler):
    """Notes warnings "WARNING: FILE WHAT"."""

    def __init__(self, left_out: list[LeftOut]) -> None:
        super().__init__(logging.WARNING)
        self.left_out = left_out

    def emit(self, record: logging.LogRecord) -> None:
        """Note one."""
        text = record.getMessage().removeprefix("WARNING: ")
        self.left_out.append(LeftOut("", text))


def reproduce(command: str, label: RunLabel, options: Mapping[str, Any]) -> str:
    """The command of one run from that of its sweep; its folder is left out, as it exists already.

    Args:
        command: The command that the run, or the sweep that it was a job of, was started by.
        label: Name and choices of the run.
        options: Every option of the run.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return shlex.quote(command)
    if words[:3] != ["python", "-m", "gan_lightning"]:
        return command
    options_typed = [word for word in words[3:] if word not in ("-m", "--multirun")]
    kept = [
        word for word in options_typed if not word.startswith(("hydra.run.dir=", "hydra.sweep.", "hydra/launcher="))
    ]
    return shlex.join([*words[:3], *(one_value(word, label, options) for word in kept)])


def one_value(word: str, label: RunLabel, options: Mapping[str, Any]) -> str:
    """A word of a sweep with the value that one run had; any other word as it is."""
    key, equals, value = word.partition("=")
    if not equals or not any(sign in value for sign in ",("):
        return word
    try:
        override = OverridesParser.create().parse_override(word)
    except CONFIG_ERRORS:
        return word
    if not override.is_sweep_override():
        return word
    named = [part for part in label.name.split() if part.startswith(f"{key}=")]
    if key in label.choices:
        return f"{key}={label.choices[key]}"
    if key.lstrip("+") in options:
        return typed(key, options[key.lstrip("+")])
    return named[0] if named else word


def typed(key: str, value: Any) -> str:
    """`key=value` in Hydra's grammar, before the shell's quotes."""
    if value is None or isinstance(value, bool):
        return f"{key}={'null' if value is None else str(value).lower()}"
    if isinstance(value, str) and not is_plain(value):
        return word_with_quotes(key, value)
    return f"{key}={str(value).replace(' ', '')}"
