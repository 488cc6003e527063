"""Reference classifiers as feature extractors: trained once, identified by their hash, verified when loaded."""

import functools
import hashlib
import json
import logging
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
from gan_lightning.evaluation.classifier import BATCH_SIZE, Classifier, accuracy, train_classifier
from gan_lightning.evaluation.protocol import name_own_extractor
from gan_lightning.files import write_atomically
from gan_lightning.images import to_float
from gan_lightning.training.precision import bfloat16_is_faster

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "weights"
STEPS = 6000
"""Training steps of a reference classifier, on any data set: 14 passes over 55,000 images."""

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
    folder = cache_folder() / "classifiers" / fingerprint(data.training)[:16]
    name = name_own_extractor(data.short_name)
    with locked(folder):
        if not (folder / f"{name}.json").is_file():
            log.info("%s has no reference classifier yet: training one, once", data.short_name)
            train_extractor(data, folder)
    return load_extractor(folder, name)


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
            classifier = Classifier(card["channels"], card["classes"])
        classifier.load_state_dict(load(content), assign=True)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, OverflowError, SafetensorError) as error:
        raise UserError(f"the reference classifier {file} cannot be read ({error}); {remedy}") from error
    return Extractor(classifier.requires_grad_(False).eval(), card)


def train_extractor(data: ImageData, folder: Path) -> Extractor:
    """Train the reference classifier of a data set on its training split; write weights and card into a folder.

    On images of fewer than two classes, the network is trained to predict by which of four quarter turns they were
    rotated (Gidaris et al. 2018, arXiv:1803.07728). It then provides features, but no classes.

    Args:
        data: A data set whose `setup` has been called.
        folder: Folder of the two files; created when it does not exist.
    """
    assert data.splits is not None, "call setup() first"
    folder.mkdir(parents=True, exist_ok=True)
    knows_classes = len(data.class_names) > 1
    parts = data.splits if knows_classes else [rotate(part) for part in data.splits]
    training, _, test = parts
    classes = len(data.class_names) if knows_classes else 4
    bfloat16 = bfloat16_is_faster("cpu")
    classifier = train_classifier(training, classes, steps=STEPS, mirror=data.mirrored, bfloat16=bfloat16)
    name = name_own_extractor(data.short_name)
    content = save({key: value.contiguous() for key, value in classifier.state_dict().items()})
    card = {
        "name": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "task": "classes" if knows_classes else "rotations",
        "channels": data.image_shape[0],
        "classes": classes,
        "test_accuracy": accuracy(classifier, test) if len(test.images) else None,
        "test_images": len(test.images),
        "training_images": len(training.images),
        "training_sha256": fingerprint(data.training),
        "recipe": f"{STEPS} steps of {min(BATCH_SIZE, len(training.images))} images, seed 0",
        "gan_lightning": __version__,
        "torch": torch.__version__,
    }
    write_atomically(folder / f"{name}.safetensors", content)
    write_atomically(folder / f"{name}.json", (json.dumps(card, indent=2) + "\n").encode())
    return load_extractor(folder, name)


def rotate(part: Batch) -> Batch:
    """Every image rotated by 0, 1, 2 and 3 quarter turns, labelled by their number."""
    images = torch.cat([part.images.rot90(turns, (2, 3)) for turns in range(4)])
    return Batch(images, torch.arange(4).repeat_interleave(len(part.images)))


def fingerprint(part: Batch) -> str:
    """SHA-256 of images and labels, in hexadecimal."""
    digest = hashlib.sha256(str(tuple(part.images.shape)).encode())
    for tensor in part:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
