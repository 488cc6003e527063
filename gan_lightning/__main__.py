"""The command line: `python -m gan_lightning [COMMAND] [key=value ...]`; without a command it trains."""

import difflib
import logging
import os
import signal
import sys
from importlib import import_module

from gan_lightning import __version__
from gan_lightning.errors import UserError

HELP = """\
Train GANs on small images, and evaluate them.

  python -m gan_lightning model=wgan_gp data=fashion_mnist     train
  python -m gan_lightning -m model=gan,wgan seed=0,1,2         train every combination
  python -m gan_lightning resume run=FOLDER [trainer.max_epochs=20]
  python -m gan_lightning sample run=FOLDER n=64 seed=0 out=grid.png
  python -m gan_lightning interpolate run=FOLDER out=film.gif  images on the way from one latent vector to another
  python -m gan_lightning project run=FOLDER image=FILE.png    the generator's image that is nearest to a given one
  python -m gan_lightning dataset run=FOLDER n=60000 out=FOLDER    a labelled data set for any other program
  python -m gan_lightning evaluate run=FOLDER                  every score, beside what real images score
  python -m gan_lightning evaluate images=FILE.npz data=mnist  the same for samples of any other program
  python -m gan_lightning export run=FOLDER format=html        a page that draws images in any browser
  python -m gan_lightning explore run=FOLDER                   the same page, opened
  python -m gan_lightning classifier data=image_folder data.dir=FOLDER
  python -m gan_lightning list                                 every model, loss, network, data set ...
  python -m gan_lightning describe model=wgan_gp               its options, defaults and what they mean
  python -m gan_lightning data                                 fetch and verify the data sets

  python -m gan_lightning COMMAND --help                       what a command does, and its options
  python -m gan_lightning model=wgan --cfg job                 print every option of a training, and train nothing
Options are the keys that this prints: python -m gan_lightning data.batch_size=32 seed=1 trainer.max_time=00:00:05:00
"""

HELP_WORDS = {"-h", "--help"}

MODULES = {
    "train": "train",
    "resume": "resume",
    "sample": "sample",
    "interpolate": "interpolate",
    "project": "project",
    "dataset": "dataset",
    "evaluate": "evaluate",
    "export": "export",
    "explore": "explore",
    "classifier": "classifier",
    "list": "list_parts",
    "describe": "describe",
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
        print(message, file=sys.stderr)
        sys.exit(2)
    except (UserError, OSError) as error:  # the latter: a full disk, a folder one may not write to
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


NEEDED = ("hydra", "numpy", "omegaconf", "PIL", "pydantic", "pytorch_lightning", "torch", "torchvision", "yaml")
"""Packages without which no command runs."""


def explain_missing(error: ModuleNotFoundError) -> str | None:
    """What to type when this program is not installed in the Python that runs it; None when something else is wrong."""
    if (error.name or "").partition(".")[0] not in NEEDED:
        return None
    return (
        f"error: this Python, {sys.executable}, has no {error.name}: type `source .venv/bin/activate` where `make` has "
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
        print(HELP, end="")
        return
    command, words = split_command(words)
    if HELP_WORDS & set(words):
        print_help(command)
        return
    if command != "train":  # whose logging Hydra sets up
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    run_command(command, *words)


def split_command(words: list[str]) -> tuple[str, list[str]]:
    """The command, "train" when none is named, and the words after it."""
    if not words or words[0].startswith(("-", "~")) or "=" in words[0]:
        return "train", words
    if words[0] not in MODULES:
        close = difflib.get_close_matches(words[0], MODULES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UserError(f"{words[0]} is not a command.{hint} Allowed: {', '.join(MODULES)}; options are key=value")
    return words[0], words[1:]


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
