"""The command data: fetch and verify the data sets."""

import textwrap

from pydantic import Field

from gan_lightning.cli.options import CommandOptions, compose_data, keyed, parse, read_options
from gan_lightning.config.compose import compose, options
from gan_lightning.config.messages import did_you_mean, word_with_quotes
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError


class Options(CommandOptions):
    """Fetch and verify the data sets; say where they are and what they hold.

      python -m gan_lightning data
      python -m gan_lightning data name=mnist

    Files that are there already are verified, and not fetched again.
    """

    name: str | None = Field(None, description="Data set to fetch; null: all of them.")
    dir: PathName | None = Field(None, description="Folder that holds the files of name=; null: wherever they are.")


def main(words: list[str]) -> None:
    """Fetch the data sets that the words name, and go on with the others when one cannot be fetched."""
    given = read_options(Options, keyed(parse(words)))
    names = [name for name in options("data") if name != "image_folder"]
    if given.name not in (None, *names):
        raise UserError(
            f"name={given.name} is not a data set that can be fetched.{did_you_mean(str(given.name), names)}"
        )
    if given.dir is not None and given.name is None:
        raise UserError(f"dir={given.dir} is the folder of one data set: type name=NAME, too, such as name=mnist")
    if given.dir is not None and "dir" not in compose(f"data={given.name}").data:
        raise UserError(f"name={given.name} comes with this program and is read from no other folder; leave dir= out")
    missing = 0
    for name in names if given.name is None else [given.name]:
        try:
            print(f"{name:<14} verified  {fetch(name, given.dir)}")
        except UserError as error:
            missing += 1
            print(f"{name:<14} missing\n{textwrap.indent(str(error), ' ' * 15)}")
    if missing:
        raise UserError("not every data set could be fetched; those verified can be used")


def fetch(name: str, folder: str | None) -> str:
    """Fetch and read a data set; what it holds, and where it is."""
    from gan_lightning.build import build_data

    data = build_data(compose_data(name, [] if folder is None else [word_with_quotes("data.dir", folder)]))
    data.prepare_data()
    data.setup()
    return f"{data.describe()}, in {data.location}"
