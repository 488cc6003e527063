"""What an evaluation found: a `Measurement` in memory, and a `ScoreRecord` for each value as a line of scores.jsonl."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from gan_lightning.evaluation.classes import Modes
from gan_lightning.evaluation.memorization import Memorization
from gan_lightning.evaluation.protocol import SCORES, EvaluationProtocol, Split


@dataclass(frozen=True)
class Measurement:
    """What was found out about a set of images.

    Attributes:
        scores: Value of each score, by its name in `protocol.SCORES`.
        errors: Standard errors of the scores that estimate one.
        modes: Which classes the images contain; None when the extractor knows no classes.
        memorization: Which images are copies of training images; None when nothing is held out to compare with.
    """

    scores: dict[str, float]
    errors: dict[str, float] = field(default_factory=dict)
    modes: Modes | None = None
    memorization: Memorization | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """One value of one score.

    Every record has every field, so that `pandas.read_json(file, lines=True)` gives a table with one row for each
    value; what does not apply is null.

    Attributes:
        evaluated_at: Time of the evaluation in ISO 8601; the same for all records of one evaluation.
        source: What was scored: samples of the "ema" or "raw" weights, or "images" of any origin.
        score: Name of the score, a key of `protocol.SCORES`.
        value: The score of the samples.
        error: Standard error of the value, for scores that estimate it.
        real_baseline: The score of real images by the same protocol.
        real_baseline_error: Standard error of the baseline.
        higher_is_better: True or false where the values are ordered; null where the best value is that of real images.
        data: Short name of the data set that the samples were compared with.
        split: Split of the data set that the samples were compared with.
        n: Number of samples.
        extractor: Name of the network that provided features and classes; null for a score of pixels.
        extractor_sha256: SHA-256 of that network's weight file.
        during_training: Whether the score was measured by the callback while training went on.
        run: Run folder of the generator.
        checkpoint: File name of the generator's checkpoint; null during training.
        generator_steps: Generator steps that the weights had been trained for.
        images_seen: Real images that the weights had been trained on.
        seed: Seed of the latents.
        images: File or folder that the samples were read from.
    """

    evaluated_at: str
    source: str
    score: str
    value: float
    error: float | None
    real_baseline: float | None
    real_baseline_error: float | None
    higher_is_better: bool | None
    data: str
    split: Split
    n: int
    extractor: str | None
    extractor_sha256: str | None
    during_training: bool = False
    run: str | None = None
    checkpoint: str | None = None
    generator_steps: int | None = None
    images_seen: int | None = None
    seed: int | None = None
    images: str | None = None

    @property
    def protocol(self) -> EvaluationProtocol:
        """How the score was measured."""
        return EvaluationProtocol(**{field.name: getattr(self, field.name) for field in fields(EvaluationProtocol)})

    @property
    def full_name(self) -> str:
        """The score's name with its protocol, for tables and loggers."""
        return self.protocol.full_name(self.score)

    def named_values(self) -> dict[str, float]:
        """The value, its standard error and the real-data baseline by the names under which loggers show them."""
        named = {"": self.value, "_error": self.error, "_real": self.real_baseline}
        return {f"{self.full_name}{suffix}": value for suffix, value in named.items() if value is not None}

    def to_json(self) -> str:
        """The record as a line of JSON; a value that is not finite raises ValueError."""
        return json.dumps(asdict(self), allow_nan=False)


def parse_record(line: str) -> ScoreRecord:
    """A record from a line of JSON.

    Raises:
        ValueError: When the line is not JSON, such as one that was only partly written.
        TypeError: When it is JSON, but its fields are not those of a record.
    """
    return ScoreRecord(**json.loads(line))


def make_records(
    sources: Mapping[str, Measurement],
    baseline: Measurement,
    protocol: Callable[[str], EvaluationProtocol],
    facts: Mapping[str, Any],
) -> list[ScoreRecord]:
    """The records of one evaluation: source by source, scores in the order of the table.

    Args:
        sources: What was measured of each source: "ema", "raw" or "images".
        baseline: What was measured of real images by the same protocols.
        protocol: The protocol by which a score is measured.
        facts: Further fields that all records share: where the samples come from.
    """
    evaluated_at = datetime.now().astimezone().isoformat(timespec="seconds")
    return [
        ScoreRecord(
            evaluated_at=evaluated_at,
            source=source,
            score=score,
            value=measured.scores[score],
            error=measured.errors.get(score),
            real_baseline=baseline.scores.get(score),
            real_baseline_error=baseline.errors.get(score),
            higher_is_better=SCORES[score].higher_is_better,
            **asdict(protocol(score)),
            **facts,
        )
        for source, measured in sources.items()
        for score in SCORES
        if score in measured.scores
    ]
