"""Rank the whole gallery for every query, and score the rankings by several labels in one pass.

Each ranking is made once, and what it has in common with the query is gathered once for all labels
and all views: who asks, who is found, and what is hidden. The rankings are those of
`gallery.Gallery.rankings`, so ties stand in the catalogue's order, as everywhere in this study.
`protocols` names three views, and adds graded relevance.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import metrics
from fashion_rir.search.gallery import Gallery

# Rows of the products that ask, and for each of them all rows of the gallery, the best first.
Rankings = Iterator[tuple[np.ndarray, np.ndarray]]

RANKED_LABELS = ("articleType", "masterCategory", "gender", "baseColour")

HIDDEN = ("nothing", "query", "copies")

CUTOFFS = (1, 5, 10)

METRICS = (
    *(f"hit_rate@{k}" for k in CUTOFFS),
    *(f"precision@{k}" for k in CUTOFFS[1:]),
    "mAP",
    "MAP@R",
    "MRR",
)


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


@dataclass(frozen=True)
class Scoring:
    """What is made of the ranks of the relevant products.

    Attributes:
        columns: a name for each score.
        score: takes the ranks (from 1, ascending, at least one) and returns the scores.
        largest_cutoff: the gallery must hold so many products.
    """

    columns: tuple[str, ...]
    score: Callable[[np.ndarray], Sequence[float]]
    largest_cutoff: int


STANDARD = Scoring(METRICS, rank_scores, max(CUTOFFS))


@dataclass(frozen=True)
class View:
    """Who asks, and what they are compared with.

    Attributes:
        is_query: bool, shape (n_products,): who asks.
        is_gallery: likewise, who is found; all if None.
        hidden: what a query does not find: `nothing`, the `query` itself (leave-one-out), or its
            identical `copies` too (the same photo, byte for byte).
    """

    is_query: np.ndarray
    is_gallery: np.ndarray | None = None
    hidden: str = "query"

    def __post_init__(self) -> None:
        if self.hidden not in HIDDEN:
            raise unknown_name("thing to hide", self.hidden, HIDDEN)
        if not np.any(self.is_query):
            raise ParameterError("No product is marked as a query, so there is nothing to ask.")


@dataclass(frozen=True)
class Ranked:
    """The scores of full rankings.

    Attributes:
        scores: by label, a table with one row a query (index: product id), the columns of the
            scoring, and `label` (the query's own class).
        n_excluded: by label, how many queries were left out: no label, or nothing relevant.
        n_gallery: products in the gallery, those included that are hidden from a query.
    """

    scores: dict[str, pd.DataFrame]
    n_excluded: dict[str, int]
    n_gallery: int


class Scorer:
    """Collects the scores of rankings under one view or several, block by block."""

    def __init__(
        self,
        products: pd.DataFrame,
        views: Mapping[str, View],
        labels: Sequence[str],
        scoring: Scoring = STANDARD,
    ) -> None:
        """Begin with no score.

        Args:
            products: the catalogue's table.
            views: by a name of one's own.
            labels: what makes a product relevant; columns of `products`.
            scoring: what is made of the ranks.
        """
        self._products, self._views, self._scoring = products, views, scoring
        self._codes = {label: class_codes(products[label]) for label in labels}
        self._groups = {name: _groups(products, view.hidden) for name, view in views.items()}
        self._scores = {
            name: {label: self._no_scores(len(scoring.columns)) for label in labels}
            for name in views
        }

    @property
    def is_query(self) -> np.ndarray:
        """bool, shape (n_products,): who asks under any view."""
        return np.any([view.is_query for view in self._views.values()], axis=0)

    def add(self, queries: np.ndarray, order: np.ndarray) -> None:
        """Score some queries by their rankings of all products.

        Args:
            queries: their row numbers, shape (n,).
            order: row numbers of the products, best first, one row a query.
        """
        for query, ranking in zip(queries, order, strict=True):
            hits = {
                label: code.take(ranking) == code[query]
                for label, code in self._codes.items()
                if code[query] >= 0
            }
            for name, view in self._views.items():
                if view.is_query[query]:
                    self._note(name, query, self._seen(name, query, ranking, hits))

    def result(self, name: str) -> Ranked:
        """The scores under one view."""
        view = self._views[name]
        scores = {
            label: self._table(values, self._scoring.columns, name, self._products[label])
            for label, values in self._scores[name].items()
        }
        n_queries = int(view.is_query.sum())
        n_gallery = len(self._products) if view.is_gallery is None else int(view.is_gallery.sum())
        n_excluded = {label: n_queries - len(table) for label, table in scores.items()}
        return Ranked(scores, n_excluded, n_gallery)

    def _seen(
        self, name: str, query: int, ranking: np.ndarray, hits: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """By label, which products share the query's class, of those that it may find."""
        view, groups = self._views[name], self._groups[name]
        if view.is_gallery is not None:
            found = np.flatnonzero(view.is_gallery.take(ranking))
            ranking = ranking.take(found)
            hits = {label: hit.take(found) for label, hit in hits.items()}
        if groups is None:
            return hits
        away = np.flatnonzero(groups.take(ranking) == groups[query])
        away = away[0] if len(away) == 1 else away  # NumPy deletes a single place far quicker
        return {label: np.delete(hit, away) for label, hit in hits.items()}

    def _note(self, name: str, query: int, hits: Mapping[str, np.ndarray]) -> None:
        """Keep a query's scores under a view, where it has any."""
        for label, hit in hits.items():
            ranks = metrics.relevant_ranks(hit)
            if len(ranks):
                self._scores[name][label][query] = self._scoring.score(ranks)

    def _no_scores(self, n_columns: int) -> np.ndarray:
        return np.full((len(self._products), n_columns), np.nan)

    def _table(
        self, values: np.ndarray, columns: Sequence[str], name: str, classes: pd.Series
    ) -> pd.DataFrame:
        """One row a query that has scores, by its product id."""
        rows = np.flatnonzero(self._views[name].is_query & ~np.isnan(values[:, 0]))
        index = pd.Index(self._products["id"].to_numpy()[rows], name="id")
        table = pd.DataFrame(values[rows], index=index, columns=list(columns))
        return table.assign(label=classes.to_numpy()[rows])


def score_all(embeddings: np.ndarray, products: pd.DataFrame, measure: str, scorer: Scorer) -> None:
    """Rank the gallery for every product that asks under some view, and score the rankings.

    Args:
        embeddings: float32, shape (n_products, embedding_dim), one row a product.
        products: the catalogue's table, in the same order.
        measure: one of `gallery.MEASURES`.
        scorer: keeps the scores. Beside the embeddings (twice) and these it takes about 0.5 GB of
            memory, whatever the number of queries.

    Raises:
        ParameterError: unknown measure, or lengths that differ.
        StoreError: embeddings that are not finite, or all zeros under cosine.
    """
    gallery = Gallery(embeddings, products["id"].to_numpy(), measure)
    is_query = scorer.is_query
    queries = np.flatnonzero(is_query)
    asked = embeddings if is_query.all() else embeddings[queries]  # spares a copy of all
    with (
        tqdm(total=len(queries), desc=f"ranking by {measure}", leave=False) as bar,
        ThreadPoolExecutor(max_workers=1) as worker,  # scores a block while the next is ranked
    ):
        scoring = None
        for block, order in gallery.rankings(asked):
            if scoring is not None:
                scoring.result()  # one block at most waits, so that memory stays bounded
            scoring = worker.submit(scorer.add, queries[block], order)
            bar.update(len(order))
        scoring.result()


def score_views(
    embeddings: np.ndarray,
    products: pd.DataFrame,
    views: Mapping[str, View],
    *,
    labels: Sequence[str] = RANKED_LABELS,
    measure: str = "cosine",
    scoring: Scoring = STANDARD,
) -> dict[str, Ranked]:
    """The scores of full rankings under some views, all in one pass.

    Args:
        embeddings: float32, shape (n_products, embedding_dim), one row a product.
        products: the catalogue's table, in the same order.
        views: by a name of one's own.
        labels: what makes a product relevant; columns of `products`.
        measure: one of `gallery.MEASURES`.
        scoring: what is made of the ranks.

    Returns:
        By the names of the views.

    Raises:
        ParameterError: unknown measure, lengths that differ, a label of one class, or a cut-off
            above the gallery.
        StoreError: see `score_all`.
    """
    for view in views.values():
        require_lengths(embeddings, products, view.is_query)
    for label in labels:
        check_classes(products[label], label)
    for view in views.values():
        _check_cutoff(scoring.largest_cutoff, _groups(products, view.hidden), view)
    scorer = Scorer(products, views, labels, scoring)
    score_all(embeddings, products, measure, scorer)
    return {name: scorer.result(name) for name in views}


def everyone(products: pd.DataFrame) -> View:
    """Every product asks for every other (leave-one-out)."""
    return View(np.ones(len(products), dtype=bool))


def class_codes(labels: pd.Series) -> np.ndarray:
    """Small integers for the classes; -1 for a missing label."""
    return pd.factorize(labels, sort=True)[0].astype(np.int16)


def check_classes(labels: pd.Series, name: str) -> None:
    """Refuse labels that tell no products apart.

    Args:
        labels: one a product.
        name: of the label, for the message.

    Raises:
        ParameterError: fewer than two classes.
    """
    classes = labels.dropna().unique()
    if len(classes) < 2:
        what = f"the one class {classes[0]!r}" if len(classes) else "no class at all"
        raise ParameterError(
            f"The {len(labels)} products are of {what} by {name}, so every ranking is as good as "
            "any other; take another label or more products."
        )


def mean_average_precision(rankings: Rankings, codes: np.ndarray) -> float:
    """mAP of rankings, each without the query itself.

    Args:
        rankings: of products by products.
        codes: classes, shape (n_products,); -1 where there is none.

    Returns:
        The mean over the queries that share a class with another product of the gallery.

    Raises:
        ParameterError: there is no such query.

    Example:
        >>> rankings = [(np.array([0]), np.array([[0, 1, 2]]))]
        >>> mean_average_precision(rankings, np.array([5, 6, 5]))
        0.5
    """
    scores = []
    for queries, order in rankings:
        for query, ranking in zip(queries, order, strict=True):
            is_hit = codes[ranking[ranking != query]] == codes[query]
            if codes[query] >= 0 and is_hit.any():
                scores.append(metrics.average_precision(metrics.relevant_ranks(is_hit)))
    if not scores:
        raise ParameterError(
            "No query shares its class with another product of the gallery, so there is no mAP; "
            "take more products."
        )
    return float(np.mean(scores))


def rank_rows(embeddings: np.ndarray, queries: np.ndarray, gallery_rows: np.ndarray) -> Rankings:
    """Some products rank others by cosine.

    Args:
        embeddings: float32, shape (n_products, dim).
        queries: rows that ask.
        gallery_rows: rows that are found.
    """
    gallery = Gallery(embeddings[gallery_rows], gallery_rows, "cosine")
    for block, order in gallery.rankings(embeddings[queries]):
        yield queries[block], gallery_rows[order]


def _groups(products: pd.DataFrame, hidden: str) -> np.ndarray | None:
    """Small integers: products that do not find each other have the same."""
    if hidden == "nothing":
        return None
    if hidden == "copies":
        return pd.factorize(products["image_sha256"])[0].astype(np.int32)
    return np.arange(len(products), dtype=np.int32)


def require_lengths(embeddings: np.ndarray, products: pd.DataFrame, is_query: np.ndarray) -> None:
    """Refuse what does not belong together.

    Raises:
        ParameterError: lengths that differ.
    """
    if not len(embeddings) == len(products) == len(is_query):
        raise ParameterError(
            f"{len(embeddings)} embeddings, {len(products)} products and {len(is_query)} query "
            "marks do not belong together."
        )


def _check_cutoff(cutoff: int, groups: np.ndarray | None, view: View) -> None:
    """Refuse a cut-off that a query's own gallery does not reach."""
    is_gallery = np.ones(len(view.is_query), bool) if view.is_gallery is None else view.is_gallery
    n_hidden = 0
    if groups is not None:
        members = np.bincount(groups[is_gallery], minlength=groups.max() + 1)
        n_hidden = int(members[groups[view.is_query]].max())
    most = int(is_gallery.sum()) - n_hidden
    if most < cutoff:
        raise ParameterError(
            f"The cut-off {cutoff} is above the gallery: a query may find only {most} products "
            "there; take a smaller cut-off or more products."
        )
