"""A report as Markdown, and its leaderboard as a table for other programs."""

import csv
import io
from collections.abc import Iterable, Iterator

from gan_lightning.report.content import Report, table_cell
from gan_lightning.report.words import number

COLUMNS = (
    "data", "split", "samples", "extractor", "score", "arm", "seeds", "mean", "std", "interval_low", "interval_high",
    "real_baseline", "preferred", "best", "command",
)  # fmt: skip
"""Columns of leaderboard.csv; a row for each score of each arm."""


def format_csv(report: Report) -> str:
    """The leaderboard, a row for each score of each arm."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    commands = {arm.name: arm.runs[0].command for arm in report.arms}
    for comparison in report.comparisons:
        for column in comparison.columns:
            protocol = column.protocol
            for arm, summary in column.summaries.items():
                low, high = summary.interval or ("", "")
                writer.writerow([
                    protocol.data, protocol.split, protocol.n, protocol.extractor or "", column.score, arm, summary.n,
                    summary.mean, "" if summary.std is None else summary.std, low, high,
                    "" if column.real_baseline is None else column.real_baseline, column.preferred,
                    column.best == [arm], commands[arm],
                ])  # fmt: skip
    return text.getvalue()


def format_markdown(report: Report) -> str:
    """The report without its pictures."""
    lines = [f"# {escape(report.title)}", ""]
    for comparison in report.comparisons:
        main = comparison.main
        lines += [f"## {escape(comparison.title)}", ""]
        lines += [f"- {escape(sentence)}." for sentence in main.sentences]
        lines += [f"- That is {main.score}: {main.preferred} is better.", ""] if main.sentences else []
        names = [column.score for column in comparison.columns]
        lines += table(
            ["", "seeds", *names],
            [
                *(
                    [arm, str(comparison.seeds(arm)),
                     *(table_cell(comparison, arm, index) for index in range(len(names)))]
                    for arm in comparison.arms
                ),
                ["real images", "", *(baseline_cell(column.real_baseline) for column in comparison.columns)],
                ["better", "", *(column.preferred for column in comparison.columns)],
            ],
        )  # fmt: skip
    lines += [f"- {escape(note)}" for note in report.notes]
    if report.differing:
        names = [arm.name for arm in report.arms]
        lines += [
            "",
            "## Options that differ",
            "",
            *table(["", *names], ([row.key, *row.values] for row in report.differing)),
        ]
    lines += ["## Runs", ""]
    rows = (
        [
            report.arm_of(run).name,
            str(run.seed),
            run.state,
            f"{run.status.get('generator_steps', 0):,}",
            code(run.command),
        ]
        for run in report.runs
    )
    lines += table(["arm", "seed", "state", "generator steps", "command"], rows)
    if report.left_out:
        lines += ["## Left out", "", *(f"- {escape(f'{each.place} {each.why}'.strip())}" for each in report.left_out)]
    return "\n".join(lines).rstrip() + "\n"


def baseline_cell(value: float | None) -> str:
    """What real images score."""
    return "-" if value is None else number(value)


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a Markdown table and an empty one."""
    names = list(map(escape, heading))
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(map(escape, row))} |"
    yield ""


def code(text: str) -> str:
    """Text as Markdown's code."""
    return f"`{text}`" if text and "`" not in text else text


def escape(text: str) -> str:
    """Text on one line, with what a cell of a Markdown table may not hold escaped."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
