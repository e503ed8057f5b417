"""What a model makes of the products: one row of numbers each, and what they depend on."""

from collections.abc import Mapping

import numpy as np

Model = tuple[np.ndarray, Mapping[str, object]]  # embeddings and metadata, as `stores.embed`
