"""The command report: a page that compares any runs."""

from pathlib import Path

from pydantic import Field

from gan_lightning.cli.options import CommandOptions, keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError
from gan_lightning.runs import find_run

PAGE = "report.html"


class Options(CommandOptions):
    """Compare runs on one page, with what their seeds say about the differences.

      python -m gan_lightning report runs=multirun/TIME
      python -m gan_lightning report runs=[runs,multirun] out=report.html

    Run folders are found at any depth. Runs that differ only in their seed are an arm. The page is one file, to be
    opened in any browser without a network: scores with intervals beside those of real images, who beats whom,
    learning curves, images, the options that differ, the command of each run, and what failed. Beside it, the same is
    written as Markdown (report.md), and its table as leaderboard.csv.
    """

    runs: PathName | list[PathName] = Field(description="Folder of run folders, or one of these; several: [A,B].")
    out: PathName = Field(PAGE, description="The page; FILE.md and leaderboard.csv are written beside it.")


def main(words: list[str]) -> None:
    """Write the report that the words ask for."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out)
    if out.is_dir():
        raise UserError(f"out={out} is a folder; type out={out / PAGE}")
    if out.suffix.lower() != ".html":
        raise UserError(f"out={out} is not allowed: a report is a page; type out={out.with_suffix('.html')}")
    folders = [find_folder(name) for name in (options.runs if isinstance(options.runs, list) else [options.runs])]

    from gan_lightning.report.page import write_report

    page, *others = write_report(folders, out)
    print(f"{page}: open it in a browser; {page.stat().st_size / 1e6:.1f} MB; beside it {', '.join(map(str, others))}")


def find_folder(name: str) -> Path:
    """The folder that a word of `runs=` names: a path, latest, or a part of a run's name."""
    try:
        return Path(find_run(name))
    except UserError as error:
        raise UserError(str(error).replace("run=", "runs=")) from error
