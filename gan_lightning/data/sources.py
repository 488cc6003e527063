"""Where the IDX files of MNIST and Fashion-MNIST may be found or fetched from."""

import contextlib
import functools
import gzip
import io
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

SECONDS_TO_ANSWER = 20  # for each mirror
SECONDS_FOR_DEBIAN = 120
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("usr/share/datasets/fashion-mnist")

Source = Callable[[str], bytes]
"""Gives the unpacked bytes of one named IDX file, or raises an exception that says why it cannot."""


def read_from_folder(folder: Path, layout: str, name: str) -> bytes:
    """Find FOLDER/NAME, FOLDER/LAYOUT/raw/NAME or FOLDER/LAYOUT/NAME, gzipped or not, and unpack it."""
    for parent in (folder, folder / layout / "raw", folder / layout):
        if (parent / name).is_file():
            return (parent / name).read_bytes()
        if (parent / f"{name}.gz").is_file():
            return gzip.decompress((parent / f"{name}.gz").read_bytes())
    raise FileNotFoundError(f"no {name} or {name}.gz in {folder} or {folder / layout / 'raw'}")


def read_from_torchvision(class_name: str, name: str) -> bytes:
    """Have torchvision download the data set, give one file of it and throw the rest away with the folder."""
    return downloaded_by_torchvision(class_name)[name]


@functools.cache
def downloaded_by_torchvision(class_name: str) -> dict[str, bytes]:
    """All four files, downloaded once in this process."""
    import torchvision

    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_ANSWER)
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            getattr(torchvision.datasets, class_name)(folder, download=True)
            raw = Path(folder) / class_name / "raw"
            return {path.name: path.read_bytes() for path in raw.glob("*-ubyte")}
    finally:
        socket.setdefaulttimeout(patience)


def read_from_debian(name: str) -> bytes:
    """Read the installed Debian package, or download and unpack it without installing (no root needed)."""
    if (Path("/") / DEBIAN_FOLDER).is_dir():
        return read_from_folder(Path("/") / DEBIAN_FOLDER, "", name)
    return downloaded_from_debian()[name]


@functools.cache
def downloaded_from_debian() -> dict[str, bytes]:
    """All four files of the Debian package, downloaded once in this process."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise FileNotFoundError("this is no Debian or Ubuntu: there is no apt-get")
    with tempfile.TemporaryDirectory() as folder:
        run_quietly(["apt-get", "download", DEBIAN_PACKAGE], folder)
        (package,) = Path(folder).glob("*.deb")
        run_quietly(["dpkg-deb", "-x", str(package), folder], folder)
        files = (Path(folder) / DEBIAN_FOLDER).glob("*.gz")
        return {path.name.removesuffix(".gz"): gzip.decompress(path.read_bytes()) for path in files}


def run_quietly(command: list[str], folder: str) -> None:
    """Run a command in a folder; its last line of complaint is the error."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_FOR_DEBIAN)
    if result.returncode:
        complaint = (result.stderr.strip() or result.stdout.strip() or "failed").splitlines()[-1]
        raise OSError(f"`{' '.join(command)}`: {complaint}")
