"""How sure a mean over queries is: 95 % bootstrap intervals, single and paired.

The queries are drawn again with replacement (Efron 1979); the interval holds the middle 95 %
of the means. 'Macro' means are over classes, each class counting the same; queries are then drawn
within their class, so the interval says how much the queries matter, the classes being given.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fashion_rir.errors import ParameterError

DIGITS = 6  # of a stored metric: beyond it, machines differ

N_RESAMPLES = 1000

LEVEL = 0.95

MAX_WEIGHTS_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval.

    Attributes:
        value: the mean over the queries that were asked.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_mean(
    values: np.ndarray, *, seed: int, classes: np.ndarray | None = None
) -> list[Estimate]:
    """Means of several metrics over the same queries, each with its interval.

    Args:
        values: shape (n_queries, n_metrics), one row a query.
        seed: of the resampling.
        classes: one class a query; if given, the mean is macro: first within each class, then
            over the classes.

    Returns:
        One estimate for each column.

    Raises:
        ParameterError: no query, or not one class a query.

    Example:
        >>> bootstrap_mean(np.array([[1.0], [1.0]]), seed=0)[0]
        Estimate(value=1.0, low=1.0, high=1.0)
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        raise ParameterError("There is no query to average over; every query was left out.")
    if classes is None:
        classes = np.zeros(len(values))
    if len(classes) != len(values):
        raise ParameterError(f"{len(values)} queries need as many classes, not {len(classes)}.")
    codes = np.unique(classes, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    values, codes = values[order], codes[order]
    centre = _mean_of_class_means(np.ones((1, len(values))), values, codes)[0]
    resampled = np.concatenate(
        [_mean_of_class_means(weights, values, codes) for weights in _weights(codes, seed)]
    )
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return [
        Estimate(float(c), float(lo), float(hi))
        for c, lo, hi in zip(centre, low, high, strict=True)
    ]


def paired_difference(first: np.ndarray, second: np.ndarray, *, seed: int) -> Estimate:
    """Mean of `first - second` over the same queries, with its interval.

    Pairing takes out what the two share (a query that is hard for both), so a small difference
    can be told from noise. It is outside the noise when the interval does not hold 0.

    Args:
        first: one value a query.
        second: the other model's values of the same queries, in the same order.
        seed: of the resampling.

    Raises:
        ParameterError: the two do not have the same queries.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape:
        raise ParameterError(
            f"A paired difference needs the same queries on both sides, not {len(first)} "
            f"and {len(second)}."
        )
    return bootstrap_mean((first - second)[:, None], seed=seed)[0]


def bootstrap_over_classes(means: np.ndarray, sizes: np.ndarray, *, seed: int) -> Estimate:
    """A mean over queries, with an interval that holds if the classes had been others.

    The classes are drawn again with replacement, each with all its queries (a cluster bootstrap,
    Field and Welsh 2007). What a class' own queries add to the uncertainty is left out.

    Args:
        means: of each class, shape (n_classes,).
        sizes: its queries, shape (n_classes,).
        seed: of the draws.

    Raises:
        ParameterError: no class, or not one size a class.

    Example:
        >>> bootstrap_over_classes(np.array([0.5, 0.5]), np.array([1, 9]), seed=0)
        Estimate(value=0.5, low=0.5, high=0.5)
    """
    if len(means) == 0 or len(means) != len(sizes):
        raise ParameterError(f"{len(means)} classes need as many sizes, not {len(sizes)}.")
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(means), size=(N_RESAMPLES, len(means)))
    resampled = (means * sizes)[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Estimate(float(means @ sizes / sizes.sum()), float(low), float(high))


def rounded(value: float) -> float:
    """A metric as it is stored."""
    return round(float(value), DIGITS)


def estimate_dict(estimate: Estimate) -> dict[str, float]:
    """An estimate as it is stored: `value`, `low`, `high`."""
    return {key: rounded(getattr(estimate, key)) for key in ("value", "low", "high")}


def _mean_of_class_means(weights: np.ndarray, values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Means under each row of weights; queries are sorted by class.

    Args:
        weights: how often each query was drawn, shape (n_resamples, n_queries).
        values: shape (n_queries, n_metrics).
        codes: class of each query, 0, 1, ..., ascending.

    Returns:
        Shape (n_resamples, n_metrics).
    """
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    means = np.zeros((len(weights), values.shape[1]))
    for start, end in zip(starts, [*starts[1:], len(codes)], strict=True):
        of_class = weights[:, start:end]
        means += of_class @ values[start:end] / of_class.sum(axis=1, keepdims=True)
    return means / len(starts)


def _weights(codes: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """How often each query is drawn in each resample, in chunks of bounded memory.

    Each class is drawn from by itself and keeps its size. Otherwise rare classes would be
    missing from most resamples and the macro mean of the resamples would be biased upwards.
    """
    generator = np.random.default_rng(seed)
    sizes = np.bincount(codes)
    size_of_query = sizes[codes]
    start_of_query = (np.cumsum(sizes) - sizes)[codes]
    chunk = int(np.clip(MAX_WEIGHTS_BYTES // (8 * len(codes)), 1, N_RESAMPLES))
    for first in range(0, N_RESAMPLES, chunk):
        n_rows = min(chunk, N_RESAMPLES - first)
        uniform = generator.random((n_rows, len(codes)))
        draws = start_of_query + (uniform * size_of_query).astype(np.int64)
        draws += np.arange(n_rows)[:, None] * len(codes)
        counts = np.bincount(draws.ravel(), minlength=n_rows * len(codes))
        yield counts.reshape(n_rows, len(codes)).astype(np.float64)
