"""Curves of a run: what they say and how they are told apart."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from gan_lightning.report.figures import metrics_figure, plot_grids, plot_metrics
from tests.helpers import make_loss

NAMES = ["loss_d", "loss_g", "d_real", "d_fake", "real_mean", "fake_mean", "real_std", "fake_std", "grad_norm_d",
         "grad_norm_g"]  # fmt: skip


def columns(rows: int) -> dict[str, list[float]]:
    """A run's numbers, all different."""
    steps = [float(10 * (row + 1)) for row in range(rows)]
    return {"generator_steps": steps} | {
        name: [index / 10 + row / 100 for row in range(rows)] for index, name in enumerate(NAMES)
    }


def panels(loss: str, rows: int = 20):
    """The panels of the figure of a run of this loss."""
    figure = metrics_figure(columns(rows), "dcgan-mnist/now", make_loss(loss))
    assert figure.get_suptitle() == "dcgan-mnist/now"
    return figure.axes


def labels(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("loss", ["non_saturating", "minimax", "kl"])
def test_probabilities_have_an_axis_from_0_to_1_and_a_line_at_a_half(loss):
    _, output, *_ = panels(loss)
    assert output.get_ylim() == (0, 1) and output.get_title("left") == "probability of real"
    assert labels(output) == ["D(x)", "D(G(z))", "undecided: 0.5"]
    assert set(output.lines[-1].get_ydata()) == {0.5}


@pytest.mark.parametrize(
    "loss,title,undecided",
    [("wasserstein", "output of the critic", None), ("relativistic_average", "output of the critic", None),
     ("hinge", "output of D", 0.0), ("least_squares", "output of D", 0.5), ("energy_margin", "minus the energy", None)],
)  # fmt: skip
def test_other_outputs_are_no_probabilities(loss, title, undecided):
    _, output, *_ = panels(loss)
    line = [] if undecided is None else [f"undecided: {undecided:g}"]
    assert output.get_title("left") == title and labels(output) == ["real images", "fakes", *line]
    assert output.get_ylim() != (0, 1)


def test_real_and_fake_have_one_color_in_every_panel_and_so_have_both_networks():
    losses, output, pixels, norms = panels("non_saturating")
    real, fake = (to_rgba(line.get_color()) for line in output.lines[:2])
    for line in pixels.lines:
        assert to_rgba(line.get_color()) == (real if "real" in line.get_label() else fake)
        assert line.get_linestyle() == ("-" if "mean" in line.get_label() else "--")
    networks = [[to_rgba(line.get_color()) for line in axes.lines] for axes in (losses, norms)]
    assert networks[0] == networks[1] and not {real, fake} & set(networks[0])


@pytest.mark.parametrize("rows,marker", [(1, "o"), (10, "o"), (11, "")])
def test_few_points_are_marked_on_lines_of_the_same_style(rows, marker):
    for axes in panels("non_saturating", rows):
        for line in axes.lines:
            if len(line.get_xdata()) == rows and "undecided" not in line.get_label():
                assert line.get_marker() == marker and line.get_linestyle() in ("-", "--")
        assert axes.get_xlim() == pytest.approx((0, 10.3 * rows))


def test_legends_stand_above_their_panels(tmp_path):
    figure = metrics_figure(columns(20), "dcgan-mnist/now", make_loss("non_saturating"))
    figure.draw_without_rendering()
    for axes in figure.axes:
        legend = axes.get_legend().get_window_extent()
        assert legend.y0 >= axes.get_window_extent().y1 - 1
        assert legend.x0 > axes._left_title.get_window_extent().x1  # and beside the title


def test_a_run_without_numbers_has_no_curves(tmp_path):
    plot_metrics(tmp_path / "metrics.csv", tmp_path / "losses.png", "title", make_loss("hinge"))
    assert not list(tmp_path.iterdir())


def test_grids_stand_side_by_side(tmp_path):
    plot_grids({name: np.zeros((20, 20)) for name in "ab"}, tmp_path / "grids.png")
    with Image.open(tmp_path / "grids.png") as picture:
        assert picture.width > picture.height
