import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock

from gan_lightning.errors import UserError


def cache_folder() -> Path:
    """Where everything found or fetched is kept: $GAN_LIGHTNING_CACHE, else the user's cache folder."""
    return Path(os.environ.get("GAN_LIGHTNING_CACHE") or platformdirs.user_cache_dir("gan_lightning"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time works on a folder; the others wait, then find the work done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock").acquire()
    except OSError as error:
        raise UserError(
            f"the cache folder {folder} cannot be written to ({error}); "
            "type GAN_LIGHTNING_CACHE=FOLDER before the command to keep data elsewhere"
        ) from error
    with lock:
        yield


def checksum(content: bytes) -> str:
    """MD5 in hexadecimal: against damage, not against malice."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
