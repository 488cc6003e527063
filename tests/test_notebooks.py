"""The notebooks run from the first cell to the last, and what they keep of a run can be shown to anyone."""

import re
from pathlib import Path

import pytest

from benchmarks.notebooks import FOLDER, execute, read, set_parameters

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

QUICK = {
    "1_the_idea_of_gans": {"d_steps": 5},
    "2_your_first_gan": {"steps": 6},
    "3_what_other_gans_change": {"steps": 60},
    "4_measuring_a_gan": {"steps": 2, "repeats": 1},
    "5_synthetic_data": {"steps": 2, "classifier_steps": 2},
}
"""A small budget for every notebook."""

LARGEST = 700_000
"""Bytes of a notebook with its pictures."""

PARTS = re.compile(r"^# |^## Exercises|^## References", re.MULTILINE)

METAPHORS = re.compile(r"\b(game|player|police|counterfeit|forger|judge|fool)", re.IGNORECASE)


def name_of(file: Path) -> str:
    return file.stem


def texts(notebook) -> str:
    """What a notebook has printed and shown as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert all(output.output_type != "error" for output in outputs)
    shown = [output.get("data", {}) for output in outputs]
    return "\n".join(
        [output.get("text", "") for output in outputs]
        + [str(text) for data in shown for kind, text in data.items() if kind.startswith("text/")]
    )


def assert_clean(notebook) -> None:
    """No warning, no traceback and no path of the machine it ran on."""
    printed = texts(notebook)
    assert not re.search(r"warning|traceback", printed, re.IGNORECASE), printed
    assert not re.search(r"(^|[\s\"'=(])/\w+/|[A-Z]:\\|Users\\", printed), printed
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_there_are_five():
    assert [file.stem for file in NOTEBOOKS] == sorted(QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=name_of)
def test_every_cell_runs(file, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = read(file)
    set_parameters(notebook, QUICK[file.stem])
    execute(notebook)
    assert_clean(notebook)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name_of)
def test_what_is_stored_was_run_in_order_and_is_clean(file):
    notebook = read(file)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any("execution" in cell.metadata for cell in code)  # the time of day
    assert_clean(notebook)
    assert file.stat().st_size < LARGEST


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name_of)
def test_a_notebook_has_one_title_exercises_references_and_a_caption_for_each_figure(file):
    notebook = read(file)
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert [part.strip() for part in PARTS.findall(text)] == ["#", "## Exercises", "## References"]
    assert notebook.cells[0].source.startswith("# ") and "arxiv.org/abs/" in text.split("## References")[1]
    pictures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    captions = re.findall(r"^\*Figure (\d+)\.", text, re.MULTILINE)
    assert [int(number) for number in captions] == list(range(1, len(pictures) + 1))
    assert not METAPHORS.search(text)


def test_another_value_of_a_parameter_replaces_the_notebooks():
    notebook = read(NOTEBOOKS[0])
    set_parameters(notebook, {"d_steps": 7})
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    names: dict[str, int] = {}
    exec(cell.source, names)
    assert names["d_steps"] == 7
