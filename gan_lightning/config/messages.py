"""What an error of Hydra's or OmegaConf's means for the person who typed the command."""

import difflib
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from gan_lightning.config.aliases import ALIASES, HINTS, OTHER_NAMES
from gan_lightning.config.compose import groups, options
from gan_lightning.errors import UserError

CONFIG_ERRORS = (HydraException, OmegaConfBaseException, ValueError)
"""What composing a configuration raises; ValueError for a group that is set to null."""


@contextmanager
def explained(words: Sequence[str] = ()) -> Iterator[None]:
    """Raise errors of composing and changing a configuration as UserErrors in plain words.

    Args:
        words: The command line, whose words are named where it is not known which of them Hydra stumbled over.
    """
    try:
        yield
    except UserError:
        raise
    except InterpolationResolutionError as error:
        culprits = [word for word in words if "${" in word]
        reason = str(error).splitlines()[0]
        raise UserError(f"{shlex.join(culprits)}: {reason}" if culprits else f"{error.full_key}: {reason}") from error
    except CONFIG_ERRORS as error:
        raise explain(error) from error
    except Exception as error:  # Hydra asserts, and looks into values before it knows their types
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UserError(f"no configuration can be composed of these words ({reason}): {shlex.join(words)}") from error


def explain(error: Exception) -> UserError:
    """What one of `CONFIG_ERRORS` means: what was got, what is allowed and, where that can be guessed, what to type."""
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) and error.__cause__ else error
    match cause:
        case ConfigAttributeError() | ConfigKeyError() if isinstance(cause.parent_node, DictConfig):
            return UserError(explain_key(str(cause.full_key), cause.parent_node))
        case MissingConfigException() if cause.missing_cfg_file:
            return UserError(explain_choice(cause.missing_cfg_file, cause.options or []))
        case MissingMandatoryValue():
            return UserError(f"{cause.full_key} has no value: type {cause.full_key}=VALUE")
        case OverrideParseException():
            return UserError(explain_word(cause.override))
    lines = [line for line in str(error).splitlines() if line.strip()]
    return UserError("\n".join([*lines, *([] if cause is error else str(cause).splitlines()[:1])]))


def explain_key(full_key: str, parent_node: DictConfig) -> str:
    """A key that does not exist beside the other keys of its parent."""
    parent, _, key = full_key.rpartition(".")
    if key in HINTS:
        return f"{full_key} is not a valid option: {HINTS[key]}"
    allowed = {str(name) for name in parent_node if not str(name).startswith("_")}
    if not parent:
        allowed = (allowed | set(groups())) - {"hydra"}
    hint = did_you_mean(
        key, allowed, f"{parent}." if parent else "", keys_like(full_key, parent_node._get_root(), allowed)
    )
    return f"{full_key} is not a valid option.{hint}"


def keys_like(full_key: str, root: Any, beside: Iterable[str]) -> list[str]:
    """The options that a key which does not exist may mean: of the same last part, of the same meaning or alike.

    Args:
        full_key: The key, such as n_critic or trainer.epochs.
        root: The whole configuration; it may hold the key itself.
        beside: The keys that exist in its place: one that is spelled alike is more likely than one elsewhere.
    """
    key = full_key.rpartition(".")[2]
    endings: dict[str, list[str]] = {}
    for full in full_keys(root):
        if full != full_key:
            endings.setdefault(full.rpartition(".")[2], []).append(full)
    endings = {name: list(full) for name, full in ALIASES.items()} | endings
    meant = OTHER_NAMES.get(key, key)
    if meant in endings:
        return endings[meant]
    close = [] if spelled_alike(key, beside) else difflib.get_close_matches(meant, endings, n=1, cutoff=0.8)
    return endings[close[0]] if close else []


def full_keys(node: Any, path: str = "") -> Iterator[str]:
    """The full keys of all options of a configuration, but for Hydra's own."""
    if not isinstance(node, DictConfig):
        return
    for name in map(str, node):
        full = f"{path}.{name}" if path else name
        if full == "hydra" or name.startswith("_"):
            continue
        yield full
        yield from full_keys(None if OmegaConf.is_missing(node, name) else node._get_node(name), full)


def explain_choice(missing_file: str, found: Iterable[str]) -> str:
    """A choice that a config group does not have.

    Args:
        missing_file: Path of the file that was looked for in conf/, without its suffix.
        found: Choices that Hydra found; it looks for none in a folder of a group, nor for a word of a list.
    """
    if missing_file.startswith("hydra/"):
        group, _, choice = missing_file.rpartition("/")
        return f"{group}={choice} is not a valid choice.{did_you_mean(choice, found)}"
    group, _, choice = missing_file.partition("/")
    return f"{group}={choice} is not a valid choice.{did_you_mean(choice, options(group))}"


def explain_word(word: str) -> str:
    """A word of the command line that Hydra's grammar does not allow."""
    key, equals, value = word.partition("=")
    if not equals:
        return f"{word} is not of the form key=value; add --help to see what can be typed"
    return (
        f"{word} cannot be read as key=value: there is no space before the =, and a value with characters other than "
        f"a-z, A-Z, 0-9, spaces and _-./:+ needs quotes within quotes: type {word_of(key.strip(), value.strip())}"
    )


def word_of(key: str, value: object) -> str:
    """`key=value` as it is typed in a shell, with the quotes that Hydra's grammar and the shell need."""
    text = str(value)
    if re.fullmatch(r"[\w./:+%@-]+", text, re.ASCII):
        return f"{key}={text}"
    return shlex.quote(word_with_quotes(key, text))


def word_with_quotes(key: str, value: object) -> str:
    """`key="value"` as Hydra's grammar reads it, whatever characters the value has."""
    return f"{key}={QuotedString(str(value), Quote.double).with_quotes()}"


def did_you_mean(word: str, allowed: Iterable[str], prefix: str = "", elsewhere: Sequence[str] = ()) -> str:
    """` Did you mean X? Allowed: ...` for a word that is not among the allowed ones.

    Args:
        word: The word that was typed.
        allowed: The words that could have been typed.
        prefix: What stands before each of these words on the command line, such as "model.".
        elsewhere: Full keys that end in the very word: more likely meant than another that is spelled alike.
    """
    names = sorted(map(str, allowed))
    close = [f"{prefix}{name}" for name in spelled_alike(word, names)]
    meant = " or ".join(elsewhere or close)
    hint = f" Did you mean {meant}?" if meant else ""
    return f"{hint} Allowed: {', '.join(names) or 'none'}"


def spelled_alike(word: str, allowed: Iterable[str]) -> list[str]:
    """The allowed word that is most like a word, when one is."""
    return difflib.get_close_matches(word, [*allowed], n=1, cutoff=0.5)
