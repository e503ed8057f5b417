"""rankings: equal to protocols and scikit-learn; what is hidden; what is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.evaluation import metrics, protocols, rankings
from fashion_rir.evaluation.rankings import STANDARD, Ranked, Scoring, View
from fashion_rir.search import gallery as search_gallery

FIRST = Scoring(("first", "AP"), lambda ranks: (ranks[0], metrics.average_precision(ranks)), 1)
# Products on a line: 10 and 11 share a photo, 12 is the nearest other shirt.
POSITIONS = np.array([[0.0], [0.0], [1.0], [3.0]], dtype=np.float32)
TYPES = ["Shirts", "Ties", "Shirts", "Shirts"]


def score_rankings(
    embeddings: np.ndarray,
    products: pd.DataFrame,
    is_query: np.ndarray | None = None,
    is_gallery: np.ndarray | None = None,
    hidden: str = "query",
    **options: object,
) -> Ranked:
    """The scores under a single view; all products ask if nobody is named."""
    is_query = np.ones(len(products), dtype=bool) if is_query is None else is_query
    views = {"one": View(is_query, is_gallery, hidden)}
    return rankings.score_views(embeddings, products, views, **options)["one"]


@pytest.fixture
def line() -> pd.DataFrame:
    return pd.DataFrame(
        {"id": [10, 11, 12, 13], "articleType": TYPES, "image_sha256": ["a", "a", "b", "c"]}
    )


def random_case(n: int = 150) -> tuple[np.ndarray, pd.DataFrame]:
    """Embeddings with many ties and copies, and labels of which some are missing."""
    generator = np.random.default_rng(0)
    embeddings = generator.integers(1, 4, (n, 3)).astype(np.float32)
    columns = {
        label: generator.choice(["a", "b", "c", None], n, p=[0.5, 0.2, 0.01, 0.29])
        for label in protocols.EVALUATED_LABELS
    }
    photos = [str(row) for row in embeddings.tolist()]
    return embeddings, pd.DataFrame(columns).assign(id=np.arange(n) + 7, image_sha256=photos)


def test_what_is_hidden_by_hand(line: pd.DataFrame) -> None:
    by_hidden = {
        hidden: score_rankings(
            POSITIONS, line, labels=["articleType"], measure="euclidean", hidden=hidden,
            scoring=FIRST,
        ).scores["articleType"]
        for hidden in rankings.HIDDEN
    }  # fmt: skip
    # Product 10 sees 10, 11 (a tie, same photo), 12, 13.
    assert by_hidden["nothing"].loc[10, "AP"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert by_hidden["query"].loc[10, "AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert by_hidden["copies"].loc[10, "AP"] == 1
    # Product 11 sees 10, which is no tie, and then itself: ties stand in the catalogue's order.
    assert by_hidden["nothing"].loc[11, "first"] == 2
    assert 11 not in by_hidden["query"].index
    assert by_hidden["query"]["label"].to_dict() == {10: "Shirts", 12: "Shirts", 13: "Shirts"}


@pytest.mark.parametrize("measure", ["cosine", "euclidean", "manhattan"])
def test_equal_to_evaluation_ties_and_all(measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fashion_rir.search.gallery.MAX_BLOCK_BYTES", 4 * 150 * 7)  # several blocks
    embeddings, products = random_case()
    is_query = np.arange(150) % 3 == 0
    slow = protocols.evaluate(embeddings, products, is_query, measure=measure)
    for protocol, hidden, is_gallery in (
        ("thesis", "nothing", None),
        ("held_out", "query", None),
        ("unseen", "query", is_query),
    ):
        found = score_rankings(
            embeddings, products, labels=protocols.EVALUATED_LABELS, measure=measure,
            is_query=is_query, is_gallery=is_gallery, hidden=hidden,
        )  # fmt: skip
        assert found.n_excluded == slow[protocol].n_excluded
        for label in protocols.EVALUATED_LABELS:
            pd.testing.assert_frame_equal(found.scores[label], slow[protocol].scores[label])


def test_all_products_ask_all_others_as_scikit_learn_has_it() -> None:
    embeddings, products = random_case()
    found = score_rankings(embeddings, products, labels=["articleType", "gender"])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    gallery = search_gallery.Gallery(embeddings, products["id"], "cosine")
    orders = {block.start: order for block, order in gallery.rankings(embeddings)}[0]
    assert np.allclose(unit @ unit.T, 1 - gallery.distances(embeddings), atol=1e-6)
    for label in ("articleType", "gender"):
        labels, values = products[label].to_numpy(), {}
        for query, order in enumerate(orders):
            others = order[order != query]
            is_relevant = labels[others] == labels[query]
            if labels[query] is not None and is_relevant.any():
                places = np.arange(len(others), 0, -1)
                values[query + 7] = average_precision_score(is_relevant, places)
        assert found.n_excluded[label] == 150 - len(values)
        expected = pd.Series(values)
        np.testing.assert_allclose(found.scores[label]["mAP"].loc[expected.index], expected,
                                   rtol=0, atol=1e-9)  # fmt: skip


def test_queries_outside_the_gallery_hide_nothing(line: pd.DataFrame) -> None:
    is_query = np.array([True, False, False, False])
    found = score_rankings(
        POSITIONS, line, labels=["articleType"], measure="euclidean", is_query=is_query,
        is_gallery=~is_query, scoring=FIRST,
    )  # fmt: skip
    assert found.n_gallery == 3
    assert found.scores["articleType"].loc[10, "AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_one_class_is_refused(line: pd.DataFrame) -> None:
    line["season"] = "Summer"
    with pytest.raises(ParameterError, match="one class 'Summer' by season"):
        score_rankings(POSITIONS, line, labels=["articleType", "season"], scoring=FIRST)


def test_a_cut_off_above_the_gallery_is_refused(line: pd.DataFrame) -> None:
    with pytest.raises(
        ParameterError, match="cut-off 10 is above the gallery: a query may find only 3 products"
    ):
        score_rankings(POSITIONS, line, labels=["articleType"], measure="euclidean")
    two = Scoring(("first",), lambda ranks: (ranks[0],), 3)
    with pytest.raises(
        ParameterError, match="cut-off 3 is above the gallery: a query may find only 2 products"
    ):
        score_rankings(POSITIONS, line, labels=["articleType"], measure="euclidean",
                       hidden="copies", scoring=two)  # fmt: skip


def test_bad_input_is_refused(line: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="did you mean 'query'"):
        score_rankings(POSITIONS, line, hidden="querry")
    with pytest.raises(ParameterError, match="3 embeddings, 4 products and 4 query marks"):
        score_rankings(POSITIONS[:3], line)
    with pytest.raises(ParameterError, match="nothing to ask"):
        score_rankings(POSITIONS, line, is_query=np.zeros(4, dtype=bool))
    bad = POSITIONS.copy()
    bad[2] = np.inf
    with pytest.raises(StoreError, match="product 12 is not finite"):
        score_rankings(bad, line, labels=["articleType"], measure="euclidean", scoring=FIRST)


def test_the_standard_scores_are_those_of_evaluation() -> None:
    ranks = np.array([2, 3, 40])
    by_name = dict(zip(STANDARD.columns, STANDARD.score(ranks), strict=True))
    assert by_name["mAP"] == metrics.average_precision(ranks)
    assert by_name["precision@10"] == 0.2
