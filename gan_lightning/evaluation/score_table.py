"""The table of an evaluation: a row for each score, a column for each source, real images beside them."""

from collections.abc import Iterator, Mapping

from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import Measurement
from gan_lightning.evaluation.scorer import Scorer


def describe_protocol(scorer: Scorer) -> Iterator[str]:
    """Two lines above the table: what is compared with what, and by which reference classifier."""
    card = scorer.extractor.card
    task = "" if scorer.extractor.knows_classes else " at predicting rotations (the images have no classes)"
    accuracy = f"{card['test_accuracy']:.2%} test accuracy{task}, " if card["test_accuracy"] is not None else ""
    yield (
        f"{scorer.n:,} samples against {scorer.n:,} {scorer.split} images of {scorer.data.short_name}; "
        "column real: training images instead"
    )
    yield f"reference classifier {card['name']}: {accuracy}sha256 {card['sha256'][:12]}"


def format_table(columns: Mapping[str, Measurement], scorer: Scorer) -> Iterator[str]:
    """The lines of the table.

    Args:
        columns: What was measured of each source, and of real images, by the titles of their columns.
        scorer: What measured them, which names the rows.
    """
    scores = [score for score in SCORES if any(score in column.scores for column in columns.values())]
    width = max(len(scorer.full_name(score)) for score in scores)
    yield f"{'score':<{width}}" + "".join(f"{title:>24}" for title in columns) + "   better"
    for score in scores:
        cells = "".join(f"{format_cell(column, score):>24}" for column in columns.values())
        yield f"{scorer.full_name(score):<{width}}{cells}   {SCORES[score].preferred}"


def format_cell(column: Measurement, score: str) -> str:
    """A value and its standard error, if it has one; a dash when it was not measured."""
    if score not in column.scores:
        return "-"
    error = f" ± {column.errors[score]:.2g}" if score in column.errors else ""
    return f"{column.scores[score]:.4g}{error}"
