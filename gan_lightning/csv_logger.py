"""metrics.csv, which every run writes."""

import csv
import io
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.files import append, write_atomically
from gan_lightning.training.readers import read_metrics


class CSVLogger(Logger):
    """Rows of metrics.csv, each written at once; a resumed run goes on in the same file.

    Every row is that of a generator step and says `images_seen`. What Lightning's own callbacks log (learning rates, by
    batches) waits for the next such row.

    Args:
        file: The metrics.csv to write.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.columns: list[str] = []
        self.waiting: dict[str, float] = {}

    @property
    def name(self) -> str:
        """Empty: a `ModelCheckpoint` without a folder of its own then writes to checkpoints/ in the run folder."""
        return ""

    @property
    def version(self) -> str:
        """Empty, as the name."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are in .hydra/config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row; a new column rewrites the file."""
        if "images_seen" not in metrics:
            self.waiting.update(metrics)
            return
        row = {**self.waiting, "generator_steps": step, **metrics}
        self.waiting = {}
        if not set(row) <= set(self.columns):
            self.rewrite(self.read(), columns=[*self.columns, *(name for name in row if name not in self.columns)])
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.columns).writerow(row)
        append(self.file, text.getvalue())

    @rank_zero_only
    def forget_after(self, images_seen: int) -> None:
        """Drop rows of steps after a checkpoint: a crash undid them, and they are now being done again."""
        rows = [row for row in self.read() if int(row["images_seen"]) <= images_seen]
        if rows:
            self.rewrite(rows, columns=list(rows[0]))
        else:
            self.file.unlink(missing_ok=True)

    def rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        """Replace the file, all of it or nothing."""
        self.columns = columns
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.file, text.getvalue().encode())

    def read(self) -> list[dict[str, str]]:
        """All whole rows written so far; a row that a crash tore is left out."""
        return read_metrics(self.file)
