"""What a choice of a config group is, and its options with their defaults and meanings: for the command list."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf

from gan_lightning.cli.options import format_value
from gan_lightning.cli.terminal import in_columns, paint, wrap_prose
from gan_lightning.config.compose import CONF_DIR, groups, heading, leaves, options, package_of


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
    yield paint(f"{group}={choice}", "bold", sys.stdout)
    yield from wrap_prose("\n".join(heading(file_of(group, choice))), "  ")
    if chosen:
        yield "It chooses"
        yield from in_columns([(f"{other}={name}", options(other)[name]) for other, name in chosen])
        yield ""
    rows = [(f"{key}={value}", comments[key]) for key, value in typed_leaves(cfg) if key in comments]
    yield "Options" if rows else "It has no options."
    yield from in_columns(rows)


def describe_study(name: str) -> Iterator[str]:
    """The lines about a study: its heading, and what its file states."""
    yield paint(f"study={name}", "bold", sys.stdout)
    yield from wrap_prose("\n".join(heading(file_of("study", name))), "  ")
    comments = comments_in(file_of("study", name))
    content = yaml.safe_load(file_of("study", name).read_text())
    yield from in_columns([(f"{key}={format_value(value)}", comments.get(key, "")) for key, value in leaves(content)])


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
    """The comment beside each option that a choice's file sets, or those it starts from, by the option's full key."""
    file = file_of(group, choice)
    package = package_of(file) or group
    inherited = {key: text for parent in parents(file) for key, text in comments_of(group, parent).items()}
    own = comments_in(file, "" if package == "_global_" else package)
    return inherited | {key: text or inherited.get(key, "") for key, text in own.items()}


def parents(file: Path) -> Iterator[str]:
    """The choices of its own group that a file starts from and changes."""
    content: Any = OmegaConf.load(file)
    yield from (entry for entry in content.get("defaults", []) if isinstance(entry, str) and entry[0] not in "_/")


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
