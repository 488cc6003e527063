"""Small pieces of Markdown."""

import re
from collections.abc import Iterable, Sequence


def code(text: str) -> str:
    """Text as code, in a table's cell, too."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def linked(text: str) -> str:
    """Plain text with its special characters escaped, and the papers it names as links."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|#$~])", r"\\\1", text)
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", escaped)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def option_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of options."""
    return wrap_options(table(head, rows))


def wrap_options(options: str) -> str:
    """A table whose meanings stand below names and values on a narrow screen."""
    return f'<div class="options">\n\n{options}\n\n</div>\n'
