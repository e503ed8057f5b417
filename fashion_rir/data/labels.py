"""Class names to numbers and back, for training on labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError


@dataclass(frozen=True)
class LabelClasses:
    """The classes that a model tells apart, in the order of its outputs.

    Attributes:
        label: the column, such as `articleType`.
        names: the classes, sorted.
    """

    label: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def codes(self, values: Iterable[str | None]) -> np.ndarray:
        """Class numbers.

        Args:
            values: class names; None or NaN where a product has none.

        Returns:
            int64, shape (n_products,): 0 to len - 1, and -1 for a missing value.

        Raises:
            ParameterError: a name that the model does not know.
        """
        values = pd.Series(list(values), dtype="object")
        codes = pd.Index(self.names).get_indexer(values)
        unknown = sorted(set(values[(codes < 0) & values.notna().to_numpy()]), key=str)
        if unknown:
            raise ParameterError(
                f"The model does not know {len(unknown)} of the values of {self.label} (first: "
                f"{unknown[0]!r}); train it on a catalogue that holds them, or leave them out."
            )
        return codes.astype(np.int64)


def learn_classes(label: str, values: pd.Series, is_train: np.ndarray) -> LabelClasses:
    """The classes that the training products have.

    Args:
        label: the column's name.
        values: class names of all products, None where missing.
        is_train: bool, shape (n_products,).

    Returns:
        The classes.

    Raises:
        ParameterError: fewer than two classes, or a class without a training product.
    """
    names = sorted(values[is_train].dropna().unique())
    if len(names) < 2:
        raise ParameterError(
            f"The training products have {len(names)} class of {label}; a classifier needs two at "
            "least. Take more products."
        )
    untrained = sorted(set(values.dropna()) - set(names))
    if untrained:
        raise ParameterError(
            f"No training product has the {label} {untrained[0]!r} ({len(untrained)} such in "
            "all); split with `splits.is_test_product`, which keeps one of each articleType in "
            "training, or leave these products out."
        )
    return LabelClasses(label, tuple(names))


def learn_labels(
    products: pd.DataFrame, labels: Sequence[str], is_fit: np.ndarray
) -> tuple[dict[str, LabelClasses], dict[str, np.ndarray]]:
    """The classes of several labels that a training sees.

    Args:
        products: a catalogue's table.
        labels: its columns.
        is_fit: bool, shape (n_products,): trained on.

    Returns:
        By label the classes, and class numbers, int64, shape (n_products,), -1 where there is none
        or none that is trained on.

    Raises:
        ParameterError: fewer than two classes of a label.
    """
    classes, codes = {}, {}
    for label in labels:
        values = products[label].where(products[label].isin(products.loc[is_fit, label]))
        classes[label] = learn_classes(label, values, is_fit)
        codes[label] = classes[label].codes(values)
    return classes, codes


def side_by_side(codes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Class numbers as a contrastive objective takes them.

    Args:
        codes: by label, from `learn_labels`, articleType first.

    Returns:
        int64, shape (n_products,), or (n_products, n_labels) of several labels.
    """
    columns = list(codes.values())
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
