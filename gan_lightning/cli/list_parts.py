"""The command list: every choice of every config group."""

from gan_lightning.cli.options import CommandOptions, keyed, parse, read_options
from gan_lightning.config.compose import groups, options


class Options(CommandOptions):
    """List every model, network, loss, data set ... that can be typed as GROUP=CHOICE, a line each.

      python -m gan_lightning list

    The groups are the folders of conf/; beside each choice stands the first comment of its file.
    """


def main(words: list[str]) -> None:
    """Print every choice with its description."""
    read_options(Options, keyed(parse(words)))
    choices = {group: options(group) for group in groups()}
    width = max(len(name) for group in choices.values() for name in group)
    for group, descriptions in choices.items():
        print(f"{group}=")
        for name, description in descriptions.items():
            print(f"  {name:<{width}} {description}")
