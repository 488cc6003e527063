import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from gan_lightning.data.image_data import ImageData, Splits
from gan_lightning.data.loader import Batch
from gan_lightning.images import ImageShape, to_float, to_uint8

POINTS_SEED = 8  # one set of points for every run, whatever its seed

HELD_OUT = 1000
"""Points of the validation split, and of the test split."""

REACH = 3
"""Deviations from a mode's centre within which a point belongs to the mode (Srivastava et al. 2017)."""


class ModeCounts(NamedTuple):
    """Where the points of a set lie.

    Attributes:
        counts: Number of points that belong to each mode, int64 (modes,).
        found: Number of modes with at least one point.
        share: Share of the points that belong to any mode: 0.989 for the data themselves.
    """

    counts: Tensor
    found: int
    share: float


class Ring(ImageData):
    """A ring of Gaussians in the plane, the smallest test of mode collapse: each point is an image of two gray pixels.

    Metz et al. 2017 (Unrolled GAN, arXiv:1611.02163) and Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761), where the
    radius is 2 and the deviation 0.02; here everything lies in the square from -1 to 1. The number of a mode is the
    label of its points. Rounding to 256 gray levels moves a point by at most 0.004.

    Args:
        modes: Number of Gaussians, at equal distances on a circle around 0.
        deviation: Standard deviation of each, in both coordinates.
        radius: Radius of the circle.
        points: Number of training points.
        options: Options that every data set has: `batch_size`, `seed`, `balanced`.
    """

    def __init__(
        self,
        modes: PositiveInt = 8,
        deviation: PositiveFloat = 0.04,
        radius: PositiveFloat = 0.8,
        points: PositiveInt = 10_000,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.modes, self.deviation, self.radius, self.points = modes, deviation, radius, points

    @property
    def short_name(self) -> str:
        """The number of modes is part of the name."""
        return f"ring_{self.modes}"

    @property
    def image_shape(self) -> ImageShape:
        """One row of two gray pixels: the two coordinates."""
        return 1, 1, 2

    @property
    def class_names(self) -> list[str]:
        """The modes' numbers, anticlockwise from the right."""
        return [str(mode) for mode in range(self.modes)]

    @property
    def location(self) -> Path:
        """This module: the points are computed."""
        return Path(__file__)

    def fetch(self) -> None:
        """Nothing to do."""

    @property
    def centres(self) -> Tensor:
        """The modes' centres, (modes, 2)."""
        angles = 2 * math.pi * torch.arange(self.modes) / self.modes
        return self.radius * torch.stack([angles.cos(), angles.sin()], dim=1)

    def load(self) -> Splits:
        """Points of each mode in turn, drawn with a fixed seed."""
        random = torch.Generator().manual_seed(POINTS_SEED)

        def draw(count: int) -> Batch:
            labels = torch.arange(count) % self.modes
            points = self.centres[labels] + self.deviation * torch.randn(count, 2, generator=random)
            return Batch(to_uint8(points).reshape(count, *self.image_shape), labels)

        return Splits(draw(self.points), draw(HELD_OUT), draw(HELD_OUT))

    def count_modes(self, images: Tensor) -> ModeCounts:
        """How many points each mode has: those at most `REACH` deviations from its centre.

        Args:
            images: Points as images, uint8 (n, 1, 1, 2).
        """
        distance, mode = torch.cdist(to_float(images).flatten(1), self.centres).min(dim=1)
        counts = mode[distance <= REACH * self.deviation].bincount(minlength=self.modes)
        return ModeCounts(counts, int((counts > 0).sum()), counts.sum().item() / len(images))
