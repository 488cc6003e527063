"""Run many random command lines and count tracebacks: python -m tests.fuzz.count_command_lines 20000."""

import os
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from tests.fuzz.harness import Tally, limit_memory, parse_arguments, run_words
from tests.fuzz.places import make_places
from tests.fuzz.words import command_line


def main() -> int:
    """Print the tally; the number of tracebacks is the status."""
    given, tally = parse_arguments(__doc__), Tally()
    torch.set_num_threads(1)
    limit_memory()
    os.environ |= {"WANDB_MODE": "disabled", "NETRC": "/nowhere"}
    with TemporaryDirectory() as folder:
        os.environ.setdefault("GAN_LIGHTNING_CACHE", f"{folder}/cache")
        places = make_places(Path(folder).resolve())
        os.chdir(folder)
        for seed in range(given.first, given.first + given.count):
            words = command_line(Random(seed), places)
            tally.add(run_words(words), (seed, words))
            if seed % 1000 == 999:
                print(tally, flush=True)
        os.chdir("/")
    print(tally)
    return min(1, len(tally.counts))


if __name__ == "__main__":
    sys.exit(main())
