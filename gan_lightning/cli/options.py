"""What all commands share: words of the command line, read by Hydra's grammar and checked against a command's options.

A command's options are a subclass of `CommandOptions`: its docstring is the head of `--help`, and each field states
its type, its default and a description once.
"""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig
from pydantic import BaseModel, ConfigDict, Field

from gan_lightning.cli.terminal import in_columns, wrap_prose
from gan_lightning.config.aliases import HINTS, translate
from gan_lightning.config.compose import compose, groups, options, top_level_keys
from gan_lightning.config.messages import did_you_mean, explained, word_of, word_with_quotes
from gan_lightning.config.schema import check, check_value
from gan_lightning.config.values import expand_home
from gan_lightning.errors import UserError


class CommandOptions(BaseModel):
    """The options of a command."""

    model_config = ConfigDict(frozen=True)


class RunOptions(CommandOptions):
    """The options of a command that reads a run folder."""

    trust: bool = Field(
        False, description="Whether a run folder may name code from outside gan_lightning, which is then run."
    )


RUN = "Run folder, one of its checkpoint files, latest, or a part of a run's name."

GENERATOR = "Run folder, checkpoint, exported file, pretrained/NAME, latest, or a part of a run's name."

AnyOptions = TypeVar("AnyOptions", bound=CommandOptions)


# Reading


def expand(words: Sequence[str]) -> list[str]:
    """The full words for aliases such as lr=1e-4, and a printed line for each of these that says what it stands for.

    Raises:
        UserError: A word is a flag of another program's, such as --epochs.
    """
    translations = translate(words)
    for word, meant in translations:
        if meant != [word]:
            print(f"{word} stands for {' '.join(meant)}")
    return [word for _, meant in translations for word in meant]


def parse(words: Iterable[str]) -> list[Override]:
    """Read words by Hydra's override grammar.

    Raises:
        UserError: A word is not of the form key=value, or names several values, which only a sweep takes.
    """
    with explained():
        overrides = OverridesParser.create().parse_overrides(list(map(take_path_literally, words)))
    for override in overrides:
        if override.is_sweep_override():
            key, text = override.key_or_group, text_of(override)
            raise UserError(
                f"{key}={text} names several values, and only training with -m takes those; type one value, or "
                f"{key}=[{text}] where the option takes a list; a value with a comma needs quotes: {word_of(key, text)}"
            )
    return overrides


PATH_KEYS = ("data.dir", "hydra.run.dir", "hydra.sweep.dir", "run", "runs", "out", "image", "images", "dir")
"""Options of a configuration, and of the commands, that name a file or folder."""

NUMBER = re.compile(r"[\d_.+-]*\d[\d_.e+-]*|true|false|nan|inf", re.IGNORECASE)
"""What Hydra's grammar may read as a number or as yes or no."""

PLAIN = re.compile(r"[\w./:+%@-][\w./:+%@ -]*", re.ASCII)
"""Characters that need no quotes in Hydra's grammar."""


def take_path_literally(word: str) -> str:
    """A word whose value names a folder, written so that Hydra reads 2024 or 1e3 as a name, its ~ expanded.

    Raises:
        UserError: The folder's name is empty, or ~USER is nobody on this machine.
    """
    key, equals, value = word.partition("=")
    if not equals or key.lstrip("+") not in PATH_KEYS or "," in value:
        return word
    if is_plain(value):
        return word
    try:
        return word_with_quotes(key, expand_home(value))
    except ValueError as error:
        raise UserError(f"{word} is not allowed: it {error}") from error


def is_plain(value: str) -> bool:
    """Whether Hydra reads a name as it stands; null, quotes and interpolations are the user's own."""
    if value == "null" or "${" in value or value.startswith(('"', "'")):
        return True
    return bool(PLAIN.fullmatch(value)) and not NUMBER.fullmatch(value)


def check_choices(words: Iterable[str]) -> None:
    """Refuse what cannot be the name of a choice of a config group, such as data=[1]: Hydra would stumble over it.

    Raises:
        UserError: It names the word, and what is allowed.
    """
    for word in words:
        group = word.lstrip("+").partition("=")[0]
        if word.startswith("~") and group[1:] in {*top_level_keys(), *groups()} - {"experiment"}:
            raise UserError(f"{word} is not possible: every run has one; type {group[1:]}=, or leave {word} out")
        if group == "study":  # a folder of conf/ that no run chooses from
            raise UserError(f"{word} is not a valid option: {HINTS[group]}")
        if "=" not in word or group not in groups():
            continue
        with explained():
            override = OverridesParser.create().parse_override(word)
        value = None if override.is_sweep_override() else override.value()
        if not all(isinstance(each, str | None) for each in (value if isinstance(value, list) else [value])):
            raise UserError(f"{word} is not a valid choice.{did_you_mean(text_of(override), options(group))}")


def text_of(override: Override) -> str:
    """The value of an override as it was typed."""
    return (override.input_line or "").partition("=")[2]


def keyed(overrides: Iterable[Override]) -> dict[str, Override]:
    """Overrides by their keys.

    Raises:
        UserError: A key is given twice, or a word begins with + or ~, which change the configuration of a training.
    """
    by_key: dict[str, Override] = {}
    for override in overrides:
        key, word = override.key_or_group, override.input_line
        if override.type is not OverrideType.CHANGE or override.package:
            raise UserError(
                f"{word}: +, ~ and @ change the configuration of a training; this command takes key=value only: "
                f"type {key}=VALUE, or leave {key} out"
            )
        if key in by_key:
            raise UserError(f"{key}= is given twice, as {by_key[key].input_line} and {word}; type one of them")
        by_key[key] = override
    return by_key


def split_data_overrides(words: list[str]) -> tuple[list[str], dict[str, Override]]:
    """Split off words for the data set (data.size=28), which its own configuration checks, from the command's own."""
    overrides = keyed(parse(words))
    of_data = {key: override for key, override in overrides.items() if key.startswith("data.")}
    own = {key: override for key, override in overrides.items() if key not in of_data}
    return [str(override.input_line) for override in of_data.values()], own


def read_options(schema: type[AnyOptions], overrides: dict[str, Override]) -> AnyOptions:
    """Check words against a command's options; each value is converted to its option's type.

    Raises:
        UserError: A key is unknown or missing, or a value is not allowed.
    """
    hints = get_type_hints(schema, include_extras=True)
    values = {}
    for key, override in overrides.items():
        if key not in schema.model_fields:
            raise UserError(f"{key} is not a valid option here.{did_you_mean(key, schema.model_fields)}")
        values[key] = check_value(key, typed_value(override, hints[key]), hints[key])
    for key, field in schema.model_fields.items():
        if field.is_required() and key not in values:
            raise UserError(f"{key}= is missing. Allowed: {', '.join(sorted(schema.model_fields))}")
    return schema(**values)


def typed_value(override: Override, hint: Any) -> Any:
    """The value of an override; a number is text where a name is wanted: run=2026 is the folder 2026."""
    value = override.value()
    kinds = kinds_of(hint)
    wants_text = str in kinds and bool not in kinds
    return text_of(override) if wants_text and isinstance(value, bool | int | float) else value


def kinds_of(hint: Any) -> set[Any]:
    """The types that a hint names, inside unions and annotations, too."""
    return {hint}.union(*map(kinds_of, get_args(hint)))


def compose_data(name: str, of_data: Iterable[str]) -> DictConfig:
    """The checked configuration of a data set, some of its options changed.

    Args:
        name: A choice of the config group `data`.
        of_data: Words such as data.dir=FOLDER.
    """
    words = [f"data={name}", *of_data]
    check_choices(words)
    with explained(words):
        cfg = compose(*words)
    check(cfg)
    return cfg


# Help


def format_help(schema: type[CommandOptions]) -> str:
    """The text of a command's --help: its docstring, then each option with its default and description.

    What the command itself adds stands before what it shares with others.
    """
    own = [name for name in schema.model_fields if name in schema.__annotations__]
    rows = []
    for name in sorted(schema.model_fields, key=lambda name: (name != "run", name not in own)):
        field = schema.model_fields[name]
        default = "..." if field.is_required() else format_value(field.default)
        rows.append((f"{name}={default}", field.description or ""))
    return "\n".join([*wrap_prose(inspect.getdoc(schema) or ""), *in_columns(rows)]).rstrip() + "\n"


def format_value(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(format_value, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
