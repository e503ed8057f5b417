"""What a model makes of the products: one row of numbers each, and what they depend on."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Embedded(NamedTuple):
    """Products as a model sees them.

    Attributes:
        vectors: float32, shape (n_products, embedding_dim), in the catalogue's order.
        metadata: of the model: its name `model`, what it is made of, and `data_hash` of the
            products; see `workspace.words` for the fields that say what it is called.
    """

    vectors: np.ndarray
    metadata: Mapping[str, object]
