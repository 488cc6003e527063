"""Docstrings as Sphinx needs them: bars are no substitutions, colons no types, and types stand without their bounds."""

import re
from contextlib import suppress
from typing import Any, get_type_hints

from sphinx.application import Sphinx


def escape_bars(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep reStructuredText from reading |x| as a substitution."""
    lines[:] = [re.sub(r"(?<!\\)\|", r"\\|", line) if "`" not in line else line for line in lines]


def keep_colons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from reading the words before a colon, on an attribute's first line, as its type."""
    if what in ("attribute", "data", "property"):
        lines.insert(0, "\\ ")  # an escaped space, which is shown as nothing


def drop_bounds(app: Sphinx, obj: Any, bound_method: bool) -> None:
    """int instead of Annotated[int, Gt(gt=0)], which the sentence beside it says in words."""
    with suppress(Exception):  # a name that only a type checker imports: its hints stay as written
        obj.__annotations__ = get_type_hints(obj)


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to autodoc."""
    app.connect("autodoc-process-docstring", keep_colons, priority=100)  # before napoleon's 500
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("autodoc-before-process-signature", drop_bounds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
