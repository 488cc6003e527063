"""The command reference: the text of each command's --help, as prose and a table."""

import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from textwrap import dedent

from docs.site.markdown import code, linked, option_table
from gan_lightning.__main__ import MODULES, overview
from gan_lightning.cli.options import CommandOptions, format_value


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of the page."""
    yield "reference/commands.md", "\n\n".join(page())


def page() -> Iterator[str]:
    """What `--help` prints, of the program and of each command."""
    yield "# Command reference"
    yield (
        "What `python -m gan_lightning --help` and `python -m gan_lightning COMMAND --help` print. Installed, "
        "`gan-lightning` does what `python -m gan_lightning` does. Options are typed as `key=value`."
    )
    lines = "\n".join(overview())
    yield f"```text\n{lines}\n```"
    for command, module in MODULES.items():
        yield f"## {command}"
        yield from section(import_module(f"gan_lightning.cli.{module}").Options)


def section(schema: type[CommandOptions]) -> Iterator[str]:
    """A command's docstring, and its options."""
    for block in (getdoc(schema) or "").split("\n\n"):
        is_code = all(re.match(r" |python -m ", line) for line in block.splitlines())
        yield f"```text\n{dedent(block)}\n```" if is_code else prose(block)
    rows = []
    for name, field in schema.model_fields.items():
        default = "must be given" if field.is_required() else code(format_value(field.default))
        rows.append((code(f"{name}="), default, linked(field.description or "")))
    if rows:
        yield option_table(("option", "default", "what it means"), rows)


def prose(block: str) -> str:
    """A paragraph of a docstring, its code kept."""
    parts = re.split(r"(`[^`]+`)", " ".join(block.split()))
    return "".join(part if part.startswith("`") else linked(part) for part in parts)
