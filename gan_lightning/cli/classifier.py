"""The command classifier: the reference classifier of a data set."""

from pathlib import Path

from pydantic import Field

from gan_lightning.cli.options import CommandOptions, compose_data, read_options, split_data_overrides
from gan_lightning.config.values import PathName


class Options(CommandOptions):
    """Describe the reference classifier of a data set, whose features and classes the scores use; train it if needed.

      python -m gan_lightning classifier data=mnist
      python -m gan_lightning classifier data=image_folder data.dir=FOLDER

    It is the one that ships with this package, or the cached one, or else one that is trained now and cached, in at
    most about 90 s on two cores.
    """

    data: str = Field(description="Name of the data set; its own options follow as data.KEY=VALUE.")
    out: PathName | None = Field(None, description="Folder to keep a classifier in that is trained in any case.")


def main(words: list[str]) -> None:
    """Print the card of the classifier that the words ask for."""
    of_data, own = split_data_overrides(words)
    options = read_options(Options, own)
    cfg = compose_data(options.data, of_data)

    from gan_lightning.build import build_data
    from gan_lightning.evaluation.extractor import extractor_for, train_extractor

    data = build_data(cfg)
    data.prepare_data()
    data.setup()
    found = extractor_for(data) if options.out is None else train_extractor(data, Path(options.out))
    for key, value in found.card.items():
        print(f"{key:<16} {value}")
