"""gallery: three measures against scikit-learn, exact search against a loop."""

import numpy as np
import pytest
from sklearn.metrics import pairwise
from sklearn.neighbors import NearestNeighbors

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.search import gallery as search_gallery
from fashion_rir.search.gallery import MEASURES, Gallery, ranked

BY_SKLEARN = {
    "cosine": pairwise.cosine_distances,
    "euclidean": pairwise.euclidean_distances,
    "manhattan": pairwise.manhattan_distances,
}


def embeddings(n_rows: int, *, dim: int = 24, seed: int = 0) -> np.ndarray:
    """Like a network's: not negative, many zeros."""
    values = np.random.default_rng(seed).standard_normal((n_rows, dim))
    return np.maximum(values, 0).astype(np.float32) + np.float32(0.01)


def by_loop(
    gallery: np.ndarray, ids: np.ndarray, query: np.ndarray, k: int, measure: str, own: int = -1
) -> list[int]:
    """The k closest ids, one product at a time, in the gallery's order where equally far."""
    found = []
    q = query.astype(np.float64)
    for place, (product, g) in enumerate(
        zip(ids.tolist(), gallery.astype(np.float64), strict=True)
    ):
        distance = {
            "cosine": 1 - q @ g / np.sqrt((q @ q) * (g @ g)),
            "euclidean": np.sqrt(((q - g) ** 2).sum()),
            "manhattan": np.abs(q - g).sum(),
        }[measure]
        if product != own:
            found.append((round(distance, 6), place, product))
    return [product for _, _, product in sorted(found)[:k]]


def test_distances_by_hand() -> None:
    query, products = [[2.0, 1.0]], np.array([[4.0, 2.0], [2.0, 2.0]])
    expected = {
        "cosine": [0, 1 - 6 / np.sqrt(5 * 8)],
        "euclidean": [np.sqrt(5), 1],
        "manhattan": [3, 1],
    }
    for measure in MEASURES:
        found = Gallery(products, [7, 8], measure).distances(query)
        assert found.dtype == np.float32
        assert found[0] == pytest.approx(expected[measure], abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("n_queries", [1, 9])
def test_distances_equal_scikit_learn(measure: str, n_queries: int) -> None:
    queries, products = embeddings(n_queries, seed=1), embeddings(60)
    expected = BY_SKLEARN[measure](queries.astype(np.float64), products.astype(np.float64))
    found = Gallery(products, range(60), measure).distances(queries)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert (found >= 0).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_search_equals_a_loop(measure: str) -> None:
    products = embeddings(80)
    ids = np.random.default_rng(1).permutation(1000)[:80]
    queries, own = products[:12], ids[:12]
    found = Gallery(products, ids, measure).search(queries, 10, exclude_ids=own)
    expected = [
        by_loop(products, ids, q, 10, measure, i) for q, i in zip(queries, own, strict=True)
    ]
    assert found.ids.tolist() == expected
    assert found.note == ""


@pytest.mark.parametrize("measure", MEASURES)
def test_search_equals_scikit_learn(measure: str) -> None:
    products, queries = embeddings(200), embeddings(5, seed=1)
    oracle = NearestNeighbors(n_neighbors=7, metric=measure, algorithm="brute").fit(products)
    distances, rows = oracle.kneighbors(queries)
    found = Gallery(products, range(200), measure).search(queries, 7)
    assert found.ids.tolist() == rows.tolist()
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-5)
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_near_products_far_from_zero_are_told_apart() -> None:
    # |q|^2 + |g|^2 - 2 q.g in float32 is wrong by more than the ten small distances here.
    products = np.full((50, 8), 1000, dtype=np.float32)
    products[:10, 0] += np.arange(10)[::-1] / 100
    products[10:, 0] += 50
    found = Gallery(products, range(50), "euclidean").search(products[9:10], 5)
    assert found.ids.tolist() == [[9, 8, 7, 6, 5]]
    assert found.distances[0] == pytest.approx([0, 0.01, 0.02, 0.03, 0.04], abs=1e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_query_is_excluded_by_its_id_though_a_copy_stands_before_it(measure: str) -> None:
    products = embeddings(30)
    products[4] = products[20]  # the copy comes first in the gallery
    gallery = Gallery(products, np.arange(30) + 100, measure)
    assert gallery.search(products[[20]], 2).ids.tolist() == [[104, 120]]
    found = gallery.search(products[[20]], 29, exclude_ids=[120])
    assert found.ids[0, 0] == 104
    assert found.distances[0, 0] == pytest.approx(0, abs=1e-6)
    assert 120 not in found.ids


def test_minus_one_excludes_nothing() -> None:
    products = embeddings(30)
    found = Gallery(products, range(30), "cosine").search(products[:2], 3, exclude_ids=[-1, 1])
    assert found.ids[0, 0] == 0
    assert 1 not in found.ids[1]


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_distances_come_in_the_gallery_s_order(measure: str) -> None:
    generator = np.random.default_rng(1)
    kind = generator.permutation(np.repeat([0, 1, 2], 100))  # a hundred copies of each photo
    ids = generator.permutation(300)
    found = Gallery(embeddings(3)[kind], ids, measure).search(embeddings(3), 5)
    assert found.ids.tolist() == [ids[kind == number][:5].tolist() for number in range(3)]


@pytest.mark.parametrize("measure", MEASURES)
def test_memory_blocks_change_nothing(measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    products = embeddings(70)
    gallery = Gallery(products, range(70), measure)
    whole = gallery.search(products, 8, exclude_ids=range(70))
    orders = np.concatenate([order for _, order in gallery.rankings(products)])
    monkeypatch.setattr(search_gallery, "MAX_BLOCK_BYTES", 4 * 70 * 3)  # three queries at a time
    small = gallery.search(products, 8, exclude_ids=range(70))
    assert (small.ids == whole.ids).all()
    assert (small.distances == whole.distances).all()
    blocks = list(gallery.rankings(products))
    assert [block for block, _ in blocks][:2] == [slice(0, 3), slice(3, 6)]
    assert (np.concatenate([order for _, order in blocks]) == orders).all()


def test_a_filter_leaves_only_its_candidates() -> None:
    products = embeddings(50)
    is_even = np.arange(50) % 2 == 0
    found = Gallery(products, range(50), "cosine").search(products[:1], 10, where=is_even)
    evens = np.flatnonzero(is_even)
    assert found.ids[0].tolist() == by_loop(products[is_even], evens, products[0], 10, "cosine")


def test_a_filter_that_leaves_too_few_says_so() -> None:
    products = embeddings(20)
    is_chosen = np.isin(np.arange(20), [3, 8, 11])
    gallery = Gallery(products, range(20), "cosine")
    found = gallery.search(products[[8]], 5, exclude_ids=[8], where=is_chosen)
    assert sorted(found.ids[0]) == [3, 11]
    assert found.note == "Only 2 of 5 exist behind this filter."
    nothing = gallery.search(products[[8]], 5, where=np.zeros(20, dtype=bool))
    assert nothing.ids.shape == (1, 0)


def test_rankings_hold_the_whole_gallery() -> None:
    products = embeddings(40)
    ((block, order),) = Gallery(products, range(40), "euclidean").rankings(products[:6])
    assert block == slice(0, 6)
    assert order[:, 0].tolist() == [0, 1, 2, 3, 4, 5]  # each finds itself first
    expected = [by_loop(products, np.arange(40), q, 40, "euclidean") for q in products[:6]]
    assert order.tolist() == expected


@pytest.mark.parametrize("k", [0, -1, 11])
def test_k_out_of_range_is_refused(k: int) -> None:
    gallery = Gallery(embeddings(10), range(10), "cosine")
    with pytest.raises(ParameterError, match=f"k must be 1 to 10 .*, not {k}"):
        gallery.search(embeddings(1), k)


def test_k_counts_the_excluded_product_out() -> None:
    gallery = Gallery(embeddings(10), range(10), "cosine")
    with pytest.raises(ParameterError, match="k must be 1 to 9"):
        gallery.search(embeddings(1), 10, exclude_ids=[3])


def test_lengths_that_do_not_fit_are_refused() -> None:
    gallery = Gallery(embeddings(10), range(10), "cosine")
    with pytest.raises(ParameterError, match="2 queries need as many excluded ids, not 1"):
        gallery.search(embeddings(2), 3, exclude_ids=[3])
    with pytest.raises(ParameterError, match="each of the 10 products"):
        gallery.search(embeddings(2), 3, where=np.ones(9, dtype=bool))


def test_a_query_of_another_model_is_refused() -> None:
    gallery = Gallery(embeddings(10, dim=24), range(10), "cosine")
    with pytest.raises(StoreError, match="have 24 numbers, the query's 25"):
        gallery.search(embeddings(1, dim=25), 3)


def test_a_single_query_must_be_a_table_too() -> None:
    gallery = Gallery(embeddings(10), range(10), "cosine")
    with pytest.raises(ParameterError, match=r"query\[None\]"):
        gallery.distances(embeddings(1)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    products = embeddings(10)
    products[6, 2] = bad
    with pytest.raises(StoreError, match="embedding of product 106 is not finite"):
        Gallery(products, np.arange(10) + 100, "manhattan")
    gallery = Gallery(embeddings(10), range(10), "manhattan")
    with pytest.raises(StoreError, match="embedding of query 1 is not finite"):
        gallery.search(products[5:7], 3)


def test_a_zero_vector_has_no_direction_but_a_distance() -> None:
    products = embeddings(10)
    products[3] = 0
    with pytest.raises(StoreError, match="product 3 is all zeros and has no direction"):
        Gallery(products, range(10), "cosine")
    with pytest.raises(StoreError, match="query 0 is all zeros"):
        Gallery(embeddings(10), range(10), "cosine").distances(products[3:4])
    for measure in ("euclidean", "manhattan"):
        assert Gallery(products, range(10), measure).search(products[3:4], 1).ids == [[3]]


def test_an_empty_gallery_is_refused() -> None:
    with pytest.raises(StoreError, match="gallery is empty"):
        Gallery(np.empty((0, 4), dtype=np.float32), [], "cosine")


def test_no_query_finds_nothing() -> None:
    found = Gallery(embeddings(10), range(10), "cosine").search(embeddings(0), 3)
    assert len(found.ids) == len(found.distances) == 0


def test_ids_must_fit() -> None:
    with pytest.raises(ParameterError, match="3 embeddings need as many different ids"):
        Gallery(embeddings(3), [1, 2, 1], "cosine")
    with pytest.raises(ParameterError, match="not 2"):
        Gallery(embeddings(3), [1, 2], "cosine")


def test_embeddings_must_be_a_table() -> None:
    with pytest.raises(ParameterError, match=r"not \(3,\)"):
        Gallery(np.ones(3), [1, 2, 3], "cosine")


def test_an_unknown_measure_offers_the_nearest() -> None:
    with pytest.raises(ParameterError, match="did you mean 'euclidean'"):
        Gallery(embeddings(3), [1, 2, 3], "euclidian")


def test_ranked_equals_a_stable_argsort() -> None:
    generator = np.random.default_rng(0)
    distances = generator.integers(0, 12, (30, 100)).astype(np.float32) / 7  # many ties
    distances[generator.random(distances.shape) < 0.1] = np.inf
    found = ranked(distances)
    assert found.dtype == np.int64
    assert (found == np.argsort(distances, axis=1, kind="stable")).all()
    assert (ranked(distances[:, ::2]) == np.argsort(distances[:, ::2], 1, kind="stable")).all()


def test_a_saved_gallery_serves_the_other_measure_of_the_same_vectors(tmp_path) -> None:
    Gallery(np.array([[0, 0], [3, 4]], np.float32), [1, 2], "euclidean").save(tmp_path)
    query = np.zeros((1, 2), np.float32)
    assert Gallery.load(tmp_path).distances(query).tolist() == [[0, 5]]
    assert Gallery.load(tmp_path, "manhattan").distances(query).tolist() == [[0, 7]]
    with pytest.raises(StoreError, match="a gallery for euclidean, not for cosine"):
        Gallery.load(tmp_path, "cosine")
