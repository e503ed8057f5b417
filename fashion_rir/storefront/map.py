"""Where a query lies on the t-SNE map of its model, for the storefront.

The maps are those of notebook 07. Only their coordinates are read: `projection`, which makes them,
imports more than a visitor should wait for. So a photo is put where its nearest products are, the
place from which `tsne.place` lets it settle.
"""

import json
from collections.abc import Mapping
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from fashion_rir.errors import StoreError
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront.shop import Shop

LABEL = "masterCategory"

# Okabe and Ito's colours, told apart by colour-blind readers too; the last is for the rest.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

OTHERS = "#9a9a9a"

N_NEIGHBOURS = 15

USUAL = {"perplexity": 30, "seed": 20}  # the map that is taken where there are several

HOW_TO_MAP = "run notebook 07 on this profile (`fashion-rir study --only 07`)"


def open_map(shop: Shop, metadata: Mapping[str, str]) -> np.ndarray:
    """Coordinates of all products on a map of a model that notebook 07 made.

    Returns:
        float64, shape (n_products, 2), in the catalogue's order.

    Raises:
        StoreError: there is none of this model and catalogue; says how to make it.
    """
    folder = shop.workspace.data / "projections" / shop.workspace.profile
    model = metadata.get("model", "this model")
    wanted = {key: metadata.get(key) for key in ("model", "weights_sha256")}
    found = []
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["text"]))["about"]
                is_same = about["data_hash"] == shop.data_hash
                is_same &= {key: about["model"].get(key) for key in wanted} == wanted
                if is_same and np.array_equal(file["ids"], shop.products["id"]):
                    is_usual = USUAL.items() <= about["settings"].items()
                    found.append((not is_usual, file["coordinates"]))
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
            continue  # a damaged map: another one may be whole
    if found:
        return min(found, key=lambda one: one[0])[1]
    raise StoreError(f"There is no t-SNE map of {model} yet; {HOW_TO_MAP}.")


def spot_of(
    coordinates: np.ndarray, shop: Shop, gallery: Gallery, vector: np.ndarray
) -> np.ndarray:
    """Where a photo belongs: the median place of its nearest products, shape (2,)."""
    near = gallery.search(vector[None], min(N_NEIGHBOURS, len(gallery))).ids[0]
    return np.median(coordinates[[shop.row_of[int(product)] for product in near]], axis=0)


def reply(
    shop: Shop, coordinates: np.ndarray, spot: np.ndarray
) -> tuple[dict[str, object], list[bytes]]:
    """What the page draws: dots, their colours, the query's place, and the same in words.

    Returns:
        The message, and two buffers: float32 x in 0 to 1 and y in 0 to `height` (downwards, in the
        same unit), and uint8 classes.
    """
    left, top = coordinates[:, 0].min(), coordinates[:, 1].max()
    width, height = np.ptp(coordinates, axis=0)

    def scaled(places: np.ndarray) -> np.ndarray:
        return np.stack([places[:, 0] - left, top - places[:, 1]], axis=1) / width

    values = shop.products[_label_of(shop, LABEL)].fillna("unknown")
    names = values.value_counts().index[: len(COLOURS)].tolist()
    codes = pd.Index(names).get_indexer(values)
    classes = np.where(codes < 0, len(names), codes).astype(np.uint8)
    nearest = np.linalg.norm(coordinates - spot, axis=1).argsort()[:N_NEIGHBOURS]
    types = shop.products[_label_of(shop, "articleType")].fillna("unknown").iloc[nearest]
    types = types.value_counts()
    share = f"{types.iloc[0]} of the {len(nearest)} nearest dots are {types.index[0]}"
    legend = list(zip([*names, "others"], [*COLOURS[: len(names)], OTHERS], strict=True))
    message = {
        "kind": "map", "height": float(height / width), "legend": legend,
        "spot": scaled(spot[None])[0].tolist(),
        "text": f"The query is the cross on the map of {len(coordinates):,} products: {share}.",
    }  # fmt: skip
    return message, [scaled(coordinates).astype(np.float32).tobytes(), classes.tobytes()]


def _label_of(shop: Shop, wanted: str) -> str:
    """The label if the catalogue knows it; else the first filter, or the name, of one's own."""
    return wanted if wanted in shop.choices else next(iter(shop.choices), "productDisplayName")
