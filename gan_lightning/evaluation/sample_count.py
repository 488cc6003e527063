"""How many samples a score takes, and how many it needs at least."""

import sys

from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.recipe import recipe_for


def least_samples(data: ImageData) -> int:
    """Smallest number of samples, and of real images, that a data set is scored with: one more than features.

    Args:
        data: A data set whose `setup` has been called.
    """
    by_channel = data.reference is not None  # classifiers of the package process each channel separately
    return recipe_for(data).features * (data.image_shape[0] if by_channel else 1) + 1


def require_samples(count: int, least: int, what: str) -> None:
    """Refuse to compute a score from too few samples.

    Args:
        count: Number of samples of the smaller set.
        least: Smallest number for which the score is defined.
        what: Name of the score, for the message.

    Raises:
        UserError: When `count` is smaller than `least`.
    """
    if count < least:
        raise UserError(f"{what} needs at least {least:,} samples on each side, got {count:,}; type n={least} or more")


def check_sample_count(n: int, least: int, real: int, available: int, data: str, split: str) -> None:
    """Refuse an n for which there are too few images, or too few to estimate a covariance.

    Args:
        n: Number of samples to score, and of real images to compare them with.
        least: Smallest number from which the covariance of the features can be estimated.
        real: Number of real images, of the split or of the training set, whichever is smaller.
        available: Number of samples that exist; `sys.maxsize` when a generator can draw any number.
        data: Name of the data set, for the message.
        split: Name of the split, for the message.

    Raises:
        UserError: When n exceeds what there is, or is smaller than `least`.
    """
    most = min(real, available)
    if most < least:
        samples = f" and {available:,} samples" if available < sys.maxsize else ""
        raise UserError(
            f"scores need at least {least} samples and as many {split} images; there are {real:,} {split} images of "
            f"{data}{samples}; provide more, or hold out more in a new run (data.held_out= or data.validation_images=)"
        )
    if n > available:
        raise UserError(f"n={n:,}, but there are only {available:,} samples; type n={most}")
    if n > real:
        raise UserError(
            f"n={n:,}, but {data} holds only {real:,} {split} images to compare with, "
            f"and as many training images for the real-data baseline; type n={most}"
        )
    if n < least:
        raise UserError(f"scores need at least {least} samples, got n={n}; type n={least} or more")
