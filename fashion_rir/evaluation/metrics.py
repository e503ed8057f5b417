"""How good a ranking is, one query at a time. NumPy only; each metric with its formula.

All but `ndcg` need only `ranks`: the positions, from 1, at which the relevant products stand in
the ranking, in ascending order. A query without a relevant product has no value; callers leave
it out and count it.
"""

import numpy as np

from fashion_rir.errors import ParameterError


def relevant_ranks(is_relevant: np.ndarray) -> np.ndarray:
    """Positions, from 1, of the relevant products.

    Args:
        is_relevant: bool, shape (n_gallery,), in the order of the ranking.

    Returns:
        int64, shape (n_relevant,), ascending.

    Example:
        >>> relevant_ranks(np.array([True, False, True])).tolist()
        [1, 3]
    """
    return np.flatnonzero(is_relevant) + 1


def hit_rate(ranks: np.ndarray, k: int) -> float:
    """1 if at least one relevant product is among the first k, else 0.

    The thesis calls its mean Recall@k; it is not the recall over all relevant products.

    Args:
        ranks: from `relevant_ranks`, at least one.
        k: cut-off, at least 1.

    Example:
        >>> hit_rate(np.array([3, 7]), k=5)
        1.0
    """
    _check_cutoff(k)
    return float(ranks[0] <= k)


def precision(ranks: np.ndarray, k: int) -> float:
    """Share of relevant products among the first k, in [0, 1].

    Args:
        ranks: from `relevant_ranks`, at least one.
        k: cut-off, at least 1.

    Example:
        >>> precision(np.array([1, 2, 9]), k=4)
        0.5
    """
    _check_cutoff(k)
    return float(np.searchsorted(ranks, k, side="right") / k)


def average_precision(ranks: np.ndarray) -> float:
    """Mean, over the relevant products, of the precision at each one's rank, in (0, 1].

    AP = (1 / R) * sum over i = 1..R of i / rank_i. Its mean over queries is the mAP.

    Args:
        ranks: from `relevant_ranks`, over the full ranking, at least one.

    Example:
        >>> round(average_precision(np.array([1, 3])), 4)  # (1/1 + 2/3) / 2
        0.8333
    """
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def average_precision_at_r(ranks: np.ndarray) -> float:
    """Average precision cut off at R, the number of relevant products, in [0, 1].

    MAP@R is its mean over queries (Musgrave et al. 2020, "A Metric Learning Reality Check"):
    (1 / R) * sum over the relevant products among the first R of i / rank_i.

    Args:
        ranks: from `relevant_ranks`, over the full ranking, at least one.

    Example:
        >>> average_precision_at_r(np.array([1, 3]))  # R = 2: only rank 1 counts
        0.5
    """
    n_relevant = len(ranks)
    within = ranks[: np.searchsorted(ranks, n_relevant, side="right")]
    return float(np.sum(np.arange(1, len(within) + 1) / within) / n_relevant)


def reciprocal_rank(ranks: np.ndarray) -> float:
    """One over the rank of the first relevant product, in (0, 1].

    Example:
        >>> reciprocal_rank(np.array([4, 5]))
        0.25
    """
    return float(1 / ranks[0])


def exponential_gain(relevance: np.ndarray) -> np.ndarray:
    """What a product of some relevance is worth: 2 ** relevance - 1 (Burges et al. 2005).

    Args:
        relevance: whole numbers, 0 or more, any shape.

    Returns:
        float64, same shape.

    Example:
        >>> exponential_gain(np.array([0, 1, 2, 3])).tolist()
        [0.0, 1.0, 3.0, 7.0]
    """
    return 2.0**relevance - 1


def ndcg(gains: np.ndarray, ideal_gains: np.ndarray, k: int) -> float:
    """Normalised discounted cumulative gain of the first k, in [0, 1].

    DCG@k = sum over ranks i = 1..k of gain_i / log2(i + 1); nDCG@k is the ranking's DCG@k over
    that of the ideal ranking (Järvelin & Kekäläinen 2002).

    Args:
        gains: at least 0, in the order of the ranking; what stands behind k does not count.
        ideal_gains: those of the same gallery, the highest first; the first above 0.
        k: cut-off, at least 1.

    Example:
        >>> round(ndcg(np.array([1, 3]), np.array([3, 1]), k=10), 4)  # 2.8928 / 3.6309
        0.7967
    """
    _check_cutoff(k)
    return _discounted_sum(gains[:k]) / _discounted_sum(ideal_gains[:k])


def _discounted_sum(gains: np.ndarray) -> float:
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))


def _check_cutoff(k: int) -> None:
    if k < 1:
        raise ParameterError(f"The cut-off k must be at least 1, not {k}.")
