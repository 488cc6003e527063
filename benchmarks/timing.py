"""Timing things in turns, so that whatever else the machine does falls on all of them, and the table of a benchmark."""

import json
import logging
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def quartiles(ratios: Sequence[float]) -> Row:
    """The middle of several ratios, and how far they spread."""
    low, ratio, high = statistics.quantiles(ratios, n=4)
    return {"ratio": round(ratio, 3), "low": round(low, 3), "high": round(high, 3)}


def rates(pairs: Sequence[Sequence[float]], count: int, names: tuple[str, str]) -> Row:
    """Images/s of two things measured in turns, and how many times faster the first is."""
    ours, other = (count / statistics.median(column) for column in zip(*pairs, strict=True))
    return quartiles([other / ours for ours, other in pairs]) | {names[0]: round(ours), names[1]: round(other)}


def in_turns(parts: Sequence[Callable[[], Any]], repeats: int = 7) -> list[list[float]]:
    """Seconds of each part, `repeats` times over, after one round to warm up."""
    return [[seconds(part) for part in parts] for _ in range(repeats + 1)][1:]


def seconds(part: Callable[[], Any]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    part()
    return time.perf_counter() - started


def measure(rows: dict[str, Callable[[], Row]], names: list[str], machine: Row, file: Path) -> None:
    """Measure the rows named, or all; print each, and write those measured so far."""
    unknown = set(names) - set(rows)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: no such row; allowed: {', '.join(rows)}")
    logging.disable(logging.INFO)
    found: dict[str, Row] = {}
    for name in names or rows:
        found[name] = rows[name]()
        shown = ", ".join(f"{key} {value}" for key, value in found[name].items() if key not in ("ratio", "low", "high"))
        spread = "{ratio:.2f} ({low:.2f} to {high:.2f})".format(**found[name]) if "low" in found[name] else ""
        print(f"{name:<22} {spread or found[name].get('ratio', ''):<22} {shown}", flush=True)
        file.write_text(json.dumps({"machine": machine, "rows": found}, indent=2) + "\n")
