"""Shares of a joined embedding, by hand: three products, a query, two attributes."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.studies.trained.share_trials import share_trial
from fashion_rir.training.heads import JoinShares, joined_embedding

SURE = 20.0  # a logit this much larger leaves nothing to the other class


def one_hot(*codes: int) -> np.ndarray:
    return np.eye(2, dtype=np.float32)[list(codes)] * SURE


def products(*rows: tuple[int, str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "articleType", "baseColour"])


# A blue shirt, a red shirt and a red shoe; the stored embeddings say nothing.
GALLERY = (
    {"articleType": one_hot(0, 0, 1), "baseColour": one_hot(1, 0, 0)},
    np.ones((3, 1), dtype=np.float32),
    products((1, "Shirts", "Blue"), (2, "Shirts", "Red"), (3, "Shoes", "Red")),
)
# A red shirt that is in no shop.
QUERY = (
    {"articleType": one_hot(0), "baseColour": one_hot(0)},
    np.ones((1, 1), dtype=np.float32),
    products((9, "Shirts", "Red")),
)


def trial(query=QUERY):
    return share_trial(query, GALLERY, ("articleType", "baseColour"), temperature=1.0)


def test_the_type_alone_takes_both_shirts_and_the_colour_alone_both_red_ones():
    assert set(trial().matches({"articleType": 1}, k=2)[0]) == {0, 1}
    assert set(trial().matches({"baseColour": 1}, k=2)[0]) == {1, 2}


def test_similarity_is_the_weighted_mean_of_the_parts():
    similarity = trial().similarity({"articleType": 3, "baseColour": 1})
    np.testing.assert_allclose(similarity, [[3 / 4, 1, 1 / 4]], atol=1e-3)


def test_it_is_the_cosine_of_the_joined_embeddings():
    shares = {"articleType": 1.0, "baseColour": 0.2}
    join = JoinShares(shares, stored=0.3, temperature=1.0)
    asked, there = (joined_embedding(*some[:2], join) for some in (QUERY, GALLERY))
    similarity = trial().similarity(shares | {"stored": 0.3})
    np.testing.assert_allclose(similarity, asked @ there.T, atol=1e-5)


def test_precision_counts_the_querys_classes():
    assert trial().precision({"articleType": 1, "baseColour": 0.5}, k=2) == {
        "articleType": 1.0, "baseColour": 0.5}  # fmt: skip


def test_a_product_does_not_find_itself():
    own = (*QUERY[:2], products((2, "Shirts", "Red")))
    assert trial(own).matches({"articleType": 1, "baseColour": 1}, k=2).tolist() == [[0, 2]]


def test_a_query_without_a_label_agrees_with_nobody():
    bare = (*QUERY[:2], products((9, "Shirts", None)))
    assert trial(bare).precision({"baseColour": 1}, k=3)["baseColour"] == 0


def test_unknown_parts_and_shares_that_leave_nothing_are_refused():
    with pytest.raises(ParameterError, match="no part season"):
        trial().similarity({"season": 1})
    with pytest.raises(ParameterError, match="one of them above 0"):
        trial().similarity({"articleType": 0})
