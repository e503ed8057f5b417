"""Ask every query, rank the whole gallery, and score the ranking under a protocol.

Protocols:
    thesis: the query is in the gallery, so it finds itself first and hit rate@k is 1 (but where
        an identical photo with another label stands before it).
    held_out: the query itself is taken out, by its id.
    unseen: as held_out, and the gallery holds test products only.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fashion_rir import metrics
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.retrieval import Gallery

PROTOCOLS = ("thesis", "held_out", "unseen")
EVALUATED_LABELS = (
    "articleType",
    "subCategory",
    "masterCategory",
    "gender",
    "baseColour",
)
CUTOFFS = (1, 5, 10)
METRICS = (
    *(f"hit_rate@{k}" for k in CUTOFFS),
    *(f"precision@{k}" for k in CUTOFFS[1:]),
    "mAP",
    "MAP@R",
    "MRR",
)


@dataclass(frozen=True)
class Evaluation:
    """The scores of one model and measure under one protocol.

    Attributes:
        scores: by label, a table with one row a query (index: product id) and the columns
            `METRICS` and `label` (the query's own class).
        n_excluded: by label, how many queries were left out: no label, or nothing relevant.
        n_gallery: products that a query was compared with.
    """

    scores: dict[str, pd.DataFrame]
    n_excluded: dict[str, int]
    n_gallery: int


def evaluate(
    embeddings: np.ndarray,
    products: pd.DataFrame,
    is_query: np.ndarray,
    *,
    measure: str,
    protocols: tuple[str, ...] = ("thesis", "held_out"),
) -> dict[str, Evaluation]:
    """Score full rankings by what the query and each product have in common.

    Args:
        embeddings: float32, shape (n_products, embedding_dim), one row a product.
        products: the catalogue's table, in the same order.
        is_query: bool, shape (n_products,): the test products.
        measure: one of `retrieval.MEASURES`.
        protocols: some of `PROTOCOLS`.

    Returns:
        An evaluation by protocol.

    Raises:
        ParameterError: unknown protocol, no query, or lengths that differ.
    """
    for protocol in protocols:
        if protocol not in PROTOCOLS:
            raise unknown_name("protocol", protocol, PROTOCOLS)
    if not len(embeddings) == len(products) == len(is_query):
        raise ParameterError(
            f"{len(embeddings)} embeddings, {len(products)} products and {len(is_query)} "
            "query marks do not belong together."
        )
    queries = np.flatnonzero(is_query)
    if len(queries) == 0:
        raise ParameterError("The split holds no test product, so there is no query to ask.")
    gallery = Gallery(embeddings, products["id"].to_numpy(), measure)
    codes = {label: _codes(products[label]) for label in EVALUATED_LABELS}
    scorers = {protocol: _Scorer(protocol, queries, codes, is_query) for protocol in protocols}
    with tqdm(total=len(queries), desc=f"ranking by {measure}", leave=False) as bar:
        for block, order in gallery.rankings(embeddings[queries]):
            for scorer in scorers.values():
                scorer.add(queries[block], order)
            bar.update(len(order))
    return {name: scorer.result(products) for name, scorer in scorers.items()}


class _Scorer:
    """Collects the scores of one protocol, block by block."""

    def __init__(
        self,
        protocol: str,
        queries: np.ndarray,
        codes: dict[str, np.ndarray],
        is_query: np.ndarray,
    ) -> None:
        self._protocol = protocol
        self._queries = queries
        self._codes = codes
        self._is_query = is_query
        self._rows: dict[str, list[tuple]] = {label: [] for label in codes}

    def add(self, queries: np.ndarray, order: np.ndarray) -> None:
        for query, ranking in zip(queries, order, strict=True):
            if self._protocol != "thesis":
                ranking = ranking[ranking != query]
            if self._protocol == "unseen":
                ranking = ranking[self._is_query[ranking]]
            for label, codes in self._codes.items():
                ranks = metrics.relevant_ranks(codes[ranking] == codes[query])
                if codes[query] >= 0 and len(ranks):
                    self._rows[label].append((query, *_scores(ranks)))

    def result(self, products: pd.DataFrame) -> Evaluation:
        scores, n_excluded = {}, {}
        ids = products["id"].to_numpy()
        for label, rows in self._rows.items():
            table = pd.DataFrame(rows, columns=["query", *METRICS])
            query = table.pop("query").to_numpy(dtype=np.int64)
            table.index = pd.Index(ids[query], name="id")
            table["label"] = products[label].to_numpy()[query]
            scores[label] = table
            n_excluded[label] = len(self._queries) - len(table)
        n_gallery = len(products) - (self._protocol != "thesis")
        if self._protocol == "unseen":
            n_gallery = len(self._queries) - 1
        return Evaluation(scores, n_excluded, n_gallery)


def _scores(ranks: np.ndarray) -> tuple[float, ...]:
    """The values of `METRICS`, in its order."""
    return (
        *(metrics.hit_rate(ranks, k) for k in CUTOFFS),
        *(metrics.precision(ranks, k) for k in CUTOFFS[1:]),
        metrics.average_precision(ranks),
        metrics.average_precision_at_r(ranks),
        metrics.reciprocal_rank(ranks),
    )


def _codes(labels: pd.Series) -> np.ndarray:
    """Small integers for the classes; -1 for a missing label."""
    return pd.factorize(labels, sort=True)[0].astype(np.int16)
