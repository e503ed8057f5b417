"""training_times: the ratios by hand."""

import numpy as np
import pytest

from fashion_rir.studies.analysis import training_times


def test_ratios_are_of_the_rounds_by_hand() -> None:
    """Rounds of 1, 3 and 6, and of 2, 4 and 10 seconds: 13 and 9 times; 31 and 26 times."""
    seconds = {"embedding": np.array([1.0, 2.0]), "label": np.array([3.0, 4.0]),
               "views": np.array([6.0, 10.0])}  # fmt: skip
    found = training_times.ratios(seconds)
    assert found["label over embedding"] == {"value": 11.0, "low": 9.0, "high": 13.0}
    assert found["scratch over embedding"] == {"value": 28.5, "low": 26.0, "high": 31.0}
    assert found["scratch over label"]["value"] == pytest.approx((31 / 13 + 26 / 9) / 2, abs=1e-6)
