"""Two jobs of one thread each, or one job of all threads at a time: which is faster on this machine?

    python -m benchmarks.study_jobs [WORD ...]

A study of two seeds is run both ways, each in a new folder; other words go to it, such as model=wgan or
budget.max_images=50000. Nothing else should run on the machine: its load is printed before each.
"""

import os
import subprocess
import sys
import tempfile
import time

WORDS = ("arms.dcgan=model=dcgan", "data=mnist_5k", "seeds=[0,1]", "logger=csv")
BUDGET = "budget.max_images=50000"


def measure(jobs: int, words: list[str]) -> float:
    """Seconds that the study takes with so many jobs at a time."""
    budget = [] if any(word.startswith("budget.") for word in words) else [BUDGET]
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "gan_lightning",
            "study",
            *WORDS,
            *words,
            *budget,
            f"out={out}",
            f"jobs={jobs}",
        ]
        started = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started


def main(words: list[str]) -> None:
    """Measure both ways twice, in turn, so that a change of the machine's load does not favour one."""
    for jobs in (1, 2, 2, 1):
        load = f"load before {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(f"jobs={jobs}: {measure(jobs, words):.0f} s  {load}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
