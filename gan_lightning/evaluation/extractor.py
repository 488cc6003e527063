"""Reference classifiers as feature extractors: trained once, identified by their hash, verified when loaded."""

import functools
import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gan_lightning import __version__
from gan_lightning.data import Batch, ImageData
from gan_lightning.data.cache import cache_folder, locked
from gan_lightning.errors import UserError
from gan_lightning.evaluation.classifier import Classifier, accuracy, train_classifier
from gan_lightning.evaluation.protocol import name_own_extractor
from gan_lightning.evaluation.recipe import BATCH_SIZE, Recipe, recipe_for
from gan_lightning.evaluation.samples import subset
from gan_lightning.files import write_atomically
from gan_lightning.images import to_float
from gan_lightning.training.precision import bfloat16_is_faster

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "weights"
CHECKED_IMAGES = 500
"""Held-out images that decide when training ends: more would take as long as the training."""

EXTRACT_BATCH_SIZE = 50
"""Images that features are extracted from at a time: few enough to stay in the processor's cache."""


class Features(NamedTuple):
    """What a feature extractor computes from n images: features (n, D) and class probabilities (n, K)."""

    features: Tensor
    probabilities: Tensor


@dataclass(frozen=True)
class Extractor:
    """A trained reference classifier and its card.

    A classifier of gray images processes each channel of colour images separately: their features are concatenated,
    and the classes are all combinations of the channels' classes (three channels of ten classes: 1000).

    Args:
        classifier: The trained network, in eval mode.
        card: Its name, SHA-256, task and test accuracy, what it was trained on, and by which recipe.
    """

    classifier: Classifier
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the reference classifier, such as mnist_cnn."""
        return self.card["name"]

    @property
    def sha256(self) -> str:
        """SHA-256 of the weight file."""
        return self.card["sha256"]

    @property
    def knows_classes(self) -> bool:
        """Whether it was trained to classify; trained on images without classes, it only provides features."""
        return self.card["task"] == "classes"

    @torch.inference_mode()
    def extract(self, images: Tensor) -> Features:
        """Features and class probabilities, float32, of uint8 images (n, C, H, W); no image depends on the others."""
        batches = [self.extract_batch(batch) for batch in images.split(EXTRACT_BATCH_SIZE)]
        return Features(*(torch.cat(column) for column in zip(*batches, strict=True)))

    def extract_batch(self, images: Tensor) -> Features:
        """Features and class probabilities of at most `EXTRACT_BATCH_SIZE` images."""
        count, channels = len(images), images.shape[1] // self.card["channels"]
        planes = to_float(images.reshape(count * channels, self.card["channels"], *images.shape[2:]))
        features = self.classifier.body(planes.contiguous(memory_format=torch.channels_last))
        each = self.classifier.head(features).softmax(1).reshape(count, channels, -1)
        joint = functools.reduce(lambda a, b: (a[:, :, None] * b[:, None]).flatten(1), each.unbind(1))
        return Features(features.reshape(count, -1), joint)


def extractor_for(data: ImageData) -> Extractor:
    """The reference classifier of a data set: the one shipped, else the cached one, else one trained now and cached.

    Args:
        data: A data set whose `setup` has been called.
    """
    if data.reference is not None:
        return load_extractor(SHIPPED, data.reference)
    folder, name = own_folder(data), name_own_extractor(data.short_name)
    with locked(folder):
        if not (folder / f"{name}.json").is_file():
            log.info("%s has no reference classifier yet: training one, once", data.short_name)
            train_extractor(data, folder)
    return load_extractor(folder, name)


def own_folder(data: ImageData) -> Path:
    """The folder of the cached reference classifier, named by a hash of everything that it depends on."""
    assert data.splits is not None, "call setup() first"
    parts = [fingerprint(data.splits.train), fingerprint(data.splits.validation), repr(recipe_for(data))]
    return cache_folder() / "classifiers" / hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def has_extractor(data: ImageData) -> bool:
    """Whether the data set's reference classifier comes with the package or was trained before."""
    name = name_own_extractor(data.short_name)
    return data.reference is not None or (own_folder(data) / f"{name}.json").is_file()


def training_seconds(data: ImageData) -> float:
    """About how long training the data set's reference classifier takes on two cores, at most."""
    return recipe_for(data).seconds(len(data.training.images), data.image_shape[1:])


def load_extractor(folder: Path, name: str) -> Extractor:
    """A reference classifier from its weight file and card.

    Args:
        folder: Folder of both files.
        name: Name of the classifier, which both files are named after.

    Raises:
        UserError: When either file is missing or damaged, or the weights do not match the card.
    """
    file = folder / f"{name}.safetensors"
    remedy = "reinstall gan_lightning" if folder == SHIPPED else f"delete {folder} to train it again"
    try:
        card, content = json.loads((folder / f"{name}.json").read_text()), file.read_bytes()
        got = hashlib.sha256(content).hexdigest()
        if got != card["sha256"]:
            raise UserError(
                f"{file} has SHA-256 {got[:12]}..., but its card says {card['sha256'][:12]}...: it was changed or "
                f"damaged, and its scores would not be comparable with others; {remedy}"
            )
        with torch.device("meta"):  # initial weights would advance the random state of a training run
            sizes = ("channels", "classes", "width", "features", "stride")
            classifier = Classifier(*(card[key] for key in sizes))
        classifier.load_state_dict(load(content), assign=True)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, OverflowError, SafetensorError) as error:
        raise UserError(f"the reference classifier {file} cannot be read ({error}); {remedy}") from error
    return Extractor(classifier.requires_grad_(False).eval(), card)


def train_extractor(data: ImageData, folder: Path) -> Extractor:
    """Train the reference classifier of a data set on its training split; write weights and card into a folder.

    On images of fewer than two classes, the network is trained to predict by which of four quarter turns they were
    rotated (Gidaris et al. 2018, arXiv:1803.07728); of oblong images, squares are. It then provides features, but no
    classes.

    Args:
        data: A data set whose `setup` has been called.
        folder: Folder of the two files; created when it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name, recipe = name_own_extractor(data.short_name), recipe_for(data)
    log.info(
        "reference classifier %s: at most %s steps, about %.0f s on two cores",
        name, f"{recipe.steps:,}", training_seconds(data),
    )  # fmt: skip
    start = time.monotonic()
    classifier = train_network(data, recipe)
    content = save({key: value.contiguous() for key, value in classifier.state_dict().items()})
    card = {"name": name, "sha256": hashlib.sha256(content).hexdigest(), **describe_training(data, recipe, classifier)}
    write_atomically(folder / f"{name}.safetensors", content)
    write_atomically(folder / f"{name}.json", (json.dumps(card, indent=2) + "\n").encode())
    tested = "" if card["test_accuracy"] is None else f", test accuracy {card['test_accuracy']:.1%}"
    log.info("reference classifier %s: trained in %.0f s%s", name, time.monotonic() - start, tested)
    return load_extractor(folder, name)


def knows_classes(data: ImageData) -> bool:
    """Whether images have classes to classify them by; otherwise they are classified by their rotations."""
    return len(data.class_names) > 1


def train_network(data: ImageData, recipe: Recipe) -> Classifier:
    """The classifier of a data set, trained by a recipe."""
    assert data.splits is not None, "call setup() first"
    validation = data.splits.validation
    checked = subset(validation, min(CHECKED_IMAGES, len(validation.images)))
    return train_classifier(
        data.training,
        len(data.class_names) if knows_classes(data) else 4,
        recipe,
        mirror=data.mirrored,
        rotations=not knows_classes(data),
        held_out=to_classify(checked, data) if recipe.stops_early and len(checked.images) else None,
        bfloat16=bfloat16_is_faster("cpu"),
    )


def to_classify(part: Batch, data: ImageData) -> Batch:
    """Held-out images with their labels, or rotated."""
    return part if knows_classes(data) else rotate(part)


def describe_training(data: ImageData, recipe: Recipe, classifier: Classifier) -> dict[str, Any]:
    """What a card says besides the name and hash of the weights."""
    assert data.splits is not None, "call setup() first"
    test = to_classify(data.splits.test, data)
    return {
        "task": "classes" if knows_classes(data) else "rotations",
        "channels": data.image_shape[0],
        "classes": classifier.head.out_features,
        "width": recipe.width,
        "features": recipe.features,
        "stride": recipe.stride,
        "test_accuracy": accuracy(classifier, test) if len(test.images) else None,
        "test_images": len(test.images),
        "training_images": len(data.training.images),
        "training_sha256": fingerprint(data.training),
        "recipe": describe_recipe(recipe, len(data.training.images)),
        "gan_lightning": __version__,
        "torch": torch.__version__,
    }


def describe_recipe(recipe: Recipe, training_images: int) -> str:
    """The length of a training in words."""
    most, end = ("at most ", ", ended by held-out accuracy") if recipe.stops_early else ("", "")
    return f"{most}{recipe.steps} steps of {min(BATCH_SIZE, training_images)} images, seed 0{end}"


def rotate(part: Batch) -> Batch:
    """The central square of every image rotated by 0, 1, 2 and 3 quarter turns, labelled by their number."""
    side = min(part.images.shape[2:])
    down, right = ((whole - side) // 2 for whole in part.images.shape[2:])
    squares = part.images[:, :, down : down + side, right : right + side]
    images = torch.cat([squares.rot90(turns, (2, 3)) for turns in range(4)])
    return Batch(images, torch.arange(4).repeat_interleave(len(part.images)))


def fingerprint(part: Batch) -> str:
    """SHA-256 of images and labels, in hexadecimal."""
    digest = hashlib.sha256(str(tuple(part.images.shape)).encode())
    for tensor in part:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
