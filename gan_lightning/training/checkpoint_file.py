"""Checkpoint files: each is whole or is not there, and is read only when every bit is as it was written."""

import hashlib
import os
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gan_lightning.errors import UserError

MARK = b"gan_lightning sha256 "
"""What the comment of a checkpoint begins with; the checksum of all bytes before the comment follows in hexadecimal."""

TRAILER_LENGTH = len(MARK) + hashlib.sha256().digest_size * 2

CHUNK = 1 << 20
"""Bytes read at a time."""

END_OF_ZIP = b"PK\x05\x06"
END_OF_ZIP_LENGTH = 22  # without a comment, whose length is in the last two bytes


class DamagedCheckpointError(UserError):
    """A file that is no checkpoint, or is one of which some part was lost."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} cannot be read as a checkpoint ({reason}); use an earlier one")
        self.reason = reason


# Writing


def seal(file: Path) -> None:
    """Add a checksum of the whole file, as the comment of its zip archive, and bring the file to the disk."""
    with file.open("r+b") as stream:
        stream.seek(-END_OF_ZIP_LENGTH, os.SEEK_END)
        assert stream.read(len(END_OF_ZIP)) == END_OF_ZIP, f"{file} is not a zip archive without a comment"
        stream.seek(-2, os.SEEK_END)
        stream.write(TRAILER_LENGTH.to_bytes(2, "little"))
        length = stream.tell()
        stream.write(MARK + checksum(stream, length))
        stream.flush()
        os.fsync(stream.fileno())


def put_in_place(part: Path, file: Path, previous: Path | None = None) -> None:
    """Give a sealed file its name; the file that had the name is replaced, or kept under that of the previous one."""
    if previous is not None and file.exists():
        file.replace(previous)
    part.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder's files to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Reading


def verify(file: Path) -> None:
    """Read a whole file and compare its checksum; of a file that another program wrote, those of the archive's members.

    Raises:
        DamagedCheckpointError: The file is empty, incomplete, not what was written, or no checkpoint at all.
    """
    size = file.stat().st_size
    if size == 0:
        raise DamagedCheckpointError(file, "it is empty")
    with file.open("rb") as stream:
        stream.seek(max(0, size - TRAILER_LENGTH))
        trailer = stream.read()
        sealed = trailer.startswith(MARK)
        if sealed and trailer != MARK + checksum(stream, size - TRAILER_LENGTH):
            raise DamagedCheckpointError(file, "it is damaged: its checksum is not that of its content")
    verify_members(file, sealed)


def checksum(stream: BinaryIO, length: int) -> bytes:
    """SHA-256 of the first bytes of a file, in hexadecimal; the stream then stands behind them."""
    stream.seek(0)
    digest = hashlib.sha256()
    while length > 0 and (chunk := stream.read(min(CHUNK, length))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest().encode()


def verify_members(file: Path, sealed: bool) -> None:
    """Check that no member of a zip archive is larger in memory; of one that is not sealed, the members' CRCs, too.

    Raises:
        DamagedCheckpointError: They are not, or something is appended to the archive.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
            grows = stored and any(map(grows_in_memory, pickles(archive)))
            broken = archive.testzip() if stored and not sealed else None
            comment = None if sealed else archive.comment
    except Exception as error:  # zipfile has no one error for "not an archive"
        raise DamagedCheckpointError(file, f"it is no checkpoint, or only a part of one: {error}") from error
    if not stored:
        raise DamagedCheckpointError(file, "its members are compressed, as no checkpoint's are")
    if grows:
        raise DamagedCheckpointError(file, "its pickle makes bytes of other bytes, as no checkpoint's does")
    if broken is not None or comment:
        raise DamagedCheckpointError(file, f"it is damaged: the checksum of {broken or 'its end'} is wrong")


def pickles(archive: zipfile.ZipFile) -> Iterator[bytes]:
    """The pickles in an archive; a checkpoint has one."""
    yield from (archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))


def grows_in_memory(content: bytes) -> bool:
    """Whether a pickle calls what torch allows and no checkpoint of ours needs: a few bytes could become gigabytes."""
    return any(argument in GROWING for _, argument, _ in pickletools.genops(content))


GROWING = ("_codecs encode", "__builtin__ bytearray", "builtins bytearray")
