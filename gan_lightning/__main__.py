"""The command line: `python -m gan_lightning [COMMAND] [key=value ...]`; without a command it trains."""

import difflib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

from gan_lightning import __version__
from gan_lightning.errors import UserError

USAGE = "python -m gan_lightning [COMMAND] [key=value ...]"

HELP: dict[str, dict[str, str]] = {
    "Train (no COMMAND needed)": {
        "model=wgan_gp data=fashion_mnist": "one run, into a new folder runs/MODEL-DATA/TIME",
        "-m model=gan,wgan seed=0,1,2": "every combination, a folder each",
        "study study=comparative": "models, data sets and seeds: trained, scored, compared",
        "model=wgan --cfg job": "print every option of a run, and train nothing",
        "resume run=FOLDER epochs=20": "go on where a run stopped",
    },
    "Draw": {
        "sample run=FOLDER n=64 out=grid.png": "images; or out=FILE.npz, out=FOLDER of any number",
        "interpolate run=FOLDER out=film.gif": "on the way from one latent vector to another",
        "project run=FOLDER image=FILE.png": "the generator's image nearest to a given one",
        "dataset run=FOLDER n=60000 out=FOLDER": "a labelled data set that torchvision reads",
    },
    "Measure": {
        "evaluate run=FOLDER": "every score, beside what real images score",
        "evaluate images=FILE.npz data=mnist": "the same for samples of any other program",
        "report runs=FOLDER out=report.html": "a page that compares runs, with the uncertainty over seeds",
        "classifier data=mnist": "the classifier that the scores use",
    },
    "Take with you": {
        "export run=FOLDER format=html": "a page that draws images in any browser",
        "export run=FOLDER format=safetensors": "weights that describe themselves",
        "export run=FOLDER format=onnx": "the network, for any other program",
        "explore run=FOLDER": "the page, opened",
    },
    "Look up": {
        "list": "every model, loss, network, data set ...",
        "list model=wgan_gp": "what it is, its options and defaults",
        "data": "fetch and verify the data sets",
        "help COMMAND": "what a command does, and its options",
        "-sc install=bash": "print what lets Tab complete all of this",
    },
}
"""What can be typed after the program's name, and what it does, in groups."""


HELP_WORDS = {"-h", "--help"}

COMPLETION_WORDS = {"-sc", "--shell-completion"}
"""Hydra's names of what a shell asks by."""

MODULES = {
    "train": "train",
    "study": "study",
    "resume": "resume",
    "sample": "sample",
    "interpolate": "interpolate",
    "project": "project",
    "dataset": "dataset",
    "evaluate": "evaluate",
    "report": "report",
    "export": "export",
    "explore": "explore",
    "classifier": "classifier",
    "list": "list_parts",
    "data": "data",
}
"""Every command, and its module in `gan_lightning.cli`."""


def main() -> None:
    """Run the command that the command line names; errors of the user's are one message and status 2."""
    try:
        dispatch(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # who reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at exit
        sys.exit(128 + signal.SIGPIPE)
    except ModuleNotFoundError as error:
        if not (message := explain_missing(error)):
            raise
        report(message)
        sys.exit(2)
    except (UserError, OSError) as error:  # the latter: a full disk, a folder one may not write to
        report(f"{error}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def report(message: str) -> None:
    """Print an error, its first word red in a terminal."""
    from gan_lightning.cli.terminal import paint

    print(paint("error:", "red", sys.stderr), message, file=sys.stderr)


NEEDED = ("hydra", "numpy", "omegaconf", "PIL", "pydantic", "pytorch_lightning", "torch", "torchvision", "yaml")
"""Packages without which no command runs."""


def explain_missing(error: ModuleNotFoundError) -> str | None:
    """What to type when this program is not installed in the Python that runs it; None when something else is wrong."""
    if (error.name or "").partition(".")[0] not in NEEDED:
        return None
    return (
        f"this Python, {sys.executable}, has no {error.name}: type `source .venv/bin/activate` where `make` has "
        "set up .venv, or `pip install -e .` to install everything into this Python"
    )


def dispatch(words: list[str]) -> None:
    """Print the help that the words ask for, or run their command."""
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if words == ["--version"]:
        print(f"gan_lightning {__version__}")
        return
    if words[:1] and words[0] in HELP_WORDS:
        print_overview()
        return
    if words[:1] and words[0] in COMPLETION_WORDS:
        complete(words)
        return
    command, words = split_command(words)
    if HELP_WORDS & set(words):
        print_help(command)
        return
    if command != "train":  # whose logging Hydra sets up
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    run_command(command, *words)


def complete(words: list[str]) -> None:
    """Print what a shell needs to complete this program's words, or what it asks for."""
    from gan_lightning.cli.completion import main

    main(words, MODULES)


def split_command(words: list[str]) -> tuple[str, list[str]]:
    """The command, "train" when none is named, and the words after it."""
    if not words or words[0].startswith(("-", "~")) or "=" in words[0]:
        return "train", words
    if words[0] not in MODULES:
        close = difflib.get_close_matches(words[0], MODULES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UserError(f"{words[0]} is not a command.{hint} Allowed: {', '.join(MODULES)}; options are key=value")
    return words[0], words[1:]


def print_overview() -> None:
    """Print what there is to type, on one screen."""
    from gan_lightning.cli.terminal import paint

    print(*overview(lambda title: paint(title, "bold", sys.stdout)), sep="\n")


def overview(painted: Callable[[str], str] = str) -> Iterator[str]:
    """The lines of what there is to type, titles as `painted` shows them."""
    from gan_lightning.cli.terminal import in_columns, wrap

    width = max(len(typed) for rows in HELP.values() for typed in rows)
    yield from wrap("Train GANs on small images, and use what you trained:")
    yield f"  {USAGE}"
    for title, rows in HELP.items():
        yield from ("", painted(title), *in_columns(rows.items(), width))
    yield from ("", *wrap("run=latest is the run written last; part of a run's name is enough, too."))


def print_help(command: str) -> None:
    """Print what a command does, and its options."""
    from gan_lightning.cli.options import format_help

    print(format_help(import_module(f"gan_lightning.cli.{MODULES[command]}").Options), end="")


def run_command(command: str, *words: str) -> None:
    """Run a command in this process: `run_command("sample", "run=FOLDER", "n=9")`.

    Raises:
        UserError: Something is wrong with the words, or with what they name.
    """
    import_module(f"gan_lightning.cli.{MODULES[command]}").main(list(words))


if __name__ == "__main__":
    main()
