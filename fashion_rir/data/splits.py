"""Which products are trained on, and which ask the questions.

Products with the same photo, byte for byte, always fall on the same side, so that no query,
nor a copy of it, was trained on.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError

ASKED_PROTOCOLS = ("held_out", "unseen")

VALIDATION_SHARE = 0.1  # of the training products


@dataclass(frozen=True)
class Split:
    """Who is trained on, who chooses the epoch, and who asks.

    Attributes:
        is_fit: bool, shape (n_products,): trained on.
        is_validation: kept aside inside the training products.
        is_test: the queries.
    """

    is_fit: np.ndarray
    is_validation: np.ndarray
    is_test: np.ndarray


@dataclass(frozen=True)
class Asking:
    """Who asks whom, and who chooses the parameters.

    Attributes:
        parts: the split; its test products ask in the end.
        n_validation: validation products that ask to choose parameters, at most.
        n_queries: test products that ask rankings that are not made from one matrix, at most; None
            for all. Fewer than all are asked under `held_out` only.
        seed: of the draws and the bootstrap.

    Raises:
        ParameterError: fewer than 1 is to ask.
    """

    parts: Split
    n_validation: int = 500
    n_queries: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_validation", "n_queries"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ParameterError(f"One product must ask at least ({name}), not {number}.")

    def validation_queries(self, codes: np.ndarray) -> np.ndarray:
        """Rows of the validation products that ask.

        Raises:
            ParameterError: there is none with a class.
        """
        known = np.flatnonzero(self.parts.is_validation & (codes >= 0))
        if len(known) == 0:
            raise ParameterError(
                "There is no validation product with a class to choose parameters by; take more "
                "products."
            )
        return np.sort(np.random.default_rng(self.seed).permutation(known)[: self.n_validation])

    def is_query(self) -> np.ndarray:
        """Which test products ask, bool, shape (n_products,)."""
        tests = np.flatnonzero(self.parts.is_test)
        drawn = np.random.default_rng(self.seed).permutation(tests)[: self.n_queries]
        is_query = np.zeros(len(self.parts.is_test), dtype=bool)
        is_query[drawn] = True
        return is_query


TEST_SHARE = 0.2  # the thesis' 80:20


def is_test_product(
    products: pd.DataFrame, *, seed: int, test_share: float = TEST_SHARE
) -> np.ndarray:
    """Draw the test products: from every articleType its share, identical photos together.

    Args:
        products: a catalogue's table (`articleType`, `image_sha256`).
        seed: of the draw.
        test_share: share of each articleType, 0 < test_share < 1. One photo of each type at
            least stays in training, so a type with a single one is not tested.

    Returns:
        bool, shape (n_products,): true for test products.

    Raises:
        ParameterError: the share is out of range, or no product is left to test.
    """
    if not 0 < test_share < 1:
        raise ParameterError(f"The test share must lie between 0 and 1, not {test_share}.")
    generator = np.random.default_rng(seed)
    # A group is one photo; its type is that of its first product.
    groups = products.groupby("image_sha256", sort=False)
    group_of_product = groups.ngroup().to_numpy()
    group_type = groups["articleType"].first().fillna("").to_numpy()
    group_size = np.bincount(group_of_product)

    is_test_group = np.zeros(len(group_type), dtype=bool)
    for article_type in sorted(set(group_type)):
        members = generator.permutation(np.flatnonzero(group_type == article_type))
        size = group_size[members]
        n_test = min(round(test_share * size.sum()), size.sum() - 1)
        is_test_group[members[np.cumsum(size) <= n_test]] = True
    if not is_test_group.any():
        raise ParameterError(
            f"No articleType among these {len(products)} products has enough of them to spare one "
            "as a test product; take more products."
        )
    return is_test_group[group_of_product]


def sample_queries(is_test: np.ndarray, n_queries: int, *, seed: int) -> np.ndarray:
    """Some of the test products, drawn at random.

    Args:
        is_test: bool, shape (n_products,).
        n_queries: how many, at least 1; all if there are fewer.
        seed: of the draw.

    Returns:
        bool, shape (n_products,).

    Raises:
        ParameterError: fewer than one query, or no test product to draw from.
    """
    test = np.flatnonzero(is_test)
    if n_queries < 1 or len(test) == 0:
        raise ParameterError(
            f"At least 1 query is needed, not {n_queries} drawn from {len(test)} test products."
        )
    chosen = np.zeros(len(is_test), dtype=bool)
    drawn = np.random.default_rng(seed).choice(test, min(n_queries, len(test)), replace=False)
    chosen[drawn] = True
    return chosen


def split(products: pd.DataFrame, *, seed: int) -> Split:
    """Training, validation and test products; identical photos stay together.

    Args:
        products: a catalogue's table.
        seed: of both draws.
    """
    is_test = is_test_product(products, seed=seed)
    is_validation = np.zeros(len(products), dtype=bool)
    is_validation[~is_test] = is_test_product(
        products[~is_test], seed=seed, test_share=VALIDATION_SHARE
    )
    return Split(~is_test & ~is_validation, is_validation, is_test)


def without_validation(is_test: np.ndarray) -> Split:
    """All products that do not ask are trained on; nobody chooses."""
    return Split(~is_test, np.zeros_like(is_test), is_test)


def seeds(first: int, n_seeds: int) -> range:
    """The seeds of a training that is repeated: `first` and those after it.

    Raises:
        ParameterError: fewer than one.

    Example:
        >>> list(seeds(20, 3))
        [20, 21, 22]
    """
    if n_seeds < 1:
        raise ParameterError(f"n_seeds must be at least 1, not {n_seeds}.")
    return range(first, first + n_seeds)
