"""The command export: a trained generator as a file for other programs, or as a page for other people."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from gan_lightning.cli.options import RUN, RunOptions, keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError
from gan_lightning.runs import find_run

Format = Literal["safetensors", "html"]


class Options(RunOptions):
    """Write a trained generator as one file.

      python -m gan_lightning export run=FOLDER format=html out=playground.html
      python -m gan_lightning export run=FOLDER format=safetensors out=generator.safetensors

    html is a page that draws images by itself, in any browser and without a network; safetensors holds the weights, and
    all that it takes to build the generator again: gan_lightning.export.read_export("generator.safetensors").
    """

    run: PathName | list[PathName] = Field(description=f"{RUN} Several for one page: run=[A,B].")
    format: Format = Field("html", description="html for a page, safetensors for weights and their description.")
    weights: Literal["ema", "raw"] = Field("ema", description="Averaged weights of the generator, or those as trained.")
    out: PathName | None = Field(None, description="The file; null: playground.html or generator.safetensors, here.")


NAMES: dict[Format, str] = {"html": "playground.html", "safetensors": "generator.safetensors"}
"""Names of the files unless `out=` gives another."""


def main(words: list[str]) -> None:
    """Write the file that the words ask for."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out or NAMES[options.format])
    check_out(out, options.format)

    said = write_page(options, out) if options.format == "html" else write_weights(options, out)
    print(f"{out}: {said}, {out.stat().st_size / 1e6:.1f} MB")


def check_out(out: Path, format: Format) -> None:
    """Refuse a name that says another format than the one that is written."""
    suffix = Path(NAMES[format]).suffix
    if out.suffix.lower() != suffix:
        other = next((each for each, name in NAMES.items() if Path(name).suffix == out.suffix.lower()), None)
        hint = f", or format={other}" if other else ""
        raise UserError(f"out={out} is not allowed with format={format}: type out={out.stem}{suffix}{hint}")
    if out.is_dir():
        raise UserError(f"out={out} is a folder; type out={out / NAMES[format]}")


def write_weights(options: Options, out: Path) -> str:
    """Write the weights and their description; what was written, in words."""
    if isinstance(options.run, list):
        raise UserError(f"a file of weights holds one generator: type run={options.run[0]}, or format=html")

    from gan_lightning.export.facts import read_run
    from gan_lightning.export.weights import write_export

    sampler, facts = read_run(find_run(options.run), options.weights, options.trust)
    write_export(sampler, facts, out)
    return f"the generator ({facts.weights} weights) after {facts.generator_steps:,} generator steps"


def write_page(options: Options, out: Path) -> str:
    """Write the page; what was written, in words."""
    runs = [find_run(run) for run in (options.run if isinstance(options.run, list) else [options.run])]

    from gan_lightning.export.page import make_page, read_shown
    from gan_lightning.files import write_atomically

    page = make_page([read_shown(run, options.weights, options.trust) for run in runs])
    write_atomically(out, page.text.encode())
    return f"open it in a browser; its pixels differ from PyTorch's by {page.error:.2f}/255 at most (of 16 images)"
