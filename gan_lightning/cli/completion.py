"""What Tab completes in a shell: commands, their options and runs by this program; a training's options by Hydra."""

import contextlib
import io
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gan_lightning.cli.options import CommandOptions, kinds_of
from gan_lightning.config.compose import CONF_DIR, groups, options
from gan_lightning.errors import UserError
from gan_lightning.runs import newest_first

INSTALL = r"""
_gan_lightning() {
    local program=("${COMP_WORDS[0]}") typed=${COMP_LINE:0:COMP_POINT} before=
    case ${COMP_WORDS[0]##*/} in python*)
        [[ ${COMP_WORDS[1]} == -m && ${COMP_WORDS[2]} == gan_lightning && $COMP_CWORD -gt 2 ]] || return
        program+=(-m gan_lightning) ;;
    esac
    local IFS=$'\n'
    COMPREPLY=($(COMP_LINE=$typed "${program[@]}" -sc query=bash 2>/dev/null))
    typed=${typed##* }
    [[ $COMP_WORDBREAKS == *=* && $typed == *=* ]] && before=${typed%"${typed##*=}"}
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
    [[ ${COMPREPLY[0]} == *[=./] ]] && compopt -o nospace 2>/dev/null
}
complete -o default -F _gan_lightning gan-lightning python python3
"""
"""For bash, and for zsh after `autoload -U bashcompinit && bashcompinit`; other uses of Python complete files."""

UNINSTALL = "complete -r gan-lightning python python3; unset -f _gan_lightning"


def main(words: list[str], modules: dict[str, str]) -> None:
    """Print what the words after -sc ask for: install=bash, uninstall=bash or query=bash.

    Args:
        words: The words of the command line.
        modules: Every command, and its module in `gan_lightning.cli`.
    """
    asked = words[1] if len(words) == 2 else ""
    if asked == "query=bash":
        print(*complete(os.environ.get("COMP_LINE", ""), modules), sep="\n")
    elif asked in ("install=bash", "install=zsh"):
        print(INSTALL)
    elif asked in ("uninstall=bash", "uninstall=zsh"):
        print(UNINSTALL)
    else:
        raise UserError('type eval "$(gan-lightning -sc install=bash)", or uninstall=bash')


def complete(line: str, modules: dict[str, str]) -> list[str]:
    """The words that the last one of a line may become, in order.

    Args:
        line: What was typed so far; its first word is the program's name, or Python's.
        modules: Every command, and its module in `gan_lightning.cli`.
    """
    program, *words = line.split()
    words = words[2:] if program.rpartition("/")[2].startswith("python") else words
    last = "" if line[-1].isspace() or not words else words.pop()
    command = words[0] if words and words[0] in modules else "train"
    if words == ["help"]:
        found: Iterable[str] = modules
    elif command == "train":
        found = [*of_training(words, last), *([] if words else [*modules, "help"])]
    elif command == "list":
        listed = [*groups(), "study"]
        found = of_groups(last) or [word for group in listed for word in (group, f"{group}=")]
    else:
        schema = import_module(f"gan_lightning.cli.{modules[command]}").Options
        found = [*of_command(schema, last), *(of_training([], last) if command == "resume" else [])]
    return sorted({word for word in found if word.startswith(last)})


def of_command(schema: type[CommandOptions], last: str) -> list[str]:
    """The options of a command, or the values of the one that is being typed."""
    key, typed, _ = last.partition("=")
    if not typed:
        return [f"{name}=" for name in schema.model_fields]
    if key == "run":
        values = ["latest", *map(str, newest_first())]
    elif key in ("data", "name"):
        values = list(options("data"))
    elif key == "study":
        values = list(options("study"))
    else:
        values = values_of(get_type_hints(schema, include_extras=True).get(key))
    return [f"{key}={value}" for value in values]


def values_of(hint: Any) -> list[str]:
    """The values that a type hint names; none where it allows any."""
    kinds = kinds_of(hint)
    named = [str(value) for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return named or (["true", "false"] if hint is bool else [])


def of_groups(last: str) -> list[str]:
    """The choices of the group that is being typed; behind a comma, which a sweep takes, those that may follow."""
    group, typed, value = last.partition("=")
    if not typed or group not in groups():
        return []
    earlier, comma, _ = value.rpartition(",")
    return [f"{group}={earlier}{comma}{choice}" for choice in options(group)]


def of_training(words: list[str], last: str) -> list[str]:
    """The options of a training, and their values."""
    return of_groups(last) or ask_hydra([word for word in words if word != "train"], last)


def ask_hydra(words: list[str], last: str) -> list[str]:
    """What Hydra completes; nothing where the words before have no configuration."""
    import hydra

    heard = io.StringIO()
    before = sys.argv, os.environ.get("COMP_LINE")
    sys.argv, os.environ["COMP_LINE"] = (
        ["gan-lightning", "-sc", "query=bash"],
        " ".join(["gan-lightning", *words, last]),
    )
    try:
        with contextlib.redirect_stdout(heard), contextlib.suppress(Exception, SystemExit):
            hydra.main(str(CONF_DIR), "train", version_base="1.3")(lambda cfg: None)()
    finally:
        sys.argv = before[0]
        os.environ.pop("COMP_LINE")
        if before[1] is not None:
            os.environ["COMP_LINE"] = before[1]
    return [word for word in heard.getvalue().split() if not word.startswith("_")]
