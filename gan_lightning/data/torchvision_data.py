"""What the data sets of torchvision's MNIST family have in common: found or downloaded, verified, cached, read."""

import logging
import os
import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import NonNegativeInt
from torchvision import datasets
from torchvision.datasets.utils import calculate_md5, check_integrity

from gan_lightning.data.cache import cache_folder, locked
from gan_lightning.data.image_data import Resizable, Splits, hold_out
from gan_lightning.data.loader import Batch
from gan_lightning.data.sources import Source, find, patience, unpack
from gan_lightning.errors import UserError
from gan_lightning.images import resize

log = logging.getLogger(__name__)

DATA_VARIABLE = "GAN_LIGHTNING_DATA"

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class TorchvisionData(Resizable):
    """A data set that one of torchvision's MNIST classes downloads, unpacks and reads.

    The test split is the official one; `validation_images` of the official training split are held out. Files are
    looked for in the user's cache, `dir`, $GAN_LIGHTNING_DATA (neither is ever written to) and torchvision's mirrors;
    what is found is verified by its checksum and cached unpacked, so that the cache holds nothing that another source
    would give differently.

    Attributes:
        title: What messages call the data set.
        torchvision_class: The class that reads it; its name is that of the folder in torchvision's layout.
        files: Names of the unpacked files.
        checksums: MD5 of each unpacked file, where they are known: then any copy of the files will do, gzipped by
            whomever or not at all. Where they are not, only the archives that torchvision has checksums of will do.

    Args:
        dir: Folder that holds the files, flat or in torchvision's layout.
        validation_images: Number of training images that are held out for validation.
        options: Options that every data set of 28x28 images has: `size`, `batch_size` ...
    """

    title: str
    torchvision_class: type[datasets.MNIST]
    files: tuple[str, ...] = IDX_FILES
    checksums: dict[str, str] = {}

    def __init__(self, dir: str | None = None, validation_images: NonNegativeInt = 5000, **options: Any) -> None:
        super().__init__(**options)
        self.dir = dir
        self.validation_images = validation_images

    @property
    def location(self) -> Path:
        """The folder of this data set's verified, unpacked files: torchvision's layout in the cache folder."""
        return cache_folder() / self.torchvision_class.__name__ / "raw"

    @property
    def archives(self) -> list[tuple[str, str]]:
        """Name and MD5 of each file that torchvision downloads."""
        return self.torchvision_class.resources

    def open(self, root: Path, train: bool, download: bool = False) -> datasets.MNIST:
        """torchvision's data set of the official training or test images, in a folder of torchvision's layout."""
        return self.torchvision_class(root, train=train, download=download)

    def fetch(self) -> None:
        """Put the files into the cache unless they are there.

        Raises:
            UserError: No source has them; the message names each source and why it failed.
        """
        with locked(self.location):
            if self.is_cached():
                return
            failures: list[str] = []
            for description, source in self.sources():
                try:
                    self.keep(source)
                except Exception as error:  # a source fails in its own ways; the next one may work
                    failures.append(f"  - {description}: {error}")
                    log.debug("%s: %s failed", self.title, description, exc_info=True)
                else:
                    log.info("%s found in %s, cached in %s", self.title, description, self.location)
                    return
        raise UserError(
            f"{self.title} is not on this machine and could not be fetched:\n" + "\n".join(failures) + "\n"
            f"Type data.dir=FOLDER with a folder that holds {self.wanted()},\n"
            "or use data=mnist_5k, which needs no network."
        )

    def wanted(self) -> str:
        """What a folder that the user names has to hold."""
        if self.checksums:
            return f"the four IDX files ({', '.join(self.files)}; .gz or not)"
        return f"what torchvision downloads ({', '.join(name for name, _ in self.archives)})"

    def is_cached(self) -> bool:
        """Whether the cache holds every file, undamaged as far as a checksum is known."""
        return all(check_integrity(self.location / name, self.checksums.get(name)) for name in self.files)

    def keep(self, source: Source) -> None:
        """Have a source unpack the files into a folder of their own, verify them, and move whole files into the cache.

        Raises:
            ValueError: A file has another MD5 than the official one.
        """
        with TemporaryDirectory(dir=self.location) as folder:
            raw = Path(folder) / self.torchvision_class.__name__ / "raw"
            raw.mkdir(parents=True)
            source(raw)
            for name in self.files:
                verify(raw / name, self.checksums.get(name))
            for file in raw.iterdir():
                if file.is_file() and not file.suffix:  # not an archive; EMNIST's holds all of its splits
                    file.replace(self.location / file.name)

    def sources(self) -> list[tuple[str, Source]]:
        """Where to look, in order, after the cache."""
        folders = {"data.dir": self.dir, f"${DATA_VARIABLE}": os.environ.get(DATA_VARIABLE)}
        found: list[tuple[str, Source]] = [
            (f"{origin}={folder}", partial(self.take, Path(folder).expanduser()))
            for origin, folder in folders.items()
            if folder
        ]
        return [*found, ("torchvision's mirrors", self.download)]

    def take(self, folder: Path, raw: Path) -> None:
        """Unpack the files of a folder that the user names into another."""
        layout = self.torchvision_class.__name__
        if self.checksums:
            for name in self.files:
                unpack(folder, layout, name, raw)
            return
        for name, md5 in self.archives:
            archive = find(folder, layout, name)
            verify(archive, md5)
            shutil.copyfile(archive, raw / name)
        self.download(raw)

    def download(self, raw: Path) -> None:
        """Have torchvision verify and unpack the archives of a folder; those that are missing are downloaded."""
        with patience():
            for train in (True, False):
                self.open(raw.parent.parent, train, download=True)

    def load(self) -> Splits:
        """Train, validation and test images with labels."""
        train, test = self.read(train=True), self.read(train=False)
        return Splits(*hold_out(train, self.validation_images, self.validation_from), test)

    def read(self, train: bool) -> Batch:
        """The official training or test images with their labels, in the order of the files, of the size asked for."""
        official = self.open(cache_folder(), train)
        return Batch(resize(official.data.unsqueeze(1), self.size), official.targets)


def verify(file: Path, md5: str | None) -> None:
    """Raise a ValueError that says what a file is instead, unless it has this MD5 or none is known."""
    got = calculate_md5(file)
    if md5 and got != md5:
        raise ValueError(f"{file.name} has MD5 {got}, not {md5} (damaged, or another data set)")
