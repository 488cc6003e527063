"""The configuration reference: a page for each config group, read from the files of conf/."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from docs.site.markdown import code, linked, option_table, table
from gan_lightning.cli import describe
from gan_lightning.cli.describe import file_of, format_value
from gan_lightning.config.aliases import ALIASES, CHOICES, OTHER_NAMES
from gan_lightning.config.compose import CONF_DIR, groups, heading, leaves, options, package_of

TITLES = {
    "accelerator": "The device that computes",
    "annealing": "Numbers that change while a run lasts",
    "augment": "Augmentation of what D sees",
    "auxiliary": "Terms beside the adversarial loss",
    "callbacks": "What watches a run",
    "conditioning": "What images are conditional on",
    "data": "Data sets",
    "experiment": "Whole recipes",
    "logger": "Where numbers and pictures go",
    "loss": "What G and D minimize",
    "model": "Models",
    "network": "Networks of G and D",
    "optimizer": "Optimizers",
    "penalty": "Terms that constrain D",
    "updates": "Who steps when",
}
"""What a group is, for the heading of its page; a new group is titled by its name."""


comments_in, comments_of = cache(describe.comments_in), cache(describe.comments_of)
Choice = tuple[str, str]
"""A group and the name of one of its files."""


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    yield "reference/configuration.md", "\n\n".join(overview())
    for group in groups():
        yield f"reference/configuration/{group}.md", "\n\n".join(page(group))


def overview() -> Iterator[str]:
    """The options of every run, the groups, and the short words."""
    yield "# Configuration reference"
    yield (
        "Every option, what it means and its default, as the files in `conf/` have them. Type options as `key=value` "
        "and choices as `group=choice`; the command line wins over an experiment's file, that over the model's, and "
        "that over `conf/train.yaml`. In a terminal, `python -m gan_lightning list` and "
        "`python -m gan_lightning describe model=wgan_gp` say the same."
    )
    yield "## Groups"
    default = default_choices()
    rows = [(f"[`{group}=`](configuration/{group}.md)", title_of(group), code(default[group])) for group in groups()]
    yield table(("group", "what it chooses", "default"), rows)
    yield "## Options of every run"
    yield "What `conf/train.yaml` sets. A file of a group may set another value; its section says so."
    keys = comments_in(CONF_DIR / "train.yaml")
    yield options_table(without_defaults(CONF_DIR / "train.yaml"), keys)
    yield "## Short words"
    yield "The program prints what each of these stands for."
    others = {name: sorted(other for other, meant in OTHER_NAMES.items() if meant == name) for name in ALIASES}
    rows = [(code(f"{name}="), codes(others[name]), codes(f"{key}=" for key in ALIASES[name])) for name in ALIASES]
    yield table(("type", "or", "it stands for"), rows)
    yield "## Other names of choices"
    chosen = {(group, name) for group, names in CHOICES.items() for name in names.values()}
    rows = [
        (
            reference(group, name, "configuration/"),
            codes(other for other, meant in CHOICES[group].items() if meant == name),
        )
        for group, name in sorted(chosen)
    ]
    yield table(("choice", "its other names"), rows)


def title_of(group: str) -> str:
    """What a group is, in a few words."""
    return TITLES.get(group, group)


@cache
def default_choices() -> dict[str, str]:
    """The choice of each group that a run has when none is typed."""
    content: Any = OmegaConf.load(CONF_DIR / "train.yaml")
    entries = [entry for entry in content.defaults if not isinstance(entry, str)]
    pairs = [(str(group), str(choice or "")) for entry in entries for group, choice in entry.items()]
    return {group: choice for group, choice in pairs if group in groups()}


def page(group: str) -> Iterator[str]:
    """A group's page: its choices in one table, then a section for each."""
    default = default_choices()[group]
    yield f"# {title_of(group)}: `{group}=`"
    yield f"Files of `conf/{group}/`. " + (
        f"Default: {reference(group, default, '')}." if default else "Default: none."
    )
    rows = [(f"[{code(name)}](#{slug(name)})", linked(first)) for name, first in options(group).items()]
    yield table(("type", "what it is"), rows)
    for name in options(group):
        yield from section(group, name)


def section(group: str, name: str) -> Iterator[str]:
    """One choice: its heading comments, what it chooses, its options, its file."""
    file = file_of(group, name)
    yield f"## `{name}`"
    yield from paragraphs(heading(file))
    if more := model_page(group, name):
        yield more
    if own := [reference(*pair) for pair in chosen_by(group, name)]:
        yield f"It chooses {', '.join(own)}."
    if started := [reference(group, parent) for parent in parents(file)]:
        yield f"It starts from {', '.join(started)}, and changes what its file states."
    if targets := sorted(set(find_targets(values_of(group, name)))):
        yield "In Python: " + ", ".join(python(target) for target in targets) + "."
    if rows := options_table(values_of(group, name), comments_of(group, name), list(all_chosen(group, name))):
        yield rows
    yield f"<details>\n<summary><code>conf/{group}/{name}.yaml</code></summary>"
    yield f"```yaml\n{file.read_text().strip()}\n```"
    yield "</details>"


def all_chosen(group: str, name: str) -> Iterator[Choice]:
    """What a file, those it starts from and those it chooses choose in other groups; what counts most stands last."""
    for parent in parents(file_of(group, name)):
        yield from all_chosen(group, parent)
    for pair in chosen_by(group, name):
        yield from all_chosen(*pair)
        yield pair


def paragraphs(lines: list[str]) -> Iterator[str]:
    """A file's heading comments as paragraphs: an empty comment line parts them."""
    for part in "\n".join(lines).split("\n\n"):
        yield linked(" ".join(part.split()))


def model_page(group: str, name: str) -> str:
    """Where more about a model is."""
    model = name.removeprefix("paper/")
    told = group == "model" or name.startswith("paper/")
    return f"More: [the page of `model={model}`](../../models/{model}.md)." if told else ""


def options_table(values: dict[str, Any], comments: dict[str, str], chosen: Sequence[Choice] = ()) -> str:
    """The options that a file sets; empty when there are none.

    Args:
        values: What the file sets.
        comments: What it says of each option, by the option's full key.
        chosen: What the file chooses in other groups, whose files may say what it does not.
    """
    rows = []
    for key, value in leaves(values):
        if not key.rpartition(".")[2].startswith("_") and not isinstance(value, dict):
            typed = "must be given" if value == "???" else code(format_value(value) or "''")
            said = comments.get(key) or next(filter(None, meanings(key, values, chosen)), "")
            rows.append((code(key), typed, linked(said)))
    return option_table(("option", "value", "what it means"), rows) if rows else ""


def meanings(key: str, values: dict[str, Any], chosen: Sequence[Choice]) -> Iterator[str]:
    """What an option means where its file does not say: the words of its class, or of a file it builds upon."""
    above, _, name = key.rpartition(".")
    every_run = CONF_DIR / "train.yaml"
    yield arguments(target_at(values, above)).get(name, "")
    for group, choice in [
        *reversed(chosen),
        *((group, choice) for group, choice in default_choices().items() if choice),
    ]:
        yield comments_of(group, choice).get(key, "")
        yield arguments(target_at(values_of(group, choice), above)).get(name, "")
    yield comments_in(every_run).get(key, "")
    yield arguments(target_at(without_defaults(every_run), above)).get(name, "")


def target_at(values: dict[str, Any], path: str) -> str:
    """The class or function that a part of a configuration names; empty where there is none."""
    node: Any = values
    for name in path.split(".") if path else ():
        node = node.get(name) if isinstance(node, dict) else None
    return node.get("_target_", "") if isinstance(node, dict) else ""


@cache
def arguments(target: str) -> dict[str, str]:
    """What the docstring of a class, or of a class it is derived from, says of each argument."""
    if not target:
        return {}
    module, _, name = target.rpartition(".")
    part = getattr(import_module(module), name)
    found: dict[str, str] = {}
    for each in reversed(getattr(part, "__mro__", [part])):
        for docstring in (each.__init__.__doc__, each.__doc__):
            found |= arguments_in(cleandoc(docstring or ""))
    if not target.startswith("gan_lightning."):  # a library's: the first sentence
        found = {argument: text.partition(". ")[0] for argument, text in found.items()}
    return found


def arguments_in(docstring: str) -> dict[str, str]:
    """The arguments of a docstring in Google's style, a sentence each."""
    part = re.sub(r"\n\n(?=    \S)", "\n", docstring.partition("Args:\n")[2]).partition("\n\n")[0]
    found = re.findall(r"^    (\w+)(?: \(.*\))?: ?(.*(?:\n {8}.*)*)", part, re.MULTILINE)
    return {argument: plain(text) for argument, text in found}


def plain(text: str) -> str:
    """A description without markup, and without a default that the configuration may not share."""
    text = re.sub(r" ?\(default: .*?\)+|:\w+:(?=`)|`|\s+Default: .*", "", " ".join(text.split()))
    return text.strip().removesuffix(".")


@cache
def parents(file: Path) -> list[str]:
    """The choices that a file starts from."""
    return list(describe.parents(file))


@cache
def chosen_by(group: str, name: str) -> list[Choice]:
    """What a file chooses in other groups."""
    return list(describe.chosen_by(group, name))


@cache
def values_of(group: str, name: str) -> dict[str, Any]:
    """All that a choice's file sets, and the files it starts from, in the places of a whole configuration."""
    file = file_of(group, name)
    merged: dict[str, Any] = {}
    for parent in parents(file):
        merged = merge(merged, values_of(group, parent))
    package = package_of(file) or group
    content: Any = without_defaults(file)
    for part in reversed([] if package == "_global_" else package.split(".")):
        content = {part: content}
    return merge(merged, content)


@cache
def without_defaults(file: Path) -> dict[str, Any]:
    """A file's own keys; interpolations as they are written."""
    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    return {key: value for key, value in content.items() if key not in ("defaults", "hydra")}


def merge(below: Any, above: Any) -> Any:
    """Nested mappings, the second over the first."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: merge(below.get(key, {}), value) for key, value in above.items()}


def find_targets(node: Any) -> Iterator[str]:
    """The classes and functions that a configuration names."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "_target_":
            yield value
        yield from find_targets(value)


def python(target: str) -> str:
    """A class, linked to its documentation where it is gan_lightning's own."""
    return f"{{py:obj}}`{target}`" if target.startswith("gan_lightning.") else code(target)


def reference(group: str, name: str, above: str = "../configuration/") -> str:
    """A link to a choice's section."""
    return f"[{code(f'{group}={name}')}]({above}{group}.md#{slug(name)})"


def slug(name: str) -> str:
    """The anchor of a choice's heading."""
    return re.sub(r"[^\w -]", "", name.lower())


def codes(words: Any) -> str:
    """Words as code, with commas between them."""
    return ", ".join(map(code, words))
