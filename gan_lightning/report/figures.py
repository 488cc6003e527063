import csv
import math
from pathlib import Path
from typing import Any

PANELS = {
    "losses": {"loss_d": "D", "loss_g": "G", "penalty": "penalty"},
    "what D says of": {"d_real": "D(x)", "d_fake": "D(G(z))"},
    "pixels": {
        "real_mean": "real mean", "fake_mean": "fake mean", "real_std": "real std", "fake_std": "fake std",
    },
    "gradient norms": {"grad_norm_d": "D", "grad_norm_g": "G"},
}  # fmt: skip


def read_columns(metrics: Path) -> dict[str, list[float]]:
    """The columns of a metrics.csv; empty cells are nan."""
    if not metrics.is_file():
        return {}
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]} if rows else {}


def present(columns: dict[str, list[float]], name: str) -> tuple[list[float], list[float]]:
    """Generator steps and values of a column, without the rows that leave it empty."""
    rows = zip(columns["generator_steps"], columns[name], strict=True)
    filled = [(step, value) for step, value in rows if not math.isnan(value)]
    return [step for step, _ in filled], [value for _, value in filled]


def plot_metrics(metrics: Path, out: Path) -> None:
    """Draw the game's numbers against generator steps; nothing when there is no row yet."""
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
    FigureCanvasAgg(figure).print_png(str(out))


def label_panel(axes: Any, title: str) -> None:
    """What every panel over training shows besides its curves."""
    axes.set_title(title)
    axes.set_xlabel("generator steps")
    axes.grid(alpha=0.3)
    axes.legend()


SCORE_PANELS = {"frechet": ["frechet"], "nearest neighbours": ["precision", "recall", "coverage"]}


def plot_scores(lines: list[dict[str, Any]], out: Path) -> None:
    """Draw the scores taken during training against generator steps, dashed what real images score; nothing of none."""
    lines = [line for line in lines if line.get("during_training")]
    if not lines:
        return
    lines = [line for line in lines if line["n"] == lines[-1]["n"]]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, (title, scores) in zip(figure.subplots(1, 2), SCORE_PANELS.items(), strict=True):
        for score in scores:
            curve = [(line["generator_steps"], *with_floor(line, score)) for line in lines]
            steps, values, floors = zip(*curve, strict=True)
            (drawn,) = axes.plot(steps, values, ".-", label=score, linewidth=1.2)
            axes.plot(steps, floors, "--", color=drawn.get_color(), linewidth=1, label=f"{score} of real images")
        label_panel(axes, title)
    figure.axes[0].set_yscale("log")
    FigureCanvasAgg(figure).print_png(str(out))


def with_floor(line: dict[str, Any], score: str) -> tuple[float, float]:
    """A score of a line of scores.jsonl and what real images score."""
    (column,) = (name for name in line["scores"] if name != "real")
    (name,) = (name for name in line["scores"]["real"] if name.startswith(f"{score}_{line['data']}_"))
    return line["scores"][column][name], line["scores"]["real"][name]


def plot_classes(shares: list[float], target: list[float], names: list[str], out: Path) -> None:
    """Bars of the share of each class that the judge sees, and a line where each would end for a perfect generator."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    places = range(len(names))
    axes.bar(places, shares, label="samples")
    axes.step(places, target, "k", where="mid", linewidth=1, label="aimed at")
    if len(names) <= 30:
        axes.set_xticks(places, names, rotation=30 if max(map(len, names)) > 3 else 0)
    axes.set_ylabel("share of each class")
    axes.legend()
    FigureCanvasAgg(figure).print_png(str(out))
