"""The scorer: measures samples, and real images beside them, by the protocol of an evaluation."""

import functools
import sys

from torch import Tensor

from gan_lightning.data import Batch, ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.cache import ScoreCache
from gan_lightning.evaluation.classes import Modes, classifier_score, mode_coverage
from gan_lightning.evaluation.extractor import Extractor, extractor_for, fingerprint
from gan_lightning.evaluation.frechet import frechet_distance
from gan_lightning.evaluation.inception import FEATURES as INCEPTION_FEATURES
from gan_lightning.evaluation.inception import Inception, load_inception
from gan_lightning.evaluation.memorization import Memorization, memorization
from gan_lightning.evaluation.mmd import SUBSETS, kernel_distance
from gan_lightning.evaluation.prdc import prdc
from gan_lightning.evaluation.protocol import SCORES, EvaluationProtocol, Split
from gan_lightning.evaluation.records import Measurement
from gan_lightning.evaluation.sample_count import check_sample_count, least_samples, require_samples
from gan_lightning.evaluation.samples import subset
from gan_lightning.evaluation.tstr import train_and_test
from gan_lightning.images import to_float


class Scorer:
    """Scores samples against n real images of a split that no generator is trained on.

    Distances compare n samples with these n images. Memorization compares training images with validation images,
    which were drawn from one set (or are its two ends, with data.validation_from=end). The real-data baseline is what
    real training images score; for memorization, what test images score.

    Args:
        data: The data set that samples are compared with; the scorer fetches and reads it.
        split: "test" for values to report, "validation" for choices made before.
        n: Number of samples, and of real images; None for 10,000 (26,000 for stacked MNIST), or all that the split has.
        available: Number of samples that exist, when it is limited: neither n nor the training set of `tstr`,
            otherwise as large as the real one, exceeds it.
        tstr: Whether `measure_tstr` will be called, so that data without classes are refused at once.
        inception: Whether to load Inception; a string names the file of its weights.

    Raises:
        UserError: When the split holds fewer than n images, n is too small for the scores, the data have no classes
            for `tstr`, or Inception cannot be loaded.
    """

    def __init__(
        self,
        data: ImageData,
        split: Split = "test",
        n: int | None = None,
        available: int | None = None,
        tstr: bool = False,
        inception: bool | str = False,
    ) -> None:
        data.prepare_data()
        data.setup()
        assert data.splits is not None
        self.data, self.splits, self.split = data, data.splits, split
        self.held_out = self.splits.test if split == "test" else self.splits.validation
        available = sys.maxsize if available is None else available
        real = min(len(self.held_out.images), len(self.splits.train.images))
        self.n = min(real, data.evaluation_images, available) if n is None else n
        self.tstr_n = min(len(self.splits.train.images), available)
        check_sample_count(self.n, self.least_samples, real, available, data.short_name, split)
        self.tstr = tstr
        if tstr and len(data.class_names) < 2:
            raise UserError(f"tstr= trains a classifier, and {data.short_name} has no classes; leave tstr= out")
        self.inception = self.load_inception(inception) if inception else None
        self.real = subset(self.held_out, self.n)
        self.cache = ScoreCache(split, self.n, tuple(fingerprint(part) for part in self.splits))

    @property
    def least_samples(self) -> int:
        """Smallest n from which the covariance of the features can be estimated."""
        return least_samples(self.data)

    def load_inception(self, weights: bool | str) -> Inception:
        """Inception, once it is known that there are enough samples for its features."""
        require_samples(self.n, INCEPTION_FEATURES + 1, "inception=")
        return load_inception(weights if isinstance(weights, str) else None)

    @functools.cached_property
    def extractor(self) -> Extractor:
        """The reference classifier; trained at first use when the data set has none yet."""
        return extractor_for(self.data)

    @functools.cached_property
    def features(self) -> Tensor:
        """The reference classifier's features of the n real images, (n, D)."""
        return self.real_features(self.extractor)

    def real_features(self, extractor: Extractor | Inception) -> Tensor:
        """Features of the n real images, computed once for each data set and extractor."""
        return self.cache.features(extractor.sha256, lambda: extractor.extract(self.real.images).features)

    # Protocol

    def protocol(self, score: str) -> EvaluationProtocol:
        """How this scorer measures a score, a key of `SCORES`."""
        network = SCORES[score].network
        extractor = self.extractor if network == "reference classifier" else self.inception if network else None
        return EvaluationProtocol(
            data=self.data.short_name,
            split=self.split,
            n=self.tstr_n if score.startswith("tstr") else self.n,
            extractor=extractor.name if extractor else None,
            extractor_sha256=extractor.sha256 if extractor else None,
        )

    def full_name(self, score: str) -> str:
        """The name of a score with its protocol, for tables and loggers."""
        return self.protocol(score).full_name(score)

    # Scores

    def measure(self, samples: Tensor, memorization_of: Tensor | None = None) -> Measurement:
        """Every score but those that take minutes, `tstr` and `frechet_inception`.

        Args:
            samples: Images, uint8 (n, C, H, W).
            memorization_of: Images to test for memorization, uint8 (n, C, H, W), when they are not the samples:
                real training images would all be found to be memorized.
        """
        features, probabilities = self.extractor.extract(samples)
        kernel = kernel_distance(self.features, features, subsets=min(SUBSETS, self.n // 2))
        pixels = to_float(samples)
        modes, copies = self.find_modes(probabilities), self.find_copies(samples, memorization_of)
        scores = {
            "frechet": frechet_distance(self.features, features),
            "kernel": kernel.value,
            "pixel_mean": pixels.mean().item(),
            "pixel_std": pixels.std().item(),
            **prdc(self.features, features)._asdict(),
        }
        errors = {"kernel": kernel.error}
        if modes is not None:
            scores["classifier_score"] = classifier_score(probabilities)
            scores |= {"missing_classes": modes.missing, "class_kl": modes.kl}
        if copies is not None:
            scores |= {"memorization": copies.share, "memorization_p": copies.p_value}
            errors["memorization"] = copies.error
        return Measurement(scores, errors, modes, copies)

    def find_modes(self, probabilities: Tensor) -> Modes | None:
        """Which classes occur, by class probabilities (n, K); None when the extractor knows no classes."""
        if not self.extractor.knows_classes:
            return None
        return mode_coverage(probabilities.argmax(1), self.data.class_shares())

    def find_copies(self, samples: Tensor, memorization_of: Tensor | None) -> Memorization | None:
        """Which images are memorized; None without held-out images, or without n test images for the baseline."""
        if len(self.splits.validation.images) == 0 or len(self.splits.test.images) < self.n:
            return None
        tested = samples if memorization_of is None else memorization_of
        training, validation = (part.images.flatten(1) for part in (self.splits.train, self.splits.validation))
        return memorization(tested.flatten(1), training, validation)

    def real_baseline(self) -> Measurement:
        """What n real training images score; for memorization, n test images. Computed once, then cached."""

        def compute() -> dict[str, dict[str, float]]:
            test = subset(self.splits.test, self.n).images
            measured = self.measure(subset(self.splits.train, self.n).images, memorization_of=test)
            return {"scores": measured.scores, "errors": measured.errors}

        return Measurement(**self.cache.values(f"real_baseline-{self.extractor.sha256}", compute))

    # Scores that take minutes

    def measure_tstr(self, samples: Tensor, labels: Tensor | None) -> dict[str, float]:
        """Accuracy on the whole split of a classifier trained on samples: `tstr`, or `tstr_pseudo_labels`.

        Without labels, the reference classifier assigns them (pseudo-labels, Lee 2013). As it was trained on real
        images, that is an easier test, and has a name of its own.

        Args:
            samples: Images, uint8 (tstr_n, C, H, W).
            labels: The class of each sample, (tstr_n,), or None.
        """
        if labels is not None:
            return {"tstr": train_and_test(Batch(samples, labels), self.held_out, self.data)}
        labelled = Batch(samples, self.extractor.extract(samples).probabilities.argmax(1))
        return {"tstr_pseudo_labels": train_and_test(labelled, self.held_out, self.data)}

    def tstr_baseline(self) -> float:
        """The accuracy of a classifier trained on as many real training images; computed once, then cached."""
        real = subset(self.splits.train, self.tstr_n)
        name = f"train_on_real-{self.tstr_n}"
        return self.cache.values(name, lambda: {"accuracy": train_and_test(real, self.held_out, self.data)})["accuracy"]

    def inception_distance(self, inception: Inception, samples: Tensor) -> float:
        """Frechet distance of samples, uint8 (n, C, H, W), in Inception's 2048 features."""
        return frechet_distance(self.real_features(inception), inception.extract(samples).features)

    def inception_baseline(self, inception: Inception) -> float:
        """The distance of n real training images; computed once, then cached."""
        real = subset(self.splits.train, self.n).images
        name = f"inception-{inception.sha256}"
        return self.cache.values(name, lambda: {"frechet": self.inception_distance(inception, real)})["frechet"]
