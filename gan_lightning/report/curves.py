"""Curves of arms over training: scores against images, generator steps and seconds, and what D makes of images."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from gan_lightning.evaluation.protocol import SCORES, EvaluationProtocol
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.images import spread
from gan_lightning.report.arms import Arm
from gan_lightning.report.charts import Line, Point, draw
from gan_lightning.report.reading import ReportedRun
from gan_lightning.report.words import count, number

MOST_POINTS = 40
"""Points of a curve; of more, some are left out at even distances."""

BUDGETS = {"images": "real images seen", "steps": "generator steps", "seconds": "seconds of training"}
"""What a score is drawn against, and how the axis names it."""

LARGEST = 1e30
"""Numbers from which on a curve has no point: what diverged, or was written by no run."""

DRAWN = ("frechet", "precision", "recall", "coverage")
"""Scores whose curves are drawn, where they were measured in training."""


class Spent(NamedTuple):
    """What a run has spent at some moment of its training."""

    images: float
    steps: float
    seconds: float


class Moment(NamedTuple):
    """A number of a run at a moment of its training."""

    spent: Spent
    value: float


class Chart(NamedTuple):
    """Curves of one thing.

    Attributes:
        title: What it shows.
        views: The picture, by what it is drawn against.
        protocol: What was compared with what, for scores.
    """

    title: str
    views: Mapping[str, Markup]
    protocol: str = ""


def score_charts(arms: Sequence[Arm]) -> list[Chart]:
    """Charts of the scores that were measured during training; one for each protocol."""
    found: dict[tuple[str, EvaluationProtocol], dict[str, list[list[Moment]]]] = {}
    baselines: dict[tuple[str, EvaluationProtocol], float | None] = {}
    for arm in arms:
        for run in arm.runs:
            clock = Clock(run)
            for (score, protocol), records in during_training(run).items():
                moments = [Moment(clock.spent(record), record.value) for record in records]
                found.setdefault((score, protocol), {}).setdefault(arm.name, []).append(moments)
                baselines[score, protocol] = records[-1].real_baseline
    index = {arm.name: place for place, arm in enumerate(arms)}
    charts = []
    for key in sorted(found, key=lambda key: (key[1].data, DRAWN.index(key[0]))):
        score, protocol = key
        title = f"{score} ({SCORES[score].preferred} is better)"
        lines = {name: average(runs) for name, runs in found[key].items()}
        views = {
            budget: draw(
                [Line(name, index[name], points(name, lines[name], budget)) for name in lines],
                BUDGETS[budget], title, baselines[key], unit=score != "frechet",
            )
            for budget in BUDGETS
        }  # fmt: skip
        compared = f"{protocol.n:,} samples with {protocol.data}, {protocol.split} images"
        charts.append(Chart(title, views, compared))
    return charts


def during_training(run: ReportedRun) -> dict[tuple[str, EvaluationProtocol], list[ScoreRecord]]:
    """The records of each drawn score that were measured during a run's training."""
    found: dict[tuple[str, EvaluationProtocol], list[ScoreRecord]] = defaultdict(list)
    for record in run.records:
        if record.during_training and record.score in DRAWN and record.generator_steps is not None:
            found[record.score, record.protocol].append(record)
    return found


class Clock:
    """When a run was at which generator step, by its metrics.csv."""

    def __init__(self, run: ReportedRun) -> None:
        rows = [row for row in run.metrics if abs(float(row.get("seconds") or "nan")) < LARGEST]
        pairs = sorted((int(row["generator_steps"]), float(row["seconds"])) for row in rows)
        last = run.status.get("generator_steps", 0), run.status.get("seconds", 0)
        self.steps = [0, *(step for step, _ in pairs), last[0]]
        self.seconds = [0.0, *(seconds for _, seconds in pairs), last[1]]

    def at(self, step: int) -> float:
        """Seconds of training until a step, between the rows that there are."""
        after = min(max(bisect_left(self.steps, step), 1), len(self.steps) - 1)
        before = after - 1
        span = self.steps[after] - self.steps[before]
        share = (step - self.steps[before]) / span if span > 0 else 1.0
        return self.seconds[before] + min(max(share, 0.0), 1.0) * (self.seconds[after] - self.seconds[before])

    def spent(self, record: ScoreRecord) -> Spent:
        """What a run had spent when it was scored."""
        steps = record.generator_steps or 0
        return Spent(record.images_seen or 0, steps, self.at(steps))


class Averaged(NamedTuple):
    """The runs of an arm at one generator step."""

    spent: Spent
    values: tuple[float, ...]


def average(runs: Sequence[Sequence[Moment]]) -> list[Averaged]:
    """The runs of an arm together: at each step that any of them has, those that have it; `MOST_POINTS` at most."""
    by_step: dict[float, list[Moment]] = defaultdict(list)
    for moments in runs:
        for step, moment in {moment.spent.steps: moment for moment in moments}.items():
            if abs(moment.value) < LARGEST:  # neither is nan
                by_step[step].append(moment)
    averaged = [
        Averaged(
            Spent(*(sum(each) / len(each) for each in zip(*(moment.spent for moment in moments), strict=True))),
            tuple(moment.value for moment in moments),
        )
        for _, moments in sorted(by_step.items())
    ]
    return averaged if len(averaged) <= MOST_POINTS else spread(averaged, MOST_POINTS)


def points(name: str, averaged: Sequence[Averaged], budget: str) -> list[Point]:
    """The points of a curve: mean, and the range over seeds."""
    found = []
    for spent, values in averaged:
        x, mean = getattr(spent, budget), sum(values) / len(values)
        seeds = f" ({number(min(values))} to {number(max(values))}, {count(len(values), 'seed')})"
        text = f"{name}: {number(mean)}{seeds if len(values) > 1 else ''} after {x:,.0f} {BUDGETS[budget]}"
        found.append(Point(x, mean, min(values), max(values), text))
    return found


# D


D_CURVES = {"d_real": "real images", "d_fake": "fakes"}
"""Columns of metrics.csv, and what they are the output of D for."""


def discriminator_charts(arms: Sequence[Arm]) -> list[Chart]:
    """A chart for each arm: the output of D for real images and for fakes, over training."""
    charts = []
    for arm in arms:
        lines = [
            Line(label, index, points(label, average([moments_of(run, column) for run in arm.runs]), "steps"))
            for index, (column, label) in enumerate(D_CURVES.items())
        ]
        picture = draw(lines, BUDGETS["steps"], f"output of D, {arm.name}", unit=True)
        if picture:
            charts.append(Chart(arm.name, {"steps": picture}))
    return charts


def moments_of(run: ReportedRun, column: str) -> list[Moment]:
    """A column of metrics.csv, without its empty cells."""
    return [
        Moment(
            Spent(float(row["images_seen"]), float(row["generator_steps"]), float(row.get("seconds") or 0)),
            float(row[column]),
        )
        for row in run.metrics
        if row.get(column)
    ]
