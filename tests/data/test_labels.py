"""labels: numbers for class names, and what a classifier cannot be trained on."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data.labels import LabelClasses, learn_classes
from fashion_rir.errors import ParameterError

CLASSES = LabelClasses("articleType", ("Scarves", "Shirts", "Watches"))


def test_classes_are_sorted_and_learned_from_training_products_alone() -> None:
    values = pd.Series(["Watches", "Shirts", "Watches", "Shirts", None])
    classes = learn_classes("articleType", values, np.array([True, True, True, False, True]))
    assert classes == LabelClasses("articleType", ("Shirts", "Watches"))
    assert len(classes) == 2


def test_rows_are_taken_by_position() -> None:
    values = pd.Series(["Watches", "Shirts", "Watches"], index=[7, 7, 0])  # as after a filter
    classes = learn_classes("articleType", values, np.array([True, True, False]))
    assert classes.names == ("Shirts", "Watches")


def test_codes_are_positions_in_the_names() -> None:
    codes = CLASSES.codes(["Watches", "Scarves", "Watches", "Shirts"])
    assert codes.tolist() == [2, 0, 2, 1]
    assert codes.dtype == np.int64


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_value_is_minus_one(missing: object) -> None:
    assert CLASSES.codes(["Shirts", missing]).tolist() == [1, -1]
    assert CLASSES.codes([missing]).tolist() == [-1]


def test_a_column_of_a_catalogue_is_taken_too() -> None:
    column = pd.Series(["Shirts", None, "Watches"], dtype="str", index=[5, 3, 1])
    assert CLASSES.codes(column).tolist() == [1, -1, 2]
    assert CLASSES.codes([]).shape == (0,)


def test_an_unknown_label_is_refused_and_named() -> None:
    message = "does not know 2 of the values of articleType .first: 'Caps'"
    with pytest.raises(ParameterError, match=message):
        CLASSES.codes(["Shirts", "Ties", "Caps", None, "Ties"])
    with pytest.raises(ParameterError, match="first: 'shirts'"):  # the case counts
        CLASSES.codes(["shirts"])
    with pytest.raises(ParameterError, match="does not know 2 of"):
        CLASSES.codes([2011, "Ties"])


@pytest.mark.parametrize(
    ("values", "n_classes"), [(["Shirts", "Shirts", "Watches"], 1), ([None, None, "Watches"], 0)]
)
def test_fewer_than_two_classes_are_refused(values: list, n_classes: int) -> None:
    is_train = np.array([True, True, False])
    with pytest.raises(ParameterError, match=f"have {n_classes} class of articleType"):
        learn_classes("articleType", pd.Series(values), is_train)


def test_a_class_without_a_training_product_is_refused_and_named() -> None:
    values = pd.Series(["Shirts", "Watches", "Ties", "Caps", "Caps", None])
    is_train = np.array([True, True, False, False, False, False])
    message = "No training product has the articleType 'Caps' .2 such in all"
    with pytest.raises(ParameterError, match=message):
        learn_classes("articleType", values, is_train)
