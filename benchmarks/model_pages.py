"""What docs/models/NAME.md shows of a model's runs: its scores, as docs/models.json has them, and its images."""

import json
from pathlib import Path
from typing import Any

from benchmarks.models import save_small, spread

DATA_SETS = ("mnist", "fashion_mnist")

COLUMNS = ("frechet", "precision", "recall", "coverage", "rarest", "second_frechet", "second_coverage")

BEGIN, END = "<!-- scores -->\n", "<!-- /scores -->\n"
"""What a page's scores stand between."""

LEGEND = """\
On the 10,000 test images, by the averaged weights; where there are several seeds, the mean and the range. `rarest` is
the share of the rarest class. `second_` is by a second classifier, of another architecture, that took no part in any
choice; its distances are of another scale. [How these runs were made](../models.md#results); [what the scores
mean](../scores.md). (Written by `python -m benchmarks.models pages docs/models.json docs/models`.)
"""


def pages(file: Path, folder: Path) -> None:
    """Write the scores of docs/models.json into the models' pages, between their markers."""
    runs = json.loads(file.read_text())
    for page in sorted(folder.glob("*.md")):
        text = page.read_text()
        if BEGIN in text:
            page.write_text(with_scores(text, scores_table(page.stem, runs)))


def with_scores(text: str, table: str) -> str:
    """A page with another table between its markers."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table + END + rest.partition(END)[2]


def scores_table(model: str, runs: dict[str, dict[str, Any]]) -> str:
    """A row for each data set: mean and range over the seeds; and what the columns are.

    Args:
        model: Name of the model's file.
        runs: Scores of each run, by MODEL-DATA-SEED.
    """
    rows = [["", "seeds", *(f"`{name}`" for name in COLUMNS)], ["---"] * (2 + len(COLUMNS))]
    for data in DATA_SETS:
        of_seeds = [page for name, page in runs.items() if name.rpartition("-")[0] == f"{model}-{data}"]
        cells = [spread([page[column] for page in of_seeds if column in page]) for column in COLUMNS]
        rows.append([f"`data={data}`", str(len(of_seeds)), *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("|  |", "| |") + "\n" + LEGEND


def page_pictures(out: Path, folder: Path) -> None:
    """Copy the images of each model's run with seed 0, OUT/MODEL-DATA-0/page.png, as MODEL-DATA.png."""
    from gan_lightning.config.compose import options

    folder.mkdir(parents=True, exist_ok=True)
    for model in options("model"):
        for data in DATA_SETS:
            page = out / f"{model}-{data}-0" / "page.png"
            if page.is_file():
                save_small(page, folder / f"{model}-{data}.png")
