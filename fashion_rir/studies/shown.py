"""One query's search, ready to be drawn by `figures.retrieval`."""

import numpy as np

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.figures.retrieval import Search
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study

DIGITS = {"cosine": 2, "euclidean": 1, "manhattan": 0}  # of a shown distance


def search(
    study: Study,
    model: Embedded,
    query_id: int,
    measure: str,
    *,
    k: int = 8,
    within: float = np.inf,
    label: str = "articleType",
) -> Search:
    """The closest products to one of the catalogue, itself left out by its id.

    Args:
        study: its products; their photos are shown.
        model: embeddings of these products and metadata.
        query_id: the product that asks.
        measure: one of `gallery.MEASURES`.
        k: how many at most.
        within: only those at or under this distance.
        label: what makes a match relevant, and stands in its caption.

    Raises:
        ParameterError: no such product, or k out of range.
        ImageError: the catalogue comes without photos.
    """
    products = study.catalog.products
    ids = products["id"].to_numpy()
    if query_id not in ids:
        raise ParameterError(f"There is no product {query_id} in this catalogue to ask with.")
    row = int(np.flatnonzero(ids == query_id)[0])
    matches = Gallery(model.vectors, ids, measure).search(model.vectors[[row]], k,
                                                          exclude_ids=[query_id])  # fmt: skip
    is_near = matches.distances[0] <= within
    found = products.set_index("id").loc[matches.ids[0][is_near]]
    labels, own = found[label].fillna("").to_numpy(), products[label].iloc[row]
    captions = [
        f"{name}\n{distance:.{DIGITS[measure]}f}"
        for name, distance in zip(labels, matches.distances[0][is_near], strict=True)
    ]
    pictures = [study.catalog.read_image(name) for name in found["image_name"]]
    query = study.catalog.read_image(products["image_name"].iloc[row])
    return Search(query, f"query\n{own}", pictures, captions, (labels == own).tolist())
