"""gallery_readings: one ranking, many mAPs, each by hand or as the slow way has it."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import metrics
from fashion_rir.studies.analysis import gallery_readings, protocol_grid


@pytest.mark.parametrize("way", protocol_grid.NORMALISATIONS)
@pytest.mark.parametrize("k", [1, 5, 30])
def test_many_rankings_at_once_are_scored_as_one_by_one(k: int, way: str) -> None:
    is_hit = np.random.default_rng(1).random((40, 30)) < 0.2
    is_hit[:, 29] = True  # a hit at least in each
    one_by_one = [protocol_grid.average_precision_at(metrics.relevant_ranks(row), k, way)
                  for row in is_hit]  # fmt: skip
    assert np.allclose(gallery_readings.average_precisions(is_hit, k, way), one_by_one)
    whole = [metrics.average_precision(metrics.relevant_ranks(row)) for row in is_hit]
    assert np.allclose(gallery_readings.average_precisions(is_hit, "all", "relevant"), whole)


def test_an_unknown_divisor_is_refused() -> None:
    with pytest.raises(ParameterError, match="Unknown normalisation 'hit'"):
        gallery_readings.average_precisions(np.ones((1, 2), dtype=bool), 1, "hit")


PRODUCTS = pd.DataFrame({"articleType": ["Ties", "Shirts", "Ties", "Shirts"],
                         "gender": ["Men", "Men", "Women", None]})  # fmt: skip
VECTORS = np.array([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3]], dtype=np.float32)


def readings() -> pd.DataFrame:
    labels = ["articleType", "gender"]
    return gallery_readings.of_small_galleries({"m": VECTORS}, PRODUCTS, labels, sizes=[4], seed=0)


def test_readings_of_a_gallery_by_hand() -> None:
    inside = gallery_readings.chosen(
        readings(), label="articleType", query="inside", cutoff="all", normalised_by="hits"
    )
    # All find themselves first; the other of their type stands at rank 3, 4, 4 and 3.
    by_hand = np.mean([(1 + 2 / 3) / 2, (1 + 2 / 4) / 2, (1 + 2 / 4) / 2, (1 + 2 / 3) / 2])
    assert inside.loc[4, "m"] == pytest.approx(by_hand)


def test_a_missing_label_is_no_class() -> None:
    out = gallery_readings.chosen(
        readings(), label="gender", query="taken out", cutoff="all", normalised_by="relevant"
    )
    # The first man finds the other at rank 1; that one has the woman nearer, by a hair.
    assert out.loc[4, "m"] == pytest.approx((1 + 1 / 2) / 2)


def test_a_gallery_larger_than_the_catalogue_is_refused() -> None:
    with pytest.raises(ParameterError, match="A gallery of 5 cannot be drawn from 4 products"):
        gallery_readings.of_small_galleries({"m": VECTORS}, PRODUCTS, ["gender"], sizes=[5], seed=0)


def test_the_whole_gallery_stands_beside_the_small_ones() -> None:
    cell = {"label": "articleType", "normalised_by": "relevant", "average": "micro"}
    cells = [
        cell | {"protocol": "thesis", "cutoff": "all", "mAP": 0.5},
        cell | {"protocol": "thesis", "cutoff": "all", "mAP": 0.1, "average": "macro"},
        cell | {"protocol": "held_out", "cutoff": "10", "mAP": 0.4},
        cell | {"protocol": "held_out", "cutoff": "100", "mAP": 0.3},  # nobody asks for it
    ]
    whole = gallery_readings.of_whole_gallery({"cells": cells}, "m", 9)
    assert len(whole) == 2
    both = pd.concat([readings(), whole])
    inside = gallery_readings.chosen(
        both, label="articleType", query="inside", cutoff="all", normalised_by="hits"
    )
    assert list(inside.index) == [4, 9] and inside.loc[9, "m"] == 0.5
