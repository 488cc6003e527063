"""Small IDX files, as the data sets of the MNIST family have them."""

import hashlib

import numpy as np


def idx_bytes(array):
    """uint8 (type 8) or int32 (type 12), big-endian."""
    header = bytes([0, 0, {1: 8, 4: 12}[array.itemsize], array.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def md5(content):
    return hashlib.md5(content).hexdigest()


def offline(self):
    raise OSError("no network")


def gray_images(random, count):
    return random.integers(0, 256, (count, 28, 28), dtype=np.uint8)


def loaded(data):
    data.fetch()
    return data.load()
