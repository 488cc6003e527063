"""Statistics over seeds: closed forms, and laws of symmetry, shift and scale."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from gan_lightning.report.statistics import (
    RESAMPLES,
    bootstrap_interval,
    compare_arms,
    holm,
    power,
    probability_of_improvement,
    seeds_needed,
    student_interval,
    summarize,
    unbeaten,
)
from gan_lightning.report.words import describe_arms, describe_pair, describe_summary, number

A, B = {0: 5.0, 1: 7.0, 2: 6.5}, {0: 8.1, 1: 10.0, 2: 9.7}
CLOSE = {0: 5.4, 1: 6.4, 2: 7.3}


def test_mean_and_standard_deviation_are_the_textbooks():
    summary = summarize([1.0, 2.0, 6.0])
    assert (summary.n, summary.mean, summary.std) == (3, 3.0, pytest.approx(math.sqrt(7)))


def test_one_seed_has_no_interval():
    assert summarize([4.0]) == (1, 4.0, None, None)
    (pair,) = compare_arms({"a": {0: 1.0}, "b": {0: 3.0}}, higher_is_better=False)
    assert (pair.better, pair.interval, pair.p, pair.told_apart, pair.seeds_needed) == ("a", None, None, False, None)
    assert describe_pair(pair) == (
        "a is better than b by 2 on the one seed they share; one seed gives no interval, and may be chance"
    )
    assert describe_arms({"a": {0: 1.0}}, [], False) == ["a was trained with one seed only: there is no interval"]
    assert describe_summary(summarize([4.0])) == "4"


def test_the_bootstrap_of_three_values_is_that_of_all_27_samples():
    values = [1.0, 2.0, 6.0]
    means = sorted(sum(sample) / 3 for sample in product(values, repeat=3))
    low, high = bootstrap_interval(values)
    assert low == pytest.approx(means[0]) and high == pytest.approx(means[-1])  # each has probability 1/27 > 0.025
    assert RESAMPLES > 1000


def test_the_bootstrap_agrees_with_the_normal_interval_of_many_values():
    values = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    half = 1.96 * np.std(values) / 20
    assert bootstrap_interval(values) == pytest.approx((-half, half), abs=0.01)


def test_intervals_move_and_scale_with_the_values():
    values = np.array([3.0, 4.0, 9.0, 2.5])
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(10 * values - 7) == pytest.approx((10 * low - 7, 10 * high - 7))
    assert bootstrap_interval(values) == (low, high)  # the same each time


def test_a_pair_is_scipys_paired_t_test():
    (pair,) = compare_arms({"a": A, "b": B}, higher_is_better=False)
    test = stats.ttest_rel(list(B.values()), list(A.values()))
    assert pair.p == pair.corrected_p == pytest.approx(test.pvalue)
    assert pair.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert (pair.better, pair.worse, pair.wins, pair.seeds) == ("a", "b", 3, 3)
    assert pair.probability == 1


def test_the_order_of_arms_and_the_direction_of_a_score_are_conventions():
    (pair,) = compare_arms({"a": A, "b": CLOSE}, higher_is_better=False)
    (swapped,) = compare_arms({"b": CLOSE, "a": A}, higher_is_better=False)
    assert pair == swapped
    negated = {name: {seed: -value for seed, value in arm.items()} for name, arm in {"a": A, "b": CLOSE}.items()}
    assert compare_arms(negated, higher_is_better=True) == [pair]
    (other,) = compare_arms({"a": A, "b": CLOSE}, higher_is_better=True)
    assert (other.better, other.difference) == (pair.worse, pair.difference)


def test_shift_leaves_differences_and_scale_multiplies_them():
    (pair,) = compare_arms({"a": A, "b": B}, higher_is_better=False)
    moved = {name: {seed: 4 * value + 100 for seed, value in arm.items()} for name, arm in {"a": A, "b": B}.items()}
    (other,) = compare_arms(moved, higher_is_better=False)
    assert other.difference == pytest.approx(4 * pair.difference)
    assert other.p == pytest.approx(pair.p) and other.probability == pair.probability
    assert other.interval == pytest.approx([4 * end for end in pair.interval])


def test_only_shared_seeds_are_paired():
    (pair,) = compare_arms({"a": A | {9: 1e6}, "b": B | {8: -1e6}}, higher_is_better=False)
    (expected,) = compare_arms({"a": A, "b": B}, higher_is_better=False)
    assert (pair.difference, pair.p) == (expected.difference, expected.p)
    assert compare_arms({"a": {0: 1.0}, "b": {1: 2.0}}, higher_is_better=False) == []
    assert describe_arms({"a": {0: 1.0}, "b": {1: 2.0}}, [], False) == ["a and b share no seed and are not compared"]


def test_probability_of_improvement_is_mann_whitneys_statistic():
    x, y = np.array([1.0, 4.0, 4.0, 7.0]), np.array([2.0, 4.0, 5.0])
    statistic = stats.mannwhitneyu(x, y).statistic
    assert probability_of_improvement(x, y) == pytest.approx(statistic / 12)
    assert probability_of_improvement(x, y) + probability_of_improvement(y, x) == pytest.approx(1)


def test_holm_multiplies_by_the_hypotheses_that_are_left():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    p = np.random.default_rng(0).uniform(size=20) ** 3
    ordered = np.sort(p)
    expected = np.maximum.accumulate(np.minimum((20 - np.arange(20)) * ordered, 1))
    assert np.sort(holm(p)) == pytest.approx(expected)
    assert all(p <= np.array(holm(p))) and all(np.array(holm(p)) <= np.minimum(20 * p, 1) + 1e-12)


def test_equal_differences_need_no_test():
    (pair,) = compare_arms({"a": {0: 1.0, 1: 2.0}, "b": {0: 2.0, 1: 3.0}}, higher_is_better=False)
    assert (pair.p, pair.interval) == (0, (1, 1))
    (same,) = compare_arms({"a": {0: 1.0, 1: 2.0}, "b": {0: 1.0, 1: 2.0}}, higher_is_better=False)
    assert (same.p, same.told_apart, same.wins, same.probability) == (1, False, 0, 0.5)
    assert describe_pair(same).endswith("; more than 1,000 would be needed")


def test_so_many_seeds_are_needed_as_the_tables_say():
    assert seeds_needed(0.5, 0.05) == 34  # Cohen's d of 0.5, paired, two-sided, power 0.8
    assert seeds_needed(1.0, 0.05) == 10
    assert seeds_needed(0.01, 0.05) is None
    assert power(34, 0.5, 0.05) >= 0.8 > power(33, 0.5, 0.05)
    assert power(10, 0.0, 0.05) == pytest.approx(0.025)  # one tail of the level: no effect is found by chance only


def test_a_students_interval_holds_0_just_when_the_test_does_not_reject():
    for mean in (0.5, 1.0, 2.4, 2.6, 5.0):
        low, high = student_interval(mean, 1.0, 3)
        rejected = 2 * stats.t.sf(mean * math.sqrt(3), 2) < 0.05
        assert (low <= 0 <= high) != rejected


def test_words_say_who_beats_whom_and_what_is_missing():
    arms = {"wgan": B, "wgan_gp": A, "lsgan": CLOSE}
    pairs = compare_arms(arms, higher_is_better=False)
    first, *others = describe_arms(arms, pairs, higher_is_better=False)
    assert first == "wgan_gp beats wgan on 3 of 3 seeds (difference 3.1, 95 % interval 2.85 to 3.35)"
    (close,) = (text for text in others if "wgan_gp and lsgan" in text)
    needed = next(pair for pair in pairs if {pair.better, pair.worse} == {"lsgan", "wgan_gp"}).seeds_needed
    assert close.startswith("wgan_gp and lsgan cannot be told apart with 3 seeds (difference 0.2, 95 % interval -")
    assert close.endswith(f"about {needed} would be needed") and needed > 3


def test_the_best_is_named_only_where_the_statistics_allow_it():
    arms = {"a": A, "b": B}
    assert unbeaten(arms, compare_arms(arms, higher_is_better=False)) == ["a"]
    untested = arms | {"d": {0: 1.0}}
    assert unbeaten(untested, compare_arms(untested, higher_is_better=False)) == ["a", "d"]  # d may be the better one
    close = {"a": A, "c": CLOSE}
    assert unbeaten(close, compare_arms(close, higher_is_better=False)) == []
    single = {"a": {0: 1.0}, "b": {0: 9.0}}
    assert unbeaten(single, compare_arms(single, higher_is_better=False)) == []


def test_numbers_are_short():
    assert [number(value) for value in (0.012345, 3.14159, 12345.6, -0.5)] == ["0.0123", "3.14", "12,346", "-0.5"]
