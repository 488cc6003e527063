"""What the folder of a job holds, and what the jobs of a study have in common: mean and spread of each arm."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gan_lightning import __version__
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.files import write_atomically
from gan_lightning.study.plan import Job, Study
from gan_lightning.training.run_folder import RunFolder

SLOW_SCORES = {"tstr": ("tstr", "tstr_pseudo_labels"), "inception": ("frechet_inception",)}
"""Options of the command evaluate, and the scores that are measured with these only."""


@dataclass(frozen=True)
class Outcome:
    """How a job has ended.

    Attributes:
        error: Why it failed; empty when it did not, or has not run.
        seconds: Seconds of training.
        records: The scores of its last weights on the test images, by name; empty for a job that is not finished.
    """

    error: str = ""
    seconds: float = 0.0
    records: Mapping[str, ScoreRecord] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether it is trained and scored."""
        return bool(self.records)


def read_outcome(folder: RunFolder, scores: Sequence[str], n: int | None) -> Outcome:
    """What the folder of a job holds.

    Args:
        folder: The job's folder.
        scores: The study's scores.
        n: Number of samples that they are measured of; None for any.

    Raises:
        UserError: Another version of this program wrote its scores.
    """
    status = folder.status()
    seconds = status.get("seconds", 0.0)
    if status.get("state") != "finished":
        return Outcome(seconds=seconds)
    measured = [
        record
        for record in folder.scores()
        if not record.during_training
        and record.split == "test"
        and n in (None, record.n)
        and record.generator_steps == status["generator_steps"]
    ]
    last = [record for record in measured if record.evaluated_at == measured[-1].evaluated_at]
    found = {record.score: record for record in last if record.source == last[0].source}
    missing = slow_scores(scores) - slow_scores(list(found))
    return Outcome(seconds=seconds, records={} if missing else found)


def slow_scores(scores: Sequence[str]) -> set[str]:
    """The options of the command evaluate that measure some of the scores."""
    return {option for option, names in SLOW_SCORES.items() if set(names) & set(scores)}


def leading_score(scores: Sequence[str]) -> str:
    """The score by which arms are ordered: the first whose values are."""
    return next((score for score in scores if SCORES[score].higher_is_better is not None), scores[0])


def best(outcomes: Mapping[Job, Outcome], data: str, score: str) -> tuple[Job, float] | None:
    """The job with the best value of a score on a data set; None where none is finished."""
    values = [
        (job, outcome.records[score].value)
        for job, outcome in outcomes.items()
        if job.data == data and score in outcome.records
    ]
    sign = -1 if SCORES[score].higher_is_better else 1
    return min(values, key=lambda found: sign * found[1], default=None)


def record_study(study: Study, out: Path, outcomes: Mapping[Job, Outcome]) -> None:
    """Write study.json: the plan, and how each job stands."""
    jobs = [
        {
            "name": job.name, "arm": job.arm, "data": job.data, "seed": job.seed, "words": job.words,
            "state": "finished" if outcome.finished else "failed" if outcome.error else "waiting",
            "error": outcome.error,
        }
        for job, outcome in outcomes.items()
    ]  # fmt: skip
    content = {"gan_lightning": __version__, **study.model_dump(mode="json", include=set(Study.model_fields))}
    write_atomically(out / "study.json", json.dumps(content | {"jobs": jobs}, indent=1).encode())


# The table


def format_table(study: Study, outcomes: Mapping[Job, Outcome]) -> list[str]:
    """Lines of a table for each data set and protocol: mean and standard deviation of each arm, the best arm first."""
    by_protocol: dict[tuple[str, str], dict[str, list[Outcome]]] = {}
    for job, outcome in outcomes.items():
        if outcome.finished:
            protocol = next(iter(outcome.records.values())).full_name
            by_protocol.setdefault((job.data, protocol), {}).setdefault(job.arm, []).append(outcome)
    lines: list[str] = []
    for (data, _), arms in by_protocol.items():
        rows = table_rows(study, arms)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["", heading(study, data, arms)]
        lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return lines


def heading(study: Study, data: str, arms: Mapping[str, Sequence[Outcome]]) -> str:
    """What stands above a table."""
    record = next(iter(next(iter(arms.values()))[0].records.values()))
    spread = "mean ± standard deviation over the seeds"
    if all(len(outcomes) == 1 for outcomes in arms.values()):
        spread = "one seed each: how far seeds differ is not known"
    return f"{data}, {study.budget} each, {record.n:,} samples against {record.split} images; {spread}"


def table_rows(study: Study, arms: Mapping[str, Sequence[Outcome]]) -> list[list[str]]:
    """The cells of a table: its head, which values are better, a row for each arm and one for real images."""
    leading = leading_score(study.scores)
    sign = -1 if SCORES[leading].higher_is_better else 1
    means = {
        arm: statistics.mean(values_of(outcomes, leading) or [sign * float("inf")]) for arm, outcomes in arms.items()
    }
    preferred = [SCORES[score].preferred for score in study.scores]
    rows = [["", "seeds", *study.scores, "minutes"], ["better when", "", *preferred, ""]]
    for arm in sorted(arms, key=lambda arm: sign * means[arm]):
        cells = [mean_and_spread(values_of(arms[arm], score)) for score in study.scores]
        minutes = mean_and_spread([outcome.seconds / 60 for outcome in arms[arm]])
        rows.append([arm, str(len(arms[arm])), *cells, minutes])
    baselines = {
        score: record.real_baseline
        for outcomes in arms.values()
        for it in outcomes
        for score, record in it.records.items()
    }
    real = [baselines.get(score) for score in study.scores]
    return [*rows, ["real images", "", *("-" if value is None else digits(value) for value in real), ""]]


def values_of(outcomes: Iterable[Outcome], score: str) -> list[float]:
    """The values of a score, where it was measured."""
    return [outcome.records[score].value for outcome in outcomes if score in outcome.records]


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean and standard deviation; the value alone where there is one."""
    if not values:
        return "-"
    mean = digits(statistics.mean(values))
    return mean if len(values) == 1 else f"{mean} ± {digits(statistics.stdev(values), 2)}"


def digits(value: float, count: int = 3) -> str:
    """So many digits that count; a large number whole."""
    return f"{value:,.0f}" if abs(value) >= 10 ** (count - 1) else f"{value:.{count}g}"
