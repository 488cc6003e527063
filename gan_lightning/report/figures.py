import csv
from pathlib import Path

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
                axes.plot(columns["generator_steps"], columns[name], style + marker, label=label, linewidth=1.2)
        axes.set_title(title)
        axes.set_xlabel("generator steps")
        axes.grid(alpha=0.3)
        axes.legend()
    FigureCanvasAgg(figure).print_png(str(out))
