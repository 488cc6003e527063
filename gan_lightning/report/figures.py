"""Figures of a run: its metrics and scores over training, and the classes of its samples."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.files import replacing
from gan_lightning.training.readers import read_metrics

PANELS = {
    "losses": {"loss_d": "D", "loss_g": "G", "penalty": "penalty"},
    "output of D": {"d_real": "D(x)", "d_fake": "D(G(z))"},
    "pixels": {
        "real_mean": "real mean", "fake_mean": "fake mean", "real_std": "real std", "fake_std": "fake std",
    },
    "gradient norms": {"grad_norm_d": "D", "grad_norm_g": "G"},
}  # fmt: skip


def read_columns(metrics: Path) -> dict[str, list[float]]:
    """The columns of a metrics.csv, of its whole rows; empty cells are nan."""
    rows = read_metrics(metrics)
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]} if rows else {}


def present(columns: dict[str, list[float]], name: str) -> tuple[list[float], list[float]]:
    """Generator steps and values of a column, without the rows that leave it empty."""
    rows = zip(columns["generator_steps"], columns[name], strict=True)
    filled = [(step, value) for step, value in rows if not math.isnan(value)]
    return [step for step, _ in filled], [value for _, value in filled]


def plot_metrics(metrics: Path, out: Path) -> None:
    """Draw the training metrics against generator steps; nothing when there is no row yet.

    Args:
        metrics: A run's metrics.csv.
        out: The picture's file.
    """
    columns = read_columns(metrics)
    if not columns:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    for axes, (title, curves) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for name, label in curves.items():
            if name in columns:
                style = "--" if name.startswith("real") else "-"
                marker = "." if len(columns[name]) < 10 else ""
                axes.plot(*present(columns, name), style + marker, label=label, linewidth=1.2)
        label_panel(axes, title)
    with replacing(out) as file:
        FigureCanvasAgg(figure).print_png(file)


def label_panel(axes: Any, title: str) -> None:
    """Add the title, the axis, the grid and the legend that every panel of curves over training has."""
    axes.set_title(title)
    axes.set_xlabel("generator steps")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()


SCORE_PANELS = {"frechet": ["frechet"], "nearest neighbours": ["precision", "recall", "coverage"]}


def plot_scores(records: Sequence[ScoreRecord], out: Path) -> None:
    """Draw the scores measured during training against generator steps, and real-data baselines as dashed lines.

    When a resumed run changed the protocol, only the scores of the last one are drawn.

    Args:
        records: Scores of a run; without one that was measured during training, nothing is drawn.
        out: The picture's file.
    """
    records = [record for record in records if record.during_training]
    if not records:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, (title, scores) in zip(figure.subplots(1, 2), SCORE_PANELS.items(), strict=True):
        for score in scores:
            curve = same_protocol([record for record in records if record.score == score])
            steps = [record.generator_steps for record in curve]
            (line,) = axes.plot(steps, [record.value for record in curve], ".-", label=score, linewidth=1.2)
            baseline = [record.real_baseline for record in curve]
            axes.plot(steps, baseline, "--", color=line.get_color(), linewidth=1, label=f"{score} of real images")
        label_panel(axes, title)
    figure.axes[0].set_yscale("log")
    with replacing(out) as file:
        FigureCanvasAgg(figure).print_png(file)


def same_protocol(records: Sequence[ScoreRecord]) -> list[ScoreRecord]:
    """Those of the records whose scores compare with the last one."""
    return [record for record in records if record.protocol == records[-1].protocol]


def plot_classes(shares: list[float], target: list[float], names: list[str], out: Path) -> None:
    """Bars of the share of each class among samples, and a line at the shares of the target distribution.

    Args:
        shares: Share of each class among the samples, as the reference classifier assigns them.
        target: Share of each class among samples of a perfect generator.
        names: Name of each class.
        out: The picture's file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    places = range(len(names))
    axes.bar(places, shares, label="samples")
    axes.step(places, target, "k", where="mid", linewidth=1, label="target")
    if len(names) <= 30:
        axes.set_xticks(places, names, rotation=30 if max(map(len, names)) > 3 else 0, parse_math=False)
    axes.set_ylabel("share of each class")
    axes.legend()
    with replacing(out) as file:
        FigureCanvasAgg(figure).print_png(file)
