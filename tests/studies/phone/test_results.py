import numpy as np
import pandas as pd
import pytest

from fashion_rir.studies.phone import results
from fashion_rir.studies.phone.relevance import relevance

GROUPS = {"hat": ["Caps", "Hat"], "pants": ["Jeans"]}


@pytest.fixture
def relevant():
    photos = pd.DataFrame({"articleType": ["Caps", "Jeans"], "baseColour": ["Red", "Blue"],
                           "source_class": ["hat", "pants"]})  # fmt: skip
    products = pd.DataFrame({"articleType": ["Caps"] * 6 + ["Hat"] * 4 + ["Jeans"] * 10,
                             "baseColour": ["Red", "Blue"] * 10})  # fmt: skip
    return relevance(photos, products, GROUPS)


def scores_of(order: list[list[int]]) -> results.Scores:
    table = np.full((len(order), 20), -1.0)
    for row, products in enumerate(order):
        table[row, products] = np.arange(len(products), 0, -1)
    return lambda rows: table[rows]


def test_precision_and_its_difference_are_read_as_tables(relevant):
    before = results.found_rows(relevant, scores_of([list(range(10)), list(range(10))]))
    after = results.found_rows(relevant, scores_of([list(range(10)), list(range(10, 20))]))
    ways = {
        "before": results.measured(before, relevant, seed=0),
        "after": results.measured(after, relevant, seed=0, before=before),
    }
    table = results.estimates(ways)
    assert table.loc["before", ("group", "value")] == pytest.approx(0.5)
    assert table.loc["after", ("group", "value")] == pytest.approx(1.0)
    assert table.loc["after", ("articleType", "value")] == pytest.approx((0.6 + 1) / 2)
    found = results.differences(ways, "group").set_index("comparison")
    assert list(found.index) == ["after"]
    assert found.loc["after", "value"] == pytest.approx(0.5)


def test_the_worst_types_come_first_and_rare_ones_are_left_out(relevant):
    rows = results.found_rows(relevant, scores_of([list(range(10)), list(range(10))]))
    way = results.measured(rows, relevant, seed=0)
    table = results.worst_types(way, "group", least_queries=1, most=5)
    assert table.index.tolist() == ["Jeans", "Caps"]
    assert table["group"].tolist() == [0.0, 1.0] and table["photos"].tolist() == [1, 1]
    assert len(results.worst_types(way, "group", least_queries=2, most=5)) == 0
