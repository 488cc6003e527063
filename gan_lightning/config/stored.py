"""Reading the configuration that lies in a run folder: bounded, and checked before anything of it is used."""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config.allowed import find_foreign, find_outside, find_outside_state
from gan_lightning.config.compose import top_level_keys
from gan_lightning.errors import UserError

MAX_BYTES = 100_000
"""Size of a configuration file; a run's own takes about 3,000 bytes."""

MAX_DEPTH = 20
"""Levels of mappings and lists within each other; a run's own has four."""

UNREADABLE = (yaml.YAMLError, OmegaConfBaseException, AssertionError, ValueError, RecursionError, OSError)
"""What reading one may raise; OmegaConf asserts that a text is no single number."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Splits yaml into events; libyaml does so fifty times as fast."""


def read_config(file: Path, trust: bool = False) -> DictConfig:
    """The configuration in a file of a run folder.

    Args:
        file: The file.
        trust: Whether it may name any code, and not only what `allowed.PLACES` lists.

    Raises:
        UserError: The file is no whole configuration, or names code that is not trusted.
    """
    plain = read_plain(file)
    if trust:
        import_from_here()
    else:
        refuse(find_foreign(plain), f"{file} names code that a run folder may not name")
    config = OmegaConf.create(plain)
    OmegaConf.set_struct(config, True)
    return config


def read_plain(file: Path) -> dict[str, Any]:
    """The configuration in a file as mappings, lists and values, whatever code it names: nothing of it is to be built.

    Raises:
        UserError: The file is no whole configuration.
    """
    try:
        plain: Any = OmegaConf.to_container(OmegaConf.create(bounded_text(file)))
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file} cannot be read ({reason}); it is damaged, or no run wrote it") from error
    missing = [key for key in needed_keys() if not isinstance(plain, dict) or key not in plain]
    if missing or not isinstance(plain, dict):
        raise UserError(
            f"{file} says nothing about {', '.join(missing)}: it is damaged, or an earlier version of gan_lightning "
            "wrote it; train again, or install the version that the run's status.json names"
        )
    return plain


@cache
def needed_keys() -> list[str]:
    """The keys that every configuration has."""
    return top_level_keys()


def import_from_here() -> None:
    """Let modules be found in the current folder first, as Python does: the user's own, or those of a trusted run."""
    here = str(Path.cwd())
    sys.path[:] = [here, *(place for place in sys.path if place != here)]


def check_places(config: DictConfig, folder: Path) -> None:
    """Refuse a configuration by which a resumed run would write outside its folder.

    Raises:
        UserError: The message names the options.
    """
    plain: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    refuse(find_outside(plain, folder), f"the run in {folder} would write outside its folder")


def check_state_places(content: Mapping[str, Any], folder: Path) -> None:
    """Refuse a checkpoint by which callbacks of Lightning's would write to, or delete, files outside the run folder.

    Raises:
        UserError: The message names what the checkpoint holds.
    """
    found = find_outside_state(content.get("callbacks"), folder)
    refuse(found, f"the checkpoint of the run in {folder} names places outside its folder")


def refuse(found: list[str], what: str) -> None:
    """Raise an error that lists what was found, if anything was, and says how to go on."""
    if found:
        raise UserError(
            "\n".join([f"{what}:", *(f"  {line}" for line in found[:10]), *(["  ..."] if found[10:] else [])])
            + "\nIf you know who made this folder and trust them as if you ran their program, add trust=true"
        )


def bounded_text(file: Path) -> str:
    """The text of a yaml file, unless it is large, deep, has tags or has aliases, by which small files become huge.

    Raises:
        ValueError: It is, or is not text.
    """
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES:,} bytes")
    text = content.decode()
    depth = 0
    for event in events(text):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"it nests mappings and lists {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"it has an alias, *{event.anchor}, and runs write none")
        if getattr(event, "tag", None) is not None:  # by which yaml makes values of other types
            raise ValueError(f"it has a tag, {event.tag}, and runs write none")
    return text


def events(text: str) -> Iterator[yaml.Event]:
    """The events of a yaml text: all that can be known without building its values."""
    yield from yaml.parse(text, Loader=LOADER)
