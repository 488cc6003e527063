"""A data set of small images as a LightningDataModule: three splits in memory, whose batches a loader cuts."""

import logging
from abc import abstractmethod
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import torch
from pydantic import PositiveInt
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from gan_lightning.config.values import Seed
from gan_lightning.data.loader import Batch, BatchLoader
from gan_lightning.errors import UserError
from gan_lightning.images import ImageShape
from gan_lightning.sizes import read_size

log = logging.getLogger(__name__)

DEVICE_CACHE_SHARE = 0.25  # of a GPU's free memory that the training images may take

ORIGINAL_SIZE: Final = 28  # pixels of MNIST and its like

SPLIT_SEED = 2014  # one split for every run, whatever its seed: scores on it must compare


class Splits(NamedTuple):
    """Three disjoint parts of a data set."""

    train: Batch
    validation: Batch
    test: Batch


HoldOutFrom = Literal["random", "end"]
"""Where the images held out for validation come from: drawn with a fixed seed, or the last ones of the file."""


def hold_out(data: Batch, count: int, place: HoldOutFrom = "random") -> tuple[Batch, Batch]:
    """Split `count` images off a data set: (rest, held out), each in the data set's own order."""
    if not 0 <= count < len(data.images):
        raise UserError(
            f"cannot hold out {count:,} of {len(data.images):,} images; the rest trains and must not be empty"
        )
    if place == "end":
        order = torch.arange(len(data.images)).flip(0)
    else:
        order = torch.randperm(len(data.images), generator=torch.Generator().manual_seed(SPLIT_SEED))
    held, rest = order[:count].sort().values, order[count:].sort().values
    return Batch(data.images[rest], data.labels[rest]), Batch(data.images[held], data.labels[held])


def fits(data: Batch, device: torch.device) -> bool:
    """Whether a data set takes little of a GPU's free memory."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return data.images.nbytes < DEVICE_CACHE_SHARE * free


class ImageData(LightningDataModule):
    """A data set of small images, held in memory as uint8.

    A subclass says what the images are (`short_name`, `image_shape`, `class_names`) and how to get them (`load`).
    Only the training split is ever trained on; the split is the same for every seed.

    Attributes:
        reference: Name of the shipped reference classifier of these images, or None: one is trained and cached.
        mirrored: Whether a mirrored image is as good as the image, so that training a classifier may mirror.
        evaluation_images: Number of samples that an evaluation uses by default.

    Args:
        batch_size: Number of real images in each discriminator step, all processes together.
        seed: Seed of the order in which training images are drawn.
        balanced: Whether every class is shown equally often, whatever its share of the images.
    """

    reference: str | None = None
    mirrored = False
    evaluation_images = 10_000

    def __init__(self, batch_size: PositiveInt = 64, seed: Seed = 0, balanced: bool = False) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.seed = seed
        self.balanced = balanced
        self.splits: Splits | None = None
        self.loader: BatchLoader | None = None
        self.saved_state: dict[str, Any] = {}

    @property
    @abstractmethod
    def short_name(self) -> str:
        """What scores and files of this data set are named by: lower-case letters, digits and underscores."""

    @property
    @abstractmethod
    def image_shape(self) -> ImageShape:
        """Channels, height, width, known before any image is read."""

    @property
    @abstractmethod
    def class_names(self) -> list[str]:
        """A name for each label; empty when the images have no classes."""

    @property
    @abstractmethod
    def location(self) -> Path:
        """The folder the images are read from, once fetched."""

    @abstractmethod
    def fetch(self) -> None:
        """Make sure that the data set is on this machine; nothing to do for files the user brings."""

    @abstractmethod
    def load(self) -> Splits:
        """Read the fetched data set."""

    def prepare_data(self) -> None:
        """Lightning calls this once per machine, before `setup` in every process."""
        self.fetch()

    def setup(self, stage: str | None = None) -> None:
        """Read the splits into memory, and say what was found."""
        if self.splits is None:
            self.splits = self.load()
            self.announce()
        available = len(self.training.images)
        if self.batch_size > available:
            raise UserError(
                f"data.batch_size={self.batch_size} is larger than the {available:,} training images; "
                f"type data.batch_size={min(64, available)}"
            )

    @rank_zero_only
    def announce(self) -> None:
        """Say what was read."""
        log.info("data        %s", self.describe())

    def describe(self) -> str:
        """The name, images of each split, shape and classes in a line, after `setup`."""
        assert self.splits is not None, "call setup() first"
        sizes = " + ".join(f"{len(part.images):,} {split}" for split, part in self.splits._asdict().items())
        count = len(self.class_names)
        classes = f"{count:,} classes" if count > 1 else "one class" if count else "no classes"
        return f"{self.short_name}: {sizes} images of {'x'.join(map(str, self.image_shape))}, {classes}"

    @property
    def training(self) -> Batch:
        """The training split, after `setup`."""
        assert self.splits is not None, "call setup() first"
        return self.splits.train

    def class_shares(self) -> Tensor:
        """The share of each class that a perfect generator would draw, (K,): that of the training split."""
        counts = torch.bincount(self.training.labels, minlength=len(self.class_names))
        return counts.double() / len(self.training.labels)

    def train_dataloader(self) -> BatchLoader:
        """Batches of this process's share of the training split."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if self.batch_size % world_size:
            raise UserError(
                f"data.batch_size={self.batch_size} cannot be shared equally by {world_size} processes; "
                f"type data.batch_size={max(1, self.batch_size // world_size) * world_size}"
            )
        if self.balanced and len(self.class_names) < 2:
            raise UserError(f"data.balanced=true: {self.short_name} has no classes; type data.balanced=false")
        self.loader = BatchLoader(self.cache_on_device(), self.batch_size, self.seed, rank, world_size, self.balanced)
        if self.saved_state:
            self.loader.load_state_dict(self.saved_state)
        return self.loader

    def val_dataloader(self) -> BatchLoader:
        """Batches of the validation split, of this process's share; a small split is one batch.

        Scores need whole sets and read the split itself: these batches are for Lightning's validation loop.
        """
        assert self.splits is not None, "call setup() first"
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        validation = self.splits.validation
        return BatchLoader(validation, min(self.batch_size, len(validation.images)), self.seed, rank, world_size)

    def cache_on_device(self) -> Batch:
        """The training split, on the GPU that trains when it is small beside its memory: no step waits for a copy."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        return self.training.to(device) if fits(self.training, device) else self.training

    def state_dict(self) -> dict[str, Any]:
        """The place in the epoch, kept in every checkpoint."""
        return self.loader.state_dict() if self.loader else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Applied when the loader is made."""
        self.saved_state = state_dict


class Resizable(ImageData):
    """A data set of 28x28 images that `size` resizes, all at once when they are loaded.

    Resized images are other data: their scores have a name of their own, and a reference classifier that is trained for
    them, because the shipped one has seen strokes of one width only.

    Attributes:
        base_name: The `short_name` of the images in their original size.
        channels: Number of channels of the images.

    Args:
        size: Side in pixels of the square images that `load` gives, or their height and width.
        validation_from: Where the validation images come from: `random`, drawn with a fixed seed, or the `end` of
            the training images in the order of their file.
        options: Options that every data set has: `batch_size`, `seed`, `balanced`.
    """

    base_name: str
    channels = 1

    def __init__(
        self,
        size: PositiveInt | list[PositiveInt] = ORIGINAL_SIZE,
        validation_from: HoldOutFrom = "random",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.size = read_size(size)
        self.validation_from: HoldOutFrom = validation_from
        if self.is_resized:
            self.reference = None

    @property
    def is_resized(self) -> bool:
        """Whether the images have another size than in their files."""
        return self.size != (ORIGINAL_SIZE, ORIGINAL_SIZE)

    @property
    def short_name(self) -> str:
        """The size is part of the name, unless it is the original one: mnist_32, mnist_32x48 (height, width)."""
        height, width = self.size
        size = f"{height}" if height == width else f"{height}x{width}"
        return f"{self.base_name}_{size}" if self.is_resized else self.base_name

    @property
    def image_shape(self) -> ImageShape:
        """Known from the options."""
        return (self.channels, *self.size)
