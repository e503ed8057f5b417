"""Where a query lies on the t-SNE map of its model, for the storefront.

The maps are those of notebook 07. What this module imports is heavy, so that it is imported when
a visitor first asks for a map.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fashion_rir import projection
from fashion_rir.errors import StoreError
from fashion_rir.projection import MapSettings, Projection
from fashion_rir.storefront_shop import Shop

LABEL = "masterCategory"
# Okabe and Ito's colours, told apart by colour-blind readers too; the last is for the rest.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
OTHERS = "#9a9a9a"
N_NEIGHBOURS = 15


def open_map(shop: Shop, metadata: Mapping[str, str]) -> Projection:
    """The map of a model that notebook 07 made.

    Raises:
        StoreError: there is none; says how to make it.
    """
    about = projection.describe(shop.workspace, shop.catalog, metadata, MapSettings())
    path = projection.map_path(shop.workspace, about)
    if not path.exists():
        raise StoreError(
            f"There is no t-SNE map of {metadata.get('model', 'this model')} yet; run notebook 07 "
            "on this profile (`fashion-rir study --only 07`)."
        )
    return projection.load(path, about, shop.products["id"].to_numpy(np.int64))


def place(made: Projection, vector: np.ndarray, metadata: Mapping[str, str]) -> np.ndarray:
    """Coordinates of a photo on a map, shape (2,)."""
    return projection.place(made, (vector[None], metadata))[0]


def reply(shop: Shop, made: Projection, spot: np.ndarray) -> tuple[dict[str, object], list[bytes]]:
    """What the page draws: dots, their colours, the query's place, and the same in words.

    Returns:
        The message, and two buffers: float32 x in 0 to 1 and y in 0 to `height` (downwards, in the
        same unit), and uint8 classes.
    """
    left, top = made.coordinates[:, 0].min(), made.coordinates[:, 1].max()
    width, height = np.ptp(made.coordinates, axis=0)

    def scaled(places: np.ndarray) -> np.ndarray:
        return np.stack([places[:, 0] - left, top - places[:, 1]], axis=1) / width

    values = shop.products[LABEL]
    names = values.value_counts().index[: len(COLOURS)].tolist()
    codes = pd.Index(names).get_indexer(values)
    classes = np.where(codes < 0, len(names), codes).astype(np.uint8)
    nearest = np.linalg.norm(made.coordinates - spot, axis=1).argsort()[:N_NEIGHBOURS]
    types = shop.products["articleType"].iloc[nearest].value_counts()
    share = f"{types.iloc[0]} of the {len(nearest)} nearest dots are {types.index[0]}"
    legend = list(zip([*names, "others"], [*COLOURS[: len(names)], OTHERS], strict=True))
    message = {
        "kind": "map", "height": height / width, "legend": legend,
        "spot": np.clip(scaled(spot[None])[0], 0, [1, height / width]).tolist(),
        "text": f"The query is the cross on the map of {len(made):,} products: {share}.",
    }  # fmt: skip
    return message, [scaled(made.coordinates).astype(np.float32).tobytes(), classes.tobytes()]
