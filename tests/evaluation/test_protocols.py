"""protocols: six products in a row, ranked and scored by hand under each protocol."""

from math import log2

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import protocols
from fashion_rir.evaluation.protocols import EVALUATED_LABELS, GRADED_LABELS, PROTOCOLS, evaluate

# Products on a line; by position a query ranks those nearer to it first.
POSITIONS = np.array([[0.0], [1.0], [2.1], [3.3], [4.6], [6.0]], dtype=np.float32)
TYPES = ["Shirts", "Ties", "Shirts", "Shirts", "Ties", "Capes"]
COLOURS = ["Red", "Red", None, "Blue", "Blue", "Red"]
GENDERS = ["Men", "Men", "Women", "Men", "Women", "Women"]
USAGES = ["Formal", "Formal", "Casual", "Casual", None, "Casual"]
IDS = [10, 11, 12, 13, 14, 15]
IS_QUERY = np.array([True, False, True, False, False, True])


@pytest.fixture
def products() -> pd.DataFrame:
    table = pd.DataFrame({label: ["the same"] * 6 for label in EVALUATED_LABELS})
    return table.assign(id=IDS, articleType=TYPES, baseColour=COLOURS)


@pytest.fixture
def found(products: pd.DataFrame) -> dict[str, protocols.Evaluation]:
    return evaluate(POSITIONS, products, IS_QUERY, measure="euclidean", protocols=PROTOCOLS)


def test_held_out_by_hand(found: dict[str, protocols.Evaluation]) -> None:
    scores = found["held_out"].scores["articleType"]
    # Product 10 sees 11 12 13 14 15: a tie, two shirts, a tie, a cape.
    assert scores.loc[10].drop("label").to_dict() == pytest.approx(
        {
            "hit_rate@1": 0, "hit_rate@5": 1, "hit_rate@10": 1,
            "precision@5": 2 / 5, "precision@10": 2 / 10,
            "mAP": (1 / 2 + 2 / 3) / 2, "MAP@R": (1 / 2) / 2, "MRR": 1 / 2,
        }
    )  # fmt: skip
    # Product 12 at 2.1 sees 11 (1.1 away), 13 (1.2), 10 (2.1), 14 (2.5), 15 (3.9).
    assert scores.loc[12, "mAP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores["label"].to_dict() == {10: "Shirts", 12: "Shirts"}


def test_thesis_by_hand(found: dict[str, protocols.Evaluation]) -> None:
    scores = found["thesis"].scores["articleType"]
    # Product 10 finds itself first, then as above.
    assert scores.loc[10].drop("label").to_dict() == pytest.approx(
        {
            "hit_rate@1": 1, "hit_rate@5": 1, "hit_rate@10": 1,
            "precision@5": 3 / 5, "precision@10": 3 / 10,
            "mAP": (1 / 1 + 2 / 3 + 3 / 4) / 3, "MAP@R": (1 / 1 + 2 / 3) / 3, "MRR": 1,
        }
    )  # fmt: skip
    for label in EVALUATED_LABELS:
        assert (found["thesis"].scores[label]["hit_rate@1"] == 1).all()


def test_unseen_by_hand(found: dict[str, protocols.Evaluation]) -> None:
    # Only 10, 12 and 15 are there: 10 sees 12 first, 12 sees 10 first.
    scores = found["unseen"].scores["articleType"]
    assert scores["mAP"].to_dict() == {10: 1, 12: 1}
    # By colour 10 and 15 are red, with 12 (of no colour) between them.
    assert found["unseen"].scores["baseColour"]["mAP"].to_dict() == {10: 1 / 2, 15: 1 / 2}


def test_a_lone_label_is_left_out_and_counted(found: dict[str, protocols.Evaluation]) -> None:
    assert found["held_out"].n_excluded["articleType"] == 1  # the cape
    assert 15 not in found["held_out"].scores["articleType"].index
    assert found["thesis"].n_excluded["articleType"] == 0  # there it finds itself


def test_a_missing_label_is_left_out_and_counted(found: dict[str, protocols.Evaluation]) -> None:
    for protocol in PROTOCOLS:
        assert found[protocol].n_excluded["baseColour"] == 1
        assert found[protocol].scores["baseColour"].index.tolist() == [10, 15]


def test_a_label_that_no_query_has_gives_an_empty_table(products: pd.DataFrame) -> None:
    products["baseColour"] = None
    found = evaluate(POSITIONS, products, IS_QUERY, measure="euclidean", protocols=("thesis",))
    assert len(found["thesis"].scores["baseColour"]) == 0
    assert found["thesis"].n_excluded["baseColour"] == 3


def test_the_gallery_s_size(found: dict[str, protocols.Evaluation]) -> None:
    sizes = {protocol: result.n_gallery for protocol, result in found.items()}
    assert sizes == {"thesis": 6, "held_out": 5, "unseen": 2}


def test_the_query_is_taken_out_by_its_id_and_not_by_its_rank(products: pd.DataFrame) -> None:
    positions = POSITIONS.copy()
    positions[1] = positions[2]  # 11, a tie, has the photo of 12, a shirt, and stands before it
    found = evaluate(positions, products, IS_QUERY, measure="euclidean")
    # 12 sees 11 (0 away), 13 (1.2), 10 (2.1): had rank 1 been dropped, 12 would find itself.
    assert found["held_out"].scores["articleType"].loc[12, "MRR"] == 1 / 2
    assert found["thesis"].scores["articleType"].loc[12, "hit_rate@1"] == 0


def share_of_ideal(gains: list[int], ideal: list[int]) -> float:
    """nDCG of at most ten products."""

    def discounted(gains: list[int]) -> float:
        return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))

    return discounted(gains) / discounted(ideal)


@pytest.fixture
def graded(products: pd.DataFrame) -> dict[str, protocols.Evaluation]:
    products = products.assign(gender=GENDERS, usage=USAGES)
    return evaluate(POSITIONS, products, IS_QUERY, measure="euclidean", protocols=PROTOCOLS)


def test_graded_by_hand_held_out(graded: dict[str, protocols.Evaluation]) -> None:
    scores = graded["held_out"].graded
    # Shared attributes 0, 1, 2, 3, 4 are worth 0, 1, 3, 7, 15.
    assert scores["nDCG@10"].to_dict() == pytest.approx(
        {
            # 10 sees 11 (colour, gender, usage), 12 (type), 13 (type, gender), 14, 15 (colour).
            10: share_of_ideal([7, 1, 3, 0, 1], [7, 3, 1, 1, 0]),
            # 12, of no colour, sees 11, 13 (type, usage), 10 (type), 14 (gender), 15 (both).
            12: share_of_ideal([0, 3, 1, 1, 3], [3, 3, 1, 1, 0]),
            # 15 sees 14 (gender), 13 (usage), 12 (gender, usage), 11 (colour), 10 (colour).
            15: share_of_ideal([1, 1, 3, 1, 1], [3, 1, 1, 1, 1]),
        }
    )  # fmt: skip
    assert scores["label"].to_dict() == {10: "Shirts", 12: "Shirts", 15: "Capes"}
    assert scores.columns.tolist() == [*protocols.GRADED_METRICS, "label"]
    assert graded["held_out"].n_graded_excluded == 0


def test_graded_by_hand_thesis_and_unseen(graded: dict[str, protocols.Evaluation]) -> None:
    # 12 finds itself first, with three attributes: the missing colour does not match itself.
    found = graded["thesis"].graded.loc[12, "nDCG@10"]
    assert found == pytest.approx(share_of_ideal([7, 0, 3, 1, 1, 3], [7, 3, 3, 1, 1, 0]))
    # Only 10, 12 and 15 are there: 12 sees 10 (type), then 15 (gender, usage).
    assert graded["unseen"].graded["nDCG@10"].to_dict() == pytest.approx(
        {10: 1, 12: share_of_ideal([1, 3], [3, 1]), 15: 1}
    )


def test_a_query_that_shares_nothing_is_left_out_and_counted(products: pd.DataFrame) -> None:
    products.loc[5, list(GRADED_LABELS)] = None
    found = evaluate(POSITIONS, products, IS_QUERY, measure="euclidean", protocols=PROTOCOLS)
    for protocol in PROTOCOLS:  # even with itself it shares nothing
        assert found[protocol].n_graded_excluded == 1
        assert found[protocol].graded.index.tolist() == [10, 12]


def test_a_query_without_a_type_is_of_a_class_of_its_own(products: pd.DataFrame) -> None:
    products.loc[2, "articleType"] = None
    found = evaluate(POSITIONS, products, IS_QUERY, measure="euclidean")
    assert found["held_out"].graded["label"].to_dict() == {10: "Shirts", 12: "", 15: "Capes"}


def slow_graded_reference(embeddings, products, queries, is_candidate) -> list[float]:
    """nDCG@10: one argsort and scikit-learn a query."""
    values = []
    for query in queries:
        others = np.flatnonzero(is_candidate & (np.arange(len(products)) != query))
        distances = np.abs(embeddings[others] - embeddings[query]).sum(axis=1)
        own, theirs = products.iloc[query], products.iloc[others]
        shared = sum((theirs[label] == own[label]).to_numpy(int) for label in GRADED_LABELS)
        if shared.any():
            values.append(ndcg_score([2**shared - 1], [-distances], k=10))
    return values


def test_random_graded_scores_equal_a_slow_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fashion_rir.search.gallery.MAX_BLOCK_BYTES", 4 * 150 * 7)  # several blocks
    generator = np.random.default_rng(0)
    embeddings = generator.standard_normal((150, 8)).astype(np.float32)
    columns = {
        label: generator.choice(["a", "b", "c", None], 150, p=[0.2, 0.1, 0.05, 0.65])
        for label in EVALUATED_LABELS
    }
    products = pd.DataFrame(columns).assign(id=range(150))
    is_query = generator.random(150) < 0.3
    found = evaluate(embeddings, products, is_query, measure="manhattan",
                     protocols=("unseen", "held_out"))  # fmt: skip
    for protocol, is_candidate in (("held_out", np.ones(150, dtype=bool)), ("unseen", is_query)):
        expected = slow_graded_reference(
            embeddings, products, np.flatnonzero(is_query), is_candidate
        )
        scores = found[protocol].graded["nDCG@10"]
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)
        assert found[protocol].n_graded_excluded == is_query.sum() - len(expected)
        assert 0 < found[protocol].n_graded_excluded < is_query.sum()


def slow_reference(embeddings, labels, queries, is_candidate) -> list[float]:
    """The mAP's parts: one argsort and scikit-learn a query."""
    values = []
    for query in queries:
        others = np.flatnonzero(is_candidate & (np.arange(len(labels)) != query))
        distances = np.abs(embeddings[others] - embeddings[query]).sum(axis=1)
        is_relevant = labels[others] == labels[query]
        if is_relevant.any():
            order = np.argsort(distances, kind="stable")
            scores = np.arange(len(others), 0, -1)
            values.append(average_precision_score(is_relevant[order], scores))
    return values


def test_random_data_equal_a_slow_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fashion_rir.search.gallery.MAX_BLOCK_BYTES", 4 * 150 * 7)  # several blocks
    generator = np.random.default_rng(0)
    embeddings = generator.standard_normal((150, 8)).astype(np.float32)
    labels = generator.choice(["a", "b", "c", "d"], 150, p=[0.6, 0.3, 0.09, 0.01])
    products = pd.DataFrame(dict.fromkeys(EVALUATED_LABELS, labels)).assign(id=range(150))
    is_query = generator.random(150) < 0.3
    found = evaluate(embeddings, products, is_query, measure="manhattan",
                     protocols=("held_out", "unseen"))  # fmt: skip
    for protocol, is_candidate in (("held_out", np.ones(150, dtype=bool)), ("unseen", is_query)):
        expected = slow_reference(embeddings, labels, np.flatnonzero(is_query), is_candidate)
        for label in EVALUATED_LABELS:
            scores = found[protocol].scores[label]
            np.testing.assert_allclose(scores["mAP"], expected, atol=1e-12)
            assert found[protocol].n_excluded[label] == is_query.sum() - len(expected)


def test_an_unknown_protocol_offers_the_nearest(products: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="did you mean 'held_out'"):
        evaluate(POSITIONS, products, IS_QUERY, measure="cosine", protocols=("heldout",))


def test_no_query_is_refused(products: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="no test product"):
        evaluate(POSITIONS, products, np.zeros(6, dtype=bool), measure="cosine")


def test_lengths_that_differ_are_refused(products: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="5 embeddings, 6 products and 6 query marks"):
        evaluate(POSITIONS[:5], products, IS_QUERY, measure="cosine")
    with pytest.raises(ParameterError, match="6 embeddings, 6 products and 2 query marks"):
        evaluate(POSITIONS, products, IS_QUERY[:2], measure="cosine")
