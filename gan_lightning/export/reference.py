"""The reference classifier that a page carries, to say what class each of its images looks like."""

from typing import NamedTuple

from torch import nn

from gan_lightning.evaluation.extractor import SHIPPED, Extractor, load_extractor
from gan_lightning.export.facts import Facts


class Reference(NamedTuple):
    """A reference classifier.

    name: Its name, such as mnist_cnn.
    network: Images (N, C, H, W) in [-1, 1] -> class probabilities (N, K), in eval mode.
    classes: Names of the classes.
    test_accuracy: Its accuracy on real test images.
    """

    name: str
    network: nn.Module
    classes: list[str]
    test_accuracy: float


def reference_of(facts: Facts) -> Reference | None:
    """The shipped classifier of the data set that a generator was trained on; None where none fits its images."""
    if facts.reference is None or not (SHIPPED / f"{facts.reference}.json").is_file():
        return None
    extractor = load_extractor(SHIPPED, facts.reference)
    if extractor.card["channels"] != facts.image_shape[0] or extractor.card["classes"] != len(facts.classes):
        return None  # such as stacked digits, of which it classifies each channel
    return as_reference(extractor, facts.classes)


def as_reference(extractor: Extractor, classes: list[str]) -> Reference:
    """A reference classifier, as a page carries it."""
    network = nn.Sequential(*extractor.classifier.body, extractor.classifier.head, nn.Softmax(1)).eval()
    return Reference(extractor.name, network, classes, extractor.card["test_accuracy"])
