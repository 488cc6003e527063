"""Pictures of a report: the sample grids of every run over training, and those of its evaluation, as data URIs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gan_lightning.images import GAP, Frame, data_uri, read_frame, spread
from gan_lightning.report.reading import ReportedRun
from gan_lightning.training.readers import report

SIDE = 152
"""Pixels of a run's picture: five rows of five images of 28 x 28."""

MOST_FRAMES = 12
"""Moments of training that are shown of a run."""

BYTES = 8_000_000
"""Bytes of all pictures of training together, about."""

EVALUATION_WIDTH = 640
"""Pixels of the width of a picture of an evaluation."""

EVALUATIONS = {"classes": "classes.png", "nearest training images": "nearest.png"}
"""Pictures that the command evaluate leaves, by what they show."""

MOST_EVALUATIONS = 24
"""Pictures of evaluations in one report."""


class Film(NamedTuple):
    """A run's sample grids: the same latents at several moments of its training.

    Attributes:
        steps: Generator steps of each picture.
        pictures: Data URIs of the pictures.
    """

    steps: list[int]
    pictures: list[str]


def make_films(runs: Sequence[ReportedRun]) -> list[Film]:
    """The film of each run; without pictures where its grids cannot be read."""
    allowance = BYTES // max(len(runs), 1)
    return [make_film(run, allowance) for run in runs]


def make_film(run: ReportedRun, allowance: int) -> Film:
    """The film of a run, of as many pictures as fit into so many bytes, but the last one at least."""
    grids = run.folder.grids()
    while grids and not (picture := encode(grids[-1], run)):
        grids.pop()
    if not grids:
        return Film([], [])
    pictures = {grids[-1]: picture}
    wanted = min(MOST_FRAMES, len(grids), allowance // len(picture))
    for file in spread(grids, wanted)[:-1] if wanted > 1 else []:
        if picture := encode(file, run):
            pictures[file] = picture
    files = sorted(pictures, key=grids.index)
    return Film([int(file.stem.removeprefix("step-")) for file in files], [pictures[file] for file in files])


def encode(file: Path, run: ReportedRun) -> str:
    """The upper left part of a grid, in whole images, pixel for pixel; empty when it cannot be read."""
    frame = read_frame(file)
    return "" if frame is None else data_uri(crop(frame, run.options.get("data.size")))


def crop(frame: Frame, size: object) -> Image.Image:
    """The part of a grid that is at most about `SIDE` pixels wide and high.

    Args:
        frame: The grid.
        size: Pixels of an image's side, where the options name it.
    """
    picture = frame.picture
    cell = size + GAP if isinstance(size, int) and size > 0 else 0
    if not cell or (picture.width - GAP) % cell or (picture.height - GAP) % cell:
        return picture if max(picture.size) <= 2 * SIDE else picture.resize((SIDE, SIDE))
    images = max((SIDE - GAP) // cell, 1)
    side = images * cell + GAP
    return picture.crop((0, 0, min(side, picture.width), min(side, picture.height)))


def evaluation_pictures(run: ReportedRun) -> dict[str, str]:
    """The pictures that evaluate left in a run folder, by what they show."""
    found = {}
    for what, name in EVALUATIONS.items():
        file = run.folder.path / "evaluation" / name
        if not file.is_file():
            continue
        try:
            with Image.open(file, formats=("PNG",)) as picture:
                shown = picture.convert("RGB")
                shown.thumbnail((EVALUATION_WIDTH, EVALUATION_WIDTH))
                found[what] = data_uri(shown.quantize(64))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            report(f"{file} cannot be read ({error}) and is left out")
    return found
