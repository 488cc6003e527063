"""A second opinion: an extractor that no recipe was tuned to.

The recipes in conf/ were chosen by the scores of the reference classifier that comes with the package. This one has
another architecture (5x5 convolutions, max pooling, dropout), another optimizer and another seed, is trained here and
takes no part in any choice.
"""

import itertools
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gan_lightning.data import Batch, ImageData
from gan_lightning.data.cache import cache_folder
from gan_lightning.data.loader import BatchLoader
from gan_lightning.evaluation.frechet import frechet_distance
from gan_lightning.evaluation.prdc import prdc
from gan_lightning.images import to_float

SEED = 2026
STEPS = 2000
FEATURES = 64


def network(image_channels: int, classes: int) -> nn.Sequential:
    """Images (N, C, 28, 28) in [-1, 1] -> class logits (N, classes); the layer before the last has the features."""
    return nn.Sequential(
        nn.Conv2d(image_channels, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.LazyLinear(FEATURES), nn.ReLU(), nn.Dropout(0.4), nn.Linear(FEATURES, classes),
    )  # fmt: skip


def train(training: Batch, classes: int) -> nn.Sequential:
    """Adam at 1e-3, falling to zero, batches of 128."""
    torch.manual_seed(SEED)
    classifier = network(training.images.shape[1], classes)
    classifier(to_float(training.images[:2]))
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    loader = BatchLoader(training, 128, SEED)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for images, labels in itertools.islice(batches, STEPS):
        optimizer.zero_grad()
        F.cross_entropy(classifier(to_float(images)), labels).backward()
        optimizer.step()
        schedule.step()
    return classifier


class SecondOpinion:
    """Scores of samples against n real images in the features of that classifier.

    Args:
        data: Data set that has been set up; its classifier is trained at first use and kept in the cache.
        real: Real images to compare with, uint8 (n, C, H, W).
    """

    def __init__(self, data: ImageData, real: Tensor) -> None:
        assert data.splits is not None
        file = cache_folder() / "independent" / f"{data.short_name}.safetensors"
        self.classifier = network(data.image_shape[0], len(data.class_names))
        self.classifier(torch.zeros(2, *data.image_shape))
        if not file.is_file():
            self.keep(train(data.splits.train, len(data.class_names)), file)
        self.classifier.load_state_dict(load_file(file))
        self.classifier.eval()
        test = data.splits.test
        self.accuracy = (self.output(test.images, len(self.classifier)).argmax(1) == test.labels).float().mean().item()
        self.real = self.features(real)

    @staticmethod
    def keep(classifier: nn.Module, file: Path) -> None:
        """Write the weights."""
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(classifier.state_dict(), file)

    @torch.inference_mode()
    def output(self, images: Tensor, layers: int) -> Tensor:
        """The output of the first `layers` layers, of uint8 images."""
        return torch.cat([self.classifier[:layers](to_float(part)) for part in images.split(500)])

    def features(self, images: Tensor) -> Tensor:
        """Features (n, FEATURES)."""
        return self.output(images, len(self.classifier) - 2)

    def scores(self, samples: Tensor) -> dict[str, float]:
        """Frechet distance, recall and coverage of as many samples as there are real images."""
        features = self.features(samples)
        manifold = prdc(self.real, features)
        distance = frechet_distance(self.real, features)
        return {"frechet": distance, "recall": manifold.recall, "coverage": manifold.coverage}
