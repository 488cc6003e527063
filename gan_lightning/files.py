"""Writing files: whole or not at all, and never through a symbolic link that somebody has put in their place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gan_lightning.errors import UserError

NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""Flag of `os.open` that refuses symbolic links, where the system has it."""

LINKED_BY_WANDB = "wandb"
"""The one folder of a run in which links are usual: W&B puts some of its own there, and replaces them."""


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """A new file that takes a name when it is whole; a link of that name is replaced, not followed.

    Args:
        path: The file to write; its folder is made when it is missing.
        durable: Whether the content is on the disk before the name is, so that even a power cut loses neither version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o666), "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """All of the content appears under its name, or nothing does; its folder is made when it is missing."""
    with replacing(path, durable=True) as file:
        file.write(content)


def append(path: Path, text: str) -> None:
    """Add text to the end of a file, which is made when it is missing.

    Raises:
        OSError: The file is a symbolic link.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINKS, 0o666), "wb") as file:
        file.write(text.encode())


def find_link(folder: Path) -> Path | None:
    """A symbolic link or a pipe in a folder or below it, except in its `wandb/`; None when there is none that matters.

    A link to a file of the same folder, as Lightning's `ModelCheckpoint(save_last="link")` makes it, does not.
    """
    waiting = [folder]
    while waiting:
        for entry in sorted(waiting.pop().iterdir()):
            if entry.is_symlink():
                if not is_file_inside(entry, folder):
                    return entry
            elif entry.is_dir() and entry != folder / LINKED_BY_WANDB:
                waiting.append(entry)
            elif not entry.is_dir() and not entry.is_file():  # a pipe would be waited for
                return entry
    return None


def is_file_inside(link: Path, folder: Path) -> bool:
    """Whether a link leads to a file in a folder."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # it leads to nothing, or to itself
        return False
    return target.is_file() and target.is_relative_to(folder.resolve())


def refuse_links(folder: Path) -> None:
    """Refuse to write into a run folder in which a symbolic link leads elsewhere.

    Raises:
        UserError: There is a link; the message names it.
    """
    found = find_link(folder) if folder.is_dir() else None
    if found is None:
        return
    name = f"{found.relative_to(folder)} in {folder}"
    if not found.is_symlink():
        raise UserError(f"{name} is neither a file nor a folder: remove it")
    raise UserError(
        f"{name} is a symbolic link (to {found.readlink()}), and a run writes only into its own folder: put what it "
        "leads to in its place, or remove it"
    )
