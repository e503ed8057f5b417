"""filters: which products may be returned."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data.catalog import LABELS
from fashion_rir.data.filters import matching
from fashion_rir.errors import ParameterError
from fashion_rir.search.gallery import Gallery


@pytest.fixture
def products() -> pd.DataFrame:
    table = pd.DataFrame({
        "gender": ["Men", "Women", "Men", "Women", "Unisex"],
        "season": ["Fall", "Fall", "Summer", None, "Winter"],
        "baseColour": ["Red", "Blue", "Blue", "Blue", "Red"],
    })  # fmt: skip
    return table.reindex(columns=LABELS)


def test_one_attribute(products: pd.DataFrame) -> None:
    assert matching(products, gender="Women").tolist() == [False, True, False, True, False]


def test_all_attributes_must_hold(products: pd.DataFrame) -> None:
    found = matching(products, gender="Men", baseColour="Blue")
    assert found.tolist() == [False, False, True, False, False]


def test_one_of_several_values_must_hold(products: pd.DataFrame) -> None:
    found = matching(products, gender=["Men", "Unisex"], season=("Fall", "Winter"))
    assert found.tolist() == [True, False, False, False, True]


def test_a_missing_value_matches_no_value(products: pd.DataFrame) -> None:
    found = matching(products, season=["Fall", "Summer", "Winter"])
    assert found.tolist() == [True, True, True, False, True]


def test_none_leaves_an_attribute_free(products: pd.DataFrame) -> None:
    assert matching(products).all()
    found = matching(products, gender=None, baseColour="Red", season=None)
    assert found.dtype == bool
    assert found.tolist() == [True, False, False, False, True]


def test_an_unknown_attribute_offers_the_nearest(products: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="filter 'genders'; did you mean 'gender'"):
        matching(products, genders="Men")
    with pytest.raises(ParameterError, match="Unknown filter 'id'"):  # a column, but no label
        matching(products.assign(id=1), id="1")


def test_an_unknown_value_offers_the_nearest(products: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="gender 'men'; did you mean 'Men'"):
        matching(products, gender=["Women", "men"])


def test_a_filter_that_no_product_passes_finds_nothing_and_says_so(
    products: pd.DataFrame,
) -> None:
    is_match = matching(products, gender="Unisex", baseColour="Blue")
    assert is_match.tolist() == [False] * 5
    gallery = Gallery(np.eye(5), range(5), "cosine")
    for exclude_ids in (None, [0, 3]):
        found = gallery.search(np.eye(5)[:2], 3, exclude_ids=exclude_ids, where=is_match)
        assert found.ids.shape == found.distances.shape == (2, 0)
        assert found.note == "Only 0 of 3 exist behind this filter."


def test_a_filter_narrows_a_search(products: pd.DataFrame) -> None:
    gallery = Gallery(np.arange(10.0).reshape(5, 2), range(5), "euclidean")
    found = gallery.search([[0, 0]], 2, where=matching(products, baseColour="Blue"))
    assert found.ids.tolist() == [[1, 2]]
