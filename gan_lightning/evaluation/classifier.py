"""The reference classifier's network and its training; `tstr` trains on samples by the same recipe."""

import itertools
import logging
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.data import Batch
from gan_lightning.data.loader import BatchLoader
from gan_lightning.floats import at_least_float32
from gan_lightning.images import to_float

log = logging.getLogger(__name__)

FEATURES = 128
"""Width of the layer whose output is called the features."""

SHIFT = 2
"""Largest shift of the augmentation in pixels, in each direction."""

BATCH_SIZE = 128
"""Images in a training step."""

TEST_BATCH_SIZE = 500
"""Images that are classified at a time when the accuracy is measured."""

SECONDS_BETWEEN_LINES = 30


def convolution(channels: int, width: int, size: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU; height and width stay the same."""
    return nn.Sequential(
        nn.Conv2d(channels, width, size, padding=size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class Classifier(nn.Module):
    """A small convolutional network: 157,098 parameters for gray images of ten classes.

    Images are float (N, C, H, W) in [-1, 1], of 28x28 or more. Its features (N, 128), averaged over the image
    after the last ReLU, are what distances between sets of images are measured in.

    Args:
        channels: Number of channels of the images.
        classes: Number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, 32), convolution(32, 32), nn.MaxPool2d(2),
            convolution(32, 64), convolution(64, 64), nn.MaxPool2d(2),
            convolution(64, 128), convolution(128, 128, size=1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(FEATURES, classes)

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


def train_classifier(
    training: Batch, classes: int, *, steps: int, mirror: bool, seed: int = 0, bfloat16: bool = False
) -> Classifier:
    """Train a classifier on the CPU: SGD with Nesterov momentum over one cycle of the learning rate.

    The last weights are returned; nothing is selected by its performance on other images. The global random state is
    left unchanged.

    Args:
        training: Images, uint8 (N, C, H, W), and labels from 0 to classes - 1.
        classes: Number of classes.
        steps: Number of training steps, of `BATCH_SIZE` images each.
        mirror: Whether mirrored images are valid images of the same class, so that the augmentation may mirror.
        seed: Seed of the weights, the order of the images and the augmentation.
        bfloat16: Whether to compute in bfloat16 where that is safe.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach a GPU's, which is not forked
        classifier = Classifier(training.images.shape[1], classes)
    random = torch.Generator().manual_seed(seed)
    loader = BatchLoader(training, min(BATCH_SIZE, len(training.images)), seed)
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    last_line = time.monotonic()
    for step, (images, labels) in enumerate(itertools.islice(batches, steps), start=1):
        batch = augment(to_float(images), mirror, random).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = classifier(batch)
        loss = F.cross_entropy(at_least_float32(logits), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if time.monotonic() - last_line > SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            log.info("classifier: step %s of %s, loss %.3f", f"{step:,}", f"{steps:,}", loss.item())
    return classifier.eval()


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
