"""From which distance on is a product no longer a match?

The thesis moved a threshold by hand until the matches of one photo looked right. Here a
threshold is calibrated: over many queries, for a wanted precision, or for a wanted false match
rate. Distances are those of `retrieval`: smaller is closer; a pair matches when both are of the
same class.
"""

from dataclasses import dataclass

import numpy as np

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals

MAX_GALLERY = 5000  # products a query is paired with: 1,000 queries make 5 million pairs


@dataclass(frozen=True)
class Curve:
    """What each threshold would do, from the strictest to the loosest.

    Attributes:
        thresholds: distances, ascending, shape (n,).
        precision: share of matches among the pairs at or under the threshold, in [0, 1].
        recall: share of the matching pairs that are at or under it (1 - FNMR), in [0, 1].
        false_match_rate: share of the other pairs that are at or under it (FMR), in [0, 1].
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_match_rate: np.ndarray


@dataclass(frozen=True)
class Threshold:
    """A calibrated threshold and what to expect of it on the pairs it was calibrated on.

    Attributes:
        value: a distance; at or under it is a match.
        precision: in [0, 1].
        recall: in [0, 1].
        false_match_rate: FMR, in [0, 1].
        false_non_match_rate: FNMR, 1 - recall.
    """

    value: float
    precision: float
    recall: float
    false_match_rate: float
    false_non_match_rate: float


def threshold_curve(distances: np.ndarray, is_match: np.ndarray) -> Curve:
    """Precision, recall and false match rate at every distance that occurs.

    Args:
        distances: of pairs, any shape, finite.
        is_match: bool, same shape.

    Returns:
        The curve; equal distances are one point.

    Raises:
        ParameterError: other shapes, a distance that is not finite, or only one kind of pair.

    Example:
        >>> curve = threshold_curve(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
        >>> curve.precision.round(2).tolist(), curve.recall.tolist()
        ([1.0, 0.5, 0.67], [0.5, 0.5, 1.0])
    """
    distances, is_match = np.ravel(distances), np.ravel(is_match).astype(bool)
    if distances.shape != is_match.shape:
        raise ParameterError(f"{len(distances)} distances need as many marks, not {len(is_match)}.")
    if not np.isfinite(distances).all():
        raise ParameterError("A distance is not finite; take the query itself out of its pairs.")
    if is_match.all() or not is_match.any():
        raise ParameterError("A threshold needs pairs that match and pairs that do not.")
    order = np.argsort(distances, kind="stable")
    distances, is_match = distances[order], is_match[order]
    n_matching = np.cumsum(is_match)
    last = np.flatnonzero(np.append(np.diff(distances) > 0, True))  # of each distance's pairs
    found, accepted = n_matching[last], last + 1
    n_others = len(is_match) - n_matching[-1]
    return Curve(
        distances[last], found / accepted, found / n_matching[-1], (accepted - found) / n_others
    )


def calibrate_threshold(
    curve: Curve, *, precision: float | None = None, false_match_rate: float | None = None
) -> Threshold:
    """The loosest threshold that still keeps the wanted precision, or false match rate.

    Args:
        curve: from `threshold_curve`.
        precision: wanted, in [0, 1].
        false_match_rate: wanted, in [0, 1]; give exactly one of the two.

    Returns:
        The threshold.

    Raises:
        ParameterError: none or both wanted, out of range, or no threshold reaches it (says what
            the best one reaches).
    """
    if (precision is None) == (false_match_rate is None):
        raise ParameterError("Give either a wanted precision or a wanted false match rate.")
    name, wanted = (
        ("precision", precision)
        if false_match_rate is None
        else ("false match rate", false_match_rate)
    )
    if not 0 <= wanted <= 1:
        raise ParameterError(f"The wanted {name} must lie between 0 and 1, not {wanted}.")
    if false_match_rate is None:
        is_good = curve.precision >= wanted
        best = f"{curve.precision.max():.3f}"
    else:
        is_good = curve.false_match_rate <= wanted
        best = f"{curve.false_match_rate.min():.2e}"
    if not is_good.any():
        raise ParameterError(f"No threshold reaches a {name} of {wanted}; the best has {best}.")
    return at_threshold(curve, float(curve.thresholds[np.flatnonzero(is_good)[-1]]))


def at_threshold(curve: Curve, value: float) -> Threshold:
    """What a threshold does.

    Args:
        curve: from `threshold_curve`.
        value: a distance.

    Returns:
        Its precision and rates; precision is 1 by definition where nothing is accepted.
    """
    position = int(np.searchsorted(curve.thresholds, value, side="right")) - 1
    if position < 0:
        return Threshold(value, 1.0, 0.0, 0.0, 1.0)
    recall = float(curve.recall[position])
    return Threshold(
        value,
        float(curve.precision[position]),
        recall,
        float(curve.false_match_rate[position]),
        1 - recall,
    )


def count_matches(
    distances: np.ndarray, is_match: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Per query: matches and misses at or under a threshold, as the thesis counts them.

    Args:
        distances: shape (n_queries, n_gallery); infinite for the query itself.
        is_match: bool, same shape.
        threshold: a distance.

    Returns:
        Number of matches and of misses, int64, each of shape (n_queries,).

    Example:
        >>> matches, misses = count_matches(np.array([[1.0, 2.0]]), np.array([[True, False]]), 2.0)
        >>> matches.tolist(), misses.tolist()
        ([1], [1])
    """
    is_accepted = distances <= threshold
    return (is_accepted & is_match).sum(axis=1), (is_accepted & ~is_match).sum(axis=1)


def reject_threshold(nearest_known: np.ndarray, *, false_alarm_rate: float) -> float:
    """The distance above which an upload is told 'no match'.

    Args:
        nearest_known: the distance to the closest product, for queries that the shop does sell,
            shape (n_queries,).
        false_alarm_rate: share of these that may wrongly be told 'no match', in (0, 1).

    Returns:
        The distance that the share 1 - false_alarm_rate of them stays at or under.

    Raises:
        ParameterError: no query, a distance that is not finite, or a rate out of range.

    Example:
        >>> reject_threshold(np.array([1.0, 2.0, 3.0, 4.0]), false_alarm_rate=0.25)
        3.0
    """
    nearest_known = np.asarray(nearest_known, dtype=np.float64)
    if len(nearest_known) == 0:
        raise ParameterError("A threshold for 'no match' needs queries that the shop does sell.")
    if not np.isfinite(nearest_known).all():
        raise ParameterError("A distance to the closest product is not finite; leave it out.")
    if not 0 < false_alarm_rate < 1:
        raise ParameterError(f"The false alarm rate must lie in (0, 1), not {false_alarm_rate}.")
    return float(np.quantile(nearest_known, 1 - false_alarm_rate, method="inverted_cdf"))


def thinned(curve: Curve) -> dict[str, list[float]]:
    """200 points of a curve, even in recall: enough to draw, and to choose a threshold by."""
    points = np.unique(np.searchsorted(curve.recall, np.linspace(0, 1, 200)).clip(
        0, len(curve.recall) - 1))  # fmt: skip
    return {
        name: [intervals.rounded(v) for v in getattr(curve, name)[points]]
        for name in ("thresholds", "precision", "recall", "false_match_rate")
    }
