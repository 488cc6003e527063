"""MNIST and Fashion-MNIST in their original IDX files: verified, cached, read."""

import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import NonNegativeInt
from torch import Tensor

from gan_lightning.data.cache import cache_folder, checksum, locked, write_atomically
from gan_lightning.data.image_data import Resizable, Splits, hold_out
from gan_lightning.data.loader import Batch
from gan_lightning.data.sources import (
    DEBIAN_PACKAGE,
    Source,
    read_from_debian,
    read_from_folder,
    read_from_torchvision,
)
from gan_lightning.errors import UserError
from gan_lightning.images import resize

log = logging.getLogger(__name__)

DATA_VARIABLE = "GAN_LIGHTNING_DATA"


def parse_idx(content: bytes) -> Tensor:
    """The uint8 array of an IDX file: magic (0, 0, 8, rank), big-endian sizes, then the data.

    Raises:
        ValueError: when the bytes are not that, or are fewer or more than the header promises.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError("not an IDX file of unsigned bytes")
    rank = content[3]
    header = 4 + 4 * rank
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], dtype=">i4"))
    if len(shape) != rank or len(content) - header != int(np.prod(shape)):
        raise ValueError(f"truncated: the header promises {shape}, the file holds {len(content)} bytes")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy())


class IDXData(Resizable):
    """One of the two data sets that come as four IDX files of 60,000 + 10,000 gray 28x28 images.

    The test split is the official one; `validation_images` of the official training split are held out. Files are
    looked for in the user's cache, `dir`, $GAN_LIGHTNING_DATA (neither is ever written to), torchvision's mirrors and,
    for Fashion-MNIST, Debian's package; what is found is verified by its checksum and cached unpacked, so that the
    cache holds nothing that another source would give differently.

    Args:
        dir: a folder that holds the IDX files, gzipped or not, flat or in torchvision's layout.
        validation_images: held out of the 60,000 training images.
        options: of every data set of this kind: `size`, `batch_size` ...
    """

    title: str
    torchvision_class: str
    checksums: dict[str, str]
    """MD5 of each unpacked file: the gzip wrappers differ between distributors, the contents do not."""

    def __init__(self, dir: str | None = None, validation_images: NonNegativeInt = 5000, **options: Any) -> None:
        super().__init__(**options)
        self.dir = dir
        self.validation_images = validation_images

    @property
    def location(self) -> Path:
        """The folder of this data set's verified, unpacked files."""
        return cache_folder() / self.torchvision_class

    def fetch(self) -> None:
        """Put the four files into the cache unless they are there.

        Raises:
            UserError: when no source has them; it names each source and why it failed.
        """
        with locked(self.location):
            missing = [name for name in self.checksums if not self.is_cached(name)]
            failures: list[str] = []
            for description, source in self.sources() if missing else []:
                try:
                    for name in missing:
                        write_atomically(self.location / name, self.verified(name, source(name)))
                except Exception as error:  # a source fails in its own ways; the next one may work
                    failures.append(f"  - {description}: {error}")
                    log.debug("%s: %s failed", self.title, description, exc_info=True)
                else:
                    log.info("%s found in %s, cached in %s", self.title, description, self.location)
                    return
        if missing:
            raise UserError(
                f"{self.title} is not on this machine and could not be fetched:\n" + "\n".join(failures) + "\n"
                "Type data.dir=FOLDER with a folder that holds the four IDX files "
                f"({', '.join(self.checksums)}; .gz or not),\n"
                "or use data=mnist_5k, which needs no network."
            )

    def load(self) -> Splits:
        """Train, validation and test images with labels."""
        arrays = [parse_idx((self.location / name).read_bytes()) for name in self.checksums]
        train_images, train_labels, test_images, test_labels = arrays
        train = Batch(resize(train_images.unsqueeze(1), self.size), train_labels.long())
        test = Batch(resize(test_images.unsqueeze(1), self.size), test_labels.long())
        return Splits(*hold_out(train, self.validation_images, self.validation_from), test)

    def is_cached(self, name: str) -> bool:
        """Whether the cache holds this file, undamaged."""
        try:
            self.verified(name, (self.location / name).read_bytes())
        except (OSError, ValueError):
            return False
        return True

    def verified(self, name: str, content: bytes) -> bytes:
        """The content, when its MD5 is the official file's."""
        got = checksum(content)
        if got != self.checksums[name]:
            raise ValueError(f"{name} has MD5 {got}, not {self.checksums[name]} (damaged, or another data set)")
        return content

    def sources(self) -> list[tuple[str, Source]]:
        """Where to look, in order, after the cache."""
        folders = {"data.dir": self.dir, f"${DATA_VARIABLE}": os.environ.get(DATA_VARIABLE)}
        found: list[tuple[str, Source]] = [
            (f"{origin}={folder}", partial(read_from_folder, Path(folder).expanduser(), self.torchvision_class))
            for origin, folder in folders.items()
            if folder
        ]
        return [*found, ("torchvision's mirrors", partial(read_from_torchvision, self.torchvision_class))]


class MNIST(IDXData):
    """MNIST: 70,000 handwritten digits (LeCun, Cortes & Burges 1998)."""

    base_name = "mnist"
    reference = "mnist_cnn"
    title = "MNIST"
    torchvision_class = "MNIST"
    class_names = [str(digit) for digit in range(10)]
    checksums = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }


class FashionMNIST(IDXData):
    """Fashion-MNIST: 70,000 pictures of clothes, ten kinds (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747)."""

    base_name = "fashion_mnist"
    reference = "fashion_mnist_cnn"
    mirrored = True
    title = "Fashion-MNIST"
    torchvision_class = "FashionMNIST"
    class_names = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip
    checksums = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }

    def sources(self) -> list[tuple[str, Source]]:
        """Debian packages this data set."""
        return [*super().sources(), (f"Debian's package {DEBIAN_PACKAGE}", read_from_debian)]
