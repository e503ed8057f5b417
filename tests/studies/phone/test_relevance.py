import numpy as np
import pandas as pd
import pytest

from fashion_rir.embedding.photo_head import codes_of, first_ranked
from fashion_rir.errors import ParameterError
from fashion_rir.studies.phone import results
from fashion_rir.studies.phone.relevance import precision_rows, relevance

PRODUCTS = pd.DataFrame(
    {
        "articleType": ["Caps", "Hat", "Jeans", "Jeans"],
        "baseColour": ["Red", "Blue", "Blue", None],
    }
)
PHOTOS = pd.DataFrame(
    {
        "source_class": ["hat", "pants"],
        "articleType": ["Hat", "Jeans"],
        "baseColour": ["Red", "Blue"],
    }
)
GROUPS = {"hat": ["Caps", "Hat"], "pants": ["Jeans", "Trousers"]}


def test_what_is_found_by_group_type_colour_and_both():
    found = relevance(PHOTOS, PRODUCTS, GROUPS).found(np.array([[0, 1, 2], [3, 2, 1]]))
    rows = precision_rows(found)
    assert rows["group"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert rows["articleType"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert rows["baseColour"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert rows["both"].tolist() == pytest.approx([0, 1 / 3])


def test_chance_is_the_precision_of_products_drawn_at_random():
    found = relevance(PHOTOS, PRODUCTS, GROUPS).chance()
    assert found["group"] == pytest.approx((2 / 4 + 2 / 4) / 2)
    assert found["articleType"] == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert found["baseColour"] == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert found["both"] == pytest.approx((0 + 1 / 4) / 2)


def test_a_photo_of_an_unknown_class_is_named():
    with pytest.raises(ParameterError, match="scarf"):
        relevance(PHOTOS.assign(source_class="scarf"), PRODUCTS, GROUPS)


def test_equal_scores_are_in_the_products_order():
    assert first_ranked(np.array([[1.0, 3, 3, 0], [0, 0, 0, 0]]), 2).tolist() == [[1, 2], [0, 1]]


def test_a_missing_label_has_no_code():
    assert codes_of(pd.Series(["b", None, "x"]), ["a", "b"]).tolist() == [1, -1, -1]


def test_a_way_is_compared_with_the_one_before_query_by_query():
    known = relevance(PHOTOS, PRODUCTS, GROUPS)
    rows = {"group": np.array([1.0, 0.5])}
    found = results.measured(rows, known, seed=0, before={"group": np.array([0.5, 0.5])})
    assert found["precision@10"]["micro"]["group"]["value"] == 0.75
    assert found["difference"]["group"]["value"] == 0.25
    assert found["by_type"]["Hat"] == {"n_queries": 1, "group": 1.0}
