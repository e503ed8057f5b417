"""metrics: against values worked out by hand, scikit-learn and ranx."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import metrics


def random_rankings(n_rankings: int, n_gallery: int) -> np.ndarray:
    """bool, one ranking a row, each with at least one relevant product."""
    generator = np.random.default_rng(3)
    shares = generator.uniform(0.02, 0.9, (n_rankings, 1))
    is_relevant = generator.random((n_rankings, n_gallery)) < shares
    is_relevant[np.arange(n_rankings), generator.integers(0, n_gallery, n_rankings)] = True
    return is_relevant


def test_ranks_count_from_one() -> None:
    is_relevant = np.array([False, True, False, True, True])
    assert metrics.relevant_ranks(is_relevant).tolist() == [2, 4, 5]
    assert metrics.relevant_ranks(np.zeros(3, dtype=bool)).tolist() == []


@pytest.mark.parametrize(("k", "expected"), [(1, 0.0), (2, 0.0), (3, 1.0), (100, 1.0)])
def test_hit_rate(k: int, expected: float) -> None:
    assert metrics.hit_rate(np.array([3, 7]), k) == expected


@pytest.mark.parametrize(
    ("k", "expected"), [(1, 1.0), (2, 0.5), (3, 2 / 3), (5, 2 / 5), (9, 3 / 9)]
)
def test_precision(k: int, expected: float) -> None:
    assert metrics.precision(np.array([1, 3, 9]), k) == expected


@pytest.mark.parametrize("metric", [metrics.hit_rate, metrics.precision])
def test_a_cutoff_below_one_is_refused(metric) -> None:
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        metric(np.array([1]), 0)
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        metrics.ndcg(np.array([1]), np.array([1]), 0)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([1, 2, 3], 1.0),
        ([2], 1 / 2),
        ([1, 3, 6], (1 / 1 + 2 / 3 + 3 / 6) / 3),
        ([4, 5], (1 / 4 + 2 / 5) / 2),
    ],
)
def test_average_precision(ranks: list[int], expected: float) -> None:
    assert metrics.average_precision(np.array(ranks)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([1, 2, 3], 1.0),
        ([1, 3, 6], (1 / 1 + 2 / 3) / 3),  # R = 3: rank 6 is behind it
        ([2, 3, 4], (1 / 2 + 2 / 3) / 3),
        ([2], 0.0),
        ([4, 5], 0.0),
    ],
)
def test_average_precision_at_r(ranks: list[int], expected: float) -> None:
    assert metrics.average_precision_at_r(np.array(ranks)) == pytest.approx(expected, abs=1e-12)


def test_reciprocal_rank() -> None:
    assert metrics.reciprocal_rank(np.array([1, 9])) == 1.0
    assert metrics.reciprocal_rank(np.array([4, 5])) == 0.25


def test_exponential_gain() -> None:
    # Small integers as they come from the evaluation; above 7 they would overflow as int8.
    relevance = np.array([[0, 1], [4, 9]], dtype=np.int8)
    gains = metrics.exponential_gain(relevance)
    assert gains.tolist() == [[0, 1], [15, 511]]
    assert gains.dtype == np.float64


@pytest.mark.parametrize(
    ("gains", "k", "expected"),
    [
        ([7, 3, 1, 0], 10, 1.0),
        ([0, 0, 0, 7], 3, 0.0),  # behind the cut-off
        ([3, 7], 1, 3 / 7),
        ([0, 7, 3, 1], 2, (7 / np.log2(3)) / (7 + 3 / np.log2(3))),
        ([1, 0, 3, 7], 3, (1 + 3 / 2) / (7 + 3 / np.log2(3) + 1 / 2)),
    ],
)
def test_ndcg(gains: list[int], k: int, expected: float) -> None:
    ideal = sorted(gains, reverse=True)
    assert metrics.ndcg(np.array(gains), np.array(ideal), k) == pytest.approx(expected, abs=1e-12)


def test_ndcg_equals_scikit_learn() -> None:
    relevance = np.random.default_rng(4).integers(0, 5, (50, 30))
    for gains in metrics.exponential_gain(relevance):
        expected = ndcg_score([gains], [np.arange(30, 0, -1)], k=10)
        found = metrics.ndcg(gains, np.sort(gains)[::-1], 10)
        assert found == pytest.approx(expected, abs=1e-9)


def test_average_precision_equals_scikit_learn() -> None:
    n_gallery = 40
    for is_relevant in random_rankings(50, n_gallery):
        expected = average_precision_score(is_relevant, np.arange(n_gallery, 0, -1))
        found = metrics.average_precision(metrics.relevant_ranks(is_relevant))
        assert found == pytest.approx(expected, abs=1e-9)


# In a process of its own, where Numba does not compile: that would take minutes.
RANX = """
import json, sys
from ranx import Qrels, Run, evaluate

rankings, names = json.load(sys.stdin)
rankings = {f"q{query:02}": row for query, row in enumerate(rankings)}  # ranx sorts by name
qrels = {query: {f"d{d}": 1 for d, hit in enumerate(row) if hit} for query, row in rankings.items()}
run = {query: {f"d{d}": float(-d) for d in range(len(row))} for query, row in rankings.items()}
found = evaluate(Qrels(qrels), Run(run), names, return_mean=False, make_comparable=False)
json.dump({name: values.tolist() for name, values in found.items()}, sys.stdout)
"""


@pytest.mark.skipif(importlib.util.find_spec("ranx") is None, reason="needs the extra 'test'")
def test_metrics_equal_ranx() -> None:
    rankings = random_rankings(20, 30)
    ours = {"map": metrics.average_precision, "mrr": metrics.reciprocal_rank}
    for k in (1, 5, 10):
        ours[f"hit_rate@{k}"] = lambda ranks, k=k: metrics.hit_rate(ranks, k)
        ours[f"precision@{k}"] = lambda ranks, k=k: metrics.precision(ranks, k)
    done = subprocess.run(
        [sys.executable, "-c", RANX], input=json.dumps([rankings.tolist(), list(ours)]), text=True,
        capture_output=True, timeout=300, env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    for name, metric in ours.items():
        found = [metric(metrics.relevant_ranks(row)) for row in rankings]
        np.testing.assert_allclose(found, theirs[name], rtol=0, atol=1e-9, err_msg=name)
