"""Executes the notebooks and keeps what they show.

    python -m benchmarks.notebooks                    all, in place (several minutes)
    python -m benchmarks.notebooks notebooks/2_...    some

A notebook's numbers of training steps stand in one cell, tagged "parameters".
"""

import base64
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"

COLORS = 128
"""Of a stored picture: as many as keep a curve smooth; a quarter of the bytes."""

SECONDS = 600
"""Of a single cell, at most."""


def read(file: Path) -> nbformat.NotebookNode:
    """A notebook as it is stored."""
    return nbformat.read(file, as_version=4)


def set_parameters(notebook: nbformat.NotebookNode, values: Mapping[str, int]) -> None:
    """Append other values to the cell of the parameters."""
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source += "".join(f"\n{name} = {value}" for name, value in values.items())


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run every cell of a notebook and keep its outputs, without the time of day.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell has failed.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", record_timing=False, coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
    )  # fmt: skip
    client.execute(env=environment)


def shrink(notebook: nbformat.NotebookNode) -> None:
    """Keep each picture once, as a PNG file of few colors: a repository keeps every version of it."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        data.pop("image/jpeg", None)
        if "image/png" in data:
            data["image/png"] = base64.b64encode(reduce_colors(base64.b64decode(data["image/png"]))).decode()


def reduce_colors(png: bytes) -> bytes:
    """A PNG file with at most `COLORS` colors; one that has so few is left as it is."""
    picture = Image.open(io.BytesIO(png))
    if picture.mode == "P":
        return png
    if picture.mode == "RGBA":  # Matplotlib's, which is opaque
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(file, "png", optimize=True)
    return file.getvalue()


def main(files: list[Path]) -> None:
    """Execute notebooks in place."""
    for file in files:
        notebook = read(file)
        execute(notebook)
        shrink(notebook)
        nbformat.write(notebook, file)
        print(file)


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")))
