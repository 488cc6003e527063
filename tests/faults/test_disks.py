"""Disks that are full, and folders that may not be written to."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_lightning.training.checkpoint_file import verify
from gan_lightning.training.run_folder import RunFolder
from tests.faults.children import STEPS, WORDS, resume, start, train
from tests.helpers import run, same, weights

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="limits and mounts are POSIX's")]

MORE = "max_generator_steps=60"

NOBODY = 65534


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system in memory; skips the test where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def resume_with_small_files(folder: Path, limit: int) -> None:
    """Resume where no file may be larger than a limit, as on a disk that is full half-way through a checkpoint."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    resume(folder, MORE)


def resume_as_nobody(folder: Path) -> None:
    """Resume without the rights of the superuser."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    resume(folder, MORE)


def assert_goes_on(folder: RunFolder) -> None:
    """The checkpoints are whole, and training goes on from them to the same weights."""
    for file in folder.checkpoints.glob("*.ckpt"):
        verify(file)
    assert not list(folder.checkpoints.glob("*.part"))
    process = start(resume, folder.path, MORE)
    process.join()
    assert process.exitcode == 0
    assert same(weights(folder), weights(run(folder.path.parent.parent / "whole", *WORDS, MORE)))


def test_a_disk_that_is_full_amid_a_checkpoint_loses_nothing_saved(tmp_path):
    folder = run(tmp_path / "disk" / "run", *WORDS, STEPS)
    process = start(resume_with_small_files, folder.path, folder.last.stat().st_size // 2)
    process.join()
    assert process.exitcode == 2
    assert f"File too large; what was saved before is whole, in {folder.path}" in process.errors.recv()
    assert folder.status()["state"] == "failed"
    assert_goes_on(folder)


def test_a_small_file_system_that_is_full_loses_nothing_saved(tmp_path):
    with small_disk(tmp_path / "disk", "6m"):
        folder = RunFolder(tmp_path / "disk" / "run")
        process = start(train, folder.path, STEPS)
        process.join()
        assert process.exitcode == 0
        filler = folder.path / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        process = start(resume, folder.path, MORE)
        process.join()
        assert process.exitcode == 2
        assert "No space left on device" in process.errors.recv()
        filler.unlink()
        assert_goes_on(folder)


def test_a_read_only_folder_is_refused_before_training(tmp_path, cache_folder):
    folder = run(tmp_path / "disk" / "run", *WORDS, STEPS)
    for path in (*folder.path.parents, cache_folder):
        if path.is_relative_to(tmp_path.parent.parent.parent) and path.stat().st_uid == os.geteuid():
            path.chmod(0o755)
    before = {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()}
    folder.path.chmod(0o555)
    process = start(resume_as_nobody, folder.path)
    process.join()
    folder.path.chmod(0o755)
    assert process.exitcode == 2
    assert f"{folder.path} cannot be written to" in process.errors.recv()
    assert {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file() and file in before} == before
