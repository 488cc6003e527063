"""What is known about scoring a data set before any training: whether it can be scored, how roughly, what it takes."""

import math

from gan_lightning.data import ImageData
from gan_lightning.evaluation.extractor import has_extractor, training_seconds
from gan_lightning.evaluation.protocol import EvaluationProtocol, name_own_extractor
from gan_lightning.evaluation.recipe import FEATURES, LEAST_SIDE, is_large_enough
from gan_lightning.evaluation.sample_count import least_samples

ENOUGH = FEATURES[0] + 1
"""Held-out images with which scores are no longer called rough."""

LARGEST_SHARE = 0.3
"""The largest share of the images that is suggested to be held out for each of validation and test."""


def can_be_scored(data: ImageData) -> bool:
    """Whether images are large enough, and there are enough for testing and for the real-data baseline.

    Args:
        data: A data set whose `setup` has been called.
    """
    return is_large_enough(data) and count_scored(data) >= least_samples(data)


def count_scored(data: ImageData) -> int:
    """Number of samples, and of test images, that the data set is scored with unless another is typed."""
    assert data.splits is not None, "call setup() first"
    return min(len(data.splits.test.images), len(data.splits.train.images), data.evaluation_images)


def describe_scoring(data: ImageData) -> list[str]:
    """Lines for the start of a run; none for a data set with a classifier of the package and images enough.

    Args:
        data: A data set whose `setup` has been called.
    """
    if data.reference is not None and can_be_scored(data):
        return []
    if not is_large_enough(data):
        return [f"scores      none: images of fewer than {LEAST_SIDE}x{LEAST_SIDE} pixels have no reference classifier"]
    return [f"scores      {line}" for line in (describe_count(data), describe_classifier(data)) if line]


def describe_count(data: ImageData) -> str:
    """By how many test images the data set is scored, and what to type for more where they are few."""
    count, least = count_scored(data), least_samples(data)
    more = suggest_more(data)
    if count < least:
        return f"none: there are {count:,} test images, and {least} are needed; {more}"
    name = EvaluationProtocol(data.short_name, "test", count, name_own_extractor(data.short_name), None)
    images = f"{count:,} test images ({name.full_name('frechet')} ...)"
    return f"rough, because of only {images}; {more}" if count < ENOUGH else f"by {images}"


def suggest_more(data: ImageData) -> str:
    """What to type so that more images are held out, where that is possible."""
    assert data.splits is not None, "call setup() first"
    held_out = getattr(data, "held_out", None)
    if held_out is None:
        return "type a larger data.validation_images="
    total = sum(len(part.images) for part in data.splits)
    share = min(LARGEST_SHARE, math.ceil(20 * 1.2 * ENOUGH / total) / 20)  # 1.2: which files it are is up to chance
    return f"data.held_out={share:g} holds out more" if share > held_out else "add images for more"


def describe_classifier(data: ImageData) -> str:
    """How long the reference classifier will take; nothing where there cannot be any score."""
    if not can_be_scored(data):
        return ""
    if has_extractor(data):
        return "the reference classifier was trained before"
    seconds = training_seconds(data)
    return f"when first scored, a reference classifier is trained: at most about {seconds:.0f} s on two cores"
