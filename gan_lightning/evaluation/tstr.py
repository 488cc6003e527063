"""Train on synthetic, test on real: how much a classifier learns from samples."""

from dataclasses import replace

from gan_lightning.data import Batch, ImageData
from gan_lightning.evaluation.classifier import accuracy, train_classifier
from gan_lightning.evaluation.recipe import SHIPPED_RECIPE, recipe_for
from gan_lightning.training.precision import bfloat16_is_faster

TSTR_STEPS = 2000
"""Training steps, of 128 images each: 4.7 passes over 55,000 images."""


def train_and_test(training: Batch, test: Batch, data: ImageData) -> float:
    """Accuracy on real images of a classifier trained on samples (Ravuri & Vinyals 2019, arXiv:1905.10887).

    The recipe is that of the classifiers that come with the package, with `TSTR_STEPS` steps; larger images are halved
    or quartered by the first convolution. The accuracy is
    between 0 and 1; what a classifier trained on as many real images achieves is its real-data baseline.

    Args:
        training: Samples, uint8 (n, C, H, W), and their labels.
        test: Real images to test on, uint8 (m, C, H, W), and their labels.
        data: The data set of the real images, which knows the classes and whether mirrored images are valid.
    """
    classes = len(data.class_names)
    bfloat16 = bfloat16_is_faster("cpu")
    recipe = replace(SHIPPED_RECIPE, steps=TSTR_STEPS, stride=recipe_for(data).stride)
    classifier = train_classifier(training, classes, recipe, mirror=data.mirrored, bfloat16=bfloat16)
    return accuracy(classifier, test)
