"""A report as one HTML file that needs no network."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from gan_lightning import __version__
from gan_lightning.files import write_atomically
from gan_lightning.report.charts import Line, swatch
from gan_lightning.report.content import Report, make_report
from gan_lightning.report.curves import BUDGETS, discriminator_charts, score_charts
from gan_lightning.report.tables import format_csv, format_markdown
from gan_lightning.report.wall import MOST_EVALUATIONS, evaluation_pictures, make_films
from gan_lightning.report.words import number
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)

MOST_PICTURED = 12
"""Arms up to which the output of D and evaluations are pictured for each."""


def write_report(folders: Sequence[Path], out: Path) -> list[Path]:
    """Write the report of the runs in some folders: the page, the same as Markdown, and its leaderboard as a table.

    Args:
        folders: Run folders, or folders that hold some at any depth.
        out: The page; FILE.md and leaderboard.csv are written beside it.

    Returns:
        The files written.

    Raises:
        UserError: There is no run folder.
    """
    report = make_report(folders)
    contents = {
        out: make_page(report),
        out.with_suffix(".md"): format_markdown(report),
        out.with_name("leaderboard.csv"): format_csv(report),
    }
    for file, content in contents.items():
        write_atomically(file, content.encode())
    return list(contents)


def make_page(report: Report) -> str:
    """The page's HTML."""
    return page_template().render(describe(report))


def write_run_page(folder: RunFolder) -> None:
    """Write the page of one run into its folder; an error is reported only.

    Args:
        folder: The run's folder.
    """
    try:
        write_atomically(folder.report, make_page(make_report([folder.path])).encode())
    except Exception as error:  # whatever is wrong with a picture or a disk, the run itself is whole
        log.warning("WARNING: %s could not be written: %s", folder.report, error)


@cache
def page_template() -> Template:
    """The page's template; compiling it takes longer than filling it."""
    environment = Environment(
        loader=PackageLoader("gan_lightning.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=number, breakable=breakable)
    return environment.get_template("report.html")


def describe(report: Report) -> dict[str, Any]:
    """What the template shows."""
    few = report.arms[:MOST_PICTURED]
    films: list[dict[str, Any]] = [
        {"run": run, "arm": report.arm_of(run), "film": film}
        for run, film in zip(report.runs, make_films(report.runs), strict=True)
        if film.pictures
    ]
    return {
        "report": report,
        "css": read("gan_lightning.export", "page.css") + read("gan_lightning.report", "report.css"),
        "script": read("gan_lightning.report", "report.js"),
        "version": __version__,
        "written": f"{datetime.now():%Y-%m-%d %H:%M}",
        "charts": score_charts(report.arms),
        "budgets": BUDGETS,
        "legend": [(arm.name, swatch(Line(arm.name, index, ()))) for index, arm in enumerate(report.arms)],
        "d_charts": discriminator_charts(few),
        "d_legend": [(name, swatch(Line(name, index, ()))) for index, name in enumerate(("real images", "fakes"))],
        "films": films,
        "steps": sorted({step for each in films for step in each["film"].steps}),
        "evaluations": evaluations(report),
    }


def evaluations(report: Report) -> list[dict[str, Any]]:
    """The pictures of one evaluated run of each arm: class histogram and nearest training images."""
    found: list[dict[str, Any]] = []
    for arm in report.arms:
        pictures = next(filter(None, map(evaluation_pictures, arm.runs)), {})
        found += [
            {"arm": arm.name, "what": what, "picture": picture}
            for what, picture in pictures.items()
            if len(found) < MOST_EVALUATIONS
        ]
    return found


def breakable(key: str) -> Markup:
    """An option's key, which a narrow screen may break behind its dots."""
    return Markup(".<wbr>").join(key.split("."))


def read(package: str, name: str) -> Markup:
    """A style sheet or script of this project, which goes into the page as it is."""
    return Markup(files(package).joinpath(name).read_text())
