"""The command describe: what a choice is, and its options with their defaults and meanings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf

from gan_lightning.cli.options import CommandOptions, check_choices, expand, format_default
from gan_lightning.config.compose import CONF_DIR, compose, groups, heading, leaves, options, package_of
from gan_lightning.config.messages import explained
from gan_lightning.errors import UserError


class Options(CommandOptions):
    """Describe a choice of a config group: what it is, what it chooses, and its options with their defaults.

    python -m gan_lightning describe model=wgan_gp
    python -m gan_lightning describe network=dcgan
    """


def main(words: list[str]) -> None:
    """Print the description of each choice that the words name."""
    words = expand(words)
    check_choices(words)
    named = [word.split("=", 1) for word in words]
    if not named or any(len(pair) < 2 or pair[0] not in groups() for pair in named):
        raise UserError(f"type describe GROUP=CHOICE, such as describe model=wgan_gp; groups: {', '.join(groups())}")
    with explained(words):
        cfg = compose(*words)
    print("\n\n".join("\n".join(describe(group, choice, cfg)) for group, choice in named))


def describe(group: str, choice: str, cfg: DictConfig) -> Iterator[str]:
    """The lines about one choice: its heading, the choices it makes itself, and the options of all of these.

    Args:
        group: A config group.
        choice: One of its choices.
        cfg: A configuration that was composed with it.
    """
    chosen = list(chosen_by(group, choice))
    comments = dict(of_every_run(group))
    for pair in [*chosen, (group, choice)]:
        comments |= {key: text or comments.get(key, "") for key, text in comments_of(*pair).items()}
    yield f"{group}={choice}"
    yield from (f"  {line}" if line else "" for line in heading(file_of(group, choice)))
    if chosen:
        yield "\nIt chooses"
        yield from in_columns([(f"{other}={name}", options(other)[name]) for other, name in chosen])
    rows = [(f"{key}={value}", comments[key]) for key, value in typed_leaves(cfg) if key in comments]
    yield "\nOptions" if rows else "\nIt has no options."
    yield from in_columns(rows)


def file_of(group: str, choice: str) -> Path:
    """The yaml file of a choice."""
    return CONF_DIR / group / f"{choice}.yaml"


def chosen_by(group: str, choice: str) -> Iterator[tuple[str, str]]:
    """Group and choice of all that a file's defaults list chooses in other groups."""
    content: Any = OmegaConf.load(file_of(group, choice))
    for entry in content.get("defaults", []):
        for key, names in entry.items() if isinstance(entry, DictConfig) else ():
            other = str(key).removeprefix("override ").removeprefix("/")
            for name in names if isinstance(names, ListConfig) else [names]:
                if other in groups() and name is not None:
                    yield other, name


def of_every_run(group: str) -> dict[str, str]:
    """The comments on a group's options in the file of every run's defaults."""
    return {key: text for key, text in comments_in(CONF_DIR / "train.yaml").items() if key.startswith(f"{group}.")}


def comments_of(group: str, choice: str) -> dict[str, str]:
    """The comment beside each option that a choice's file sets, by the option's full key."""
    file = file_of(group, choice)
    package = package_of(file) or group
    return comments_in(file, "" if package == "_global_" else package)


def comments_in(file: Path, package: str = "") -> dict[str, str]:
    """The comment beside each option of a yaml file, by the option's full key; empty where there is none."""
    lines = file.read_text().splitlines()
    places = key_lines(yaml.compose(file.read_text(), yaml.SafeLoader), package)
    return {key: lines[line].partition(" # ")[2] for key, line in places}


def key_lines(node: Any, path: str) -> Iterator[tuple[str, int]]:
    """Full key and line of each option in a yaml file's nodes."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        full = f"{path}.{key.value}".removeprefix(".")
        yield full, key.start_mark.line
        yield from key_lines(value, full)


def typed_leaves(cfg: DictConfig) -> Iterator[tuple[str, str]]:
    """Full key and value, as they are typed, of all options of a configuration; a missing value is empty."""
    for key, value in leaves(OmegaConf.to_container(cfg, resolve=True)):
        if not key.rpartition(".")[2].startswith("_"):
            yield key, "" if value == "???" else format_value(value)


def format_value(value: Any) -> str:
    """A value as it is typed on the command line."""
    return f"[{','.join(map(format_value, value))}]" if isinstance(value, list) else format_default(value)


def in_columns(rows: list[tuple[str, str]]) -> Iterator[str]:
    """Two columns."""
    width = max((len(first) for first, _ in rows), default=0)
    yield from (f"  {first:<{width}}  {second}".rstrip() for first, second in rows)
