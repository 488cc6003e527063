"""What a terminal shows, and what a file gets."""

import io
import sys

import pytest

from gan_lightning.__main__ import main
from gan_lightning.cli.terminal import fit, in_columns, paint, wrap_prose


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shows_colors(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("shows_colors")
def test_only_a_terminal_gets_colors(monkeypatch):
    assert paint("x", "red", Terminal()) == "\033[31mx\033[0m"
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert paint("x", "red", Terminal()) == "x"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red", Terminal()) == "x"


@pytest.mark.usefixtures("shows_colors")
@pytest.mark.parametrize(
    ("stream", "start"), [(Terminal, "\033[31merror:\033[0m nope is"), (io.StringIO, "error: nope")]
)
def test_an_error_is_red_in_a_terminal_alone(stream, start, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gan-lightning", "nope"])
    monkeypatch.setattr(sys, "stderr", stream())
    with pytest.raises(SystemExit):
        main()
    assert sys.stderr.getvalue().startswith(start)


def test_lines_are_wrapped_or_cut_to_the_screen_and_whole_in_a_file(monkeypatch):
    row = ("key=1", "one two three four five six seven eight nine ten")
    monkeypatch.setenv("COLUMNS", "0")  # as unset: pytest's output is no terminal
    assert list(in_columns([row])) == [f"  {row[0]}  {row[1]}"] and fit("x" * 500) == "x" * 500
    monkeypatch.setenv("COLUMNS", "40")
    assert list(in_columns([row, ("a", "")])) == [
        "  key=1  one two three four five six", "         seven eight nine ten", "  a",
    ]  # fmt: skip
    assert fit("x" * 41) == "x" * 37 + "..." and fit("x" * 40) == "x" * 40
    monkeypatch.setenv("COLUMNS", "30")
    assert list(in_columns([row]))[:2] == ["  key=1", "      one two three four five"]


def test_prose_is_wrapped_and_what_is_to_be_typed_is_not(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    text = "one two three\nfour\n\n  python -m gan_lightning"
    assert list(wrap_prose(text)) == ["one two", "three four", "", "  python -m gan_lightning", ""]
