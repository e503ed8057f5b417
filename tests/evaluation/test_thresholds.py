"""thresholds: hand-made curves, scikit-learn, and what a calibrated threshold then does."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import thresholds
from fashion_rir.evaluation.thresholds import (
    Threshold,
    at_threshold,
    calibrate_threshold,
    count_matches,
    reject_threshold,
    threshold_curve,
)
from fashion_rir.search.gallery import MEASURES
from fashion_rir.thesis import numbers


@pytest.fixture
def curve() -> thresholds.Curve:
    """Precision 1, 1/2, 2/3, 3/5 at the distances 1, 2, 3, 4; two pairs lie at 4."""
    distances = np.array([4.0, 2.0, 1.0, 4.0, 3.0])
    return threshold_curve(distances, np.array([True, False, True, False, True]))


def random_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Matching pairs are a little closer; distances of one digit, so there are many ties."""
    generator = np.random.default_rng(0)
    is_match = generator.random((20, 30)) < 0.2
    return np.round(generator.gamma(4, size=is_match.shape) + 2 * ~is_match, 1), is_match


def test_a_curve_by_hand(curve: thresholds.Curve) -> None:
    assert curve.thresholds.tolist() == [1, 2, 3, 4]
    assert curve.precision.tolist() == [1, 1 / 2, 2 / 3, 3 / 5]
    assert curve.recall.tolist() == [1 / 3, 1 / 3, 2 / 3, 1]
    assert curve.false_match_rate.tolist() == [0, 1 / 2, 1 / 2, 1]


def test_equal_distances_are_one_point() -> None:
    found = threshold_curve(np.array([[2.0, 2.0], [2.0, 5.0]]), np.array([[0, 1], [1, 1]]))
    assert found.thresholds.tolist() == [2, 5]
    assert found.precision.tolist() == [2 / 3, 3 / 4]
    assert found.recall.tolist() == [2 / 3, 1]
    assert found.false_match_rate.tolist() == [1, 1]


def test_precision_and_recall_equal_scikit_learn() -> None:
    distances, is_match = random_pairs()
    curve = threshold_curve(distances, is_match)
    precision, recall, scores = precision_recall_curve(is_match.ravel(), -distances.ravel())
    # Theirs runs from the loosest to the strictest and ends at recall 0, without a threshold.
    np.testing.assert_array_equal(curve.thresholds, -scores[::-1])
    np.testing.assert_allclose(curve.precision, precision[-2::-1])
    np.testing.assert_allclose(curve.recall, recall[-2::-1])


def test_false_match_rate_and_recall_equal_scikit_learn() -> None:
    distances, is_match = random_pairs()
    curve = threshold_curve(distances, is_match)
    false_positive_rate, true_positive_rate, scores = roc_curve(
        is_match.ravel(), -distances.ravel(), drop_intermediate=False
    )
    np.testing.assert_array_equal(curve.thresholds, -scores[1:])  # theirs begins at infinity
    np.testing.assert_allclose(curve.false_match_rate, false_positive_rate[1:])
    np.testing.assert_allclose(curve.recall, true_positive_rate[1:])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_curve_needs_finite_distances(bad: float) -> None:
    with pytest.raises(ParameterError, match="not finite; take the query itself out"):
        threshold_curve(np.array([1.0, bad, 2.0]), np.array([True, False, True]))


@pytest.mark.parametrize("is_match", [[True, True], [False, False]])
def test_a_curve_needs_both_kinds_of_pairs(is_match: list[bool]) -> None:
    with pytest.raises(ParameterError, match="pairs that match and pairs that do not"):
        threshold_curve(np.array([1.0, 2.0]), np.array(is_match))


def test_a_curve_needs_a_mark_for_each_distance() -> None:
    with pytest.raises(ParameterError, match="3 distances need as many marks, not 2"):
        threshold_curve(np.ones(3), np.array([True, False]))


@pytest.mark.parametrize(("wanted", "value"), [(1, 1), (0.9, 1), (2 / 3, 3), (0.61, 3), (0.6, 4)])
def test_the_loosest_threshold_with_a_precision(
    curve: thresholds.Curve, wanted: float, value: float
) -> None:
    # At 2 the precision is only 1/2, but at 3 it is 2/3 again.
    assert calibrate_threshold(curve, precision=wanted).value == value


@pytest.mark.parametrize(("wanted", "value"), [(0, 1), (0.49, 1), (0.5, 3), (0.99, 3), (1, 4)])
def test_the_loosest_threshold_with_a_false_match_rate(
    curve: thresholds.Curve, wanted: float, value: float
) -> None:
    assert calibrate_threshold(curve, false_match_rate=wanted).value == value


def test_a_calibrated_threshold_tells_all_its_rates(curve: thresholds.Curve) -> None:
    found = calibrate_threshold(curve, precision=0.65)
    assert found == Threshold(3, 2 / 3, 2 / 3, 1 / 2, pytest.approx(1 / 3))


def test_what_cannot_be_reached_is_refused_with_the_best() -> None:
    curve = threshold_curve(np.array([1.0, 2.0, 3.0]), np.array([False, True, True]))
    with pytest.raises(ParameterError, match=r"precision of 0.9; the best has 0\.667"):
        calibrate_threshold(curve, precision=0.9)
    with pytest.raises(ParameterError, match=r"false match rate of 0.5; the best has 1\.00e\+00"):
        calibrate_threshold(curve, false_match_rate=0.5)


@pytest.mark.parametrize("wanted", [-0.1, 1.1, np.nan])
def test_a_share_out_of_range_is_refused(curve: thresholds.Curve, wanted: float) -> None:
    with pytest.raises(ParameterError, match="wanted precision must lie between 0 and 1"):
        calibrate_threshold(curve, precision=wanted)
    with pytest.raises(ParameterError, match="wanted false match rate must lie between 0 and 1"):
        calibrate_threshold(curve, false_match_rate=wanted)


def test_exactly_one_thing_is_wanted(curve: thresholds.Curve) -> None:
    with pytest.raises(ParameterError, match="Give either"):
        calibrate_threshold(curve)
    with pytest.raises(ParameterError, match="Give either"):
        calibrate_threshold(curve, precision=0.9, false_match_rate=0.1)


def test_under_the_smallest_distance_nothing_is_accepted(curve: thresholds.Curve) -> None:
    assert at_threshold(curve, 0.99) == Threshold(0.99, 1, 0, 0, 1)


def test_a_threshold_between_two_distances_does_what_the_lower_one_does(
    curve: thresholds.Curve,
) -> None:
    assert at_threshold(curve, 3.7) == Threshold(3.7, 2 / 3, 2 / 3, 1 / 2, pytest.approx(1 / 3))
    assert at_threshold(curve, 99).precision == 3 / 5


def test_counts_by_hand() -> None:
    distances = np.array([[np.inf, 1, 2, 3], [2, np.inf, 2.1, 0]])
    is_match = np.array([[True, True, False, True], [True, True, True, False]])
    matches, misses = count_matches(distances, is_match, 2)
    assert (matches.tolist(), misses.tolist()) == ([1, 1], [1, 1])
    matches, misses = count_matches(distances, is_match, 1e9)  # never the query itself
    assert (matches.tolist(), misses.tolist()) == ([2, 2], [1, 1])


def test_counts_keep_what_the_calibration_promised() -> None:
    distances, is_match = random_pairs()
    distances = distances.astype(np.float32)  # as a search returns them
    found = calibrate_threshold(threshold_curve(distances, is_match), precision=0.5)
    matches, misses = (counts.sum() for counts in count_matches(distances, is_match, found.value))
    assert found.precision == matches / (matches + misses) >= 0.5
    assert found.recall == matches / is_match.sum()
    assert found.false_match_rate == misses / (~is_match).sum()


def test_the_reject_threshold_by_hand() -> None:
    nearest = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    assert reject_threshold(nearest, false_alarm_rate=0.2) == 4
    assert reject_threshold(nearest, false_alarm_rate=0.39) == 4
    assert reject_threshold(nearest, false_alarm_rate=0.4) == 3


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.5])
def test_the_reject_threshold_has_the_stated_false_alarms(rate: float) -> None:
    nearest = np.random.default_rng(0).gamma(3, size=1000).astype(np.float32)
    limit = reject_threshold(nearest, false_alarm_rate=rate)
    assert (nearest > limit).mean() == rate


@pytest.mark.parametrize("rate", [0, 1, -0.1, np.nan])
def test_a_false_alarm_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ParameterError, match=r"must lie in \(0, 1\)"):
        reject_threshold(np.ones(3), false_alarm_rate=rate)


def test_the_reject_threshold_needs_finite_distances() -> None:
    with pytest.raises(ParameterError, match="needs queries that the shop does sell"):
        reject_threshold(np.array([]), false_alarm_rate=0.1)
    for bad in (np.nan, np.inf):
        with pytest.raises(ParameterError, match="not finite"):
            reject_threshold(np.array([1.0, bad]), false_alarm_rate=0.1)


def test_the_thesis_thresholds_are_of_all_measures() -> None:
    assert {measure for *_, measure in numbers.THESIS_THRESHOLDS} == set(MEASURES)
    cosine = numbers.THESIS_THRESHOLDS["mobilenetv2", "resize", "cosine"]
    assert cosine == (0.15, 0.25, 0.2, 0.22)  # 1 - 0.85, 0.75, 0.80, 0.78
