"""Where the files of a data set may be found besides torchvision's mirrors."""

import gzip
import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

SECONDS_TO_ANSWER = 20  # for each mirror
SECONDS_FOR_DEBIAN = 120
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("usr/share/datasets/fashion-mnist")

LARGEST_FILE = 2**30
"""Bytes of the largest file that is read: EMNIST's archive has 0.6 of them."""

LARGEST_UNPACKED = 2**26
"""Bytes that an IDX file may unpack to: MNIST's training images have 0.7 of them."""

BLOCK = 2**20


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


Source = Callable[[Path], None]
"""Unpacks the files of a data set into a folder, or raises an exception that says why it cannot."""


def candidates(folder: Path, layout: str, *names: str) -> list[Path]:
    """Files of these names in a folder, in torchvision's layout below it, one folder deeper, and one higher.

    Args:
        folder: The folder that the user names.
        layout: Name of the data set's folder in torchvision's layout.
        names: Names that the file may have.
    """
    inside = folder / layout
    parents = [parent for parent in (folder, inside) if parent.is_dir()]
    deeper = [each for parent in parents for each in sorted(parent.iterdir()) if os.path.isdir(each)]  # noqa: PTH112
    places = dict.fromkeys([folder, inside / "raw", inside, *deeper, folder.absolute().parent])
    files = (place / name for place in places for name in names)
    return [file for file in files if os.path.isfile(file)]  # noqa: PTH113, which raises where one may not look


def aliases(name: str) -> list[str]:
    """The names under which an IDX file is distributed: with a dot before idx, and t10k or test, gzipped or not."""
    test = [name, name.replace("t10k", "test")]
    dotted = [each.replace("-idx", ".idx") for each in test]
    return [each + suffix for each in dict.fromkeys([*test, *dotted]) for suffix in ("", ".gz")]


def find(folder: Path, layout: str, names: list[str], md5: str | None, md5_of: Callable[[Path], str]) -> Path:
    """The file of one of these names whose MD5 is the right one.

    Args:
        folder: The folder that the user names.
        layout: Name of the data set's folder in torchvision's layout.
        names: Names that the file may have, the official one first.
        md5: The MD5 it must have; None takes the first file that is found.
        md5_of: Computes it.

    Raises:
        FileNotFoundError: No file has one of these names.
        WrongFileError: None of those that do has the right content.
    """
    found = candidates(folder, layout, *names)
    if not found:
        raise FileNotFoundError(f"no {' or '.join(names[:2])} in {folder} or {folder / layout / 'raw'}")
    got = {}
    for file in found:
        got[file] = md5_of(file)
        if md5 in (None, got[file]):
            return file
    raise WrongFileError(found[0], got[found[0]], md5 or "")


class WrongFileError(ValueError):
    """A file has another content than the official one."""

    def __init__(self, file: Path, got: str, expected: str) -> None:
        super().__init__(f"{file.name} has MD5 {got}, not {expected} (damaged, or another data set)")
        self.file = file
        self.got = got


def blocks(stream: Readable, limit: int, name: str) -> Iterator[bytes]:
    """The content of a file, block by block.

    Raises:
        ValueError: It holds more than `limit` bytes.
    """
    left = limit
    while block := stream.read(BLOCK):
        left -= len(block)
        if left < 0:
            raise ValueError(f"{name} holds more than {limit:,} bytes, so it is not a file of this data set")
        yield block


def unpacked(file: Path) -> Iterator[bytes]:
    """The content of an IDX file, gzipped or not, block by block."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        yield from blocks(stream, LARGEST_UNPACKED, file.name)


def md5_unpacked(file: Path) -> str:
    """MD5 of the content of an IDX file, gzipped or not."""
    return md5_of(unpacked(file))


def md5_packed(file: Path) -> str:
    """MD5 of a file as it is."""
    with file.open("rb") as stream:
        return md5_of(blocks(stream, LARGEST_FILE, file.name))


def md5_of(content: Iterable[bytes]) -> str:
    """MD5 in hexadecimal: against damage, not against malice."""
    digest = hashlib.md5(usedforsecurity=False)
    for block in content:
        digest.update(block)
    return digest.hexdigest()


def unpack(file: Path, target: Path) -> None:
    """Copy an IDX file to another path, unpacked when it is gzipped."""
    with target.open("wb") as copy:
        copy.writelines(unpacked(file))


@contextmanager
def patience(seconds: float = SECONDS_TO_ANSWER) -> Iterator[None]:
    """A server that says nothing for so long is given up; torchvision has no such limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unpack_debian(names: Iterable[str], target: Path) -> None:
    """Unpack the files of the installed Debian package, or of one downloaded without installing it (no root needed)."""
    with TemporaryDirectory() as folder:
        installed = Path("/") / DEBIAN_FOLDER
        package = installed if installed.is_dir() else download_debian(Path(folder))
        for name in names:
            unpack(find(package, "", [name, f"{name}.gz"], None, md5_unpacked), target / name)


def download_debian(folder: Path) -> Path:
    """The folder of the data set in a Debian package that is downloaded and unpacked into a folder."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise FileNotFoundError("this is not Debian or Ubuntu: there is no apt-get")
    run_quietly(["apt-get", "download", DEBIAN_PACKAGE], folder)
    (package,) = folder.glob("*.deb")
    run_quietly(["dpkg-deb", "-x", str(package), str(folder)], folder)
    return folder / DEBIAN_FOLDER


def run_quietly(command: list[str], folder: Path) -> None:
    """Run a command in a folder; its last line of complaint is the error."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_FOR_DEBIAN)
    if result.returncode:
        complaint = (result.stderr.strip() or result.stdout.strip() or "failed").splitlines()[-1]
        raise OSError(f"`{' '.join(command)}`: {complaint}")
