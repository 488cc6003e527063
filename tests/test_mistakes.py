"""docs/mistakes.md promises a test against each known mistake."""

import re

import pytest

from tests.helpers import ROOT

ROWS = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", (ROOT / "docs" / "mistakes.md").read_text(), re.MULTILINE)

TESTS = {
    name
    for file in (ROOT / "tests").glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
}


def test_mistakes_are_numbered_through():
    assert [int(number) for number, _ in ROWS] == list(range(1, 24))


@pytest.mark.parametrize("number,named", ROWS)
def test_every_mistake_has_its_tests(number, named):
    promised = re.findall(r"`(\w+)`", named)
    assert promised and set(promised) <= TESTS
