"""Statistics of scores over seeds: pure functions of numbers, for arms whose runs differ only in their seed.

A bootstrap interval of a handful of seeds is too narrow (of three, it never leaves their range); whether two arms
differ is therefore decided by the paired t-test, whose interval is exact for normal differences, after Holm's
correction for the number of pairs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
"""Share of repeated studies whose interval holds the true value."""

POWER = 0.8
"""Probability with which `seeds_needed` seeds find a difference that is as large as the observed one."""

RESAMPLES = 9999
"""Bootstrap samples of an interval."""

MOST_SEEDS = 1000
"""The largest number of seeds that is worth naming."""

Scores = Mapping[int, float]
"""The score of an arm's run, by its seed."""


class Interval(NamedTuple):
    """A confidence interval of level `LEVEL`."""

    low: float
    high: float


class Summary(NamedTuple):
    """What the seeds of one arm say.

    Attributes:
        n: Number of seeds.
        mean: Mean over the seeds.
        std: Standard deviation of a single seed (divisor n - 1); None for one seed.
        interval: Bootstrap interval of the mean; None for one seed.
    """

    n: int
    mean: float
    std: float | None
    interval: Interval | None


def summarize(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and bootstrap interval of at least one value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Summary(1, mean, None, None)
    return Summary(len(values), mean, float(np.std(values, ddof=1)), bootstrap_interval(values))


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The percentile bootstrap's interval of the mean (Efron 1979).

    Args:
        values: Two values or more.
        seed: Seed of the resampling, so that one report says the same each time it is made.
    """
    result = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="percentile",
        rng=np.random.default_rng(seed), vectorized=True,
    )  # fmt: skip
    return Interval(float(result.confidence_interval.low), float(result.confidence_interval.high))


# Two arms


@dataclass(frozen=True)
class Pair:
    """Two arms compared on the seeds that they share.

    Attributes:
        better: Name of the arm that is better on average over these seeds.
        worse: Name of the other.
        seeds: Number of seeds that they share.
        wins: Number of these on which `better` is the better one.
        difference: Mean over the seeds of how much better it is, 0 or more.
        std: Standard deviation of these differences; None for one seed.
        interval: Interval of the difference by Student's t; None for one seed.
        probability: Probability of improvement: share of all pairs of a run of `better` and one of `worse`, whatever
            their seeds, in which the former is better; ties count half.
        p: Two-sided p-value of the paired t-test; None for one seed.
        corrected_p: The same after Holm's correction for all pairs of the study.
        pairs: Number of pairs that it was corrected for.
    """

    better: str
    worse: str
    seeds: int
    wins: int
    difference: float
    std: float | None
    interval: Interval | None
    probability: float
    p: float | None
    corrected_p: float | None = None
    pairs: int = 1

    @property
    def told_apart(self) -> bool:
        """Whether the seeds suffice to say that one arm is better."""
        return self.corrected_p is not None and self.corrected_p < 1 - LEVEL

    @property
    def seeds_needed(self) -> int | None:
        """Seeds that would probably tell the arms apart, more than there are; None above `MOST_SEEDS` or for one seed.

        It takes the observed difference and spread for the true ones, and Bonferroni's level.
        """
        if self.std is None or not self.difference:
            return None
        needed = seeds_needed(self.difference / self.std, (1 - LEVEL) / self.pairs) if self.std else 2
        return needed and max(needed, self.seeds + 1)


def compare_arms(arms: Mapping[str, Scores], higher_is_better: bool) -> list[Pair]:
    """Every pair of arms that share a seed, with p-values corrected for their number.

    Args:
        arms: The scores of each arm.
        higher_is_better: Whether a higher score is better.
    """
    pairs = [
        compare_pair(first, second, arms, higher_is_better)
        for first, second in combinations(arms, 2)
        if arms[first].keys() & arms[second].keys()
    ]
    tested = [pair for pair in pairs if pair.p is not None]
    corrected = iter(holm([pair.p for pair in tested if pair.p is not None]))
    return [pair if pair.p is None else replace(pair, corrected_p=next(corrected), pairs=len(tested)) for pair in pairs]


def compare_pair(first: str, second: str, arms: Mapping[str, Scores], higher_is_better: bool) -> Pair:
    """Two arms that share a seed; the order of their names does not matter but for a tie."""
    sign = 1 if higher_is_better else -1
    common = sorted(arms[first].keys() & arms[second].keys())
    differences = [sign * (arms[first][seed] - arms[second][seed]) for seed in common]
    mean = math.fsum(differences) / len(differences)
    if mean < 0:
        return compare_pair(second, first, arms, higher_is_better)
    std = float(np.std(differences, ddof=1)) if len(common) > 1 else None
    own, other = (np.fromiter(arms[name].values(), float) for name in (first, second))
    return Pair(
        first,
        second,
        len(common),
        sum(difference > 0 for difference in differences),
        mean,
        std,
        None if std is None else student_interval(mean, std, len(common)),
        probability_of_improvement(sign * own, sign * other),
        None if std is None else student_p(mean, std, len(common)),
    )


def probability_of_improvement(better: np.ndarray, worse: np.ndarray) -> float:
    """P(X > Y) + P(X = Y) / 2 of a draw from each sample: the Mann-Whitney statistic divided by its maximum.

    Args:
        better: Scores (n,) of one arm, higher better.
        worse: Scores (m,) of the other.
    """
    above = better[:, None] > worse[None]
    equal = better[:, None] == worse[None]
    return float(above.mean() + equal.mean() / 2)


@cache
def critical_value(degrees: int, alpha: float) -> float:
    """The t that a two-sided test of level alpha rejects from."""
    return float(stats.t.isf(alpha / 2, degrees))


def student_interval(mean: float, std: float, n: int) -> Interval:
    """Student's interval of the mean of n normal values."""
    half = critical_value(n - 1, 1 - LEVEL) * std / math.sqrt(n)
    return Interval(mean - half, mean + half)


def student_p(mean: float, std: float, n: int) -> float:
    """Two-sided p-value of a mean of n normal values being 0; of values all equal: 1 if they are 0, else 0."""
    if std == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean) / std * math.sqrt(n), n - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979) of p-values, in their order."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def seeds_needed(effect: float, alpha: float) -> int | None:
    """The least number of seeds whose paired t-test finds an effect with probability `POWER`; None above `MOST_SEEDS`.

    Args:
        effect: Mean of the paired differences divided by their standard deviation, above 0.
        alpha: Level of the test.
    """
    low, high = 2, MOST_SEEDS
    if power(high, effect, alpha) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, alpha) >= POWER else (middle + 1, high)
    return low


def power(n: int, effect: float, alpha: float) -> float:
    """Probability that the two-sided paired t-test of n differences rejects, by the noncentral t distribution."""
    found = stats.nct.sf(critical_value(n - 1, alpha), n - 1, effect * math.sqrt(n))
    return 1.0 if math.isnan(found) else float(found)  # far beyond 1 in its numerics


def unbeaten(arms: Mapping[str, Scores], pairs: Sequence[Pair]) -> list[str]:
    """The arms that may be the best: those that no arm beats, or none at all where no pair is told apart.

    One alone is the best. An arm that shares fewer than two seeds with the others may be the best, too.

    Args:
        arms: The scores of each arm.
        pairs: What `compare_arms` says of them.
    """
    beaten = {pair.worse for pair in pairs if pair.told_apart}
    return [name for name in arms if name not in beaten] if beaten else []
