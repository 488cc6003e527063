"""The command export: a trained generator as a file for other programs, or as a page for other people."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gan_lightning.cli.options import RunOptions, keyed, parse, read_options
from gan_lightning.config.values import PathName
from gan_lightning.errors import UserError
from gan_lightning.runs import find_run

if TYPE_CHECKING:
    from gan_lightning.export import Trained

Format = Literal["safetensors", "onnx", "html"]


class Options(RunOptions):
    """Write a trained generator as one file.

      python -m gan_lightning export run=FOLDER format=html out=playground.html
      python -m gan_lightning export run=FOLDER format=safetensors out=generator.safetensors
      python -m gan_lightning export run=FOLDER format=onnx out=generator.onnx

    html is a page that draws images by itself, in any browser and without a network. safetensors holds the weights and
    all that it takes to build the generator again: every command takes such a file as run=FILE. onnx is for other
    programs. Beside the latter two, a model card says what the generator is, how it was trained and what it scores.
    """

    run: PathName | list[PathName] = Field(
        description="Run folder, checkpoint, exported file, latest, or a part of a run's name; [A,B] for one page."
    )
    format: Format = Field(
        "html", description="html for a page, safetensors for weights that this program reads, onnx for others."
    )
    weights: Literal["ema", "raw"] = Field("ema", description="Averaged weights of the generator, or those as trained.")
    half: bool = Field(False, description="Whether safetensors holds numbers of 16 bits, in half the bytes.")
    license: str | None = Field(
        None, description="License of the weights, such as MIT or CC-BY-4.0, for the model card; null: none is named."
    )
    out: PathName | None = Field(
        None, description="The file; null: playground.html, generator.safetensors or generator.onnx, here."
    )


NAMES: dict[Format, str] = {
    "html": "playground.html", "safetensors": "generator.safetensors", "onnx": "generator.onnx",
}  # fmt: skip
"""Names of the files unless `out=` gives another."""


def main(words: list[str]) -> None:
    """Write the file that the words ask for."""
    options = read_options(Options, keyed(parse(words)))
    out = Path(options.out or NAMES[options.format])
    check_out(out, options.format)
    if options.half and options.format != "safetensors":
        raise UserError("half=true is for format=safetensors alone; leave it out")

    WRITERS[options.format](options, out)


def check_out(out: Path, format: Format) -> None:
    """Refuse a name that says another format than the one that is written."""
    suffix = Path(NAMES[format]).suffix
    if out.suffix.lower() != suffix:
        other = next((each for each, name in NAMES.items() if Path(name).suffix == out.suffix.lower()), None)
        hint = f", or format={other}" if other else ""
        raise UserError(f"out={out} is not allowed with format={format}: type out={out.stem}{suffix}{hint}")
    if out.is_dir():
        raise UserError(f"out={out} is a folder; type out={out / NAMES[format]}")


def read_one(options: Options) -> "Trained":
    """The one generator that a file of weights holds.

    Raises:
        UserError: There are several.
    """
    if isinstance(options.run, list):
        raise UserError(f"a file of weights holds one generator: type run={options.run[0]}, or format=html")

    from gan_lightning.export import read_trained

    trained = read_trained(find_run(options.run), options.weights, options.trust)
    if options.license is None:
        return trained
    return trained._replace(facts=trained.facts.model_copy(update={"license": options.license}))


def write_weights(options: Options, out: Path) -> None:
    """Write the weights and their description, once it is sure that these draw the same images."""
    trained = read_one(options)

    from gan_lightning.export.parity import check_parity
    from gan_lightning.export.weights import decode_export, encode_export
    from gan_lightning.files import write_atomically

    content = encode_export(trained.sampler, trained.facts, options.half)
    difference = check_parity(trained.sampler, decode_export(content, out, options.trust).sampler.generate)
    write_atomically(out, content)
    report(trained, difference, out)


def write_onnx(options: Options, out: Path) -> None:
    """Write the network as ONNX, once it is sure that it draws the same images."""
    trained = read_one(options)

    from gan_lightning.export.onnx_file import encode_onnx, running
    from gan_lightning.export.parity import check_parity
    from gan_lightning.files import write_atomically

    content = encode_onnx(trained.sampler, trained.facts)
    difference = check_parity(trained.sampler, running(content))
    write_atomically(out, content)
    report(trained, difference, out)


def report(trained: "Trained", difference: float, out: Path) -> None:
    """Write the model card of a file and say what was written."""
    from gan_lightning.export.card import write_card

    card = write_card(trained, difference, out)
    print(
        f"{out}: the generator ({trained.facts.weights} weights) after {trained.facts.generator_steps:,} generator "
        f"steps, {out.stat().st_size / 1e6:.1f} MB; its pixels differ from the run's by {difference:.2g}/255 at most; "
        f"model card: {card}"
    )


def write_page(options: Options, out: Path) -> None:
    """Write the page of one generator or of several."""
    runs = [find_run(run) for run in (options.run if isinstance(options.run, list) else [options.run])]

    from gan_lightning.export import read_trained
    from gan_lightning.export.page import make_page, show
    from gan_lightning.files import write_atomically

    page = make_page([show(read_trained(run, options.weights, options.trust)) for run in runs])
    write_atomically(out, page.text.encode())
    print(
        f"{out}: open it in a browser; {out.stat().st_size / 1e6:.1f} MB; its pixels differ from PyTorch's by "
        f"{page.error:.2f}/255 at most (of 16 images)"
    )


WRITERS = {"html": write_page, "safetensors": write_weights, "onnx": write_onnx}
