"""What one photo finds by a model's embeddings, as pictures; each photo's type decides a hit."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.figures import plots
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study

N_MATCHES = 11  # in a grid; with the query two rows


def asking(study: Study, *article_types: str) -> list[int]:
    """The first test product of each type, as rows of the catalogue: nobody picked them.

    Raises:
        ParameterError: a type without a test product.
    """
    types = study.catalog.products["articleType"].to_numpy()
    rows = [np.flatnonzero(study.is_test & (types == wanted)) for wanted in article_types]
    for wanted, found in zip(article_types, rows, strict=True):
        if len(found) == 0:
            raise ParameterError(f"No test product is of the type {wanted!r}; ask another.")
    return [int(found[0]) for found in rows]


def nearest(model: Embedded, query: int) -> tuple[np.ndarray, np.ndarray]:
    """All other products by their cosine similarity to one, the most similar first.

    Args:
        model: embeddings, float32 (n_products, dim), and metadata.
        query: a row.

    Returns:
        Rows, int64, and similarities, -1 to 1, both of shape (n_products - 1,).
    """
    rows = np.arange(len(model[0]))
    distances = Gallery(model[0], rows, "cosine").distances(model[0][[query]])[0]
    order = np.argsort(distances, kind="stable")
    order = order[order != query]
    return order, 1 - distances[order]


def grid(
    study: Study, model: Embedded, query: int, *, title: str, above: float | None = None
) -> Figure:
    """A query and its first eleven matches.

    Args:
        study: its catalogue has the photos.
        model: embeddings of these products.
        query: a row of the catalogue.
        title: of the figure; how many are of the query's type is said behind it.
        above: a cosine similarity; how many photos are above it is said in the title.
    """
    found, similarities = nearest(model, query)
    said = ""
    if above is not None:
        said = f"{(similarities > above).sum()} of {len(found)} photos are above {above:g}; "
    found = found[:N_MATCHES]
    pictures, captions, hits = _shown(study, found, similarities, query)
    kind = study.catalog.products["articleType"].iloc[query]
    title = f"{title}\n{said}{sum(hits)} of the first {len(found)} are {kind}"
    return plots.retrieval_grid(_photo(study, query), pictures, captions, hits, title=title)[0]


def rows(study: Study, model: Embedded, queries: Sequence[int], *, title: str) -> Figure:
    """Several queries, each with its first five matches beside it.

    Args:
        study: its catalogue has the photos.
        model: embeddings of these products.
        queries: rows of the catalogue.
        title: of the figure; how many matches are of their query's type is said behind it.
    """
    lines, n_hits = [], 0
    for query in queries:
        found, similarities = nearest(model, query)
        lines.append((_photo(study, query), *_shown(study, found[:5], similarities, query)))
        n_hits += sum(lines[-1][-1])
    title = f"{title}\n{n_hits} of {5 * len(queries)} matches are of their query's type"
    return plots.retrieval_rows(lines, title=title)[0]


def _shown(
    study: Study, found: np.ndarray, similarities: np.ndarray, query: int
) -> tuple[list, list[str], list[bool]]:
    types = study.catalog.products["articleType"].to_numpy()
    captions = [f"{types[row]} {similarity:.2f}"
                for row, similarity in zip(found, similarities, strict=False)]  # fmt: skip
    hits = [bool(types[row] == types[query]) for row in found]
    return [_photo(study, row) for row in found], captions, hits


def _photo(study: Study, row: int) -> object:
    return study.catalog.read_image(study.catalog.products["image_name"].iloc[row])
