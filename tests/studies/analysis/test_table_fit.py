"""table_fit: what chance gives by hand, and a reading that fits all rows stands first."""

import numpy as np
import pytest

from fashion_rir.studies.analysis import table_fit


def test_evenly_spread_readings_meet_any_number_by_chance() -> None:
    """448 readings between 0 and 1: within 0.01 of a number lie 448 x 0.02, about nine."""
    assert table_fit.met_by_chance(np.linspace(0, 1, 448)) == pytest.approx(9, abs=0.2)


def test_readings_of_two_products_of_one_type_and_one_of_another() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1]], dtype="float32")
    found = {row[2:6]: row[-1] for row in table_fit._gallery("m", vectors, np.array([0, 0, 1]))}
    assert found["inside", "all", "relevant", "micro"] == 1  # each finds itself and its twin first
    assert found["taken out", "all", "relevant", "micro"] == 1  # the lone one does not ask
    vectors = vectors[[0, 2, 1]]  # the twin is farther away than the other type
    found = {row[2:6]: row[-1] for row in table_fit._gallery("m", vectors, np.array([0, 0, 1]))}
    assert found["inside", "all", "relevant", "micro"] == pytest.approx((5 / 6 + 5 / 6 + 1) / 3)
    assert found["inside", "all", "relevant", "macro"] == pytest.approx((5 / 6 + 1) / 2)
    assert found["taken out", "all", "relevant", "micro"] == pytest.approx(1 / 2)


def test_rows_are_fitted_together() -> None:
    cell = {"size": 50, "query": "inside", "cutoff": "all", "normalised_by": "relevant",
            "average": "micro"}  # fmt: skip
    record = {"cells": [
        cell | {"pretrained, padded": 0.708221, table_fit.FLOOR: 0.9},
        cell | {"size": 150, "pretrained, padded": 0.72, table_fit.FLOOR: 0.39},
    ]}  # fmt: skip
    found = table_fit.together(record)
    assert found["size"].tolist() == [150, 50]
    assert found["worst"].tolist() == pytest.approx([0.011779, 0.521395])
