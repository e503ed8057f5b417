"""One and the same embeddings, read in many ways: what a stated mAP hangs on.

By label, by the size of the gallery, with the query in it or not, by cut-off and by divisor: each
reading is somebody's mAP. `table_fit` holds such readings against the thesis' table; here they are
made for a reader who turns the knobs.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import rankings
from fashion_rir.studies.analysis.protocol_grid import NORMALISATIONS
from fashion_rir.workspace.records import Record

SIZES = (50, 100, 150, 300, 1000)

N_DRAWS = 4  # galleries of each size

CUTOFFS = (5, 10, 20)

READINGS = (*((k, way) for k in CUTOFFS for way in NORMALISATIONS), ("all", "relevant"))

QUERY = ("inside", "taken out")

KEYS = ["label", "size", "query", "cutoff", "normalised_by"]


def average_precisions(is_hit: np.ndarray, k: int | str, normalised_by: str) -> np.ndarray:
    """As `protocol_grid.average_precision_at`, of many rankings at once.

    Args:
        is_hit: bool, shape (n_queries, n_gallery), the best first; a hit at least in each row.
        k: cut-off, at least 1, or `all`.
        normalised_by: one of `NORMALISATIONS`.

    Returns:
        float64, shape (n_queries,), in [0, 1].

    Raises:
        ParameterError: an unknown normalisation.

    Example:
        >>> average_precisions(np.array([[True, False, True, False]]), 2, "relevant")
        array([0.5])
    """
    if normalised_by not in NORMALISATIONS:
        raise unknown_name("normalisation", normalised_by, NORMALISATIONS)
    read = is_hit if k == "all" else is_hit[:, :k]
    ranks = np.arange(1, read.shape[1] + 1)
    total = (np.cumsum(read, axis=1) / ranks * read).sum(axis=1)
    n_relevant, n_hits = is_hit.sum(axis=1), read.sum(axis=1)
    divisor = {
        "relevant": n_relevant,
        "relevant within k": np.minimum(n_relevant, read.shape[1]),
        "hits": n_hits,
    }[normalised_by]
    return total / np.maximum(divisor, 1)


def of_small_galleries(
    models: Mapping[str, np.ndarray], products: pd.DataFrame, labels: Sequence[str], *,
    sizes: Sequence[int] = SIZES, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """All readings in galleries drawn at random, whose products all ask.

    Args:
        models: embeddings by name, float32, shape (n_products, embedding_dim).
        products: the catalogue's table, in the same order.
        labels: what makes a product relevant; columns of `products`.
        sizes: products in a gallery; `N_DRAWS` of each size are drawn, the same for all models.
        seed: of the draws.

    Returns:
        One row a model and reading: `model`, `KEYS`, and `mAP`, the mean over the galleries.

    Raises:
        ParameterError: a gallery larger than the catalogue.
    """
    if max(sizes) > len(products):
        raise ParameterError(
            f"A gallery of {max(sizes)} cannot be drawn from {len(products)} products; take a "
            "smaller size."
        )
    codes = {label: rankings.class_codes(products[label]) for label in labels}
    generator = np.random.default_rng(seed)
    found = []
    for size in sizes:
        for _ in range(N_DRAWS):
            rows = generator.choice(len(products), size, replace=False)
            drawn = {label: of_all[rows] for label, of_all in codes.items()}
            for name, vectors in models.items():
                found += [(name, *reading) for reading in _readings(vectors[rows], drawn)]
    table = pd.DataFrame(found, columns=["model", *KEYS, "mAP"])
    return table.groupby(["model", *KEYS], sort=False, as_index=False)["mAP"].mean()


def of_whole_gallery(record: Record, name: str, size: int) -> pd.DataFrame:
    """The same readings of the whole catalogue, from a record of `protocol_grid.measure`.

    Args:
        record: of kind `protocol-grid`.
        name: what the model is called.
        size: products in the catalogue.

    Returns:
        As `of_small_galleries`; `cutoff` is a number, or `all`.
    """
    table = pd.DataFrame(record["cells"])
    table = table[table["average"] == "micro"]
    query = table["protocol"].map({"thesis": "inside", "held_out": "taken out"})
    cutoff = [one if one == "all" else int(one) for one in table["cutoff"]]
    table = table.assign(model=name, size=size, query=query, cutoff=cutoff)
    return table.loc[table["cutoff"].isin([*CUTOFFS, "all"]), ["model", *KEYS, "mAP"]]


def chosen(table: pd.DataFrame, **reading: object) -> pd.DataFrame:
    """mAP by size of the gallery, a column for each model, under one reading.

    Args:
        table: from `of_small_galleries`, with or without `of_whole_gallery`.
        reading: `label`, `query`, `cutoff` and `normalised_by`. Of the whole ranking all divisors
            are the same.
    """
    if reading.get("cutoff") == "all":
        reading["normalised_by"] = "relevant"
    is_chosen = np.logical_and.reduce([table[key] == value for key, value in reading.items()])
    return table[is_chosen].pivot_table("mAP", "size", "model", sort=False).sort_index()


def _readings(vectors: np.ndarray, codes: Mapping[str, np.ndarray]) -> Iterator[tuple]:
    """All readings of one gallery: `KEYS` and mAP."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, np.inf)  # the query stands first
    order = np.argsort(-similarity, axis=1, kind="stable")
    for label, of_product in codes.items():
        hits = (of_product[order] == of_product[:, None]) & (of_product[:, None] >= 0)
        for query in QUERY:
            is_hit = hits if query == "inside" else hits[:, 1:]
            is_hit = is_hit[is_hit.any(axis=1)]
            for cutoff, way in READINGS:
                value = average_precisions(is_hit, cutoff, way).mean()
                yield label, len(vectors), query, cutoff, way, float(value)
