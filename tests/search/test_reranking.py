"""reranking: on points of a circle, whose cosine similarities are known, and against loops."""

import numpy as np
import pytest

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.search import reranking
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.reranking import (
    Neighbourhood,
    concatenate,
    expand_database,
    expand_queries,
    k_reciprocal,
)


def at(*degrees: float) -> np.ndarray:
    """Points of the circle: two of them have the cosine of their angle's difference."""
    angles = np.radians(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def degrees_of(points: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(points[:, 1], points[:, 0]))


def random_embeddings(n_rows: int, dim: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_rows, dim), dtype=np.float32)


def test_query_expansion_with_alpha_0_takes_the_plain_mean() -> None:
    # Of 0 and 60 degrees the middle is 30; the lengths of the vectors do not count.
    found = expand_queries(5 * at(0), 3 * at(60, 170), k=1, alpha=0)
    assert found.dtype == np.float32
    assert degrees_of(found) == pytest.approx([30], abs=1e-4)
    assert np.linalg.norm(found, axis=1) == pytest.approx([1], abs=1e-6)


def test_alpha_gives_near_neighbours_more_weight() -> None:
    # Weights cos(60)^2 = 1 / 4 and cos(45)^2 = 1 / 2.
    found = expand_queries(at(0), at(60, 120, -45), k=2, alpha=2)
    expected = at(0)[0] + at(60)[0] / 4 + at(-45)[0] / 2
    assert found[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


@pytest.mark.parametrize("alpha", [0, 0.5, 3])
def test_neighbours_that_point_away_have_no_weight(alpha: float) -> None:
    found = expand_queries(at(0, 10), at(180, 190, 10), k=3, alpha=alpha)
    only_near = expand_queries(at(0, 10), at(10), k=1, alpha=alpha)
    np.testing.assert_allclose(found, only_near, atol=1e-6)
    assert np.isfinite(found).all()


def test_a_query_of_the_gallery_is_not_its_own_neighbour() -> None:
    gallery = at(0, 40, 100)
    own = np.array([0, -1])  # the second query is not in the gallery
    found = expand_queries(at(0, 100), gallery, k=1, alpha=0, exclude=own)
    assert degrees_of(found) == pytest.approx([20, 100], abs=1e-3)
    # Without it, the query is its own nearest and nothing moves.
    kept = expand_queries(at(0, 100), gallery, k=1, alpha=0)
    assert degrees_of(kept) == pytest.approx([0, 100], abs=1e-3)


def test_an_excluded_query_may_be_stored_as_anything() -> None:
    gallery = at(0, 40, 100)
    other = np.vstack([at(77), gallery[1:]])  # row 0 is excluded, so it must not matter
    found = expand_queries(at(0), gallery, k=2, alpha=1, exclude=np.array([0]))
    again = expand_queries(at(0), other, k=2, alpha=1, exclude=np.array([0]))
    np.testing.assert_array_equal(found, again)


def test_database_expansion_by_hand() -> None:
    # Nearest: 0 and 20 each other; 90 has 20, at 70 degrees.
    found = expand_database(at(0, 20, 90), k=1, alpha=0)
    assert degrees_of(found) == pytest.approx([10, 10, 55], abs=1e-3)


def test_database_expansion_is_query_expansion_without_the_own_row(monkeypatch) -> None:
    gallery = random_embeddings(50, 8, seed=1)
    expected = expand_queries(gallery, gallery, k=4, alpha=3, exclude=np.arange(50))
    monkeypatch.setattr(reranking, "BLOCK_ROWS", 7)
    found = expand_database(gallery, k=4, alpha=3)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_held_out_queries_leave_no_trace_in_the_database() -> None:
    gallery = random_embeddings(30, 8, seed=2)
    is_train = np.arange(30) >= 10
    changed = gallery.copy()
    changed[:10] = random_embeddings(10, 8, seed=3)
    found = [expand_database(g, k=3, alpha=1, where=is_train)[10:] for g in (gallery, changed)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(expand_database(gallery, k=3, alpha=1)[10:] - found[0]).max() > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be 1 to 3 .*, not 0"),
        ({"k": 4}, "k must be 1 to 3 .*, not 4"),
        ({"k": 3, "exclude": [0, 1]}, "k must be 1 to 2 .*, not 3"),
        ({"alpha": -1}, "alpha .* at least 0, not -1"),
        ({"alpha": np.nan}, "alpha .* finite .* not nan"),
        ({"exclude": [0]}, r"2 queries, not int64 of shape \(1,\)"),
        ({"exclude": [0.0, 1.0]}, "whole number .* not float64"),
        ({"exclude": [0, 3]}, "0 to 2, or -1 for none, not 3"),
        ({"exclude": [0, -2]}, "not -2"),
    ],
)
def test_query_expansion_refuses(options: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        expand_queries(at(0, 10), at(20, 30, 40), **({"k": 1, "alpha": 1} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 3}, "k must be 1 to 2 .*, not 3"),
        ({"k": 2, "where": np.array([True, True, False])}, "k must be 1 to 1 .*, not 2"),
        ({"where": np.array([True])}, r"each of the 3 products; this one is bool of shape \(1,\)"),
        ({"where": np.array([1, 0, 1])}, "True or False .* int64"),
        ({"alpha": np.inf}, "alpha .* not inf"),
    ],
)
def test_database_expansion_refuses(options: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        expand_database(at(20, 30, 40), **({"k": 1, "alpha": 1} | options))


def test_bad_embeddings_are_named() -> None:
    good, bad = at(0, 10, 20), at(0, 10, 20)
    bad[1, 0] = np.nan
    with pytest.raises(StoreError, match="row 1 of the gallery is not finite"):
        expand_queries(good, bad, k=1, alpha=1)
    with pytest.raises(StoreError, match="row 1 of the queries is not finite"):
        k_reciprocal(bad, good, Neighbourhood(k1=1, k2=1, candidates=3))
    with pytest.raises(StoreError, match="row 2 of the gallery is all zeros"):
        expand_database(good * [[1], [1], [0]], k=1, alpha=1)
    with pytest.raises(StoreError, match="different models"):
        expand_queries(good, random_embeddings(4, 3, seed=0), k=1, alpha=1)
    with pytest.raises(ParameterError, match=r"\(n, embedding_dim\) .* not \(2,\)"):
        expand_queries(good[0], good, k=1, alpha=1)
    with pytest.raises(ParameterError, match=r"the gallery .* not \(0, 2\)"):
        k_reciprocal(good, good[:0], Neighbourhood())


def by_sets(points: np.ndarray, k1: int, k2: int, lambda_: float) -> np.ndarray:
    """The distances of Zhong et al. from point 0 to the others, one point at a time."""
    unit = points.astype(np.float64) / np.linalg.norm(points, axis=1, keepdims=True)
    d = 1 - unit @ unit.T
    np.fill_diagonal(d, 0)
    d /= d.max(axis=1, keepdims=True)
    everyone = range(len(points))
    nearest = [sorted(everyone, key=lambda other, p=p: (other != p, d[p, other])) for p in everyone]

    def reciprocal(p: int, k: int) -> set[int]:
        return {q for q in nearest[p][: k + 1] if p in nearest[q][: k + 1]}

    weights = np.zeros_like(d)
    for p in everyone:
        members = reciprocal(p, k1)
        for q in reciprocal(p, k1):
            more = reciprocal(q, round(k1 / 2))
            if 3 * len(more & reciprocal(p, k1)) >= 2 * len(more):
                members |= more
        for g in members:
            weights[p, g] = np.exp(-d[p, g])
    weights = [weights[nearest[p][:k2]].mean(axis=0) for p in everyone]
    jaccard = [
        1 - np.minimum(weights[0], w).sum() / np.maximum(weights[0], w).sum() for w in weights[1:]
    ]
    return (1 - lambda_) * np.array(jaccard) + lambda_ * d[0, 1:]


def test_k_reciprocal_prefers_a_point_that_returns_the_nearness() -> None:
    # The query's two nearest are 12 and -14 degrees. 12 has two neighbours of its own, 16 and
    # 18, and does not know the query; -14 has nobody nearer than the query, and returns it.
    query, gallery = at(0), at(12, -14, 16, 18)
    assert Gallery(gallery, range(4), "cosine").search(query, 2).ids.tolist() == [[0, 1]]
    found = k_reciprocal(query, gallery, Neighbourhood(k1=2, k2=1, lambda_=0, candidates=4))
    assert found[0, 0] == 1
    # R(q, 2) = {q, -14}; R(-14, 2) = {-14, q} as 12 does not return it: the same two members,
    # with weights 1 and exp(-d), where d is 1 - cos(14), over the farthest of each.
    near, far, farther = 1 - np.cos(np.radians([14, 18, 32]))
    by_query, by_candidate = np.exp([-near / far, -near / farther])
    expected = 1 - (by_query + by_candidate) / 2
    points = np.vstack([query, gallery])
    distances = reranking._reranked_distances(points, Neighbourhood(4, 2, 1, 0.0))
    assert distances[1] == pytest.approx(expected, abs=1e-5)
    assert distances[[0, 2, 3]] == pytest.approx(1, abs=1e-6)  # nothing shared with the query


@pytest.mark.parametrize(("k1", "k2", "lambda_"), [(1, 1, 0.3), (5, 2, 0.3), (8, 4, 0), (9, 9, 1)])
def test_reranked_distances_equal_the_papers_sets(k1: int, k2: int, lambda_: float) -> None:
    for seed in range(5):
        points = random_embeddings(25, 4, seed=seed)
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        found = reranking._reranked_distances(unit, Neighbourhood(24, k1, k2, lambda_))
        np.testing.assert_allclose(found, by_sets(points, k1, k2, lambda_), atol=1e-5)


def test_k_reciprocal_reorders_each_querys_own_candidates() -> None:
    queries, gallery = random_embeddings(6, 5, seed=4), random_embeddings(60, 5, seed=5)
    found = k_reciprocal(queries, gallery, Neighbourhood(k1=6, k2=3, lambda_=0.3, candidates=20))
    nearest = Gallery(gallery, range(60), "cosine").search(queries, 20).ids
    assert found.dtype == np.int64
    assert (found != nearest).any()
    for query, own, before in zip(queries, found, nearest, strict=True):
        distances = by_sets(np.vstack([query, gallery[before]]), 6, 3, 0.3)
        assert own.tolist() == before[np.argsort(distances, kind="stable")].tolist()


def test_lambda_1_keeps_the_order() -> None:
    queries, gallery = random_embeddings(6, 5, seed=4), random_embeddings(60, 5, seed=5)
    found = k_reciprocal(queries, gallery, Neighbourhood(k1=6, k2=3, lambda_=1, candidates=20))
    nearest = Gallery(gallery, range(60), "cosine").search(queries, 20).ids
    np.testing.assert_array_equal(found, nearest)


def test_k_reciprocal_leaves_out_the_query_itself() -> None:
    gallery = random_embeddings(30, 5, seed=6)
    own = np.array([3, -1])
    found = k_reciprocal(
        gallery[3:5], gallery, Neighbourhood(k1=4, k2=2, candidates=29), exclude=own
    )
    assert sorted(found[0].tolist()) == [row for row in range(30) if row != 3]
    assert found[1, 0] == 4
    # Whatever stands in the excluded row changes nothing.
    other = gallery.copy()
    other[3] = -other[3]
    again = k_reciprocal(gallery[3:5], other, Neighbourhood(k1=4, k2=2, candidates=29), exclude=own)
    np.testing.assert_array_equal(found[0], again[0])


def test_identical_photos_are_no_trouble() -> None:
    gallery = np.repeat(at(10, 50), 4, axis=0)
    found = k_reciprocal(at(10), gallery, Neighbourhood(k1=3, k2=2, candidates=8))
    assert found.tolist() == [list(range(8))]
    same = k_reciprocal(at(10), np.repeat(at(10), 4, axis=0), Neighbourhood(4, 3, 2))
    assert sorted(same[0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 0}, "k1 must be at least 1, not 0"),
        ({"k2": 0}, r"k2 must be 1 to 2 \(k1\), not 0"),
        ({"k2": 3}, r"k2 must be 1 to 2 \(k1\), not 3"),
        ({"lambda_": 1.1}, "lambda_ must be 0 to 1, not 1.1"),
        ({"lambda_": np.nan}, "lambda_ must be 0 to 1, not nan"),
        ({"candidates": 1}, r"must be 2 \(k1\) to 3 .*, not 1"),
        ({"candidates": 4}, r"must be 2 \(k1\) to 3 .*, not 4"),
        ({"exclude": [0]}, r"must be 2 \(k1\) to 2 .*, not 3"),
    ],
)
def test_k_reciprocal_refuses(options: dict, message: str) -> None:
    settings = {"k1": 2, "k2": 1, "candidates": 3} | options
    exclude = settings.pop("exclude", None)
    with pytest.raises(ParameterError, match=message):
        k_reciprocal(at(0), at(20, 30, 40), Neighbourhood(**settings), exclude=exclude)


def test_the_joint_cosine_is_the_weighted_mean_of_the_cosines() -> None:
    # Cosines of the two products: cos(60) = 1 / 2 by one model, 4 / 5 by the other.
    one, other = 7 * at(0, 60), np.array([[2, 0, 0], [4, 3, 0]], dtype=np.float32)
    found = concatenate([one, other], weights=[1, 3])
    assert found.dtype == np.float32
    assert found.shape == (2, 5)
    assert found[0] @ found[1] == pytest.approx((1 * 1 / 2 + 3 * 4 / 5) / 4, abs=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1], abs=1e-6)


def test_every_pairs_joint_cosine_is_the_weighted_mean() -> None:
    matrices = [random_embeddings(12, dim, seed=dim) * dim for dim in (3, 8, 20)]
    weights = [0.5, 2.0, 1.5]
    joint = concatenate(matrices, weights=weights)
    expected = sum(
        weight / 4 * (1 - Gallery(matrix, range(12), "cosine").distances(matrix))
        for matrix, weight in zip(matrices, weights, strict=True)
    )
    np.testing.assert_allclose(joint @ joint.T, expected, atol=1e-5)


def test_a_model_without_weight_changes_nothing() -> None:
    one, other = random_embeddings(5, 3, seed=1), random_embeddings(5, 4, seed=2)
    joint, alone = concatenate([one, other], weights=[2, 0]), concatenate([one], weights=[9])
    np.testing.assert_allclose(joint[:, :3], alone, atol=1e-7)
    assert not joint[:, 3:].any()


@pytest.mark.parametrize(
    ("n_rows", "weights", "message"),
    [
        ([2, 3], [1, 1], r"The matrices have \[2, 3\] rows"),
        ([2, 2], [1], "2 matrices need as many weights .* not 1"),
        ([], [], "0 matrices"),
        ([2, 2], [1, -1], r"at least 0 .* not \[1.0, -1.0\]"),
        ([2, 2], [0, 0], "not all 0"),
        ([2, 2], [1, np.nan], "finite"),
        ([2, 0], [1, 1], r"matrix 1 need .* not \(0, 2\)"),
    ],
)
def test_concatenate_refuses(n_rows: list[int], weights: list[float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        concatenate([np.ones((n, 2)) for n in n_rows], weights=weights)


def test_concatenate_names_the_bad_row() -> None:
    good, bad = at(0, 10, 20), at(0, 10, 20)
    bad[2] = np.inf
    with pytest.raises(StoreError, match="row 2 of matrix 1 is not finite"):
        concatenate([good, bad], weights=[1, 1])
    bad[2] = 0
    with pytest.raises(StoreError, match="row 2 of matrix 0 is all zeros"):
        concatenate([bad, good], weights=[1, 1])
