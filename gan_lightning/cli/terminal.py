"""What a terminal shows: lines that fit its width, and colors where a person sees them."""

import os
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from typing import TextIO

NARROWEST = 24
"""Characters of a second column that is worth having; in a narrower terminal it stands under the first."""

UNLIMITED = 10_000
"""Characters of a line in a file or a pipe."""

LONGEST = 120
"""Characters of a line of prose that is easy to read."""

COLORS = {"red": "31", "bold": "1"}
"""ANSI's numbers of what is used here."""


def screen_width() -> int:
    """Characters of a line: as COLUMNS says, or the terminal; without both, no line is cut or wrapped."""
    return shutil.get_terminal_size((UNLIMITED, 0)).columns


def paint(text: str, color: str, stream: TextIO) -> str:
    """Text in a color of `COLORS`, where the stream is a terminal that shows colors and the user wants them."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"  # no-color.org
    return f"\033[{COLORS[color]}m{text}\033[0m" if wanted and stream.isatty() else text


def in_columns(rows: Iterable[tuple[str, str]], width: int | None = None) -> Iterator[str]:
    """Indented lines of two columns, the second wrapped to the screen's width.

    Args:
        rows: What stands in the first column and in the second.
        width: Characters of the first column; None for as many as the longest has.
    """
    rows = list(rows)
    first = width or max((len(typed) for typed, _ in rows), default=0)
    for typed, text in rows:
        yield from wrap_row(f"  {typed:<{first}}  ", text)


def wrap_row(start: str, text: str) -> list[str]:
    """The lines of a row: its text behind the start, or under it where too little room is left."""
    beside = screen_width() - len(start) >= NARROWEST
    indent = " " * (len(start) if beside else 6)
    lines = wrap(text, indent)
    if not beside or not lines:
        return [start.rstrip(), *lines]
    return [start + lines[0].lstrip(), *lines[1:]]


def wrap(text: str, indent: str = "", longest: int = UNLIMITED) -> list[str]:
    """Prose in lines of the screen's width, and of at most so many characters."""
    return textwrap.wrap(
        text, min(screen_width(), longest), initial_indent=indent, subsequent_indent=indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def wrap_prose(text: str, indent: str = "") -> Iterator[str]:
    """Paragraphs in lines of the screen's width, 120 characters at most; indented lines are to be typed as they are."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        typed = any(line.startswith(" ") for line in lines)
        yield from lines if typed else wrap(" ".join(lines), indent, LONGEST)
        yield ""


def fit(line: str) -> str:
    """A line that the screen shows in one row, its end left out where it is longer."""
    width = screen_width()
    return line if len(line) <= width else line[: max(width - 3, 1)].rstrip() + "..."
