"""Score sources of samples against real images: print the table, draw the pictures, and keep the records."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_lightning.data import Batch
from gan_lightning.evaluation.pictures import draw_pictures
from gan_lightning.evaluation.records import Measurement, ScoreRecord, make_records
from gan_lightning.evaluation.samples import subset
from gan_lightning.evaluation.score_table import describe_protocol, format_table
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.models import GAN
from gan_lightning.models.module import Weights
from gan_lightning.training.run_folder import RunFolder


@dataclass(frozen=True)
class Source:
    """Samples to score.

    Args:
        name: "ema" or "raw", the weights of a generator, or "images" of any origin.
        draw: Gives a number of samples, uint8 (count, C, H, W), and their labels (count,), when they have any. The
            same number gives the same samples.
    """

    name: str
    draw: Callable[[int], tuple[Tensor, Tensor | None]]


def generator_sources(module: GAN, seed: int) -> list[Source]:
    """The averaged weights of a trained generator, when it keeps them, and its raw weights.

    Args:
        module: The trained module.
        seed: Seed of the latents; the same for all sources.
    """

    def source(name: Weights) -> Source:
        sampler = module.sampler(name)
        return Source(name, lambda count: (sampler.sample(count, seed), sampler.labels(count)))

    return [source(name) for name in module.kept_weights]


def image_source(images: Tensor, labels: Tensor | None) -> Source:
    """Samples that exist already: all, or a subset drawn by a fixed seed, because files may be sorted by class.

    Args:
        images: The samples, uint8 (N, C, H, W).
        labels: The class of each sample, (N,), or None.
    """

    def draw(count: int) -> tuple[Tensor, Tensor | None]:
        chosen = subset(Batch(images, torch.zeros(len(images)) if labels is None else labels), count)
        return chosen.images, None if labels is None else chosen.labels

    return Source("images", draw)


def score_sources(
    sources: list[Source], scorer: Scorer, facts: dict[str, Any], folder: RunFolder
) -> tuple[list[ScoreRecord], dict[str, Path]]:
    """Score every source; print the table, draw pictures of the first, and add the records to scores.jsonl.

    Args:
        sources: The samples to score.
        scorer: Measures them; with `tstr` or `inception`, also the scores that take minutes.
        facts: Fields of the records that say where the samples come from.
        folder: Folder of scores.jsonl and the pictures.

    Returns:
        The records, and the pictures by what they show.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    samples = {source.name: source.draw(scorer.n)[0] for source in sources}
    measured = {source.name: measure_source(source, samples[source.name], scorer) for source in sources}
    first = sources[0].name
    baseline = measure_baseline(measured[first], scorer)
    print("\n".join([*describe_protocol(scorer), "", *format_table(measured | {"real": baseline}, scorer), ""]))
    records = make_records(measured, baseline, scorer.protocol, facts)
    folder.add_scores(records)
    pictures = draw_pictures(samples[first], measured[first], scorer, folder.path / "evaluation")
    for what, where in {"scores": folder.scores_file, **pictures}.items():
        print(f"  {what:<16} {where}")
    return records, pictures


def measure_source(source: Source, samples: Tensor, scorer: Scorer) -> Measurement:
    """All scores of a source, those that take minutes only when the scorer was asked for them."""
    measured = scorer.measure(samples)
    extra: dict[str, float] = {}
    if scorer.tstr:
        extra |= scorer.measure_tstr(*source.draw(scorer.tstr_n))
    if scorer.inception is not None:
        extra["frechet_inception"] = scorer.inception_distance(scorer.inception, samples)
    return replace(measured, scores=measured.scores | extra)


def measure_baseline(measured: Measurement, scorer: Scorer) -> Measurement:
    """What real images score, in all scores that were measured of samples."""
    baseline = scorer.real_baseline()
    extra: dict[str, float] = {
        name: scorer.tstr_baseline() for name in ("tstr", "tstr_pseudo_labels") if name in measured.scores
    }
    if scorer.inception is not None:
        extra["frechet_inception"] = scorer.inception_baseline(scorer.inception)
    return replace(baseline, scores=baseline.scores | extra)
