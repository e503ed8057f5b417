"""How well a classifier tells classes apart, and how far its confidence can be trusted.

All functions take the posterior (`heads.posterior`) and class numbers; products whose class is
missing (-1) are left out, and counted by the caller.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError


def accuracies(posterior: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """Share of products whose most likely class is theirs.

    Args:
        posterior: shape (n_products, n_classes).
        codes: true classes, int, shape (n_products,).

    Returns:
        `micro`: over products; `macro`: the mean of the classes' own shares, over the classes that
        occur; `top5`: the true class is among the five most likely. Of equally likely classes the
        first counts as the likelier.

    Raises:
        ParameterError: no product with a class, a class that the posterior lacks, or lengths that
            differ.

    Example:
        >>> likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
        >>> accuracies(likely, np.array([0, 1, 1]))
        {'micro': 0.6666666666666666, 'macro': 0.75, 'top5': 1.0}
    """
    posterior, codes = _known(posterior, codes)
    is_right = posterior.argmax(axis=1) == codes
    five = np.argsort(-posterior, axis=1, kind="stable")[:, :5]
    return {
        "micro": float(is_right.mean()),
        "macro": float(pd.Series(is_right).groupby(codes).mean().mean()),
        "top5": float((five == codes[:, None]).any(axis=1).mean()),
    }


def confused_pairs(
    posterior: np.ndarray, codes: np.ndarray, names: Sequence[str], *, most: int = 15
) -> pd.DataFrame:
    """The classes that are most often taken for one another.

    Args:
        posterior: shape (n_products, n_classes).
        codes: true classes, int, shape (n_products,).
        names: of the classes.
        most: rows of the answer.

    Returns:
        Columns `true`, `predicted`, `products` (so confused) and `share` (of the true class), the
        most frequent first.

    Raises:
        ParameterError: as for `accuracies`, or names that are not those of the classes.
    """
    posterior, codes = _known(posterior, codes)
    if len(names) != posterior.shape[1]:
        raise ParameterError(f"{posterior.shape[1]} classes need as many names, not {len(names)}.")
    predicted = posterior.argmax(axis=1)
    is_wrong = predicted != codes
    pairs = pd.DataFrame({"true": codes[is_wrong], "predicted": predicted[is_wrong]})
    counts = pairs.value_counts(sort=False).rename("products").reset_index()
    counts["share"] = counts["products"] / np.bincount(codes, minlength=len(names))[counts["true"]]
    order = counts.sort_values(["products", "share"], ascending=False, kind="stable").head(most)
    for column in ("true", "predicted"):
        order[column] = [names[code] for code in order[column]]
    return order.reset_index(drop=True)


def calibration(posterior: np.ndarray, codes: np.ndarray, *, n_bins: int = 10) -> pd.DataFrame:
    """Confidence against accuracy, in bins of equal width (Guo et al. 2017).

    Args:
        posterior: shape (n_products, n_classes).
        codes: true classes, int, shape (n_products,).
        n_bins: of the confidence from 0 to 1; at least 1.

    Returns:
        One row a bin that holds products: `confidence` (mean), `accuracy`, `products`.

    Raises:
        ParameterError: as for `accuracies`, or no bin.
    """
    if n_bins < 1:
        raise ParameterError(f"n_bins must be at least 1, not {n_bins}.")
    posterior, codes = _known(posterior, codes)
    confidence = posterior.max(axis=1)
    is_right = posterior.argmax(axis=1) == codes
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    rows = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": is_right})
    groups = rows.groupby("bin")
    return groups.mean().assign(products=groups.size()).reset_index(drop=True)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean gap between confidence and accuracy, weighted by products; 0 is perfect.

    Args:
        table: from `calibration`.

    Example:
        >>> table = pd.DataFrame({"confidence": [0.9], "accuracy": [0.7], "products": [10]})
        >>> round(expected_calibration_error(table), 3)
        0.2
    """
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float((gap * table["products"]).sum() / table["products"].sum())


def _known(posterior: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(posterior) != len(codes):
        raise ParameterError(f"{len(posterior)} posteriors do not fit {len(codes)} classes.")
    is_known = codes >= 0
    if not is_known.any():
        raise ParameterError("No product has a known class, so there is nothing to score.")
    if codes.max() >= posterior.shape[1]:
        raise ParameterError(
            f"A product is of class {codes.max()}, but the posterior has classes 0 to "
            f"{posterior.shape[1] - 1} only; number both by the same `LabelClasses`."
        )
    return posterior[is_known], codes[is_known]
