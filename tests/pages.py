"""README and docs/ as tests read them: their blocks, commands, options, tables and links."""

import re
from collections.abc import Iterator

from tests.helpers import ROOT

FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

TEXTS = {file.relative_to(ROOT).as_posix(): file.read_text() for file in FILES}
"""Every page, by its path."""

PROGRAM = "python -m gan_lightning"


def without_blocks(text: str) -> str:
    """The text outside of fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def fenced(text: str, kind: str = "") -> list[str]:
    """The fenced blocks of one kind."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for its_kind, content in blocks if its_kind == kind]


def inline_code(text: str) -> list[str]:
    """What stands between backticks outside blocks, each on one line."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", without_blocks(text))]


def commands(text: str) -> list[str]:
    """The words after `python -m gan_lightning`; two spaces end a command, and a remark may follow."""
    lines = [line for block in fenced(text) for line in block.splitlines()] + inline_code(text)
    found = (re.match(rf"{PROGRAM}((?: \S+)*)", line) for line in lines)
    return [match[1].strip() for match in found if match]


def settings(text: str) -> Iterator[tuple[str, str]]:
    """Keys and values of code such as `model=lsgan seed=1`, each word of which is an option."""
    for code in inline_code(text):
        words = code.split()
        if all(re.match(r"[+~]?[a-z][\w./]*=", word) for word in words):
            yield from (word.lstrip("+~").partition("=")[::2] for word in words)


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of each row of the first table below a heading."""
    table = text.split(f"\n{heading}\n")[1].split("\n|---|---|---|\n")[1].split("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]


def anchors(text: str) -> set[str]:
    """What a link can name behind #: the headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next."""
    return text.split(f"\n{heading}\n")[1].split("\n## ")[0]
