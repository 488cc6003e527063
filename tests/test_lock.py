"""One writer per run folder."""

import json
import os
import socket
import subprocess
import sys

import pytest

from gan_lightning.__main__ import run_command
from gan_lightning.training.lock import LockedError, locked_run
from tests.helpers import ROOT

pytestmark = pytest.mark.slow

HOLD = """
import sys
from pathlib import Path
from gan_lightning.training.lock import locked_run
with locked_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(folder) -> subprocess.Popen:
    """A process that holds a folder's lock until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_refused_by_pid_and_host_until_the_first_is_dead(finished):
    process = holding(finished.path)
    holder = f"is in use by process {process.pid} on {socket.gethostname()}, and a run folder has one writer"
    for words in (("resume", "max_generator_steps=12"), ("evaluate", "n=200")):
        with pytest.raises(LockedError, match=holder):
            run_command(words[0], f"run={finished.path}", *words[1:])
    assert finished.status()["state"] == "finished"
    process.kill()
    process.communicate()
    assert (finished.path / ".lock.json").is_file()  # what the dead process left
    with locked_run(finished.path):
        assert json.loads((finished.path / ".lock.json").read_text())["pid"] == os.getpid()
    assert not (finished.path / ".lock.json").exists()


def test_a_command_that_holds_the_lock_may_ask_again(tmp_path):
    with locked_run(tmp_path), locked_run(tmp_path / "." / "x" / ".."):
        pass
    holding(tmp_path).communicate()


def test_a_stale_or_torn_name_names_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr("gan_lightning.training.lock.SECONDS_TO_SIGN", 0.1)
    process = holding(tmp_path)
    for garbage in ("", "[]", '{"pid": "x", "host": 1}', json.dumps({"pid": 2**22 + 1, "host": socket.gethostname()})):
        (tmp_path / ".lock.json").write_text(garbage)
        with pytest.raises(LockedError, match="in use by another process"), locked_run(tmp_path):
            pass
    process.communicate()
