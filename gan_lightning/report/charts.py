"""Curves as inline SVG: small charts with a band over seeds, whose points say their values."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup, escape
from matplotlib.ticker import LogLocator, MaxNLocator

WIDTH, HEIGHT = 480, 290
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 44
"""Size of a chart and its margins; a phone shows it at three quarters of that."""

COLORS = 8
"""Colors of lines, which the page's style sheet names --c0 and so on; further lines are dashed."""

DASHES = ("", "7 3", "2 3", "9 3 2 3")

LOG_FROM = 20
"""Ratio of the largest and smallest value from which an axis is logarithmic."""


class Point(NamedTuple):
    """A point of a curve.

    Attributes:
        x: Place on the axis.
        y: Mean over seeds.
        low: Lower end of the band.
        high: Upper end.
        text: What is shown when a person points at it.
    """

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        name: What it shows.
        index: Number of its color and dashes.
        points: Its points, from left to right.
    """

    name: str
    index: int
    points: Sequence[Point]

    @property
    def dash(self) -> str:
        """SVG's pattern of dashes."""
        return DASHES[self.index // COLORS % len(DASHES)]


class Axis(NamedTuple):
    """How values become places."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value in the picture."""
        low, high, value = (self.scale(each) for each in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def scale(self, value: float) -> float:
        """The value, or its logarithm; what has none is put at the end of the axis."""
        return math.log10(max(value, self.low)) if self.log else value

    def ticks(self) -> list[float]:
        """Round values on the axis."""
        locator = LogLocator(subs=(1, 2, 5) if self.high < 100 * self.low else (1,)) if self.log else MaxNLocator(5)
        slack = 1e-9 * (self.high - self.low)
        ticks = (float(tick) for tick in locator.tick_values(self.low, self.high))
        return [tick for tick in ticks if self.low - slack <= tick <= self.high + slack]


def short(value: float) -> str:
    """A tick's label: 20k for 20000."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:,g}" if abs(value) >= 1000 else f"{value:.4g}"


def draw(lines: Sequence[Line], x_label: str, title: str, baseline: float | None = None, unit: bool = False) -> Markup:
    """A chart of several curves; empty when none has a point.

    Args:
        lines: The curves.
        x_label: What stands under the horizontal axis.
        title: What the chart shows, for those who cannot see it.
        baseline: A value to draw a dashed horizontal line at.
        unit: Whether the vertical axis is that of shares, from 0 to 1.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return Markup()
    x = Axis(0, max(*(point.x for point in points), 1e-9), LEFT, WIDTH - RIGHT)
    y = vertical_axis(points, baseline, unit)
    parts = [
        *draw_axes(x, y, x_label),
        *draw_baseline(x, y, baseline),
        *(part for line in lines for part in draw_line(line, x, y)),
    ]
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(parts)
    )


def vertical_axis(points: Sequence[Point], baseline: float | None, unit: bool) -> Axis:
    """The axis on which all points, bands and the baseline have room."""
    values = [value for point in points for value in (point.low, point.high)]
    values += [] if baseline is None else [baseline]
    low, high = min(values), max(values)
    if unit and low >= 0 and high <= 1.2:
        return Axis(0, max(1, high), HEIGHT - BOTTOM, TOP)
    if low > 0 and high > LOG_FROM * low:
        return Axis(low / 1.15, high * 1.15, HEIGHT - BOTTOM, TOP, log=True)
    room = 0.05 * (high - low) or 0.5 * abs(high) or 1
    return Axis(min(low - room, 0) if 0 <= low < high / 2 else low - room, high + room, HEIGHT - BOTTOM, TOP)


def draw_axes(x: Axis, y: Axis, x_label: str) -> Iterable[Markup]:
    """Ticks, their lines and labels."""
    for tick in y.ticks():
        yield Markup('<path class="grid" d="M{} {}H{}"/>').format(LEFT, y(tick), WIDTH - RIGHT)
        yield Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 6, y(tick) + 4.5, short(tick))
    for tick in x.ticks():
        yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            x(tick), HEIGHT - BOTTOM + 18, short(tick)
        )
    yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label
    )


def draw_baseline(x: Axis, y: Axis, baseline: float | None) -> Iterable[Markup]:
    """A dashed line at what real images score."""
    if baseline is not None:
        yield Markup('<path class="baseline" d="M{} {}H{}"/>').format(LEFT, y(baseline), WIDTH - RIGHT)


def draw_line(line: Line, x: Axis, y: Axis) -> Iterable[Markup]:
    """A curve, its band, and a target for the mouse at each point."""
    color = f"--color: var(--c{line.index % COLORS})"
    upper = [f"{x(point.x)} {y(point.high)}" for point in line.points]
    lower = [f"{x(point.x)} {y(point.low)}" for point in reversed(line.points)]
    inner = []
    if any(point.low < point.high for point in line.points):
        inner.append(Markup('<path class="band" d="M{}Z"/>').format("L".join(upper + lower)))
    path = "L".join(f"{x(point.x)} {y(point.y)}" for point in line.points)
    dash = Markup(' stroke-dasharray="{}"').format(line.dash) if line.dash else ""
    inner.append(Markup('<path class="line" d="M{}"{}/>').format(path, dash))
    inner += [
        Markup('<circle cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
            x(point.x), y(point.y), 3 if len(line.points) <= 12 else 2, point.text
        )
        for point in line.points
    ]
    yield Markup('<g class="curve" data-curve="{}" style="{}">{}</g>').format(line.name, color, Markup("").join(inner))


def swatch(line: Line) -> Markup:
    """A short piece of a curve, for a legend."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 28 8" style="--color: var(--c{})"><path class="line" d="M0 4H28" '
        'stroke-dasharray="{}"/></svg>'
    ).format(line.index % COLORS, escape(line.dash))
