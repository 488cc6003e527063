"""The command data: fetch and verify the data sets."""

import textwrap

from pydantic import Field

from gan_lightning.cli.options import CommandOptions, keyed, parse, read_options
from gan_lightning.config.compose import compose, options
from gan_lightning.config.messages import did_you_mean
from gan_lightning.errors import UserError


class Options(CommandOptions):
    """Fetch and verify the data sets; say where they are and what they hold.

      python -m gan_lightning data
      python -m gan_lightning data name=mnist

    Files that are there already are verified, and not fetched again.
    """

    name: str | None = Field(None, description="Data set to fetch; null: all of them.")
    dir: str | None = Field(None, description="Folder that holds the files, or will; null: the cache.")


def main(words: list[str]) -> None:
    """Fetch the data sets that the words name, and go on with the others when one cannot be fetched."""
    given = read_options(Options, keyed(parse(words)))
    names = [name for name in options("data") if name != "image_folder"]
    if given.name not in (None, *names):
        raise UserError(
            f"name={given.name} is not a data set that can be fetched.{did_you_mean(str(given.name), names)}"
        )
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

    cfg = compose(f"data={name}")
    if folder is not None and "dir" in cfg.data:
        cfg.data.dir = folder
    data = build_data(cfg)
    data.fetch()
    splits = data.load()
    sizes = " + ".join(f"{len(part.images):,} {split}" for split, part in splits._asdict().items())
    shape = "x".join(map(str, data.image_shape))
    return f"{sizes} images of {shape}, {len(data.class_names)} classes, in {data.location}"
