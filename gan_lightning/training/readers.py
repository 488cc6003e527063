"""Reading the files of a run folder, which a kill, a full disk or an editor may have torn.

What cannot be read is reported, once, and left out.
"""

import csv
import json
import logging
import math
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord, parse_record

log = logging.getLogger(__name__)

RECORDS = TypeAdapter(ScoreRecord)

STATUS_FIELDS: dict[str, type | tuple[type, ...]] = {
    "state": str, "error": str, "started": str, "ended": str, "gan_lightning": str, "torch": str, "sessions": list,
    "generator_steps": int, "images_seen": int, "epochs": (int, float), "seconds": (int, float),
    "objective": (int, float, type(None)), "label": dict,
}  # fmt: skip
"""The types of what status.json says; a number is finite."""


LARGEST_FILE = 2**28
"""Bytes of the largest file that is read; a million rows of metrics.csv have fewer."""


@cache
def report(message: str) -> None:
    """Log a warning, once however often the file is read."""
    log.warning("WARNING: %s", message)


def is_readable(file: Path) -> bool:
    """Whether a file is there, and not so large that no run wrote it."""
    if not file.is_file():
        return False
    if file.stat().st_size > LARGEST_FILE:
        report(f"{file} has {file.stat().st_size:,} bytes, more than any run writes, and is left out")
        return False
    return True


def read_status(file: Path) -> dict[str, Any]:
    """The content of a status.json, without what is not of its type; empty when there is none."""
    if not is_readable(file):
        return {}
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        report(f"{file} cannot be read ({error}) and is left out")
        return {}
    if not isinstance(content, dict):
        report(f"{file} is not a JSON object and is left out")
        return {}
    wrong = [name for name, value in content.items() if not is_status_field(name, value)]
    if wrong:
        report(f"{file}: {', '.join(wrong)} cannot be read and is left out")
    return {name: value for name, value in content.items() if name not in wrong}


def is_status_field(name: str, value: Any) -> bool:
    """Whether a value is of the type that its field in status.json has."""
    kind = STATUS_FIELDS.get(name, object)
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return kind is object
    return isinstance(value, kind)


def read_scores(file: Path) -> list[ScoreRecord]:
    """The records of a scores.jsonl, oldest first; lines that are none are left out.

    Raises:
        UserError: when another version wrote the file, whose records have other fields.
    """
    if not is_readable(file):
        return []
    lines = file.read_text(errors="replace").splitlines()
    found = [record for record in (read_record(file, line) for line in lines) if record is not None]
    if len(found) < len(lines):
        report(f"{file}: {len(lines) - len(found)} of {len(lines)} lines are no records and are left out")
    return found


def read_record(file: Path, line: str) -> ScoreRecord | None:
    """One line of a scores.jsonl; None when it is no record."""
    try:
        record = parse_record(line)
        RECORDS.validate_json(line, strict=True)
    except (ValidationError, ValueError, RecursionError):
        return None
    except TypeError as error:
        content = json.loads(line)
        if not isinstance(content, dict) or not {"score", "value"} <= content.keys():
            return None
        raise UserError(
            f"{file} was written by another version of gan_lightning ({error}); "
            "rename it to keep it, and evaluate again"
        ) from error
    return record if math.isfinite(record.value) else None


def read_metrics(file: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv, each with all columns; rows that are not numbers, or not whole, are left out."""
    if not is_readable(file):
        return []
    try:
        with file.open(newline="", errors="replace") as stream:
            rows = list(csv.DictReader(stream))
    except csv.Error as error:
        report(f"{file} cannot be read ({error}) and is left out")
        return []
    found = [row for row in rows if is_row(row)]
    if len(found) < len(rows):
        report(f"{file}: {len(rows) - len(found)} of {len(rows)} rows are not whole and are left out")
    return found


def is_row(row: dict[Any, Any]) -> bool:
    """Whether each cell is a number or empty, and the counters are there."""
    try:
        for value in row.values():
            float(value or "nan" if isinstance(value, str) else "torn")
        return int(row["generator_steps"]) >= 0 and int(row["images_seen"]) >= 0
    except (KeyError, ValueError):
        return False
