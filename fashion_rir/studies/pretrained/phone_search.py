"""Phone photos ask the shop: the photos that travel with the project search the real catalogue.

Beside the article type itself, the coarse class of a photo's source decides what counts as found:
`shipped.phone_groups` names the catalogue's types that are the same thing.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fashion_rir.data import shipped
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import embed
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.evaluation import intervals
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study

K = 10

BATCH = 50  # photos embedded at a time


def embed_photos(photos: Catalog, embedder: Embedder, preprocessing: str) -> np.ndarray:
    """Embeddings of all photos of a catalogue, without a store.

    Args:
        photos: the photos.
        embedder: from `Study.embedder`, so that photos land in the shop's space.
        preprocessing: that of the shop's embeddings.

    Returns:
        float32, shape (n_photos, embedding_dim), in the catalogue's order.
    """
    names = list(photos.products["image_name"])
    found = embed.embedded(photos, names, embedder, preprocessing, batch_size=BATCH)
    return np.concatenate([rows for _, rows in found])


def ask(study: Study, photos: Catalog, model: Embedded, embedder: Embedder) -> dict:
    """Search the shop with every photo, as a record.

    Args:
        study: of the shop's products.
        photos: some of `shipped.phone_photos`, with `source_class` and `articleType`.
        model: the shop's embeddings and metadata.
        embedder: from `Study.embedder`, the same model for new photos.

    Returns:
        A record of kind `phone_search`; its `rows` are those of `by_class`.
    """
    preprocessing = str(model.metadata["preprocessing"])
    inputs = study.describe(model.metadata) | {
        "photos_hash": photos.data_hash, "n_photos": len(photos), "k": K,
    }  # fmt: skip

    def asked() -> dict[str, object]:
        vectors = embed_photos(photos, embedder, preprocessing)
        types = study.catalog.products["articleType"].to_numpy()
        found = types[nearest(model.vectors, vectors)]
        return {"rows": by_class(photos.products, found, types, shipped.phone_groups())}

    name = f"phone-search-{model.metadata['model']}"
    return study.record("phone_search", name, inputs, asked)


def nearest(gallery: np.ndarray, queries: np.ndarray, k: int = K) -> np.ndarray:
    """Rows of the gallery that are closest by cosine: int64, shape (n_queries, k)."""
    return Gallery(gallery, np.arange(len(gallery)), "cosine").search(queries, k).ids


def by_class(
    photos: pd.DataFrame, found: np.ndarray, types: np.ndarray, groups: Mapping[str, list[str]]
) -> list[dict[str, object]]:
    """How much of what the photos of each class find is of their kind.

    Args:
        photos: columns `source_class` and `articleType`, one row a photo.
        found: articleTypes of the matches, shape (n_photos, k).
        types: articleTypes of the whole gallery.
        groups: from `shipped.phone_groups`.

    Returns:
        One row a class and last one for `all`, the mean over photos: `class`, `photos`, `same
        kind` and `same type` (shares of the matches, 0 to 1), `share of the shop` (of that kind:
        what chance finds).
    """
    classes = photos["source_class"].to_numpy()
    is_kind = np.array([np.isin(row, groups[one]) for row, one in zip(found, classes, strict=True)])
    is_type = found == photos["articleType"].to_numpy()[:, None]
    share = {one: float(np.isin(types, groups[one]).mean()) for one in set(classes)}
    table = pd.DataFrame({
        "class": classes,
        "same kind": is_kind.mean(axis=1),
        "same type": is_type.mean(axis=1),
        "share of the shop": [share[one] for one in classes],
    })  # fmt: skip
    values = list(table.columns[1:])
    means = table.groupby("class")[values].mean()
    means.loc["all"] = table[values].mean()
    counts = table["class"].value_counts()
    return [
        {"class": one, "photos": int(counts.get(one, len(table)))}
        | {key: intervals.rounded(value) for key, value in row.items()}
        for one, row in means.iterrows()
    ]
