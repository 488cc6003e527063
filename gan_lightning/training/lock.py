"""One writer per run folder: training, resuming and evaluating hold a lock on it."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.errors import UserError
from gan_lightning.files import refuse_links, write_atomically

SECONDS_TO_SIGN = 2.0
"""How long the holder of a lock may take to write its name into the folder."""

HELD: set[Path] = set()
"""Folders that this process holds: what it calls while it holds one may ask for it again."""


class LockedError(UserError):
    """Another process writes to the run folder."""


@contextmanager
def locked_run(folder: Path) -> Iterator[None]:
    """Hold a run folder's lock; the helper processes of a several-process run go by the first one's.

    The lock is the operating system's, on the file `.lock`: it ends with the process that holds it, however that ends.
    `.lock.json` names the holder.

    Args:
        folder: The run folder, which is made when it is missing.

    Raises:
        LockedError: Another process holds the lock.
        UserError: Something in the folder is a symbolic link to elsewhere.
    """
    folder = folder.resolve()
    if folder in HELD or rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        yield
        return
    refuse_links(folder)
    with locked(folder, "a run folder has one writer at a time"):
        HELD.add(folder)
        try:
            yield
        finally:
            HELD.discard(folder)


@contextmanager
def locked(folder: Path, why: str) -> Iterator[None]:
    """Hold the lock of any folder, which is made when it is missing.

    Args:
        folder: The folder.
        why: The rule that the error of a second holder names.

    Raises:
        LockedError: Another process holds the lock.
        UserError: The folder cannot be written to.
    """
    lock, holder = FileLock(folder / ".lock"), folder / ".lock.json"
    acquire(lock, folder, why)
    try:
        write_atomically(holder, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def acquire(lock: FileLock, folder: Path, why: str) -> None:
    """Take the lock, or say who has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(
            f"{folder} is in use by {name_holder(folder)}, and {why}; wait until it has ended, or type another folder"
        ) from None
    except OSError as error:
        raise UserError(f"{folder} cannot be written to ({error}); type another folder") from error


def name_holder(folder: Path) -> str:
    """Who holds the lock, by pid and host; a name that a killed process left is waited out."""
    deadline = time.monotonic() + SECONDS_TO_SIGN
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError, TypeError, KeyError):
            holder: dict[str, Any] = json.loads((folder / ".lock.json").read_text())
            pid, host = int(holder["pid"]), str(holder["host"])
            if host != socket.gethostname() or is_alive(pid):
                return f"process {pid} on {host}"
        time.sleep(0.05)
    return "another process"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
