"""Score samples of a run, or of any program, against real images: a table, a line of scores.jsonl, pictures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_lightning.data import Batch
from gan_lightning.evaluation.distances import require
from gan_lightning.evaluation.inception import FEATURES as INCEPTION_FEATURES
from gan_lightning.evaluation.inception import Inception, load_inception
from gan_lightning.evaluation.scorer import BETTER, Measurement, Scorer, subset
from gan_lightning.images import grid, save_png
from gan_lightning.models import GAN
from gan_lightning.models.gan import Weights
from gan_lightning.report.figures import plot_classes
from gan_lightning.training.run_folder import RunFolder

SHOWN = 64
"""Images of each kind in a picture."""

WORST = 24
"""Samples on the page of suspected copies."""


@dataclass(frozen=True)
class Source:
    """Samples to score.

    Attributes:
        name: of their column in the table: "ema" or "raw" weights, or "samples" of another program.
        draw: gives so many of them, uint8 (count, C, H, W), always the same; and labels, when they have any.
    """

    name: str
    draw: Callable[[int], tuple[Tensor, Tensor | None]]


def of_module(module: GAN, seed: int) -> list[Source]:
    """A trained generator's averaged weights, when it keeps them, and its raw ones."""

    def source(name: Weights) -> Source:
        return Source(name, lambda count: (module.draw(count, seed, name), module.labels(count)))

    return [source(name) for name in module.kept_weights]


def of_images(images: Tensor, labels: Tensor | None) -> list[Source]:
    """Samples already drawn: all, or a part drawn by a fixed seed, for files may be sorted by class."""

    def draw(count: int) -> tuple[Tensor, Tensor | None]:
        chosen = subset(Batch(images, torch.zeros(len(images)) if labels is None else labels), count)
        return chosen.images, None if labels is None else chosen.labels

    return [Source("samples", draw)]


def evaluate(
    sources: list[Source],
    scorer: Scorer,
    facts: dict[str, Any],
    folder: RunFolder,
    tstr: bool = False,
    inception: bool | str = False,
) -> None:
    """Score every source; print the table, draw the pictures, add the line to scores.jsonl.

    Args:
        sources: what to score.
        scorer: by which protocol.
        facts: what the line says besides: where the samples come from.
        folder: where scores.jsonl and the pictures go.
        tstr: also train a classifier on as many samples as there are training images, and on the real ones.
        inception: also measure the published FID; a string names the weight file.
    """
    started = time.monotonic()
    refuse_impossible(scorer, tstr, inception)
    folder.path.mkdir(parents=True, exist_ok=True)
    network = load_inception(inception if isinstance(inception, str) else None) if inception else None
    columns: dict[str, dict[str, float]] = {}
    pictured: tuple[Tensor, Measurement] | None = None
    for source in sources:
        samples, _ = source.draw(scorer.n)
        measured = scorer.measure(samples)
        columns[source.name] = measured.scores | extra_scores(source, samples, scorer, tstr, network)
        pictured = pictured or (samples, measured)
    assert pictured is not None
    columns["real"] = scorer.real_baseline() | extra_floor(columns[sources[0].name], scorer, network)
    print("\n".join([*headline(scorer), "", *table(columns, scorer), ""]))
    folder.add_scores(facts | scorer.describe(columns) | {"seconds": round(time.monotonic() - started, 1)})
    pictures = draw_pictures(*pictured, scorer, folder.path / "evaluation")
    for what, where in {"scores": folder.scores_file, **pictures}.items():
        print(f"  {what:<16} {where}")


def refuse_impossible(scorer: Scorer, tstr: bool, inception: bool | str) -> None:
    """Say before the work starts that it cannot be done."""
    if tstr:
        scorer.require_classes()
    if inception:
        require(scorer.n, INCEPTION_FEATURES + 1, "inception=")


def extra_scores(
    source: Source, samples: Tensor, scorer: Scorer, tstr: bool, network: Inception | None
) -> dict[str, float]:
    """The scores that are asked for by themselves, because they take minutes."""
    scores: dict[str, float] = {}
    if tstr:
        scores |= scorer.train_on_synthetic(*source.draw(scorer.tstr_images))
    if network is not None:
        scores["frechet_inception"] = scorer.inception_distance(network, samples)
    return scores


def extra_floor(like: dict[str, float], scorer: Scorer, network: Inception | None) -> dict[str, float]:
    """What real images score in the extra scores of another column."""
    scores = {name: scorer.train_on_real() for name in ("tstr", "tstr_judged") if name in like}
    return scores | ({"frechet_inception": scorer.inception_floor(network)} if network is not None else {})


def headline(scorer: Scorer) -> Iterator[str]:
    """Who judges, and what is compared with what."""
    card = scorer.extractor.card
    of = "" if scorer.extractor.knows_classes else " about quarter turns (the images have no classes)"
    right = f"{card['test_accuracy']:.2%} right{of}, " if card["test_accuracy"] is not None else ""
    yield (
        f"{scorer.n:,} samples against {scorer.n:,} {scorer.split} images of {scorer.data.short_name}; "
        "column real: training images instead"
    )
    yield f"judge {card['name']}: {right}sha256 {card['sha256'][:12]}"


def table(columns: dict[str, dict[str, float]], scorer: Scorer) -> Iterator[str]:
    """A row for each score, a column for each source, the floor beside them."""
    names = [name for name in BETTER if any(name in scores for scores in columns.values())]
    width = max(len(scorer.full_name(name)) for name in names)
    yield f"{'score':<{width}}" + "".join(f"{name:>24}" for name in columns) + "   better"
    for name in names:
        cells = "".join(f"{cell(scores, name):>24}" for scores in columns.values())
        yield f"{scorer.full_name(name):<{width}}{cells}   {BETTER[name]}"


def cell(scores: dict[str, float], name: str) -> str:
    """A score and its standard error, if it has one."""
    if name not in scores:
        return "-"
    error = f" ± {scores[f'{name}_error']:.2g}" if f"{name}_error" in scores else ""
    return f"{scores[name]:.4g}{error}"


def draw_pictures(samples: Tensor, measured: Measurement, scorer: Scorer, folder: Path) -> dict[str, Path]:
    """Real and fake side by side, the class histogram, and suspected copies.

    Those are the samples nearest to a training image in proportion to their distance to the held-out images, each with
    that training image at its right.
    """
    files = {"real | samples": folder / "real-and-samples.png"}
    real = subset(scorer.real, min(SHOWN, scorer.n)).images
    save_png(side_by_side(grid(real), grid(samples[:SHOWN])), files["real | samples"])
    if measured.modes is not None:
        files["classes"] = folder / "classes.png"
        shares = measured.modes.shares
        plot_classes(shares.tolist(), scorer.data.class_shares().tolist(), scorer.data.class_names, files["classes"])
    if measured.copies is not None:
        files["sample | copied?"] = folder / "nearest.png"
        worst = measured.copies.ratio.argsort()[:WORST]
        pairs = torch.cat([samples[worst], scorer.splits.train.images[measured.copies.training[worst]]], dim=3)
        save_png(grid(pairs, columns=6, gap=6), files["sample | copied?"])
    return files


def side_by_side(left: Tensor, right: Tensor, gap: int = 12) -> Tensor:
    """Two pictures (C, H, W) of one height, a white bar between them."""
    bar = torch.full((left.shape[0], left.shape[1], gap), 255, dtype=torch.uint8)
    return torch.cat([left, bar, right], dim=2)
