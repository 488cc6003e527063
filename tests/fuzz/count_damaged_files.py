"""Read many damaged files and count tracebacks: python -m tests.fuzz.count_damaged_files 50000."""

import os
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from tests.fuzz.files import make_cases, read_damaged
from tests.fuzz.harness import Tally, limit_memory, parse_arguments
from tests.fuzz.places import make_places


def main() -> int:
    """Print the tally; the number of tracebacks is the status."""
    given, tally = parse_arguments(__doc__), Tally()
    torch.set_num_threads(1)
    limit_memory()
    os.environ |= {"WANDB_MODE": "disabled", "NETRC": "/nowhere"}
    with TemporaryDirectory() as folder:
        os.environ["GAN_LIGHTNING_CACHE"] = f"{folder}/cache"  # its files are damaged, too
        places = make_places(Path(folder).resolve())
        cases = make_cases(Path(folder).resolve() / "files", places)
        os.chdir(folder)
        for seed in range(given.first, given.first + given.count):
            kind, trouble = read_damaged(Random(seed), cases)
            tally.add(trouble, (seed, kind))
            if seed % 1000 == 999:
                print(tally, flush=True)
        os.chdir("/")
    print(tally)
    return min(1, len(tally.counts))


if __name__ == "__main__":
    sys.exit(main())
