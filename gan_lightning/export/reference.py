"""The reference classifier that a page carries, to say what class each of its images looks like."""

from typing import NamedTuple

from torch import nn

from gan_lightning.build import build_data
from gan_lightning.errors import UserError
from gan_lightning.evaluation.extractor import SHIPPED, Extractor, load_extractor
from gan_lightning.training.run_folder import open_run


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


def reference_of(run: str, trust: bool = False) -> Reference | None:
    """The shipped reference classifier of a run's data set; None where none is shipped for its images.

    Args:
        run: Run folder, or one of its checkpoint files.
        trust: Whether the folder may name code from outside this project, which is then run.
    """
    try:
        data = build_data(open_run(run)[0].config(trust))
    except (UserError, OSError):  # the data set is not at hand: it may be a folder of pictures elsewhere
        return None
    if data.reference is None:
        return None
    extractor = load_extractor(SHIPPED, data.reference)
    if extractor.card["channels"] != data.image_shape[0] or extractor.card["classes"] != len(data.class_names):
        return None  # such as stacked digits, of which it classifies each channel
    return as_reference(extractor, list(data.class_names))


def as_reference(extractor: Extractor, classes: list[str]) -> Reference:
    """A reference classifier, as a page carries it."""
    network = nn.Sequential(*extractor.classifier.body, extractor.classifier.head, nn.Softmax(1)).eval()
    return Reference(extractor.name, network, classes, extractor.card["test_accuracy"])
