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
from torchvision.datasets.utils import check_integrity

from gan_lightning.config.values import PathName
from gan_lightning.data.cache import cache_folder, locked
from gan_lightning.data.image_data import ORIGINAL_SIZE, Resizable, Splits, hold_out
from gan_lightning.data.loader import Batch
from gan_lightning.data.sources import (
    Source,
    WrongFileError,
    aliases,
    find,
    md5_packed,
    md5_unpacked,
    patience,
    unpack,
)
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

    The test split is the official one; `validation_images` of the official training split are held out. Files come
    from the folder `dir`; where none is named, from the user's cache, $GAN_LIGHTNING_DATA or torchvision's mirrors.
    The user's folders are never written to. What is found is verified by its checksum and cached unpacked, so that the
    cache holds nothing that another source would give differently.

    Attributes:
        title: What messages call the data set.
        torchvision_class: The class that reads it; its name is that of the folder in torchvision's layout.
        files: Names of the unpacked files.
        checksums: MD5 of each unpacked file, where they are known: then any copy of the files will do, gzipped by
            whomever or not at all. Where they are not, only the archives that torchvision has checksums of will do.

    Args:
        dir: Folder that must hold the files, in torchvision's layout or not, under their usual names; None for
            wherever they are found.
        validation_images: Number of training images that are held out for validation.
        options: Options that every data set of 28x28 images has: `size`, `batch_size` ...
    """

    title: str
    torchvision_class: type[datasets.MNIST]
    files: tuple[str, ...] = IDX_FILES
    checksums: dict[str, str] = {}

    def __init__(self, dir: PathName | None = None, validation_images: NonNegativeInt = 5000, **options: Any) -> None:
        super().__init__(**options)
        self.dir = dir
        self.validation_images = validation_images

    @property
    def location(self) -> Path:
        """The folder of this data set's verified, unpacked files: torchvision's layout in the cache folder."""
        return cache_folder() / self.torchvision_class.__name__ / "raw"

    @classmethod
    def published(cls) -> list[tuple[str, str]]:
        """Name and MD5 of each file that torchvision downloads of this kind of data set."""
        return cls.torchvision_class.resources

    @property
    def archives(self) -> list[tuple[str, str]]:
        """Name and MD5 of each file that torchvision downloads."""
        return self.published()

    def open(self, root: Path, train: bool, download: bool = False) -> datasets.MNIST:
        """torchvision's data set of the official training or test images, in a folder of torchvision's layout."""
        return self.torchvision_class(root, train=train, download=download)

    def fetch(self) -> None:
        """Put the files into the cache unless they are there; a folder that the user names must have them, too.

        Raises:
            UserError: No source has them; the message names each source and why it failed.
        """
        with locked(self.location):
            if self.is_cached():
                self.check_folder()
                return
            failures: list[str] = []
            for description, source in self.sources():
                try:
                    self.keep(source)
                except Exception as error:  # a source fails in its own ways; the next one may work
                    failures.append(f"{description}: {self.explain(error)}")
                    log.debug("%s: %s failed", self.title, description, exc_info=True)
                else:
                    log.info("%s found in %s, cached in %s", self.title, description, self.location)
                    return
        raise self.missing(failures)

    def check_folder(self) -> None:
        """Refuse a `data.dir` that does not hold the data set, although the cache does: another one would be meant."""
        if self.dir is None:
            return
        try:
            self.find_files(Path(self.dir).expanduser())
        except Exception as error:  # as other people's files are damaged in many ways
            raise self.missing([f"data.dir={self.dir}: {self.explain(error)}"]) from error

    def explain(self, error: Exception) -> str:
        """Why a source failed; a file of another data set is said to be that."""
        owner = owner_of(error.got) if isinstance(error, WrongFileError) else None
        return f"{error.file} is a file of data={owner}, not of {self.title}" if owner else str(error)  # type: ignore[attr-defined]

    def missing(self, failures: list[str]) -> UserError:
        """The error for files that no source has."""
        if self.dir is not None:
            return UserError(
                f"{failures[0]}\nIt has to hold {self.wanted()} of {self.title}. Type data.dir=FOLDER with a folder "
                f"that does, or data.dir=null for ${DATA_VARIABLE}, the cache and the network"
            )
        return UserError(
            f"{self.title} is not on this machine and could not be fetched:\n"
            + "".join(f"  - {failure}\n" for failure in failures)
            + f"Type data.dir=FOLDER with a folder that holds {self.wanted()},\n"
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
        """Where to look, in order, after the cache: the folder that `dir` names alone, or else everywhere."""
        if self.dir is not None:
            return [(f"data.dir={self.dir}", partial(self.take, Path(self.dir).expanduser()))]
        folder = os.environ.get(DATA_VARIABLE)
        named: list[tuple[str, Source]] = (
            [(f"${DATA_VARIABLE}={folder}", partial(self.take, Path(folder).expanduser()))] if folder else []
        )
        return [*named, ("torchvision's mirrors", self.download)]

    def find_files(self, folder: Path) -> dict[str, Path]:
        """The files of a folder that the user names, verified, by their official names.

        Raises:
            OSError, EOFError, zlib.error, ValueError: A file is missing, damaged or of another data set.
        """
        layout = self.torchvision_class.__name__
        if self.checksums:
            return {
                name: find(folder, layout, aliases(name), self.checksums[name], md5_unpacked) for name in self.files
            }
        return {name: find(folder, layout, [name], md5, md5_packed) for name, md5 in self.archives}

    def take(self, folder: Path, raw: Path) -> None:
        """Unpack the files of a folder that the user names into another."""
        for name, file in self.find_files(folder).items():
            if self.checksums:
                unpack(file, raw / name)
            else:
                shutil.copyfile(file, raw / name)
        if not self.checksums:
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
        """The official training or test images with their labels, in the order of the files, of the size asked for.

        Raises:
            UserError: A file of the cache is damaged.
        """
        try:
            official = self.open(cache_folder(), train)
            images, labels = official.data.unsqueeze(1), official.targets
            if images.shape[1:] != (1, ORIGINAL_SIZE, ORIGINAL_SIZE) or len(images) != len(labels) or not len(images):
                raise ValueError(f"images of shape {tuple(images.shape)}, labels of shape {tuple(labels.shape)}")
        except Exception as error:  # torchvision asserts what a file should be like
            raise UserError(
                f"{self.title} in {self.location} is damaged ({error}); delete this folder to fetch it again"
            ) from error
        return Batch(resize(images, self.size), labels)


def verify(file: Path, md5: str | None) -> None:
    """Raise an error that says what a file is instead, unless it has this MD5 or none is known."""
    got = md5_packed(file)
    if md5 and got != md5:
        raise WrongFileError(file, got, md5)


def owner_of(md5: str) -> str | None:
    """The data set, as it is typed, that a file of this MD5 belongs to; None for any other file."""
    for kind in TorchvisionData.__subclasses__():
        published = {each for pair in kind.published() for each in pair}
        if md5 in {*kind.checksums.values(), *published}:
            return kind.base_name if hasattr(kind, "base_name") else kind.__name__.lower()
    return None
