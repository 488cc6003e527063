"""The sections in which dashboards show numbers; metrics.csv has the names without them."""

from collections.abc import Iterable

from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import ScoreRecord

COUNTERS = ("generator_steps", "images_seen", "epoch")
"""What curves can be drawn against: these stay outside all sections."""

SECTIONS = {
    "discriminator": ("d_real", "d_fake", "augment_p", "balance", "convergence"),
    "pixels": ("real_mean", "fake_mean", "real_std", "fake_std"),
    "system": ("seconds", "images_per_second"),
}
"""Names of training metrics by section. All others are losses, their terms and the norms of their gradients."""

PANELS = {
    "loss": {
        "D and G": ("loss/loss_d", "loss/loss_g"),
        "gradient norms": ("loss/grad_norm_d", "loss/grad_norm_g"),
    },
    "discriminator": {"D(x) and D(G(z))": ("discriminator/d_real", "discriminator/d_fake")},
    "pixels": {"mean": ("pixels/real_mean", "pixels/fake_mean"), "std": ("pixels/real_std", "pixels/fake_std")},
}  # fmt: skip
"""Curves that belong in one panel, by section and the panel's title."""


def in_section(name: str) -> str:
    """The name of a training metric with its section: loss/loss_d."""
    if name in COUNTERS:
        return name
    section = next((section for section, names in SECTIONS.items() if name in names), "loss")
    return f"{section}/{name}"


def is_charted(record: ScoreRecord) -> bool:
    """Whether a score has a best value, and a real-data baseline that its curve is compared with."""
    return record.higher_is_better is not None and record.real_baseline is not None


def best_value(records: Iterable[ScoreRecord], higher_is_better: bool) -> float:
    """The best of the values of one score."""
    return (max if higher_is_better else min)(record.value for record in records)


def score_panels() -> dict[str, str]:
    """For each score that has a best value: a regular expression of its curve's name and its real-data baseline's."""
    ordered = [name for name, score in SCORES.items() if score.higher_is_better is not None]
    return {name: f"scores/{name}_{excluding(name)}(?!.*_error$)" for name in ordered}


def excluding(name: str) -> str:
    """The part of a regular expression that excludes the scores whose names begin with that of another."""
    longer = [other.removeprefix(f"{name}_") for other in SCORES if other.startswith(f"{name}_")]
    return f"(?!{'|'.join(longer)})" if longer else ""
