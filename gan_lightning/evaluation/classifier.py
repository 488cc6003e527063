"""The reference classifier's network and its training; `tstr` trains on samples by the same recipe."""

import copy
import itertools
import logging
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.data import Batch
from gan_lightning.data.loader import BatchLoader
from gan_lightning.evaluation.recipe import BATCH_SIZE, Recipe
from gan_lightning.floats import at_least_float32
from gan_lightning.images import to_float

log = logging.getLogger(__name__)

SHIFT = 2
"""Largest shift of the augmentation in pixels, in each direction."""

TEST_BATCH_SIZE = 500
"""Images that are classified at a time when the accuracy is measured."""

SECONDS_BETWEEN_LINES = 10

CHECKS = 10
"""Parts of a training at whose ends held-out images are classified."""

PATIENCE = 3
"""Checks without a better accuracy after which training ends."""


def convolution(channels: int, width: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; height and width are divided by the stride."""
    return nn.Sequential(
        nn.Conv2d(channels, width, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class Classifier(nn.Module):
    """A small convolutional network: 157,098 parameters for gray images of ten classes as it comes with the package.

    Images are float (N, C, H, W) in [-1, 1], of 16x16 or more. Its features (N, F), averaged over the image after the
    last ReLU, are what distances between sets of images are measured in.

    Args:
        channels: Number of channels of the images.
        classes: Number of classes.
        width: Number of channels of the first maps, doubled at each lower resolution.
        features: Number of features F.
        stride: Stride of the first convolution: 1, or 2 or 4 for larger images.
    """

    def __init__(self, channels: int, classes: int, width: int, features: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, width, 2 * stride + 1, stride), convolution(width, width), nn.MaxPool2d(2),
            convolution(width, 2 * width), convolution(2 * width, 2 * width), nn.MaxPool2d(2),
            convolution(2 * width, 4 * width), convolution(4 * width, features, size=1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images -> class logits (N, classes)."""
        return self.head(self.body(images))


def augment(images: Tensor, mirror: bool, random: torch.Generator) -> Tensor:
    """Shift each image by up to `SHIFT` pixels in each direction, padded with -1, and mirror a random half of them.

    Args:
        images: Images, float (N, C, H, W) in [-1, 1].
        mirror: Whether to mirror.
        random: Source of the random shifts and of the choice of mirrored images.
    """
    count, _, height, width = images.shape
    padded = F.pad(images, [SHIFT] * 4, value=-1.0)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (N, C, 2 SHIFT + 1, 2 SHIFT + 1, H, W), a view
    down, right = torch.randint(0, 2 * SHIFT + 1, (2, count), generator=random)
    moved = windows[torch.arange(count), :, down, right]
    if mirror:
        mirrored = torch.rand(count, generator=random) < 0.5
        moved[mirrored] = moved[mirrored].flip(3)
    return moved


def turn(images: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Squares of the images, as large as they go, turned by 0 to 3 quarter turns, and these numbers as labels.

    Args:
        images: Images (N, C, H, W) of any type; a square of oblong ones is cut at a random place.
        random: Source of the places and turns.
    """
    side = min(images.shape[2:])
    down, right = (int(torch.randint(0, whole - side + 1, (), generator=random)) for whole in images.shape[2:])
    squares = images[:, :, down : down + side, right : right + side].clone()
    turns = torch.randint(0, 4, (len(images),), generator=random)
    for number in range(1, 4):
        squares[turns == number] = squares[turns == number].rot90(number, (2, 3))
    return squares, turns


class HeldOutAccuracy:
    """Ends training when the accuracy on held-out images no longer rises; keeps the best weights.

    Args:
        held_out: Images and labels that are not trained on; None never ends it.
        steps: Number of training steps, which are divided into `CHECKS` parts.
    """

    def __init__(self, held_out: Batch | None, steps: int) -> None:
        self.held_out = held_out
        self.every = max(1, steps // CHECKS)
        self.best, self.checks_since = 0.0, 0
        self.weights: dict[str, Tensor] | None = None

    def ends(self, step: int, classifier: Classifier) -> bool:
        """Whether to stop after this step; measures at the end of each part."""
        if self.held_out is None or step % self.every:
            return False
        found = accuracy(classifier.eval(), self.held_out)
        classifier.train()
        self.checks_since = 0 if found > self.best else self.checks_since + 1
        if found >= self.best:  # of equally good ones, those that have learned for longer
            self.best, self.weights = found, copy.deepcopy(classifier.state_dict())
        return self.checks_since >= PATIENCE

    def restore(self, classifier: Classifier) -> None:
        """Give the classifier the best weights back."""
        if self.weights is not None:
            classifier.load_state_dict(self.weights)

    def __str__(self) -> str:
        return "" if self.weights is None else f", held-out accuracy {self.best:.1%}"


class Progress:
    """A line every few seconds: steps, and about how much longer it may take. It changes nothing.

    Args:
        steps: Number of training steps, at most.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.start = self.last_line = time.monotonic()

    def report(self, step: int, loss: Tensor, held_out: HeldOutAccuracy) -> None:
        """Say how far training has come, when it is time again."""
        now = time.monotonic()
        if now - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = now
            left = (now - self.start) / step * (self.steps - step)
            log.info(
                "classifier: step %s of at most %s, loss %.3f%s, at most about %.0f s left",
                f"{step:,}", f"{self.steps:,}", loss.item(), held_out, left,
            )  # fmt: skip


def train_classifier(
    training: Batch,
    classes: int,
    recipe: Recipe,
    *,
    mirror: bool,
    rotations: bool = False,
    held_out: Batch | None = None,
    seed: int = 0,
    bfloat16: bool = False,
) -> Classifier:
    """Train a classifier on the CPU: SGD with Nesterov momentum over one cycle of the learning rate.

    Returns the weights of the best accuracy on held-out images, without these the last ones. The global random state is
    left unchanged.

    Args:
        training: Images, uint8 (N, C, H, W), and labels from 0 to classes - 1.
        classes: Number of classes.
        recipe: Size of the network, and number of training steps, of `BATCH_SIZE` images each.
        mirror: Whether mirrored images are valid images of the same class, so that the augmentation may mirror.
        rotations: Whether to classify by how many quarter turns images are rotated instead of by their labels.
        held_out: Images and labels by whose accuracy training ends early; None trains for all steps.
        seed: Seed of the weights, the order of the images and the augmentation.
        bfloat16: Whether to compute in bfloat16 where that is safe.
    """
    classifier = draw_classifier(training.images.shape[1], classes, recipe, seed)
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=recipe.steps)
    stopping, progress = HeldOutAccuracy(held_out, recipe.steps), Progress(recipe.steps)
    for step, (images, labels) in enumerate(draw_batches(training, recipe.steps, seed), start=1):
        if rotations:
            images, labels = turn(images, random)
        batch = augment(to_float(images), mirror, random).contiguous(memory_format=torch.channels_last)
        loss = class_loss(classifier, batch, labels, bfloat16)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if stopping.ends(step, classifier):
            break
        progress.report(step, loss, stopping)
    stopping.restore(classifier)
    return classifier.eval()


def draw_classifier(channels: int, classes: int, recipe: Recipe, seed: int) -> Classifier:
    """An untrained classifier, its weights drawn from a seed of their own."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach a GPU's, which is not forked
        return Classifier(channels, classes, recipe.width, recipe.features, recipe.stride)


def draw_batches(training: Batch, steps: int, seed: int) -> Iterator[Batch]:
    """As many batches as there are steps, pass after pass over the images."""
    loader = BatchLoader(training, min(BATCH_SIZE, len(training.images)), seed)
    return itertools.islice(itertools.chain.from_iterable(itertools.repeat(loader)), steps)


def class_loss(classifier: Classifier, batch: Tensor, labels: Tensor, bfloat16: bool) -> Tensor:
    """Cross entropy of images, float (N, C, H, W), in float32 at least; the network may compute in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = classifier(batch)
    return F.cross_entropy(at_least_float32(logits), labels)


def accuracy(classifier: Classifier, data: Batch) -> float:
    """Share of images whose most probable class is their label."""
    with torch.inference_mode():
        correct = [
            (classifier(to_float(images)).argmax(1) == labels).sum()
            for images, labels in zip(
                data.images.split(TEST_BATCH_SIZE), data.labels.split(TEST_BATCH_SIZE), strict=True
            )
        ]
    return torch.stack(correct).sum().item() / len(data.images)
