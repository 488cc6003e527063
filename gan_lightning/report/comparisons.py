"""Tables in which scores of arms may be compared, and why others may not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gan_lightning.evaluation.protocol import SCORES, EvaluationProtocol
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.report.arms import Arm, differing_options, options_of
from gan_lightning.report.reading import ReportedRun
from gan_lightning.report.statistics import Pair, Scores, Summary, compare_arms, summarize, unbeaten
from gan_lightning.report.words import describe_arms

OF_TRAINING = ("data.batch_size", "data.balanced")
"""Options of the data that leave the images that samples are compared with as they are."""


MOST_NAMED = 6
"""Arms that a note names."""


@dataclass(frozen=True)
class Column:
    """One score of several arms, by one protocol.

    Attributes:
        score: Name of the score.
        protocol: How it was measured.
        arms: The score of each run, by arm and seed; only finished runs.
        real_baseline: What real images score; None where it is not known.
    """

    score: str
    protocol: EvaluationProtocol
    arms: Mapping[str, Scores]
    real_baseline: float | None

    @property
    def preferred(self) -> str:
        """Which values are better, in words."""
        return SCORES[self.score].preferred

    @property
    def higher_is_better(self) -> bool | None:
        """True or false where values, or their distances from the baseline, are ordered; None where they are not."""
        if self.preferred == "as real":
            return None if self.real_baseline is None else False
        return SCORES[self.score].higher_is_better

    @property
    def ordered(self) -> Mapping[str, Scores]:
        """What is compared: the scores, or their distances from the baseline."""
        if self.preferred != "as real" or self.real_baseline is None:
            return self.arms
        return {
            arm: {seed: abs(value - self.real_baseline) for seed, value in scores.items()}
            for arm, scores in self.arms.items()
        }

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """Mean, spread and interval of each arm."""
        return {arm: summarize(list(scores.values())) for arm, scores in self.arms.items()}

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair of arms; none for a score without an order."""
        return [] if self.higher_is_better is None else compare_arms(self.ordered, self.higher_is_better)

    @cached_property
    def best(self) -> list[str]:
        """The arms that may be the best, as far as the statistics allow to say so."""
        return unbeaten(self.ordered, self.pairs)

    @property
    def sentences(self) -> list[str]:
        """What the score says about the arms."""
        return describe_arms(self.ordered, self.pairs, bool(self.higher_is_better))


@dataclass(frozen=True)
class Comparison:
    """Scores that may stand in one table: of the same data and split, from as many samples.

    Attributes:
        title: What the samples were compared with.
        data: Short name of the data.
        split: Split of the data.
        columns: A column for each score; one for each extractor where there are several.
    """

    title: str
    data: str
    split: str
    columns: tuple[Column, ...]

    @property
    def arms(self) -> list[str]:
        """The arms that have a score here."""
        return list(dict.fromkeys(arm for column in self.columns for arm in column.arms))

    def seeds(self, arm: str) -> int:
        """Number of seeds by which an arm is scored here."""
        return max(len(column.arms.get(arm, ())) for column in self.columns)

    @property
    def main(self) -> Column:
        """The score that the answer is about: the Fréchet distance, else the first one whose values are ordered."""
        ordered = [column for column in self.columns if column.higher_is_better is not None]
        return next(iter(ordered), self.columns[0])


DataKey = tuple[tuple[str, str], ...]


def data_key(run: ReportedRun) -> DataKey:
    """What decides which images a run's samples are compared with."""
    return tuple(
        (key, value) for key, value in options_of(run).items() if key.startswith("data.") and key not in OF_TRAINING
    )


def last_scores(run: ReportedRun) -> list[ScoreRecord]:
    """The newest record of each score by each protocol, of the averaged weights where these were scored."""
    newest: dict[tuple[Any, ...], ScoreRecord] = {}
    for record in sorted(run.records, key=lambda record: record.source == "ema"):  # stable: file order within a source
        if record.source in ("ema", "raw") and record.score in SCORES:
            newest[record.score, record.protocol] = record
    return list(newest.values())


def find_comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    """The tables of scores that may be compared, those of test images first."""
    tables: dict[tuple[Any, ...], dict[tuple[str, EvaluationProtocol], dict[str, dict[int, ScoreRecord]]]] = {}
    for arm in arms:
        for run in arm.finished:
            for record in last_scores(run):
                table = tables.setdefault((record.data, record.split, record.n, data_key(run)), {})
                column = table.setdefault((record.score, record.protocol), {})
                column.setdefault(arm.name, {})[run.seed] = record
    keys = sorted(tables, key=lambda key: (key[1] != "test", key[0], -key[2]))
    return [Comparison(title_of(key, keys), key[0], key[1], tuple(make_columns(tables[key]))) for key in keys]


def make_columns(
    table: Mapping[tuple[str, EvaluationProtocol], Mapping[str, Mapping[int, ScoreRecord]]],
) -> Iterable[Column]:
    """The columns of a table, in the order of `SCORES`."""
    order = list(SCORES)
    for score, protocol in sorted(table, key=lambda key: order.index(key[0])):
        by_arm = table[score, protocol]
        records = [record for scores in by_arm.values() for record in scores.values()]
        baselines = [record.real_baseline for record in records if record.real_baseline is not None]
        yield Column(
            score,
            protocol,
            {arm: {seed: record.value for seed, record in sorted(scores.items())} for arm, scores in by_arm.items()},
            sum(baselines) / len(baselines) if baselines else None,
        )


def title_of(key: tuple[Any, ...], keys: Sequence[tuple[Any, ...]]) -> str:
    """What a table's samples were compared with; with the options of the data where their names do not differ."""
    data, split, n, options = key
    namesakes = [dict(other[3]) for other in keys if other[:3] == key[:3]]
    differing = [f"{name}={dict(options).get(name, '-')}" for name in differing_options(namesakes)]
    return ", ".join([f"{data}, {split} images", f"{n:,} samples", *differing])


def why_not_compared(comparisons: Sequence[Comparison], arms: Sequence[Arm]) -> list[str]:
    """Why scores stand in several tables, and what else keeps runs from being compared, as sentences."""
    notes = []
    if len({comparison.data for comparison in comparisons}) > 1:
        notes.append("Scores on different data are not comparable, and stand in tables of their own.")
    elif len(comparisons) > 1:
        notes.append(
            "Scores by different protocols (split, number of samples, options of the data) are not comparable, and "
            "stand in tables of their own."
        )
    for comparison in comparisons:
        names = [column.score for column in comparison.columns]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            notes.append(f"{comparison.title}: {name} was measured by different extractors, in columns of their own.")
        notes += unequal_budgets(comparison, arms)
    unscored = [arm.name for arm in arms if arm.finished and not any(arm.name in each.arms for each in comparisons)]
    if unscored:
        notes.append(f"Without scores: {', '.join(unscored)}. Type evaluate run=FOLDER for each run.")
    return list(dict.fromkeys(notes))


def unequal_budgets(comparison: Comparison, arms: Sequence[Arm]) -> list[str]:
    """A note where the arms of a table saw different numbers of images."""
    seen = {
        arm.name: max(int(run.status.get("images_seen", 0)) for run in arm.finished)
        for arm in arms
        if arm.name in comparison.arms
    }
    if not seen or max(seen.values()) <= 1.05 * min(seen.values()):
        return []
    amounts = ", ".join(f"{name} {images:,}" for name, images in list(seen.items())[:MOST_NAMED])
    return [
        f"{comparison.data}: the arms did not see equally many real images ({amounts}); their curves compare them at "
        "equal budgets."
    ]
