"""Where the files of a data set may be found besides torchvision's mirrors."""

import gzip
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS_TO_ANSWER = 20  # for each mirror
SECONDS_FOR_DEBIAN = 120
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("usr/share/datasets/fashion-mnist")

Source = Callable[[Path], None]
"""Unpacks the files of a data set into a folder, or raises an exception that says why it cannot."""


def find(folder: Path, layout: str, *names: str) -> Path:
    """The first of the names that is a file in FOLDER, FOLDER/LAYOUT/raw or FOLDER/LAYOUT."""
    for parent in (folder, folder / layout / "raw", folder / layout):
        for name in names:
            if (parent / name).is_file():
                return parent / name
    raise FileNotFoundError(f"no {' or '.join(names)} in {folder} or {folder / layout / 'raw'}")


def unpack(folder: Path, layout: str, name: str, target: Path) -> None:
    """Copy a file that `find` finds into another folder, unpacked when it is gzipped."""
    found = find(folder, layout, name, f"{name}.gz")
    opener = gzip.open if found.suffix == ".gz" else open
    with opener(found, "rb") as packed, (target / name).open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)


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
            unpack(package, "", name, target)


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
