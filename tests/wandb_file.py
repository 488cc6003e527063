"""Reading the file that W&B records a run in: records of protobuf in a log of LevelDB's format."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32768
HEADER = 7
"""Bytes before each chunk (checksum, length, kind), and at the file's beginning (which are W&B's own)."""

WHOLE, LAST = 1, 4


def chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each chunk."""
    place = HEADER
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:  # no chunk begins in so short a rest
            place += BLOCK - place % BLOCK
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        yield kind, content[place + HEADER : place + HEADER + length]
        place += HEADER + length


def records(file: Path) -> Iterator[Any]:
    """The records of a .wandb file."""
    from wandb.proto.wandb_internal_pb2 import Record

    waiting = b""
    for kind, part in chunks(file.read_bytes()):
        waiting += part
        if kind in (WHOLE, LAST):
            yield Record.FromString(waiting)
            waiting = b""


class Recorded:
    """What a .wandb file holds.

    Attributes:
        run: The last record of the run itself: name, tags, group, job type, notes.
        rows: What was logged, row by row.
        summary: The summary at the end.
        metrics: What was defined of metrics, by name.
        exit_code: That of the run; None where it was not closed.
    """

    def __init__(self, file: Path) -> None:
        self.run: Any = None
        self.rows: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.exit_code: int | None = None
        for record in records(file):
            if record.HasField("run"):
                self.run = record.run
                self.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            elif record.HasField("history"):
                self.rows.append({name_of(item): json.loads(item.value_json) for item in record.history.item})
            elif record.HasField("summary"):
                self.summary |= {name_of(item): json.loads(item.value_json) for item in record.summary.update}
            elif record.HasField("metric"):
                self.metrics[record.metric.name or record.metric.glob_name] = record.metric
            elif record.HasField("exit"):
                self.exit_code = record.exit.exit_code

    def column(self, name: str) -> list[tuple[int, Any]]:
        """Generator step and value of each row that has a name."""
        return [(row["generator_steps"], row[name]) for row in self.rows if name in row]


def name_of(item: Any) -> str:
    """The name of a value."""
    return item.key or ".".join(item.nested_key)


def read_closed(file: Path, seconds: float = 60) -> Recorded:
    """What a .wandb file holds once W&B's own process has written all of it, perhaps a little after the run's end."""
    end = time.monotonic() + seconds
    while (recorded := Recorded(file)).exit_code is None and time.monotonic() < end:
        time.sleep(0.1)
    return recorded
