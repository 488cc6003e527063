"""Figures of runs: metrics and scores over training, classes of samples, and grids side by side."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.files import replacing
from gan_lightning.losses import Loss
from gan_lightning.training.readers import read_metrics

REAL, FAKE, D, G, PENALTY = "C0", "C1", "C2", "C3", "C4"
"""Colors, the same in every panel."""


class Curve(NamedTuple):
    """How a column of metrics.csv is drawn."""

    label: str
    color: str
    style: str = "-"


PANELS = {
    "losses": {"loss_d": Curve("D", D), "loss_g": Curve("G", G), "penalty": Curve("penalty", PENALTY)},
    "output of D": {"d_real": Curve("real images", REAL), "d_fake": Curve("fakes", FAKE)},
    "pixels": {
        "real_mean": Curve("real mean", REAL), "real_std": Curve("real std", REAL, "--"),
        "fake_mean": Curve("fake mean", FAKE), "fake_std": Curve("fake std", FAKE, "--"),
    },
    "gradient norms": {"grad_norm_d": Curve("D", D), "grad_norm_g": Curve("G", G)},
}  # fmt: skip

FEW = 10
"""Points of a curve up to which each is marked."""


def read_columns(metrics: Path) -> dict[str, list[float]]:
    """The columns of a metrics.csv, of its whole rows; empty cells are nan."""
    rows = read_metrics(metrics)
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]} if rows else {}


def present(columns: dict[str, list[float]], name: str) -> tuple[list[float], list[float]]:
    """Generator steps and values of a column, without the rows that leave it empty."""
    rows = zip(columns["generator_steps"], columns[name], strict=True)
    filled = [(step, value) for step, value in rows if not math.isnan(value)]
    return [step for step, _ in filled], [value for _, value in filled]


def plot_metrics(metrics: Path, out: Path, title: str, loss: Loss) -> None:
    """Draw the training metrics against generator steps; nothing when there is no row yet.

    Args:
        metrics: A run's metrics.csv.
        out: The picture's file.
        title: What stands above all panels.
        loss: The run's adversarial loss, which says what the discriminator's output means.
    """
    columns = read_columns(metrics)
    if columns:
        save_figure(metrics_figure(columns, title, loss), out)


def metrics_figure(columns: dict[str, list[float]], title: str, loss: Loss) -> Any:
    """The figure that `plot_metrics` writes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)
    for axes, (panel, curves) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for name, curve in curves.items():
            if name in columns:
                steps, values = present(columns, name)
                marker = "o" if len(steps) <= FEW else ""
                axes.plot(
                    steps, values, label=curve.label, color=curve.color, linestyle=curve.style, linewidth=1.2,
                    marker=marker, markersize=4,
                )  # fmt: skip
        if panel == "output of D":
            panel = describe_output(axes, loss)
        label_panel(axes, panel)
        axes.set_xlim(right=1.03 * max(1, *columns["generator_steps"]))
    return figure


def save_figure(figure: Any, out: Path) -> None:
    """Write a figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with replacing(out) as file:
        FigureCanvasAgg(figure).print_png(file)


def describe_output(axes: Any, loss: Loss) -> str:
    """Show what D's output means, by a title, the axis from 0 to 1 of probabilities and a line where D is undecided.

    Args:
        axes: The panel of D's output, its curves drawn.
        loss: The loss that D is trained with.

    Returns:
        The title.
    """
    undecided = loss.decision_boundary
    if loss.defines_probability:
        axes.set_ylim(0, 1)
        undecided = 0.5
        for line, label in zip(axes.lines, ("D(x)", "D(G(z))"), strict=False):
            line.set_label(label)
    if undecided is not None:
        axes.axhline(undecided, color="black", linestyle=":", linewidth=1, label=f"undecided: {undecided:g}")
    if loss.defines_probability:
        return "probability of real"
    return "minus the energy" if loss.energies else "output of the critic" if undecided is None else "output of D"


def label_panel(axes: Any, title: str) -> None:
    """Add the title, the axis, the grid and the legend that every panel of curves over training has.

    The legend stands above the panel, where it covers nothing.
    """
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("generator steps")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(alpha=0.3)
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), frameon=False, fontsize=9,
            borderaxespad=0.1, handlelength=1.8, columnspacing=1,
        )  # fmt: skip


SCORE_PANELS = {"frechet": ["frechet"], "neighbours": ["precision", "recall", "coverage"]}


def plot_scores(records: Sequence[ScoreRecord], out: Path, title: str) -> None:
    """Draw the scores measured during training against generator steps, and real-data baselines as dashed lines.

    When a resumed run changed the protocol, only the scores of the last one are drawn.

    Args:
        records: Scores of a run; without one that was measured during training, nothing is drawn.
        out: The picture's file.
        title: What stands above both panels.
    """
    records = [record for record in records if record.during_training]
    if not records:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.3), layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)
    for axes, (panel, scores) in zip(figure.subplots(1, 2), SCORE_PANELS.items(), strict=True):
        for score in scores:
            curve = same_protocol([record for record in records if record.score == score])
            steps = [record.generator_steps for record in curve]
            (line,) = axes.plot(steps, [record.value for record in curve], ".-", label=score, linewidth=1.2)
            baseline = [record.real_baseline for record in curve]
            axes.plot(steps, baseline, "--", color=line.get_color(), linewidth=1)
        axes.plot([], "--", color="gray", linewidth=1, label="real images")
        label_panel(axes, panel)
    distances, shares = figure.axes
    if any(
        record.value > 0 for record in records if record.score == "frechet"
    ):  # rounding, or damage, may take it below
        distances.set_yscale("log")
    shares.set_ylim(0, 1.03)
    save_figure(figure, out)


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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    places = range(len(names))
    axes.bar(places, shares, label="samples")
    axes.step(places, target, "k", where="mid", linewidth=1, label="target")
    if len(names) <= 30:
        axes.set_xticks(places, names, rotation=30 if max(map(len, names)) > 3 else 0, parse_math=False)
    axes.set_ylabel("share of each class")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    save_figure(figure, out)


GRID_COLUMNS = 3
"""Pictures beside each other."""


def plot_grids(grids: Mapping[str, Any], out: Path) -> None:
    """Draw all grids into one picture, each under its title."""
    from matplotlib.figure import Figure

    columns = min(GRID_COLUMNS, len(grids))
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
