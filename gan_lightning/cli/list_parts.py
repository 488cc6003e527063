"""The command list: every choice of every config group, and what one of them is, with its options and defaults."""

import sys
from collections.abc import Iterable

from gan_lightning.cli.options import CommandOptions, check_choices, expand
from gan_lightning.cli.terminal import fit, paint
from gan_lightning.config.compose import compose, groups, options
from gan_lightning.config.messages import did_you_mean, explained
from gan_lightning.errors import UserError


class Options(CommandOptions):
    """List what can be typed as GROUP=CHOICE: models, networks, losses, data sets ...

      python -m gan_lightning list                   every choice, a line each
      python -m gan_lightning list model loss        those of these groups
      python -m gan_lightning list model=wgan_gp     what it is, what it chooses, its options and their defaults
      python -m gan_lightning list study             the studies that `study study=NAME` runs

    The groups are the folders of conf/; beside each choice stands the first comment of its file.
    """


def main(words: list[str]) -> None:
    """Print the groups and choices that the words name; without words, every group."""
    words = expand(words)
    of_runs = [word for word in words if word.partition("=")[0] != "study"]
    check_choices(of_runs)
    for word in words:
        check_word(word)
    with explained(words):
        cfg = compose(*(word for word in of_runs if "=" in word))

    from gan_lightning.cli.describe import describe, describe_study

    parts: list[Iterable[str]] = []
    for word in words or groups():
        group, _, choice = word.partition("=")
        if choice:
            parts.append(describe_study(choice) if group == "study" else describe(group, choice, cfg))
        else:
            parts.append(list_group(group))
    print("\n\n".join("\n".join(part) for part in parts))
    if not words:
        print("\nlist GROUP lists one group; list model=wgan_gp shows the options of a choice, and their defaults")


def check_word(word: str) -> None:
    """Refuse what is neither a group nor a choice of one.

    Raises:
        UserError: The message names the group of a choice that stands alone, or the groups there are.
    """
    listed = [*groups(), "study"]
    group, _, choice = word.partition("=")
    if group == "study" and choice and choice not in options("study"):
        raise UserError(f"{word} is not a valid choice.{did_you_mean(choice, options('study'))}")
    if group in listed:
        return
    homes = [f"list {home}={word}" for home in listed if word in options(home)]
    if homes:
        raise UserError(f"{word} is a choice, not a group; type {' or '.join(homes)}")
    raise UserError(f"{word} is neither a group nor GROUP=CHOICE, such as model=wgan_gp.{did_you_mean(group, listed)}")


def list_group(group: str) -> list[str]:
    """The lines about a group: its name, and each of its choices with what it is, in as much as the screen shows."""
    choices = options(group)
    width = max(map(len, choices))
    rows = [fit(f"  {name:<{width}}  {text}") for name, text in choices.items()]
    return [paint(f"{group}=", "bold", sys.stdout), *rows]
