"""Kills at random moments: what was saved is whole, and the run goes on to the weights of one never stopped."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_lightning.training.checkpoint_file import verify
from gan_lightning.training.run_folder import RunFolder
from tests.faults.children import STEPS, WORDS, resume, start, train, trials
from tests.helpers import ROOT, TINY, run, same, weights

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills are POSIX's")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache_folder):
    """The run that is never stopped."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    yield run(tmp_path_factory.mktemp("whole") / "run", *WORDS, STEPS)
    patch.undo()


def wait_for(moment: str, folder: RunFolder, process, chance: random.Random, seconds: float) -> None:
    """Until a random time after the start, or until a checkpoint is being written or has just got its name."""
    if moment == "at any time":
        process.join(chance.uniform(0, seconds))
        return
    watched = {"amid a checkpoint": folder.last.with_suffix(".part"), "between two names": folder.previous}[moment]
    process.join(chance.uniform(0, seconds / 2))
    while process.is_alive() and not watched.exists():
        time.sleep(0.0005)


MOMENTS = ("at any time", "amid a checkpoint", "at any time", "between two names")


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, whole):
    """Killed up to three times, in its first epoch, too; started over by its command where nothing was saved yet."""
    seconds, count = time_training(tmp_path), trials(100)
    kills = over = trial = 0
    while kills < count:
        chance = random.Random(trial)
        folder = RunFolder(tmp_path / str(trial))
        trial += 1
        for attempt in range(chance.randint(1, 3)):
            process = begin(folder)
            over += attempt > 0 and folder.newest_checkpoint() is None
            wait_for(MOMENTS[kills % len(MOMENTS)], folder, process, chance, seconds)
            kills += process.is_alive()
            process.kill()
            process.join()
            for file in folder.checkpoints.glob("*.ckpt"):
                verify(file)  # none is torn
        if folder.status().get("state") != "finished":
            process = begin(folder)
            process.join()
            assert process.exitcode == 0, trial
        assert same(weights(folder), weights(whole)), trial
    print(f"\n{kills} of {kills} kills in {trial} runs went on to the same weights; {over} started over")


def time_training(folder: Path) -> float:
    """Seconds that the run takes; the first process, which waits for the imports, does not count."""
    for name in ("imports", "timed"):
        began = time.monotonic()
        process = start(train, folder / name, STEPS)
        process.join()
        assert process.exitcode == 0
    return time.monotonic() - began


def begin(folder: RunFolder):
    """Resume a run, or train it from the beginning where it has no checkpoint."""
    saved = folder.newest_checkpoint() is not None
    return start(resume, folder.path) if saved else start(train, folder.path, STEPS)


def test_a_killed_sweep_goes_on(tmp_path):
    """Its first job is finished, its second is killed after a checkpoint, its third has not begun."""
    words = ["-m", *TINY, *WORDS, "max_generator_steps=30", "seed=0,1,2", f"hydra.sweep.dir={tmp_path}",
             "hydra.sweep.subdir=${seed}", "data.batch_size=400"]  # fmt: skip
    words = list(dict.fromkeys(word for word in words if word != "data.batch_size=8"))
    command = [sys.executable, "-m", "gan_lightning", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    second = RunFolder(tmp_path / "1")
    while process.poll() is None and not second.last.exists():
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert [RunFolder(tmp_path / name).status().get("state") for name in "012"] == ["finished", "running", None]
    first = (tmp_path / "0" / "status.json").read_bytes()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 is finished: skipped" in again.stdout and "1 goes on where it stopped" in again.stdout
    assert (tmp_path / "0" / "status.json").read_bytes() == first
    assert [RunFolder(tmp_path / name).status()["generator_steps"] for name in "012"] == [30, 30, 30]
    alone = run(tmp_path / "alone", *WORDS, "max_generator_steps=30", "seed=1")
    assert same(weights(second), weights(alone))


def test_of_two_starts_at_once_one_is_refused(tmp_path):
    count, refused = trials(20), 0
    for trial in range(count):
        folder = tmp_path / str(trial)
        processes = [start(train, folder, STEPS) for _ in range(2)]
        for process in processes:
            process.join()
        assert sorted(process.exitcode for process in processes) == [0, 2]
        refused += 1
        assert RunFolder(folder).status()["generator_steps"] == 40
        assert len(RunFolder(folder).status()["sessions"]) == 1
    print(f"\n{refused} of {count} times one of two starts was refused")


def test_nothing_but_seconds_is_lost(tmp_path):
    """A run that is killed has lost no more than `every_minutes`, and the step that was under way."""
    folder = RunFolder(tmp_path / "run")
    process = start(train, folder.path, "max_generator_steps=2000")
    while not folder.previous.exists():
        time.sleep(0.01)
    time.sleep(1)
    process.kill()
    killed = time.time()
    process.join()
    newest = folder.newest_checkpoint()
    assert newest is not None
    assert killed - Path(newest).stat().st_mtime < 0.12 + 2  # the two seconds are for a busy machine
