"""Pictures of an evaluation: what the scores cannot show."""

from pathlib import Path

import torch
from torch import Tensor

from gan_lightning.evaluation.records import Measurement
from gan_lightning.evaluation.samples import subset
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import beside, grid, save_grid
from gan_lightning.report.figures import plot_classes

GRID_IMAGES = 64
"""Real images, and as many samples, in the picture that compares them."""

SUSPECTED_COPIES = 24
"""Samples in the picture of suspected copies."""


def draw_pictures(samples: Tensor, measured: Measurement, scorer: Scorer, folder: Path) -> dict[str, Path]:
    """Real images and samples side by side, the class histogram, and suspected copies, as far as they are known.

    Suspected copies are the samples for which the ratio of the distance to the nearest training image and to the
    nearest held-out image is smallest; each stands at the left of that training image.

    Args:
        samples: The samples that were scored, uint8 (n, C, H, W).
        measured: What was found out about them.
        scorer: What measured them.
        folder: Folder of the pictures.

    Returns:
        The files by what they show.
    """
    files = {"real | samples": folder / "real-and-samples.png"}
    real = subset(scorer.real, min(GRID_IMAGES, scorer.n)).images
    both = beside([grid(real), grid(samples[:GRID_IMAGES])])
    save_grid(both, "real images | samples", files["real | samples"])
    if measured.modes is not None:
        files["classes"] = folder / "classes.png"
        shares = measured.modes.shares
        plot_classes(shares.tolist(), scorer.data.class_shares().tolist(), scorer.data.class_names, files["classes"])
    if measured.memorization is not None:
        files["sample | copied?"] = folder / "nearest.png"
        suspected = measured.memorization.ratio.argsort()[:SUSPECTED_COPIES]
        originals = scorer.splits.train.images[measured.memorization.training[suspected]]
        pairs = grid(torch.cat([samples[suspected], originals], dim=3), columns=6, gap=6)
        save_grid(pairs, "sample | nearest training image", files["sample | copied?"])
    return files
