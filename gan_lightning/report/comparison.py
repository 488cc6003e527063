from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lightning.report.figures import with_floor
from gan_lightning.training.run_folder import RunFolder

COLUMNS = 3  # pictures side by side

SCORES = ("frechet", "precision", "recall", "coverage")


def compare(jobs: Mapping[Path, Sequence[str]], folder: Path) -> list[Path]:
    """Put the jobs of a sweep side by side: comparison.md, a table, and comparison.png, the last grid of each.

    Args:
        jobs: run folders and the words that made them.
        folder: where the two files go.

    Returns:
        What has been written; no picture when no job has a grid.
    """
    titles = distinct(jobs)
    table = folder / "comparison.md"
    table.write_text("\n".join(rows(titles)) + "\n")
    grids = {title: RunFolder(job).grids()[-1] for job, title in titles.items() if RunFolder(job).grids()}
    if not grids:
        return [table]
    plot_grids(grids, folder / "comparison.png")
    return [table, folder / "comparison.png"]


def distinct(jobs: Mapping[Path, Sequence[str]]) -> dict[Path, str]:
    """For each job the words that are not those of every job."""
    common = set.intersection(*(set(words) for words in jobs.values()))
    return {job: " ".join(word for word in words if word not in common) or job.name for job, words in jobs.items()}


def rows(titles: Mapping[Path, str]) -> list[str]:
    """Lines of a Markdown table: how far each job came, and its last scores, where they were taken in training."""
    lines = [
        f"| | state | generator steps | minutes | {' | '.join(SCORES)} | folder |",
        f"|{'---|' * (5 + len(SCORES))}",
    ]
    for job, title in titles.items():
        run = RunFolder(job)
        status = run.status()
        cells = [
            f"`{title}`",
            status["state"] + (f": {in_a_cell(error)}" if (error := status.get("error")) else ""),
            f"{status.get('generator_steps', 0):,}",
            f"{status.get('seconds', 0) / 60:.1f}",
            *last_scores(run),
            f"[{job.name}]({job.name})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def in_a_cell(text: str) -> str:
    """Text on one line, which no bar divides."""
    return " ".join(text.split()).replace("|", "\\|")


def last_scores(run: RunFolder) -> list[str]:
    """The scores of the last scored epoch; dashes without one."""
    scored: list[dict[str, Any]] = [line for line in run.scores() if line.get("during_training")]
    return [f"{with_floor(scored[-1], score)[0]:.3g}" if scored else "-" for score in SCORES]


def plot_grids(grids: Mapping[str, Path], out: Path) -> None:
    """One picture of all of them, each under its name."""
    import matplotlib.image
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(grids))
    lines = -(-len(grids) // columns)
    figure = Figure(figsize=(4 * columns, 4.3 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for panel in panels:
        panel.axis("off")
    for panel, (title, grid) in zip(figure.axes, grids.items(), strict=False):
        panel.imshow(matplotlib.image.imread(grid), cmap="gray", vmin=0, vmax=1)
        panel.set_title(title, fontsize=9, wrap=True)
    FigureCanvasAgg(figure).print_png(str(out))
