"""matches: who is found first, what the titles count, and who asks."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import matches


@pytest.fixture
def study(workspace, shop) -> Study:
    return Study(workspace, shop, 20)


@pytest.fixture
def by_type(shop) -> Embedded:
    """Products of a type lie in one place, others at a right angle."""
    codes = pd.factorize(shop.products["articleType"])[0]
    return Embedded(np.eye(codes.max() + 1, dtype=np.float32)[codes], {"model": "m"})


def test_the_nearest_leave_the_query_out() -> None:
    turns = np.radians([0, 60, 10])
    model = Embedded(np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32), {})
    rows, similarities = matches.nearest(model, 0)
    assert rows.tolist() == [2, 1]
    assert similarities.tolist() == pytest.approx([np.cos(turns[2]), 0.5], abs=1e-5)


def test_the_first_test_product_of_a_type_asks(study) -> None:
    kind = study.catalog.products["articleType"].value_counts().index[0]
    (row,) = matches.asking(study, kind)
    is_kind = (study.catalog.products["articleType"] == kind).to_numpy()
    assert row == np.flatnonzero(is_kind & study.is_test)[0]
    with pytest.raises(ParameterError, match="'Boats'"):
        matches.asking(study, "Boats")


def test_a_grid_counts_hits_and_what_lies_above_a_threshold(study, by_type) -> None:
    types = study.catalog.products["articleType"]
    kind = types.value_counts().index[0]
    (query,) = matches.asking(study, kind)
    n_others = int((types == kind).sum()) - 1
    figure = matches.grid(study, by_type, query, title="Found", above=0.9)
    assert n_others >= 11
    assert figure.get_suptitle() == (
        f"Found\n{n_others} of 79 photos are above 0.9; 11 of the first 11 are {kind}"
    )
    captions = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert captions[0] == "query" and captions[1:] == [f"✓ {kind} 1.00"] * 11


def test_rows_of_matches_count_over_all_queries(study, by_type) -> None:
    kinds = study.catalog.products["articleType"].value_counts().index[:2]
    queries = matches.asking(study, *kinds)
    title = matches.rows(study, by_type, queries, title="Three").get_suptitle()
    assert title == "Three\n10 of 10 matches are of their query's type"
