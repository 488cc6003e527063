"""Statistics as sentences, and numbers as a person reads them."""

from collections.abc import Mapping, Sequence

from gan_lightning.report.statistics import MOST_SEEDS, Interval, Pair, Scores, Summary

FEW_ARMS = 6
"""Arms up to which every pair is put into words; of more, only those with the arm of the best mean."""


def number(value: float) -> str:
    """Three significant digits, without an exponent where it is short enough."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def between(interval: Interval) -> str:
    """An interval in words."""
    return f"95 % interval {number(interval.low)} to {number(interval.high)}"


def count(n: int, what: str) -> str:
    """A number and a noun: 1 seed, 3 seeds."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def describe_pair(pair: Pair) -> str:
    """What is known of two arms, as a sentence without its full stop."""
    amount = f"difference {number(pair.difference)}"
    if pair.interval is None:
        return (
            f"{pair.better} is better than {pair.worse} by {number(pair.difference)} on the one seed they share; "
            "one seed gives no interval, and may be chance"
        )
    amount = f"({amount}, {between(pair.interval)})"
    if pair.told_apart:
        return f"{pair.better} beats {pair.worse} on {pair.wins} of {count(pair.seeds, 'seed')} {amount}"
    needed = pair.seeds_needed
    more = f"about {needed:,} would be needed" if needed else f"more than {MOST_SEEDS:,} would be needed"
    return f"{pair.better} and {pair.worse} cannot be told apart with {count(pair.seeds, 'seed')} {amount}; {more}"


def describe_arms(arms: Mapping[str, Scores], pairs: Sequence[Pair], higher_is_better: bool) -> list[str]:
    """The sentences of a score: who beats whom, and what could not be compared.

    Args:
        arms: The scores of each arm.
        pairs: What `statistics.compare_arms` says of them.
        higher_is_better: Whether a higher score is better.
    """
    if len(arms) < 2:
        single = [name for name, scores in arms.items() if len(scores) == 1]
        return [f"{single[0]} was trained with one seed only: there is no interval"] if single else []
    shown = list(pairs)
    if len(arms) > FEW_ARMS:
        mean = {name: sum(scores.values()) / len(scores) for name, scores in arms.items()}
        first = (max if higher_is_better else min)(mean, key=lambda name: mean[name])
        shown = [pair for pair in pairs if first in (pair.better, pair.worse)]
    shown.sort(key=lambda pair: (not pair.told_apart, -pair.difference))
    compared = {frozenset((pair.better, pair.worse)) for pair in pairs}
    names = list(arms)
    apart = [
        f"{one} and {other} share no seed and are not compared"
        for index, one in enumerate(names)
        for other in names[index + 1 :]
        if frozenset((one, other)) not in compared
    ]
    return [*map(describe_pair, shown), *apart[:FEW_ARMS]]


def describe_summary(summary: Summary) -> str:
    """Mean and standard deviation of an arm; of one seed, its value."""
    return number(summary.mean) + ("" if summary.std is None else f" ± {summary.std:.2g}")
