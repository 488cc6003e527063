"""Arms: runs that differ only in their seed."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lightning.report.reading import ReportedRun

WITHOUT_EFFECT = (
    "seed", "data.seed", "logger", "objective", "default_generator_steps", "data.dir", "callbacks.training_metrics",
    "callbacks.samples", "callbacks.checkpoints", "callbacks.evaluation", "callbacks.progress",
)  # fmt: skip
"""Options, and nodes of them, that do not tell arms apart: they change no weights, or are the seed."""

MOST_WORDS = 3
"""Words that are added to the name of an arm to tell it from others."""

LONGEST_NAME = 60
"""Characters of an arm's name."""


@dataclass(frozen=True)
class Arm:
    """Runs that differ only in their seed.

    Attributes:
        name: Name in the report, which no other arm has.
        runs: Its runs, by their seeds.
    """

    name: str
    runs: tuple[ReportedRun, ...]

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that its runs share."""
        return options_of(self.runs[0])

    @property
    def finished(self) -> list[ReportedRun]:
        """The runs that have spent their budget, one for each seed: the newest."""
        newest = sorted((run for run in self.runs if run.is_finished), key=lambda run: str(run.status.get("ended")))
        return sorted({run.seed: run for run in newest}.values(), key=lambda run: run.seed)


def options_of(run: ReportedRun) -> dict[str, str]:
    """The options of a run that tell it from runs of other arms, as text."""
    return {
        key: str(value)
        for key, value in run.options.items()
        if not any(key == each or key.startswith(f"{each}.") for each in WITHOUT_EFFECT)
    }


def find_arms(runs: Iterable[ReportedRun]) -> list[Arm]:
    """The arms of some runs, in their order, each with a name of its own."""
    groups: dict[tuple[tuple[str, str], ...], list[ReportedRun]] = defaultdict(list)
    for run in runs:
        groups[tuple(sorted(options_of(run).items()))].append(run)
    members = [tuple(sorted(group, key=lambda run: run.seed)) for group in groups.values()]
    return [Arm(name, group) for name, group in zip(name_arms([group[0] for group in members]), members, strict=True)]


def name_arms(runs: Sequence[ReportedRun]) -> list[str]:
    """Names of runs of different arms: their labels' words without seed; with the data and options where these differ.

    Args:
        runs: A run of each arm.
    """
    names = [short_name(run) for run in runs]
    several_data = len({run.options.get("data._target_") for run in runs}) > 1
    if several_data:
        names = [f"{name} {run.label.choices.get('data', '')}".strip() for name, run in zip(names, runs, strict=True)]
    for alike in indices_by(names).values():
        if len(alike) > 1:
            added = distinguish([runs[index] for index in alike])
            for index, words in zip(alike, added, strict=True):
                names[index] = " ".join([names[index], *words])
    names = [name[:LONGEST_NAME] for name in names]
    for alike in indices_by(names).values():
        for number, index in enumerate(alike[1:], 2):
            names[index] += f" ({number})"
    return names


def distinguish(runs: Sequence[ReportedRun]) -> list[list[str]]:
    """What to add to the same name of several arms: the words typed that they do not share, or else their options."""
    typed = [[word for word in shlex.split(run.command) if not word.startswith("seed=")] for run in runs]
    common = set.intersection(*map(set, typed))
    own = [[word for word in words if word not in common] for words in typed]
    if len(set(map(tuple, own))) == len(runs) and all(len(words) <= MOST_WORDS for words in own):
        return own
    options = [options_of(run) for run in runs]
    keys = differing_options(options)[:MOST_WORDS]
    return [[f"{short_key(key)}={each.get(key, '-')}" for key in keys] for each in options]


def short_name(run: ReportedRun) -> str:
    """The words of a run's label that are neither its seed nor its data."""
    words = re.sub(r"\bseed \d+", "", run.label.name).split()
    words = [word for word in words if word != run.label.choices.get("data") and not word.startswith("seed=")]
    return " ".join(words) or run.label.name


def short_key(key: str) -> str:
    """The last part of an option's key, with the one before it where it is a mere lr or _target_."""
    parts = [part for part in key.split(".") if part != "_target_"]
    return ".".join(parts[-2:])


def indices_by(names: Sequence[str]) -> dict[str, list[int]]:
    """Where each name stands."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        found[name].append(index)
    return found


def differing_options(options: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys that do not have the same value everywhere, in their order; missing is a value, too."""
    keys = dict.fromkeys(key for each in options for key in each)
    return [key for key in keys if len({each.get(key) for each in options}) > 1]
