"""Every score, and the protocol of an evaluation: what is compared with what, on how many images, by which features."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Split = Literal["test", "validation"]

Preferred = Literal["higher", "lower", "as real", "not near 0"]


class Score(NamedTuple):
    """What is known of a score before it is measured.

    Attributes:
        preferred: Which values are better; "as real" where the best value is that of real images.
        network: Network whose features or classes the score is computed from; None for a score of pixels.
    """

    preferred: Preferred
    network: Literal["reference classifier", "Inception"] | None = "reference classifier"

    @property
    def higher_is_better(self) -> bool | None:
        """True or false where the values are ordered, else None."""
        return {"higher": True, "lower": False}.get(self.preferred)


SCORES = {
    "frechet": Score("lower"),
    "kernel": Score("lower"),
    "classifier_score": Score("higher"),
    "precision": Score("higher"),
    "recall": Score("higher"),
    "density": Score("higher"),
    "coverage": Score("higher"),
    "missing_classes": Score("lower"),
    "class_kl": Score("lower"),
    "memorization": Score("as real", network=None),
    "memorization_p": Score("not near 0", network=None),
    "pixel_mean": Score("as real", network=None),
    "pixel_std": Score("as real", network=None),
    "tstr": Score("higher", network=None),
    "tstr_pseudo_labels": Score("higher"),
    "frechet_inception": Score("lower", network="Inception"),
}
"""Every score, in the order of the table."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """How a score is measured. Two values compare only when their protocols are equal.

    Attributes:
        data: Short name of the data set that samples are compared with.
        split: Split of the data set that samples are compared with.
        n: Number of samples; also that of the real images, except for `tstr`, which is tested on the whole split.
        extractor: Name of the network that provides features and classes; None for a score of pixels.
        extractor_sha256: SHA-256 of that network's weight file.
    """

    data: str
    split: Split
    n: int
    extractor: str | None
    extractor_sha256: str | None

    def full_name(self, score: str) -> str:
        """The name of a score for tables and loggers: frechet_mnist_cnn_10k, frechet_mnist_cnn_2k_validation.

        It consists of the score, the data set (with the extractor, where that was trained on other data), the number of
        samples, and the split unless it is the test split. Programs read records instead; a name is never parsed.

        Args:
            score: A key of `SCORES` that was measured by this protocol.
        """
        uses_classifier = SCORES[score].network == "reference classifier"
        data = name_data(self.data, self.extractor) if uses_classifier else self.data
        count = f"{self.n // 1000}k" if self.n % 1000 == 0 else str(self.n)
        return "_".join([score, data, count, *([self.split] if self.split != "test" else [])])


def name_own_extractor(data: str) -> str:
    """The name of a reference classifier that was trained on a data set of this short name."""
    return f"{data}_cnn"


def name_data(data: str, extractor: str | None) -> str:
    """The part of a score's name that says which data were used, and by which extractor."""
    return name_own_extractor(data) if extractor == name_own_extractor(data) else f"{data}_{extractor}"
