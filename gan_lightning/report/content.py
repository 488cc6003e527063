"""What a report says, before it is laid out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gan_lightning.errors import UserError
from gan_lightning.report.arms import Arm, differing_options, find_arms
from gan_lightning.report.comparisons import Comparison, find_comparisons, why_not_compared
from gan_lightning.report.reading import LeftOut, ReportedRun, read_runs
from gan_lightning.report.words import number


class OptionRow(NamedTuple):
    """An option that differs, and its value in each arm."""

    key: str
    values: list[str]


@dataclass(frozen=True)
class Report:
    """What is known of some runs.

    Attributes:
        runs: The runs that could be read, in the order of their arms.
        arms: These runs, by arms.
        comparisons: The tables of scores that may be compared.
        notes: What is not compared, and why.
        left_out: Runs that have failed or not finished, and what could not be read.
    """

    runs: list[ReportedRun]
    arms: list[Arm]
    comparisons: list[Comparison]
    notes: list[str]
    left_out: list[LeftOut]

    @property
    def differing(self) -> list[OptionRow]:
        """The options that differ between arms."""
        keys = differing_options([arm.options for arm in self.arms])
        return [OptionRow(key, [shown(arm.options.get(key)) for arm in self.arms]) for key in keys]

    @property
    def title(self) -> str:
        """What the report is about, in a few words."""
        if len(self.runs) == 1:
            return self.runs[0].label.name
        if len(self.arms) <= 4:
            return " · ".join(arm.name for arm in self.arms) or "No runs"
        return f"{len(self.arms)} arms, {len(self.runs)} runs"

    def arm_of(self, run: ReportedRun) -> Arm:
        """The arm that a run belongs to."""
        return next(arm for arm in self.arms if run in arm.runs)


def shown(value: str | None) -> str:
    """An option's value as it is typed: a class by its last name; a dash where the arm has no such option."""
    if value is None:
        return "-"
    if value in ("None", "True", "False"):
        return {"None": "null"}.get(value, value.lower())
    return value.rpartition(".")[2] if value.startswith(("gan_lightning.", "torch.", "pytorch_lightning.")) else value


def make_report(folders: Sequence[Path]) -> Report:
    """What the run folders in some folders say.

    Args:
        folders: Run folders, or folders that hold some at any depth.

    Raises:
        UserError: There is no run folder.
    """
    runs, left_out = read_runs(folders)
    if not runs and not left_out:
        places = ", ".join(map(str, folders))
        raise UserError(
            f"runs={places} holds no run folder (one with .hydra/config.yaml); type runs=FOLDER with a folder that "
            "training runs named at their ends, or one above it"
        )
    arms = find_arms(runs)
    comparisons = find_comparisons(arms)
    notes = [*why_not_compared(comparisons, arms), *notes_on_versions(runs), *notes_on_repeats(arms)]
    return Report([run for arm in arms for run in arm.runs], arms, comparisons, notes, left_out)


def notes_on_versions(runs: Sequence[ReportedRun]) -> list[str]:
    """A note where versions of this program differ, whose defaults and arithmetic may, too."""
    sessions = [session for run in runs for session in run.status.get("sessions", []) if isinstance(session, dict)]
    notes = []
    for program in ("gan_lightning", "torch"):
        versions = sorted({str(session[program]) for session in sessions if program in session})
        if len(versions) > 1:
            notes.append(f"The runs were trained by {program} {' and '.join(versions)}.")
    return notes


def notes_on_repeats(arms: Sequence[Arm]) -> list[str]:
    """A note for each arm that has a seed twice."""
    return [
        f"{arm.name}: of runs with the same seed, the newest counts."
        for arm in arms
        if len({run.seed for run in arm.runs if run.is_finished}) < sum(run.is_finished for run in arm.runs)
    ]


def table_cell(comparison: Comparison, arm: str, column_index: int) -> str:
    """Mean and standard deviation of an arm's score as text, its best marked; a dash where it has none."""
    column = comparison.columns[column_index]
    summary = column.summaries.get(arm)
    if summary is None:
        return "-"
    spread = "" if summary.std is None else f" ± {summary.std:.2g}"
    return number(summary.mean) + spread + (" (best)" if column.best == [arm] else "")
