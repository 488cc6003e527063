"""Damaged files: bits flipped, parts cut off, doubled, swapped, or replaced by those of another file."""

import struct
from random import Random

EDGES = [0, 1, 127, 128, 255]


def flip(random: Random, content: bytes, other: bytes) -> bytes:
    """Flip up to eight bits anywhere."""
    damaged = bytearray(content)
    for _ in range(random.randint(1, 8) if damaged else 0):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def flip_header(random: Random, content: bytes, other: bytes) -> bytes:
    """Set up to four of the first 128 bytes, where formats keep their sizes."""
    damaged = bytearray(content)
    for _ in range(random.randint(1, 4) if damaged else 0):
        damaged[random.randrange(min(128, len(damaged)))] = random.choice([*EDGES, random.randrange(256)])
    return bytes(damaged)


def set_number(random: Random, content: bytes, other: bytes) -> bytes:
    """Write a large or small number over four or eight bytes."""
    number = random.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**30])
    packed = struct.pack(random.choice([">i", "<i", ">q", "<q"]), number)
    place = random.randrange(len(content) or 1)
    return content[:place] + packed + content[place + len(packed) :]


def cut(random: Random, content: bytes, other: bytes) -> bytes:
    """Keep the beginning only."""
    return content[: random.randrange(len(content) or 1)]


def cut_out(random: Random, content: bytes, other: bytes) -> bytes:
    """Leave a part out."""
    start, end = sorted(random.randrange(len(content) or 1) for _ in range(2))
    return content[:start] + content[end:]


def double(random: Random, content: bytes, other: bytes) -> bytes:
    """Repeat a part."""
    start, end = sorted(random.randrange(len(content) or 1) for _ in range(2))
    return content[:end] + content[start:]


def splice(random: Random, content: bytes, other: bytes) -> bytes:
    """Go on with the end of another file."""
    return content[: random.randrange(len(content) or 1)] + other[random.randrange(len(other) or 1) :]


def insert(random: Random, content: bytes, other: bytes) -> bytes:
    """Insert what means something in one text format or another."""
    place = random.randrange(len(content) + 1)
    return content[:place] + random.choice(TEXTS) + content[place:]


def empty(random: Random, content: bytes, other: bytes) -> bytes:
    """Nothing, zeros, or a text that is valid in its format but something else."""
    return random.choice([b"", bytes(len(content)), *TEXTS])


TEXTS = [b"null", b"[]", b"{}", b"[1]", b"1", b"true", b'"x"', b"\n", b",", b"{", b"- ", b": ", b"\0", b"NaN", b"1e999",
         b"\xff\xfe", b"&a [*a]", b"${seed}", b"${nope}", b"!!python/object:os.system", b"9" * 5000]  # fmt: skip

DAMAGES = [flip, flip, flip_header, flip_header, set_number, cut, cut_out, double, splice, insert, empty]


def damaged(random: Random, content: bytes, other: bytes) -> bytes:
    """A file with one or two damages."""
    for _ in range(random.randint(1, 2)):
        content = random.choice(DAMAGES)(random, content, other)
    return content
