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
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import intervals, metrics, rankings
from fashion_rir.evaluation.rankings import METRICS, Ranked, View

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

GRADED = "graded"  # stands where a label's name stands, in records and tables

GRADED_CUTOFF = 10

GRADED_METRICS = (f"nDCG@{GRADED_CUTOFF}",)


@dataclass(frozen=True)
class Evaluation(Ranked):
    """The scores of one model and measure under one protocol.

    Attributes:
        scores: as in `Ranked`, with the columns `METRICS` and `label`; so is `n_excluded`.
        n_gallery: products that a query was compared with.
        graded: a table as in `scores` with the columns `GRADED_METRICS` and `label`, the query's
            articleType ("" where it has none).
        n_graded_excluded: how many queries it leaves out: those that share none of
            `GRADED_LABELS` with any product of the gallery.
    """

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
    rankings.require_lengths(embeddings, products, is_query)
    if not np.any(is_query):
        raise ParameterError("The split holds no test product, so there is no query to ask.")
    scorer = Scorer(products, is_query, protocols)
    rankings.score_all(embeddings, products, measure, scorer)
    return {protocol: scorer.result(protocol) for protocol in protocols}


class Scorer(rankings.Scorer):
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
        views = {
            "thesis": View(is_query, hidden="nothing"),
            "held_out": View(is_query),
            "unseen": View(is_query, is_gallery=is_query),
        }
        super().__init__(products, {name: views[name] for name in protocols}, EVALUATED_LABELS)
        self._graded = {name: self._no_scores(len(GRADED_METRICS)) for name in protocols}

    def result(self, name: str) -> Evaluation:
        """The scores of one protocol."""
        found = super().result(name)
        classes = self._products["articleType"].fillna("")
        graded = self._table(self._graded[name], GRADED_METRICS, name, classes)
        return Evaluation(
            scores=found.scores,
            n_excluded=found.n_excluded,
            n_gallery=found.n_gallery - (name != "thesis"),
            graded=graded,
            n_graded_excluded=int(self._views[name].is_query.sum()) - len(graded),
        )

    def _note(self, name: str, query: int, hits: Mapping[str, np.ndarray]) -> None:
        super()._note(name, query, hits)
        shared = [hits[label] for label in GRADED_LABELS if label in hits]
        relevance = np.sum(shared, axis=0, dtype=np.int8) if shared else np.zeros(0, np.int8)
        ideal = _highest(relevance)
        if len(ideal):
            gains = metrics.exponential_gain(relevance[:GRADED_CUTOFF])
            best = metrics.exponential_gain(ideal)
            self._graded[name][query] = metrics.ndcg(gains, best, GRADED_CUTOFF)


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


def _highest(relevance: np.ndarray) -> np.ndarray:
    """The relevances above 0 of an ideal ranking's first products, the highest first."""
    levels = np.arange(len(GRADED_LABELS), 0, -1)
    counts = [np.count_nonzero(relevance == level) for level in levels]
    return np.repeat(levels, np.minimum(counts, GRADED_CUTOFF))[:GRADED_CUTOFF]
