"""The command explore: a trained generator's page, written into its run folder and opened in a browser."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from gan_lightning.cli.options import GENERATOR, RunOptions, keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.runs import find_run

PAGE = "playground.html"


class Options(RunOptions):
    """Open a page that draws a trained generator's images as you move its sliders.

      python -m gan_lightning explore run=FOLDER
      python -m gan_lightning explore run=latest

    The page is written into the run folder as playground.html, and needs no program but a browser.
    """

    run: PathName = Field(description=GENERATOR)
    weights: Literal["ema", "raw"] = Field("ema", description="Averaged weights of the generator, or those as trained.")
    browser: bool = Field(True, description="Whether to open the page in your browser; false only writes it.")


def main(words: list[str]) -> None:
    """Write the page and open it."""
    options = read_options(Options, keyed(parse(words)))
    run = find_run(options.run)

    import webbrowser

    from gan_lightning.export import read_trained
    from gan_lightning.export.page import make_page, show
    from gan_lightning.files import write_atomically

    trained = read_trained(run, options.weights, options.trust)
    page, out = make_page([show(trained)]), page_of(trained.file)
    write_atomically(out, page.text.encode())
    opened = options.browser and webbrowser.open(out.as_uri())
    print(f"{'opened' if opened else 'open in a browser:'} {out}")


def page_of(file: Path) -> Path:
    """Where a page belongs: into the run folder of a checkpoint; for an exported file, into the current folder."""
    from gan_lightning.export.reading import SUFFIX

    return Path(PAGE).resolve() if file.suffix == SUFFIX else file.resolve().parent.parent / PAGE
