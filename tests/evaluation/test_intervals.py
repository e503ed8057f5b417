"""intervals: means by hand, and intervals that hold the true mean as often as they say."""

import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals
from fashion_rir.evaluation.intervals import Estimate, bootstrap_mean, paired_difference


def test_equal_values_leave_no_doubt() -> None:
    assert bootstrap_mean(np.full((7, 1), 0.25), seed=0) == [Estimate(0.25, 0.25, 0.25)]


def test_a_single_query_leaves_no_doubt_either() -> None:
    assert bootstrap_mean([[0.5]], seed=0) == [Estimate(0.5, 0.5, 0.5)]


def test_two_queries_can_be_drawn_in_three_ways_only() -> None:
    # Both 0, both 1, or one of each: a quarter of the means is 0 and a quarter is 1.
    assert bootstrap_mean([[0.0], [1.0]], seed=0) == [Estimate(0.5, 0.0, 1.0)]


def test_each_metric_has_its_own_mean() -> None:
    values = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    first, second = bootstrap_mean(values, seed=0)
    assert (first.value, second.value) == (0.75, 0.25)
    # The same queries are drawn for both, so the intervals mirror each other.
    assert (first.low, first.high) == pytest.approx((1 - second.high, 1 - second.low))


def test_a_macro_mean_counts_each_class_the_same() -> None:
    values = [[1.0], [0.0], [1.0], [1.0]]
    classes = np.array(["Shirts", "Ties", "Shirts", "Shirts"])
    assert bootstrap_mean(values, seed=0)[0].value == 0.75
    assert bootstrap_mean(values, seed=0, classes=classes)[0].value == 0.5  # (1 + 0) / 2


def test_a_macro_mean_draws_queries_within_their_class() -> None:
    # Both classes agree within themselves: other queries of them would change nothing.
    classes = np.array(["Shirts", "Ties", "Shirts"])
    assert bootstrap_mean([[1.0], [0.0], [1.0]], seed=0, classes=classes) == [
        Estimate(0.5, 0.5, 0.5)
    ]
    # Ties are 0 or 1, so their mean over two draws is 0, 1/2 or 1, and the macro mean follows.
    classes = np.array(["Shirts", "Ties", "Ties"])
    assert bootstrap_mean([[1.0], [0.0], [1.0]], seed=0, classes=classes) == [
        Estimate(0.75, 0.5, 1.0)
    ]


def test_the_interval_holds_the_value_and_narrows_with_more_queries() -> None:
    values = np.random.default_rng(0).random((1000, 1))
    few, many = bootstrap_mean(values[:50], seed=0)[0], bootstrap_mean(values, seed=0)[0]
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    # The normal approximation: 2 * 1.96 * sqrt(1 / 12) / sqrt(n).
    assert few.high - few.low == pytest.approx(2 * 1.96 * np.sqrt(1 / 12 / 50), rel=0.2)
    assert many.high - many.low == pytest.approx(2 * 1.96 * np.sqrt(1 / 12 / 1000), rel=0.2)


def test_seeded() -> None:
    values = np.random.default_rng(0).random((40, 2))
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_memory_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((40, 2))
    classes = np.arange(40) % 3
    whole = bootstrap_mean(values, seed=1, classes=classes)
    monkeypatch.setattr(intervals, "MAX_WEIGHTS_BYTES", 7 * 8 * 40)  # seven resamples at a time
    assert bootstrap_mean(values, seed=1, classes=classes) == whole


@pytest.mark.parametrize("n_classes", [1, 4])
def test_about_95_percent_of_the_intervals_hold_the_true_mean(n_classes: int) -> None:
    # Each column is one experiment of 120 queries whose true mean is 0.3.
    values = np.random.default_rng(5).random((120, 400)) < 0.3
    found = bootstrap_mean(values, seed=0, classes=np.arange(120) % n_classes)
    share = np.mean([estimate.low <= 0.3 <= estimate.high for estimate in found])
    assert 0.92 <= share <= 0.98


def test_a_paired_difference_sees_through_what_both_share() -> None:
    generator = np.random.default_rng(0)
    difficulty = generator.random(200)
    first, second = difficulty + 0.02 + 0.01 * generator.random(200), difficulty
    found = paired_difference(first, second, seed=0)
    assert found.value == pytest.approx(0.025, abs=0.001)
    assert found.low > 0
    alone = bootstrap_mean(np.column_stack([first, second]), seed=0)
    assert alone[0].low < alone[1].high  # the single intervals overlap


def test_a_paired_difference_of_equal_models_is_zero() -> None:
    assert paired_difference([0.1, 0.7], [0.1, 0.7], seed=0) == Estimate(0, 0, 0)


def test_a_paired_difference_needs_the_same_queries() -> None:
    with pytest.raises(ParameterError, match="not 3 and 2"):
        paired_difference([1, 2, 3], [1, 2], seed=0)


def test_no_query_is_refused() -> None:
    with pytest.raises(ParameterError, match="no query to average"):
        bootstrap_mean(np.empty((0, 1)), seed=0)
    with pytest.raises(ParameterError, match="no query to average"):
        paired_difference([], [], seed=0)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_not_one_class_a_query_is_refused(n_classes: int) -> None:
    with pytest.raises(ParameterError, match=f"2 queries need as many classes, not {n_classes}"):
        bootstrap_mean([[1.0], [0.0]], seed=0, classes=np.zeros(n_classes))


def test_an_estimate_reads_well() -> None:
    assert str(Estimate(0.1234, 0.1, 0.15)) == "0.123 [0.100, 0.150]"
