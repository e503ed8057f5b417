"""An upload, searched by what it shows: cut out, told its type and colour, ranked by labels.

A phone photo and a catalogue photo are two worlds for a network, so an upload does not ask the
products' embeddings, as a product of the catalogue does, but their labels; how alike product and
photo look decides between products of the same labels. Notebook 11 measures it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fashion_rir.embedding.joined import JoinedModel
from fashion_rir.embedding.photo_head import LABELS, label_scores, product_codes
from fashion_rir.embedding.photo_pipeline import PhotoPipeline, PhotoQuery
from fashion_rir.errors import FashionRirError
from fashion_rir.search.gallery import Gallery, Matches
from fashion_rir.storefront.shop import Shop
from fashion_rir.workspace import photo_search

LEAST_KNOWN = 0.5  # of the products: so many must have a type that the pipeline can tell

LOOKS_WEIGHT = 0.2  # of the looks' cosine beside the log of the labels' probability


@dataclass(frozen=True)
class LabelGallery:
    """The products, by how probable a photo makes their own labels; searched as a `Gallery` is.

    A distance is 1 less that probability (the colour counts by `photo_head.COLOUR_SHARE`).

    Attributes:
        looks: the products' joined embeddings, by the cosine.
        codes: by label the class of each product, int64, shape (n_products,); -1 where unknown.
        posteriors: of the photo, by label float32, shape (1, n_classes).
    """

    looks: Gallery
    codes: Mapping[str, np.ndarray]
    posteriors: Mapping[str, np.ndarray]

    measure = "cosine"

    def __len__(self) -> int:
        return len(self.looks)

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Of all products to the photo: float32, shape (1, n_products), 0 to 1.

        Args:
            queries: its joined embedding, float32, shape (1, dim).
        """
        scores = label_scores(self.posteriors, self.codes)
        scores -= LOOKS_WEIGHT * self.looks.distances(queries)
        return 1 - np.exp(scores)

    def search(self, queries: np.ndarray, k: int, *, where: np.ndarray | None = None) -> Matches:
        """The k closest products, among those where it is true; equal ones in their order."""
        distances = self.distances(queries)[0]
        rows = np.arange(len(self)) if where is None else np.flatnonzero(where)
        found = rows[np.argsort(distances[rows], kind="stable")[:k]]
        return Matches(self.looks.ids[found][None], distances[found][None])


def open_pipeline(shop: Shop) -> PhotoPipeline | None:
    """What tells an upload's type and colour; None where it is not there or could tell little.

    Args:
        shop: whose products must have types that the pipeline can tell, at least half of them.
    """
    try:
        pipeline = photo_search.open_pipeline(shop.workspace)
    except FashionRirError:
        return None
    known = product_codes(shop.products, pipeline.head.classes)["articleType"] >= 0
    return pipeline if known.mean() >= LEAST_KNOWN else None


def told(model: JoinedModel, vector: np.ndarray, posteriors: Mapping[str, np.ndarray],
         classes: Mapping[str, tuple[str, ...]]) -> np.ndarray:  # fmt: skip
    """A joined embedding whose type and colour are those that the pipeline told.

    Args:
        model: that made the embedding.
        vector: float32, shape (dim,).
        posteriors: of the photo, by label float32, shape (1, n_classes).
        classes: their names, by label.
    """
    found = vector.copy()
    for label in LABELS:
        if label not in model.classes:
            continue
        by_name = dict(zip(classes[label], posteriors[label][0], strict=True))
        values = np.array([by_name.get(name, 0.0) for name in model.classes[label]])
        found[model.parts[label]] = np.sqrt(values * model.shares[label])
    return found


def message_of(asked: PhotoQuery, pipeline: PhotoPipeline) -> dict[str, object]:
    """What the page says of an upload: what was cut out, and what it shows."""
    share = f"Cut out: {asked.cut.share:.0%} of the photo."
    best = {label: asked.best(pipeline.head, label, 1)[0] for label in LABELS}
    shown = ", ".join(f"{name} ({share:.0%})" for name, share in best.values())
    return {"is_cut": asked.cut.is_cut, "note": asked.cut.note or share,
            "said": f"It shows, most probably: {shown}."}  # fmt: skip
