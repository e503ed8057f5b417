"""Every product asks for every other: mAP over full rankings, several labels in one pass.

`evaluation` scores the test products under three protocols, with graded relevance. Here are fewer
kinds of scores for many more queries: each ranking is made once, and the classes of the products
are gathered in its order for all labels. The rankings are those of `gallery.Gallery.rankings`,
so ties stand in the catalogue's order, as everywhere in this study.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import metrics, protocols
from fashion_rir.search.gallery import Gallery

# Rows of the products that ask, and for each of them all rows of the gallery, the best first.
Rankings = Iterator[tuple[np.ndarray, np.ndarray]]

RANKED_LABELS = ("articleType", "masterCategory", "gender", "baseColour")

HIDDEN = ("nothing", "query", "copies")


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


STANDARD = Scoring(protocols.METRICS, protocols.rank_scores, max(protocols.CUTOFFS))


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


def score_rankings(
    embeddings: np.ndarray,
    products: pd.DataFrame,
    *,
    labels: Sequence[str] = RANKED_LABELS,
    measure: str = "cosine",
    is_query: np.ndarray | None = None,
    is_gallery: np.ndarray | None = None,
    hidden: str = "query",
    scoring: Scoring = STANDARD,
) -> Ranked:
    """Rank the gallery for each query and score the ranking by each label.

    Args:
        embeddings: float32, shape (n_products, embedding_dim), one row a product.
        products: the catalogue's table, in the same order.
        labels: what makes a product relevant; columns of `products`.
        measure: one of `gallery.MEASURES`.
        is_query: bool, shape (n_products,): who asks; all if None.
        is_gallery: bool, shape (n_products,): who is found; all if None.
        hidden: what a query does not find: `nothing`, the `query` itself (leave-one-out), or its
            identical `copies` too (the same photo, byte for byte).
        scoring: what is made of the ranks.

    Returns:
        The scores. Beside the embeddings (twice) it takes about 0.5 GB of memory, whatever the
        number of queries.

    Raises:
        ParameterError: unknown `hidden` or measure, no query, lengths that differ, a label of one
            class, or a cut-off above the gallery.
        StoreError: embeddings that are not finite, or all zeros under cosine.
    """
    everyone = np.ones(len(products), dtype=bool)
    is_query = everyone if is_query is None else np.asarray(is_query)
    is_gallery = everyone if is_gallery is None else np.asarray(is_gallery)
    _check(embeddings, products, is_query, is_gallery, hidden)
    for label in labels:
        check_classes(products[label], label)
    queries = np.flatnonzero(is_query)
    groups = _groups(products, hidden)
    _check_cutoff(scoring.largest_cutoff, groups, queries, is_gallery)
    codes = {label: protocols.class_codes(products[label]) for label in labels}
    gallery = Gallery(embeddings, products["id"].to_numpy(), measure)
    asked = embeddings if is_query.all() else embeddings[queries]  # spares a copy of all
    scores = {label: np.full((len(queries), len(scoring.columns)), np.nan) for label in labels}
    is_whole = is_gallery.all()

    def score_block(block: slice, order: np.ndarray) -> None:
        for place, ranking in enumerate(order, start=block.start):
            found = ranking if is_whole else ranking[is_gallery[ranking]]
            ranks = ranks_of(queries[place], found, codes, groups)
            for label in ranks:
                scores[label][place] = scoring.score(ranks[label])

    with (
        tqdm(total=len(queries), desc="full rankings", leave=False) as bar,
        ThreadPoolExecutor(max_workers=1) as worker,  # scores a block while the next is ranked
    ):
        scoring_done = None
        for block, order in gallery.rankings(asked):
            if scoring_done is not None:
                scoring_done.result()  # one block at most waits, so that memory stays bounded
            scoring_done = worker.submit(score_block, block, order)
            bar.update(len(order))
        scoring_done.result()
    tables = {
        label: _table(products, queries, label, pd.DataFrame(values, columns=scoring.columns))
        for label, values in scores.items()
    }
    n_excluded = {label: len(queries) - len(table) for label, table in tables.items()}
    return Ranked(tables, n_excluded, int(is_gallery.sum()))


def ranks_of(
    query: int, ranking: np.ndarray, codes: Mapping[str, np.ndarray], groups: np.ndarray | None
) -> dict[str, np.ndarray]:
    """By label, where the relevant products stand; nothing on a label that has none.

    Args:
        query: its row.
        ranking: rows of the products found, the closest first.
        codes: by label, the class of each product; -1 for none.
        groups: products of one group do not find each other; None if all do.

    Returns:
        By label, int64, from 1, ascending.
    """
    if groups is not None:
        ranking = np.delete(ranking, np.flatnonzero(groups.take(ranking) == groups[query]))
    ranks = {}
    for label, code in codes.items():
        if code[query] >= 0:
            found = np.flatnonzero(code.take(ranking) == code[query])
            if len(found):
                ranks[label] = found + 1
    return ranks


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


def _groups(products: pd.DataFrame, hidden: str) -> np.ndarray | None:
    """Small integers: products that do not find each other have the same."""
    if hidden == "nothing":
        return None
    if hidden == "copies":
        return pd.factorize(products["image_sha256"])[0].astype(np.int32)
    return np.arange(len(products), dtype=np.int32)


def _table(
    products: pd.DataFrame, queries: np.ndarray, label: str, scores: pd.DataFrame
) -> pd.DataFrame:
    """One row a query that has scores, by its product id."""
    scores.index = pd.Index(products["id"].to_numpy()[queries], name="id")
    scores["label"] = products[label].to_numpy()[queries]
    return scores[scores.iloc[:, 0].notna()]


def _check(
    embeddings: np.ndarray,
    products: pd.DataFrame,
    is_query: np.ndarray,
    is_gallery: np.ndarray,
    hidden: str,
) -> None:
    if hidden not in HIDDEN:
        raise unknown_name("thing to hide", hidden, HIDDEN)
    if not len(embeddings) == len(products) == len(is_query) == len(is_gallery):
        raise ParameterError(
            f"{len(embeddings)} embeddings, {len(products)} products, {len(is_query)} query marks "
            f"and {len(is_gallery)} gallery marks do not belong together."
        )
    if not is_query.any():
        raise ParameterError("No product is marked as a query, so there is nothing to ask.")


def _check_cutoff(
    cutoff: int, groups: np.ndarray | None, queries: np.ndarray, is_gallery: np.ndarray
) -> None:
    """Refuse a cut-off that a query's own gallery does not reach."""
    n_hidden = 0
    if groups is not None:
        members = np.bincount(groups[is_gallery], minlength=groups.max() + 1)
        n_hidden = int(members[groups[queries]].max())
    most = int(is_gallery.sum()) - n_hidden
    if most < cutoff:
        raise ParameterError(
            f"The cut-off {cutoff} is above the gallery: a query may find only {most} products "
            "there; take a smaller cut-off or more products."
        )
