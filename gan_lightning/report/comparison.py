"""A comparison of the runs of a sweep: a table and a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lightning.files import write_atomically
from gan_lightning.report.figures import save_figure
from gan_lightning.training.readers import report
from gan_lightning.training.run_folder import RunFolder

COLUMNS = 3
"""Sample grids beside each other in the picture."""

SHOWN_SCORES = ("frechet", "precision", "recall", "coverage")


def compare(jobs: Mapping[Path, Sequence[str]], folder: Path) -> list[Path]:
    """Compare the jobs of a sweep: comparison.md, a table, and comparison.png, the last sample grid of each.

    Args:
        jobs: Run folders, and the overrides of the command line that each was started with.
        folder: Folder of the two files.

    Returns:
        The files written; the picture is left out when no job has a sample grid.
    """
    titles = distinct(jobs)
    table = folder / "comparison.md"
    write_atomically(table, ("\n".join(format_rows(titles)) + "\n").encode())
    grids = {title: grid for job, title in titles.items() if (grid := last_grid(RunFolder(job))) is not None}
    if not grids:
        return [table]
    plot_grids(grids, folder / "comparison.png")
    return [table, folder / "comparison.png"]


def distinct(jobs: Mapping[Path, Sequence[str]]) -> dict[Path, str]:
    """A title for each job: the overrides that not all jobs share, or else the name of its folder."""
    common = set.intersection(*(set(overrides) for overrides in jobs.values()))
    return {
        job: " ".join(word for word in overrides if word not in common) or job.name for job, overrides in jobs.items()
    }


def format_rows(titles: Mapping[Path, str]) -> list[str]:
    """Lines of a Markdown table: how far each job came, and the last scores measured during its training."""
    lines = [
        f"| | state | generator steps | minutes | {' | '.join(SHOWN_SCORES)} | folder |",
        f"|{'---|' * (5 + len(SHOWN_SCORES))}",
    ]
    for job, title in titles.items():
        run = RunFolder(job)
        status = run.status()
        cells = [
            f"`{title}`",
            status.get("state", "unknown") + (f": {escape_cell(error)}" if (error := status.get("error")) else ""),
            f"{status.get('generator_steps', 0):,}",
            f"{status.get('seconds', 0) / 60:.1f}",
            *last_scores(run),
            f"[{job.name}]({job.name})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def escape_cell(text: str) -> str:
    """Text as a cell of a Markdown table: on one line, with vertical bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def last_scores(run: RunFolder) -> list[str]:
    """The last scores measured during training; dashes when there are none."""
    last = {record.score: f"{record.value:.3g}" for record in run.scores() if record.during_training}
    return [last.get(score, "-") for score in SHOWN_SCORES]


def last_grid(run: RunFolder) -> Any:
    """The last sample grid that can be read, as an array; None when there is none."""
    import matplotlib.image

    for grid in reversed(run.grids()):
        try:
            return matplotlib.image.imread(grid)
        except Exception as error:  # Pillow has no one error for "not a picture"
            report(f"{grid} cannot be read ({error}) and is left out")
    return None


def plot_grids(grids: Mapping[str, Any], out: Path) -> None:
    """Draw all grids into one picture, each under its title."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(grids))
    rows = -(-len(grids) // columns)
    figure = Figure(figsize=(4 * columns, 4.3 * rows), layout="constrained", dpi=150)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for panel in panels:
        panel.axis("off")
        panel.set_anchor("N")  # grids of fewer rows begin at the same height
    for panel, (title, grid) in zip(figure.axes, grids.items(), strict=False):
        panel.imshow(grid, cmap="gray", vmin=0, vmax=1)
        panel.set_title(title, fontsize=9, wrap=True, parse_math=False)
    save_figure(figure, out)
