"""Which products go into a batch together, and how often. NumPy only.

Every draw depends on the seed and the epoch alone, so a training that was broken off meets the
same batches again. A class is an integer from 0; -1 is missing.
"""

import numpy as np

from fashion_rir.errors import ParameterError

MISSING = -1


def has_positive(classes: np.ndarray) -> np.ndarray:
    """Which products have another product of their class, and so can serve as its positive.

    Args:
        classes: int, shape (n_products,), -1 for missing, which is nobody's class.

    Returns:
        bool, shape (n_products,).

    Raises:
        ParameterError: no products, or classes that are no integers from -1.

    Example:
        >>> has_positive(np.array([0, 1, 0, -1, -1])).tolist()
        [True, False, True, False, False]
    """
    classes = _check_classes(classes)
    _, class_of_product, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return (counts[class_of_product] >= 2) & (classes != MISSING)


def class_balanced_batches(
    classes: np.ndarray, shape: tuple[int, int, int], *, seed: int, epoch: int
) -> np.ndarray:
    """P x K batches (Hermans et al. 2017): P classes drawn at random, K products of each.

    Every class has the same chance, however many products it has. A class with fewer than K
    products gives some of them again, each as often as the others or once more. A product
    without a positive (`has_positive`) is never drawn.

    Args:
        classes: int, shape (n_products,), -1 for missing.
        shape: how many batches, at least 1; P, from 2 to the number of classes with two products
            or more; K, from 2 to the size of the largest class.
        seed: of the draw, 0 or more.
        epoch: another one gives other batches, 0 or more.

    Returns:
        Row numbers: int64, shape (batches, P * K); those of a class stand side by side.

    Raises:
        ParameterError: fewer than two classes with two products, or a number out of its range.

    Example:
        >>> class_balanced_batches(np.array([0, 0, 1, 1, 2]), (1, 2, 2), seed=0, epoch=0).shape
        (1, 4)
    """
    batches, classes_per_batch, products_per_class = shape
    rows = np.flatnonzero(has_positive(classes))
    _, class_of_row = np.unique(np.asarray(classes)[rows], return_inverse=True)
    counts = np.bincount(class_of_row)
    if len(counts) < 2:
        raise ParameterError(
            f"P x K batches need two classes with two products or more, not {len(counts)}; "
            "train on more products, or on a coarser label."
        )
    _check_range("classes_per_batch (P)", classes_per_batch, 2, len(counts))
    _check_range("products_per_class (K)", products_per_class, 2, int(counts.max()))
    _check_range("batches", batches, 1)
    generator = _generator(seed, epoch)
    members = np.split(rows[np.argsort(class_of_row, kind="stable")], np.cumsum(counts)[:-1])
    drawn = [
        _draw(members[number], products_per_class, generator)
        for _ in range(batches)
        for number in generator.choice(len(members), classes_per_batch, replace=False)
    ]
    return np.reshape(drawn, (batches, classes_per_batch * products_per_class))


def shuffled_batches(
    n_products: int, *, batch_size: int, seed: int, epoch: int, drop_last: bool
) -> list[np.ndarray]:
    """Every product once, in random order, cut into batches.

    Args:
        n_products: how many, at least 1.
        batch_size: from 1 to n_products.
        seed: of the draw, 0 or more.
        epoch: another one gives another order, 0 or more.
        drop_last: leave the last batch out if it is smaller than the others.

    Returns:
        Row numbers by batch: int64, shape (batch_size,), the last one perhaps shorter.

    Raises:
        ParameterError: a number out of its range.

    Example:
        >>> batches = shuffled_batches(5, batch_size=2, seed=0, epoch=0, drop_last=False)
        >>> [len(batch) for batch in batches]
        [2, 2, 1]
    """
    _check_range("n_products", n_products, 1)
    _check_range("batch_size", batch_size, 1, n_products)
    order = _generator(seed, epoch).permutation(n_products)
    end = n_products - n_products % batch_size if drop_last else n_products
    return [order[start : start + batch_size] for start in range(0, end, batch_size)]


def sampling_weights(classes: np.ndarray, power: float) -> np.ndarray:
    """How much each product counts, so that rare classes are not drowned by frequent ones.

    weight = count of the product's class ** -power, scaled to a mean of 1.

    Args:
        classes: int, shape (n_products,), none missing.
        power: 0 for equal products, 1 for equal classes, or between.

    Returns:
        float64, shape (n_products,), mean 1.

    Raises:
        ParameterError: a power outside [0, 1], or a product without a class.

    Example:
        >>> sampling_weights(np.array([0, 0, 0, 1]), 1.0).round(3).tolist()
        [0.667, 0.667, 0.667, 2.0]
    """
    if not 0 <= power <= 1:
        raise ParameterError(f"The power must lie between 0 and 1, not {power}.")
    classes = _check_classes(classes)
    n_missing = int((classes == MISSING).sum())
    if n_missing:
        raise ParameterError(
            f"{n_missing} of {len(classes)} products have no class (-1) and so no weight; leave "
            "them out."
        )
    _, class_of_product, counts = np.unique(classes, return_inverse=True, return_counts=True)
    weights = counts[class_of_product] ** -float(power)
    return weights / weights.mean()


def _draw(members: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """k of the members: none twice before all have come once."""
    rounds, rest = divmod(k, len(members))
    return np.append(np.tile(members, rounds), generator.choice(members, rest, replace=False))


def _generator(seed: int, epoch: int) -> np.random.Generator:
    _check_range("seed", seed, 0)
    _check_range("epoch", epoch, 0)
    return np.random.default_rng((seed, epoch))


def _check_range(name: str, value: int, least: int, most: int | None = None) -> None:
    if value < least or (most is not None and value > most):
        allowed = f"at least {least}" if most is None else f"{least} to {most} here"
        raise ParameterError(f"{name} must be {allowed}, not {value}.")


def _check_classes(classes: np.ndarray) -> np.ndarray:
    classes = np.asarray(classes)
    if classes.ndim != 1 or len(classes) == 0 or classes.dtype.kind not in "iu":
        raise ParameterError(
            "The classes must be a row of integers, one a product, not "
            f"{classes.dtype} of shape {classes.shape}; `pandas.factorize` makes them of names."
        )
    if classes.min() < MISSING:
        row = int(np.argmin(classes))
        raise ParameterError(
            f"The class in row {row} is {classes[row]}; classes count from 0, and -1 is missing."
        )
    return classes
