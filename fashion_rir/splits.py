"""Which products are trained on, and which ask the questions.

Products with the same photo, byte for byte, always fall on the same side, so that no query,
nor a copy of it, was trained on.
"""

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError

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
