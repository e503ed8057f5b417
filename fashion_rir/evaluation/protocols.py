"""Ask every query, rank the whole gallery, and score the ranking under a protocol.

Protocols:
    thesis: the query is in the gallery, so it finds itself first and hit rate@k is 1 (but where
        an identical photo with another label stands before it).
    held_out: the query itself is taken out, by its id.
    unseen: as held_out, and the gallery holds test products only.

A label makes a product relevant or not. The graded metric takes four labels together: a product
is as relevant as the number of them that it shares with the query.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import intervals, metrics
from fashion_rir.search.gallery import Gallery

PROTOCOLS = ("thesis", "held_out", "unseen")

EVALUATED_LABELS = (
    "articleType",
    "subCategory",
    "masterCategory",
    "gender",
    "baseColour",
    "usage",
    "season",
)

GRADED_LABELS = ("articleType", "baseColour", "gender", "usage")  # all of them evaluated too

CUTOFFS = (1, 5, 10)

METRICS = (
    *(f"hit_rate@{k}" for k in CUTOFFS),
    *(f"precision@{k}" for k in CUTOFFS[1:]),
    "mAP",
    "MAP@R",
    "MRR",
)

GRADED = "graded"  # stands where a label's name stands, in records and tables

GRADED_CUTOFF = 10

GRADED_METRICS = (f"nDCG@{GRADED_CUTOFF}",)


@dataclass(frozen=True)
class Evaluation:
    """The scores of one model and measure under one protocol.

    Attributes:
        scores: by label, a table with one row a query (index: product id) and the columns
            `METRICS` and `label` (the query's own class).
        n_excluded: by label, how many queries were left out: no label, or nothing relevant.
        n_gallery: products that a query was compared with.
        graded: a table as in `scores` with the columns `GRADED_METRICS` and `label`, the query's
            articleType ("" where it has none).
        n_graded_excluded: how many queries it leaves out: those that share none of
            `GRADED_LABELS` with any product of the gallery.
    """

    scores: dict[str, pd.DataFrame]
    n_excluded: dict[str, int]
    n_gallery: int
    graded: pd.DataFrame
    n_graded_excluded: int


def metrics_of(label: str) -> tuple[str, ...]:
    """The metrics that are measured by a label, or by `GRADED`.

    Example:
        >>> metrics_of("graded")
        ('nDCG@10',)
    """
    return GRADED_METRICS if label == GRADED else METRICS


def evaluate(
    embeddings: np.ndarray,
    products: pd.DataFrame,
    is_query: np.ndarray,
    *,
    measure: str,
    protocols: tuple[str, ...] = PROTOCOLS,
) -> dict[str, Evaluation]:
    """Score full rankings by what the query and each product have in common.

    Args:
        embeddings: float32, shape (n_products, embedding_dim), one row a product.
        products: the catalogue's table, in the same order.
        is_query: bool, shape (n_products,): the test products.
        measure: one of `gallery.MEASURES`.
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
    scorer = Scorer(products, is_query, protocols)
    with (
        tqdm(total=len(queries), desc=f"ranking by {measure}", leave=False) as bar,
        ThreadPoolExecutor(max_workers=1) as worker,  # scores a block while the next is ranked
    ):
        scoring = None
        for block, order in gallery.rankings(embeddings[queries]):
            if scoring is not None:
                scoring.result()  # one block at most waits, so that memory stays bounded
            scoring = worker.submit(scorer.add, queries[block], order)
            bar.update(len(order))
        scoring.result()
    return {protocol: scorer.result(protocol) for protocol in protocols}


def rank_scores(ranks: np.ndarray) -> tuple[float, ...]:
    """The values of `METRICS`, in its order.

    Args:
        ranks: from `metrics.relevant_ranks`, over the full ranking, at least one.
    """
    return (
        *(metrics.hit_rate(ranks, k) for k in CUTOFFS),
        *(metrics.precision(ranks, k) for k in CUTOFFS[1:]),
        metrics.average_precision(ranks),
        metrics.average_precision_at_r(ranks),
        metrics.reciprocal_rank(ranks),
    )


def class_codes(labels: pd.Series) -> np.ndarray:
    """Small integers for the classes; -1 for a missing label."""
    return pd.factorize(labels, sort=True)[0].astype(np.int16)


@dataclass(frozen=True)
class _Answer:
    """What one query found.

    Attributes:
        ranks: by label, where the relevant products stand; nothing on a label that it lacks.
        relevance: int8, shape (n_gallery,): how many of `GRADED_LABELS` each product shares, in
            the order of the ranking.
        own_rank: where the query itself stands; 0 once it is taken out.
    """

    ranks: dict[str, np.ndarray]
    relevance: np.ndarray
    own_rank: int

    def without_query(self) -> "_Answer":
        """The same with the query taken out: what stood behind it moves up by one."""
        ranks = {}
        for label, with_query in self.ranks.items():
            place = np.searchsorted(with_query, self.own_rank)
            ranks[label] = np.delete(with_query, place)
            ranks[label][place:] -= 1
        return _Answer(ranks, np.delete(self.relevance, self.own_rank - 1), own_rank=0)


class Scorer:
    """Collects the scores of all protocols, block by block; `evaluate` for rankings of your own."""

    def __init__(
        self, products: pd.DataFrame, is_query: np.ndarray, protocols: tuple[str, ...]
    ) -> None:
        """Begin with no score.

        Args:
            products: the catalogue's table.
            is_query: bool, shape (n_products,): the products that will ask.
            protocols: some of `PROTOCOLS`.
        """
        self._products = products
        self._is_query = is_query
        self._codes = {label: class_codes(products[label]) for label in EVALUATED_LABELS}
        self._rows = {p: {name: [] for name in (*EVALUATED_LABELS, GRADED)} for p in protocols}

    def add(self, queries: np.ndarray, order: np.ndarray) -> None:
        """Score some queries by their rankings of all products.

        Args:
            queries: their row numbers, shape (n,).
            order: row numbers of the products, best first, one row a query.
        """
        for query, ranking in zip(queries, order, strict=True):
            shares = {
                label: codes == codes[query]
                for label, codes in self._codes.items()
                if codes[query] >= 0
            }
            among_all = _answer(query, ranking, shares)
            for protocol, rows in self._rows.items():
                answer = among_all
                if protocol == "unseen":
                    answer = _answer(query, ranking[self._is_query[ranking]], shares)
                if protocol != "thesis":
                    answer = answer.without_query()
                _note(rows, query, answer)

    def result(self, protocol: str) -> Evaluation:
        """The scores of one protocol."""
        products, rows = self._products, self._rows[protocol]
        n_queries = int(self._is_query.sum())
        scores = {
            label: self._table(rows[label], METRICS, products[label]) for label in self._codes
        }
        graded = self._table(rows[GRADED], GRADED_METRICS, products["articleType"].fillna(""))
        n_gallery = n_queries if protocol == "unseen" else len(products)
        return Evaluation(
            scores=scores,
            n_excluded={label: n_queries - len(table) for label, table in scores.items()},
            n_gallery=n_gallery - (protocol != "thesis"),
            graded=graded,
            n_graded_excluded=n_queries - len(graded),
        )

    def _table(
        self, rows: list[tuple], columns: tuple[str, ...], classes: pd.Series
    ) -> pd.DataFrame:
        """One row a query, by its product id."""
        table = pd.DataFrame(rows, columns=["query", *columns])
        query = table.pop("query").to_numpy(dtype=np.int64)
        table.index = pd.Index(self._products["id"].to_numpy()[query], name="id")
        table["label"] = classes.to_numpy()[query]
        return table


def summarise(result: Evaluation, *, seed: int) -> dict:
    """The numbers of an evaluation under one protocol, with intervals.

    Args:
        result: from `protocols.evaluate`.
        seed: of the bootstrap.

    Returns:
        `labels` by label, `graded`, and `n_gallery`. The first two hold `micro` and `macro` (metric
        to value, low, high; neither where every query was left out), `n_queries`, `n_excluded`,
        `n_classes`; the classes of `graded` are articleTypes.
    """
    return {
        "labels": {
            label: score_summary(scores, result.n_excluded[label], seed=seed)
            for label, scores in result.scores.items()
        },
        "graded": score_summary(result.graded, result.n_graded_excluded, seed=seed),
        "n_gallery": result.n_gallery,
    }


def score_summary(scores: pd.DataFrame, n_excluded: int, *, seed: int) -> dict[str, object]:
    """The means of a table of scores, with intervals.

    Args:
        scores: one row a query; every column is a metric but `label`, which holds the classes.
        n_excluded: queries that were left out of it.
        seed: of the bootstrap.

    Returns:
        `micro` and `macro` (metric to value, low, high; neither where every query was left out),
        `n_queries`, `n_excluded`, `n_classes`.
    """
    summary = {
        "n_queries": len(scores),
        "n_excluded": n_excluded,
        "n_classes": int(scores["label"].nunique()),
    }
    if len(scores):
        values, classes = scores.drop(columns="label"), scores["label"].to_numpy()
        micro = intervals.bootstrap_mean(values.to_numpy(), seed=seed)
        macro = intervals.bootstrap_mean(values.to_numpy(), seed=seed, classes=classes)
        for average, estimates in (("micro", micro), ("macro", macro)):
            named = zip(values.columns, map(intervals.estimate_dict, estimates), strict=True)
            summary[average] = dict(named)
    return summary


def _answer(query: int, ranking: np.ndarray, shares: Mapping[str, np.ndarray]) -> _Answer:
    """What a query found, itself included.

    Args:
        query: its row.
        ranking: rows of the gallery, the closest first; the query's own is among them.
        shares: by label, bool, shape (n_products,): which products share the query's class.
    """
    hits = {label: shared[ranking] for label, shared in shares.items()}
    relevance = np.zeros(len(ranking), dtype=np.int8)
    for label in GRADED_LABELS:
        if label in hits:
            relevance += hits[label]
    ranks = {label: metrics.relevant_ranks(hit) for label, hit in hits.items()}
    return _Answer(ranks, relevance, own_rank=int(np.argmax(ranking == query)) + 1)


def _note(rows: Mapping[str, list[tuple]], query: int, answer: _Answer) -> None:
    """Add a query's scores to the rows of a protocol, where it has any."""
    for label, ranks in answer.ranks.items():
        if len(ranks):
            rows[label].append((query, *rank_scores(ranks)))
    ideal = _highest(answer.relevance)
    if len(ideal):
        found = answer.relevance[:GRADED_CUTOFF]
        gains, ideal_gains = metrics.exponential_gain(found), metrics.exponential_gain(ideal)
        rows[GRADED].append((query, metrics.ndcg(gains, ideal_gains, GRADED_CUTOFF)))


def _highest(relevance: np.ndarray) -> np.ndarray:
    """The relevances above 0 of an ideal ranking's first products, the highest first."""
    levels = np.arange(len(GRADED_LABELS), 0, -1)
    counts = [np.count_nonzero(relevance == level) for level in levels]
    return np.repeat(levels, np.minimum(counts, GRADED_CUTOFF))[:GRADED_CUTOFF]
