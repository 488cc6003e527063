"""How the reference classifier of a data set is trained: follows from its images alone, never from the clock."""

from dataclasses import dataclass

from gan_lightning.data import ImageData
from gan_lightning.errors import UserError
from gan_lightning.sizes import Size

BATCH_SIZE = 128
"""Images in a training step."""

FEATURES = (128, 64, 32, 16, 8)
"""Numbers of features to choose from: a covariance needs more images than there are features."""

LEAST_SIDE = 16
"""Pixels of an image's shorter side, at least: the network halves it twice."""

MOST_PIXELS = 1600
"""Pixels, 40x40, of the largest maps: the first convolution halves or quarters the sides of larger images."""

PIXEL_BUDGET = 80_000_000
"""Pixels of those maps, over all steps and images, that two cores train on in about a minute."""

SECONDS_PER_PIXEL = 7e-7
"""Measured on two cores of an Intel Xeon without AMX, in float32."""

PASSES = 40
"""Passes over the training images after which a classifier of few images has nothing left to learn."""

LEAST_STEPS = 150


@dataclass(frozen=True)
class Recipe:
    """A classifier and the length of its training.

    Args:
        steps: Number of training steps, at most.
        width: Number of channels of the first maps.
        features: Number of features.
        stride: Stride of the first convolution.
        stops_early: Whether training ends when the accuracy on held-out images no longer rises.
    """

    steps: int
    width: int
    features: int
    stride: int
    stops_early: bool

    def seconds(self, training_images: int, size: Size) -> float:
        """About how long the training takes on two cores, at most.

        Args:
            training_images: Number of images to train on.
            size: Height and width of the images.
        """
        return self.steps * min(BATCH_SIZE, training_images) * maps(size, self.stride) * SECONDS_PER_PIXEL


SHIPPED_RECIPE = Recipe(steps=6000, width=32, features=128, stride=1, stops_early=False)
"""How the classifiers that come with the package were trained: 14 passes over 55,000 images of 28x28."""


def is_large_enough(data: ImageData) -> bool:
    """Whether a data set's images are large enough for a reference classifier."""
    return min(data.image_shape[1:]) >= LEAST_SIDE


def recipe_for(data: ImageData) -> Recipe:
    """The recipe of a data set's reference classifier; about a minute on two cores, where none comes with the package.

    Args:
        data: A data set whose `setup` has been called.

    Raises:
        UserError: Its images are too small for any classifier.
    """
    if not is_large_enough(data):
        height, width = data.image_shape[1:]
        raise UserError(
            f"scores are of images of {LEAST_SIDE}x{LEAST_SIDE} or more, and those of {data.short_name} are "
            f"{height}x{width}; look at its samples (sample run=FOLDER) instead"
        )
    if data.reference is not None:
        return SHIPPED_RECIPE
    assert data.splits is not None, "call setup() first"
    size, training = data.image_shape[1:], len(data.splits.train.images)
    stride = next(stride for stride in (1, 2, 4) if maps(size, stride) <= MOST_PIXELS or stride == 4)
    batch = min(BATCH_SIZE, training)
    affordable = PIXEL_BUDGET // (batch * maps(size, stride))
    fewest = min(len(part.images) for part in data.splits)
    return Recipe(
        steps=min(max(LEAST_STEPS, PASSES * training // batch), affordable),
        width=16,
        features=next((features for features in FEATURES if features < fewest), FEATURES[-1]),
        stride=stride,
        stops_early=True,
    )


def maps(size: Size, stride: int) -> int:
    """Pixels of the maps after the first convolution."""
    height, width = size
    return (height // stride) * (width // stride)
