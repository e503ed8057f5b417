"""classification: against values worked out by hand."""

import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import classification

POSTERIOR = np.array(
    [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.4, 0.35, 0.25]]
)
CODES = np.array([0, 1, 1, 2, -1])  # right, wrong, right, right, and one without a class
NAMES = ("Shirts", "Ties", "Tops")


def sure_of(*predicted: int, n_classes: int = 3) -> np.ndarray:
    """Posteriors that have no doubt."""
    return np.eye(n_classes)[list(predicted)]


def test_accuracies() -> None:
    found = classification.accuracies(POSTERIOR, CODES)
    assert found == {"micro": 3 / 4, "macro": pytest.approx((1 + 1 / 2 + 1) / 3), "top5": 1}


def test_a_class_that_no_product_has_is_not_in_the_macro_mean() -> None:
    found = classification.accuracies(sure_of(0, 1, 2), np.array([0, 0, 2]))
    assert found["macro"] == (1 / 2 + 1) / 2


@pytest.mark.parametrize(("code", "expected"), [(0, 1), (4, 1), (5, 0), (6, 0)])
def test_five_most_likely(code: int, expected: float) -> None:
    descending = np.arange(7, 0, -1)[None] / 28
    assert classification.accuracies(descending, np.array([code]))["top5"] == expected


def test_equally_likely_classes_are_not_all_the_most_likely() -> None:
    nothing_known = np.full((7, 7), 1 / 7)
    found = classification.accuracies(nothing_known, np.arange(7))
    assert found["micro"] == 1 / 7
    assert found["top5"] == 5 / 7
    too_sure = sure_of(0, n_classes=9)  # the other classes' likelihood has become 0
    assert classification.accuracies(too_sure, np.array([8]))["top5"] == 0


def test_confused_pairs() -> None:
    codes = np.array([0, 0, 0, 0, 1, 1, 2, -1])
    pairs = classification.confused_pairs(sure_of(1, 1, 0, 2, 0, 1, 0, 1), codes, NAMES)
    assert pairs.columns.tolist() == ["true", "predicted", "products", "share"]
    assert pairs.to_numpy().tolist() == [
        ["Shirts", "Ties", 2, 2 / 4],
        ["Tops", "Shirts", 1, 1 / 1],  # of equally frequent ones, the larger share first
        ["Ties", "Shirts", 1, 1 / 2],
        ["Shirts", "Tops", 1, 1 / 4],
    ]
    assert pairs.index.tolist() == [0, 1, 2, 3]


def test_the_most_confused_pairs_only() -> None:
    codes = np.array([0, 0, 1])
    pairs = classification.confused_pairs(sure_of(1, 1, 2), codes, NAMES, most=1)
    assert pairs["true"].tolist() == ["Shirts"]


def test_nothing_is_confused() -> None:
    pairs = classification.confused_pairs(sure_of(0, 1), np.array([0, 1]), NAMES)
    assert pairs.columns.tolist() == ["true", "predicted", "products", "share"]
    assert len(pairs) == 0


def test_calibration() -> None:
    table = classification.calibration(POSTERIOR, CODES)  # sure by 0.7, 0.6, 0.5 and 0.7
    assert table.columns.tolist() == ["confidence", "accuracy", "products"]
    assert table["confidence"].tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert table["accuracy"].tolist() == [1, 0, 1]
    assert table["products"].tolist() == [1, 1, 2]


def test_a_bin_holds_its_lower_end_and_the_last_one_both() -> None:
    posterior = np.array([[0.5, 0.5], [0.74, 0.26], [0.75, 0.25], [0.01, 0.99], [1.0, 0.0]])
    table = classification.calibration(posterior, np.array([0, 1, 0, 1, 1]), n_bins=4)
    assert table["confidence"].tolist() == pytest.approx([(0.5 + 0.74) / 2, (0.75 + 0.99 + 1) / 3])
    assert table["accuracy"].tolist() == pytest.approx([1 / 2, 2 / 3])
    assert table["products"].tolist() == [2, 3]


def test_expected_calibration_error() -> None:
    table = classification.calibration(POSTERIOR, CODES)
    expected = (0.5 * 1 + 0.6 * 1 + 0.3 * 2) / 4  # gaps by products
    assert classification.expected_calibration_error(table) == pytest.approx(expected)
    certain = classification.calibration(sure_of(0, 1), np.array([0, 1]))
    assert classification.expected_calibration_error(certain) == 0


def confused(posterior: np.ndarray, codes: np.ndarray) -> object:
    return classification.confused_pairs(posterior, codes, NAMES)


@pytest.mark.parametrize("score", [classification.accuracies, classification.calibration, confused])
def test_what_cannot_be_scored(score) -> None:
    with pytest.raises(ParameterError, match="5 posteriors do not fit 4 classes"):
        score(POSTERIOR, CODES[:4])
    with pytest.raises(ParameterError, match="No product has a known class"):
        score(POSTERIOR, np.full(5, -1))
    with pytest.raises(ParameterError, match="No product has a known class"):
        score(POSTERIOR[:0], CODES[:0])
    with pytest.raises(ParameterError, match="of class 3, but the posterior has classes 0 to 2"):
        score(POSTERIOR, np.array([0, 1, 1, 3, -1]))


def test_each_class_has_a_name_and_there_is_a_bin() -> None:
    with pytest.raises(ParameterError, match="3 classes need as many names, not 2"):
        classification.confused_pairs(POSTERIOR, CODES, NAMES[:2])
    with pytest.raises(ParameterError, match="n_bins must be at least 1, not 0"):
        classification.calibration(POSTERIOR, CODES, n_bins=0)
