"""Running the jobs of a study: so many processes at a time, the threads divided among them."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gan_lightning.cli.options import is_plain
from gan_lightning.config.messages import word_with_quotes
from gan_lightning.study.plan import Job, Study
from gan_lightning.study.worker import ERROR, SECONDS_TO_STOP

POLL_SECONDS = 0.1

LOG = "study.log"
"""What a job has printed in its last session, in its folder."""

Process = subprocess.Popen[bytes]


def run_jobs(
    jobs: Sequence[Job],
    at_once: int,
    start: Callable[[Job], Process],
    ended: Callable[[Job, str], None],
) -> None:
    """Run jobs in the order given, each in a process of its own; when this function is left, all have ended.

    Args:
        jobs: The jobs to run.
        at_once: How many run at a time.
        start: Starts the process of a job.
        ended: Called when a job has ended, with its error, empty when there is none.
    """
    waiting = deque(jobs)
    running: dict[Job, Process] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.popleft()
                running[job] = start(job)
            for job in [job for job, process in running.items() if process.poll() is not None]:
                ended(job, error_of(job, running.pop(job).returncode))
            time.sleep(POLL_SECONDS)
    finally:
        stop(running.values())


def start_job(job: Job, study: Study, group: str, threads: int) -> Process:
    """Start the process of a job; what it prints goes to a file in its folder.

    It has a session of its own, so that a Ctrl-C of the terminal reaches the study alone, which then stops its jobs.
    """
    settings = json.dumps({"name": job.title, "group": group, "scores": study.scores, "n": study.n})
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / LOG).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "gan_lightning.study.worker", settings, *words_with_folder(job)],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)}, start_new_session=True,
        )  # fmt: skip


def words_with_folder(job: Job) -> list[str]:
    """The words of a training's command line that make the job, its folder among them."""
    return [*job.words, path_word("hydra.run.dir", job.folder)]


def path_word(key: str, path: Path) -> str:
    """An option that names a file or folder, in quotes where Hydra's grammar needs them."""
    return f"{key}={path}" if is_plain(str(path)) else word_with_quotes(key, path)


def threads_each(at_once: int) -> int:
    """The threads of each of several processes: an equal part of OMP_NUM_THREADS, or else of the processors."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, (int(given) if given.isdecimal() else os.cpu_count() or 1) // at_once)


def stop(processes: Iterable[Process]) -> None:
    """Ask jobs to save and end, which the end of their input does, and wait for them."""
    processes = list(processes)
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    for process in processes:
        try:
            process.wait(SECONDS_TO_STOP + 5)
        except subprocess.TimeoutExpired:
            process.kill()


def error_of(job: Job, returncode: int) -> str:
    """Why a job failed, as it has printed; empty when it did not."""
    if returncode == 0:
        return ""
    printed = f"\n{(job.folder / LOG).read_text(errors='replace')}".rpartition(f"\n{ERROR}")
    if returncode == 1 and printed[1]:
        return printed[2].strip()
    if returncode == 130:
        return "it was stopped from outside; the same command goes on with it"
    cause = f"by signal {-returncode}" if returncode < 0 else f"with status {returncode}"
    memory = ": the system may be out of memory; type a smaller jobs=" if returncode == -9 else ""
    return f"its process was ended {cause}{memory}"
