"""Which products may be returned: filters by attribute, as a shop's page has them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_rir.data.catalog import LABELS, extra_columns
from fashion_rir.errors import unknown_name


def matching(products: pd.DataFrame, /, **wanted: str | Sequence[str] | None) -> np.ndarray:
    """The products that have all the wanted attributes.

    Args:
        products: a catalogue's table.
        wanted: by attribute (one of `catalog.LABELS`, or a column of one's own) a value, or several
            of which one must hold; None leaves the attribute free.

    Returns:
        bool, shape (n_products,); it may hold no True, where no product has them all.

    Raises:
        ParameterError: an unknown attribute, or a value that no product has (names the nearest).

    Example:
        >>> table = pd.DataFrame({"gender": ["Men", "Women"], "season": ["Fall", "Fall"]})
        >>> matching(table, gender="Women", season=["Fall"]).tolist()
        [False, True]
    """
    is_match = np.ones(len(products), dtype=bool)
    attributes = [*LABELS, *extra_columns(products)]
    for attribute, values in wanted.items():
        if attribute not in attributes:
            raise unknown_name("filter", attribute, attributes)
        if values is None:
            continue
        known = sorted(products[attribute].dropna().unique())
        values = [values] if isinstance(values, str) else list(values)
        for value in values:
            if value not in known:
                raise unknown_name(attribute, value, known)
        is_match &= products[attribute].isin(values).to_numpy()
    return is_match
