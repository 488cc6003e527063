"""The protocol of an evaluation: which real images, which extractor, how many samples, and every score of them."""

import functools
import hashlib
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gan_lightning.data import Batch, ImageData
from gan_lightning.data.cache import cache_folder, write_atomically
from gan_lightning.data.image_data import SPLIT_SEED
from gan_lightning.errors import UserError
from gan_lightning.evaluation.classes import Modes, classifier_score, mode_coverage
from gan_lightning.evaluation.classifier import FEATURES, accuracy, train_classifier
from gan_lightning.evaluation.distances import frechet_distance, kernel_distance
from gan_lightning.evaluation.extractor import Extractor, extractor_for, fingerprint, own_name
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.neighbours import Memorisation, manifold_scores, memorisation
from gan_lightning.images import to_float
from gan_lightning.training.precision import bfloat16_is_faster

log = logging.getLogger(__name__)

VERSION = 1
"""Of the scores' definitions; raise it when one changes, so that no cached figure of the old one is shown."""

TSTR_STEPS = 2000  # of 128 images: 4.7 passes over 55,000

Split = Literal["test", "validation"]
Scores = dict[str, float]

BETTER = {
    "frechet": "lower",
    "kernel": "lower",
    "classifier_score": "higher",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "missing_classes": "lower",
    "class_kl": "lower",
    "memorised": "as real",
    "memorised_p": "not near 0",
    "pixel_mean": "as real",
    "pixel_std": "as real",
    "tstr": "higher",
    "tstr_judged": "higher",
    "frechet_inception": "lower",
}
"""Every score, in the order of the table, and which way is better; NAME_error is the standard error of NAME."""

UNJUDGED = ("memorised", "pixel", "tstr", "frechet_inception")  # measured without the reference classifier


class Measurement(NamedTuple):
    """Everything found out about a set of samples; `modes` and `copies` are None where they cannot be told."""

    scores: Scores
    modes: Modes | None
    copies: Memorisation | None


class Scorer:
    """n real images of a split that no generator is trained on, and all that samples are compared with.

    Distances compare n samples with these n images. Memorisation compares training images with validation images,
    which were drawn from one set (or are its two ends, with data.validation_from=end). The floor is what real training
    images score; of memorisation, what test images do.

    Args:
        data: the data set; it is fetched and read.
        split: "test" for figures to report, "validation" for choices on the way there.
        n: samples, and as many real images; None for 10,000 (26,000 for stacked MNIST), or all that the split holds.
        available: samples there are, if they are limited: neither n nor the training set of train-on-synthetic,
            otherwise as large as the real one, exceeds it.

    Raises:
        UserError: when the split holds fewer than n images, or n is too few for the scores.
    """

    def __init__(
        self, data: ImageData, split: Split = "test", n: int | None = None, available: int | None = None
    ) -> None:
        data.prepare_data()
        data.setup()
        assert data.splits is not None
        self.data = data
        self.splits = data.splits
        self.split = split
        part = self.splits.test if split == "test" else self.splits.validation
        limit = sys.maxsize if available is None else available
        self.n = min(len(part.images), len(self.splits.train.images), data.evaluation_images, limit) if n is None else n
        self.tstr_images = min(len(self.splits.train.images), limit)
        self.refuse_few(min(len(part.images), len(self.splits.train.images)), limit)
        self.identity = [fingerprint(part) for part in self.splits]
        self.part = part
        self.real = subset(part, self.n)

    @functools.cached_property
    def extractor(self) -> Extractor:
        """The reference classifier, trained now when the data have none: after all that may be refused."""
        return extractor_for(self.data)

    @functools.cached_property
    def features(self) -> Tensor:
        """Of the real images."""
        return self.real_features(self.extractor)

    @property
    def asks_for_copies(self) -> bool:
        """Whether memorisation can be told: held-out images to compare with, and n test images for its floor."""
        return len(self.splits.validation.images) > 0 and len(self.splits.test.images) >= self.n

    def refuse_few(self, real: int, samples: int) -> None:
        """Refuse an n that there are not enough images for, or that no covariance can be estimated from."""
        gray_judge = self.data.reference is not None
        least = FEATURES * (self.data.image_shape[0] if gray_judge else 1) + 1
        name, most = self.data.short_name, min(real, samples)
        if most < least:
            raise UserError(
                f"scores need at least {least} samples and as many {self.split} images; there are {real:,} "
                f"{self.split} images of {name}"
                + (f" and {samples:,} samples" if samples < sys.maxsize else "")
                + "; bring more, or hold out more (data.held_out= or data.validation_images=)"
            )
        if self.n > samples:
            raise UserError(f"n={self.n:,}, but there are only {samples:,} samples; type n={most}")
        if self.n > real:
            raise UserError(
                f"n={self.n:,}, but {name} holds only {real:,} {self.split} images to compare with, "
                f"and as many training images for the floor; type n={most}"
            )
        if self.n < least:
            raise UserError(f"scores need at least {least} samples, got n={self.n}; type n={least} or more")

    # Names

    def full_name(self, score: str) -> str:
        """The score's name with its protocol: frechet_mnist_cnn_10k, frechet_mnist_cnn_2k_validation.

        That is the data (and the judge, where it is that of other data), the samples, and the split but the test split.
        """
        own, data = own_name(self.data), self.data.short_name
        n = self.tstr_images if score.startswith("tstr") else self.n
        unjudged = score.startswith(UNJUDGED) and score != "tstr_judged"
        judged = data if unjudged else own if self.judge == own else f"{data}_{self.judge}"
        count = f"{n // 1000}k" if n % 1000 == 0 else str(n)
        return "_".join([score, judged, count, *([self.split] if self.split != "test" else [])])

    @property
    def judge(self) -> str:
        """The extractor's name."""
        return self.data.reference or own_name(self.data)

    def describe(self, columns: dict[str, Scores]) -> dict[str, Any]:
        """An evaluation's line of scores.jsonl: the protocol, and each column's scores by their full names."""
        return {
            "data": self.data.short_name,
            "split": self.split,
            "n": self.n,
            "extractor": {key: self.extractor.card[key] for key in ("name", "sha256", "test_accuracy")},
            "scores": {
                column: {self.full_name(score): value for score, value in scores.items()}
                for column, scores in columns.items()
            },
        }

    # Scores

    def measure(self, samples: Tensor, copies_of: Tensor | None = None) -> Measurement:
        """Every score of n samples, uint8 (n, C, H, W), but those that are asked for by themselves.

        Memorisation is that of `copies_of` (the samples): real training images are no samples to ask about.
        """
        features, probabilities = self.extractor.extract(samples)
        kernel = kernel_distance(self.features, features)
        pixels = to_float(samples)
        scores = {
            "frechet": frechet_distance(self.features, features),
            "kernel": kernel.value,
            "kernel_error": kernel.error,
            "pixel_mean": pixels.mean().item(),
            "pixel_std": pixels.std().item(),
            **manifold_scores(self.features, features)._asdict(),
        }
        modes = copies = None
        if self.extractor.knows_classes:
            modes = mode_coverage(probabilities.argmax(1), self.data.class_shares())
            scores |= {
                "classifier_score": classifier_score(probabilities),
                "missing_classes": modes.missing,
                "class_kl": modes.kl,
            }
        if self.asks_for_copies:
            asked = samples if copies_of is None else copies_of
            known, held_out = (part.images.flatten(1) for part in (self.splits.train, self.splits.validation))
            copies = memorisation(asked.flatten(1), known, held_out)
            scores |= {"memorised": copies.share, "memorised_error": copies.error, "memorised_p": copies.p_value}
        return Measurement(scores, modes, copies)

    def real_baseline(self) -> Scores:
        """What n real training images score; for memorisation, n test images. Computed once, then cached."""

        def compute() -> Scores:
            real = subset(self.splits.train, self.n).images
            return self.measure(real, copies_of=subset(self.splits.test, self.n).images).scores

        return self.cached("floor", compute)

    def train_on_synthetic(self, samples: Tensor, labels: Tensor | None) -> Scores:
        """Accuracy on the whole split of a classifier trained on samples (Ravuri & Vinyals 2019, arXiv:1905.10887).

        Samples without labels are labelled by the judge, which knows real images: that is a milder test, and named
        otherwise.

        Raises:
            UserError: when the data have no classes.
        """
        self.require_classes()
        if labels is not None:
            return {"tstr": self.train_and_test(Batch(samples, labels))}
        return {
            "tstr_judged": self.train_and_test(Batch(samples, self.extractor.extract(samples).probabilities.argmax(1)))
        }

    def train_on_real(self) -> float:
        """The same of a classifier trained on as many real training images; computed once, then cached."""
        self.require_classes()
        real = subset(self.splits.train, self.tstr_images)
        what = f"train_on_real-{self.tstr_images}"
        return self.cached(what, lambda: {"accuracy": self.train_and_test(real)})["accuracy"]

    def train_and_test(self, training: Batch) -> float:
        """Train a classifier by the fixed recipe; its accuracy on the whole split."""
        bfloat16 = bfloat16_is_faster("cpu")
        classes = len(self.data.class_names)
        classifier = train_classifier(training, classes, steps=TSTR_STEPS, mirror=self.data.mirrored, bfloat16=bfloat16)
        return accuracy(classifier, self.part)

    def inception_distance(self, inception: Inception, samples: Tensor) -> float:
        """Frechet distance in Inception's 2048 features."""
        return frechet_distance(self.real_features(inception), inception.extract(samples).features)

    def inception_floor(self, inception: Inception) -> float:
        """The same of n real training images; computed once, then cached."""
        real = subset(self.splits.train, self.n).images
        what = f"inception-{inception.sha256}"
        return self.cached(what, lambda: {"frechet": self.inception_distance(inception, real)})["frechet"]

    def require_classes(self) -> None:
        """Refuse what cannot be told of images without classes."""
        if len(self.data.class_names) < 2:
            raise UserError(f"tstr= trains a classifier, and {self.data.short_name} has no classes; leave tstr= out")

    # Cache

    def real_features(self, extractor: Extractor | Inception) -> Tensor:
        """Features of the real images, computed once for each data set and extractor."""
        file = self.cache_file(f"features-{extractor.sha256}", ".safetensors")
        with suppress(OSError, SafetensorError):  # missing or damaged: computed again
            return load(file.read_bytes())["features"]
        features = extractor.extract(self.real.images).features
        keep(file, save({"features": features}))
        return features

    def cached(self, what: str, compute: Callable[[], Scores]) -> Scores:
        """Figures of real data from the cache, else computed and kept; two processes at once do it twice."""
        file = self.cache_file(f"{what}-{self.extractor.sha256}", ".json")
        with suppress(OSError, ValueError):
            return json.loads(file.read_text())
        log.info("measuring real images by the same protocol (%s): once, then cached", what)
        figures = compute()
        keep(file, json.dumps(figures).encode())
        return figures

    def cache_file(self, what: str, suffix: str) -> Path:
        """Its name stands for everything a cached figure depends on."""
        parts = [str(VERSION), what, self.split, str(self.n), *self.identity]
        return cache_folder() / "scores" / f"{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}{suffix}"


def keep(file: Path, content: bytes) -> None:
    """Write to the cache; a cache that cannot be written to costs time, not the result."""
    try:
        write_atomically(file, content)
    except OSError as error:
        log.warning("%s cannot be written (%s); type GAN_LIGHTNING_CACHE=FOLDER before the command", file, error)


def subset(part: Batch, n: int) -> Batch:
    """n images of a split drawn by a fixed seed, or all of them."""
    if n == len(part.images):
        return part
    chosen = torch.randperm(len(part.images), generator=torch.Generator().manual_seed(SPLIT_SEED))[:n].sort().values
    return Batch(part.images[chosen], part.labels[chosen])
