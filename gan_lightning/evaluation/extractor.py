"""Reference classifiers on disk: trained once, identified by their hash, verified when loaded."""

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
from gan_lightning.data.cache import cache_folder, locked, write_atomically
from gan_lightning.errors import UserError
from gan_lightning.evaluation.classifier import BATCH_SIZE, Classifier, accuracy, train_classifier
from gan_lightning.images import to_float
from gan_lightning.training.precision import bfloat16_is_faster

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "weights"
STEPS = 6000
"""Of training a reference classifier, whatever the data: 14 passes over 55,000 images."""

ROWS = 50  # images read at a time: few enough to stay in the processor's cache


class Features(NamedTuple):
    """What an extractor says of images: features (n, D) and class probabilities (n, K)."""

    features: Tensor
    probabilities: Tensor


@dataclass(frozen=True)
class Extractor:
    """A trained reference classifier and its card.

    A classifier of gray images reads each channel of coloured ones by itself: features side by side, and the
    classes all combinations of the channels' (three channels of ten classes: 1000).

    Args:
        classifier: in eval mode.
        card: its name, sha256, test accuracy, what it was trained on, by which command.
    """

    classifier: Classifier
    card: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Of its weight file."""
        return self.card["sha256"]

    @property
    def knows_classes(self) -> bool:
        """Whether it judges classes; trained on images without any, it only measures."""
        return self.card["task"] == "classes"

    @torch.inference_mode()
    def extract(self, images: Tensor) -> Features:
        """Features and probabilities, float32, of uint8 images (n, C, H, W); each image's by itself, in eval mode."""
        parts = [self.extract_part(part) for part in images.split(ROWS)]
        return Features(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def extract_part(self, images: Tensor) -> Features:
        """The same for as many images as are made float at a time."""
        count, channels = len(images), images.shape[1] // self.card["channels"]
        planes = to_float(images.reshape(count * channels, self.card["channels"], *images.shape[2:]))
        features = self.classifier.body(planes.contiguous(memory_format=torch.channels_last))
        each = self.classifier.head(features).softmax(1).reshape(count, channels, -1)
        joint = functools.reduce(lambda a, b: (a[:, :, None] * b[:, None]).flatten(1), each.unbind(1))
        return Features(features.reshape(count, -1), joint)


def extractor_for(data: ImageData) -> Extractor:
    """The reference classifier of a data set: one that is shipped, else the cached one, else trained now and cached."""
    if data.reference is not None:
        return load_extractor(SHIPPED, data.reference)
    folder = cache_folder() / "classifiers" / fingerprint(data.training)[:16]
    name = own_name(data)
    with locked(folder):
        if not (folder / f"{name}.json").is_file():
            log.info("%s has no reference classifier yet: training one, once", data.short_name)
            train_extractor(data, folder)
    return load_extractor(folder, name)


def own_name(data: ImageData) -> str:
    """What a classifier trained on these data is called."""
    return f"{data.short_name}_cnn"


def load_extractor(folder: Path, name: str) -> Extractor:
    """A classifier from its weight file and card.

    Raises:
        UserError: when either is missing or damaged, or the weights are not those of the card.
    """
    file = folder / f"{name}.safetensors"
    remedy = "reinstall gan_lightning" if folder == SHIPPED else f"delete {folder}, and it is trained again"
    try:
        card, content = json.loads((folder / f"{name}.json").read_text()), file.read_bytes()
        got = hashlib.sha256(content).hexdigest()
        if got != card["sha256"]:
            raise UserError(
                f"{file} has SHA-256 {got[:12]}..., not {card['sha256'][:12]}... as its card says: it was changed or "
                f"damaged, and its scores would compare with no others; {remedy}"
            )
        with torch.device("meta"):  # no initial weights, whose drawing would disturb a training run
            classifier = Classifier(card["channels"], card["classes"])
        classifier.load_state_dict(load(content), assign=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"the reference classifier {file} cannot be read ({error}); {remedy}") from error
    return Extractor(classifier.requires_grad_(False).eval(), card)


def train_extractor(data: ImageData, folder: Path) -> Extractor:
    """Train the reference classifier of a data set on its training split; write weights and card into a folder.

    Images of fewer than two classes are learned by telling which of four quarter turns they were given
    (Gidaris et al. 2018, arXiv:1803.07728): features to measure distances in, and no judge of classes.
    """
    assert data.splits is not None, "call setup() first"
    folder.mkdir(parents=True, exist_ok=True)
    knows_classes = len(data.class_names) > 1
    parts = data.splits if knows_classes else [turned(part) for part in data.splits]
    training, _, test = parts
    classes = len(data.class_names) if knows_classes else 4
    bfloat16 = bfloat16_is_faster("cpu")
    classifier = train_classifier(training, classes, steps=STEPS, mirror=data.mirrored, bfloat16=bfloat16)
    name = own_name(data)
    content = save({key: value.contiguous() for key, value in classifier.state_dict().items()})
    card = {
        "name": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "task": "classes" if knows_classes else "quarter turns",
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


def turned(part: Batch) -> Batch:
    """Every image by 0, 1, 2 and 3 quarter turns, labelled by their number."""
    images = torch.cat([part.images.rot90(turns, (2, 3)) for turns in range(4)])
    return Batch(images, torch.arange(4).repeat_interleave(len(part.images)))


def fingerprint(part: Batch) -> str:
    """SHA-256 of images and labels."""
    digest = hashlib.sha256(str(tuple(part.images.shape)).encode())
    for tensor in part:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
