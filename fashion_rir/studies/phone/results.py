"""The records of notebook 11: what each way from a phone photo to the shop finds."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from fashion_rir.embedding.photo_head import first_ranked, label_scores
from fashion_rir.evaluation import intervals
from fashion_rir.evaluation.intervals import rounded
from fashion_rir.search.transforms import l2_normalise
from fashion_rir.studies.phone.relevance import (
    CUTOFF,
    Relevance,
    precision_rows,
    summary,
)

AT_ONCE = 100  # queries: bounds the memory

RANKINGS = ("embedding", "labels")  # without and with the products' own labels

KINDS = ("group", "articleType", "baseColour", "both")  # of relevance

INTERVAL = ("value", "low", "high")

Scores = Callable[[np.ndarray], np.ndarray]  # rows of queries to (n_rows, n_products)


def by_cosine(queries: np.ndarray, products: np.ndarray) -> Scores:
    """Products as similar as their embeddings.

    Args:
        queries: float32, shape (n_queries, dim).
        products: float32, shape (n_products, dim).
    """
    asked, known = l2_normalise(queries), l2_normalise(products)
    return lambda rows: asked[rows] @ known.T


def by_labels(posteriors: Mapping[str, np.ndarray], relevance: Relevance) -> Scores:
    """Products as probable as their own labels; see `photo_head.label_scores`."""

    def scores(rows: np.ndarray) -> np.ndarray:
        some = {label: values[rows] for label, values in posteriors.items()}
        return label_scores(some, relevance.product_codes)

    return scores


def found_rows(relevance: Relevance, scores: Scores) -> dict[str, np.ndarray]:
    """Precision at the cut-off of each query, by each kind of relevance: float64, (n_queries,)."""
    n_queries = len(relevance.in_group)
    parts = []
    for first in range(0, n_queries, AT_ONCE):
        rows = np.arange(first, min(first + AT_ONCE, n_queries))
        found = relevance.of_rows(rows).found(first_ranked(scores(rows), CUTOFF))
        parts.append(precision_rows(found))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def measured(
    rows: Mapping[str, np.ndarray],
    relevance: Relevance,
    *,
    seed: int,
    before: Mapping[str, np.ndarray] | None = None,
) -> dict[str, object]:
    """A record's content for one way to search.

    Args:
        rows: from `found_rows`; the mean of several seeds' where there are several.
        relevance: whose queries they are.
        seed: of the bootstrap.
        before: the rows of what it is compared with, query by query.

    Returns:
        `precision@10` with 95 % intervals over queries (`micro`) and over types (`macro`),
        `by_type` (each type's mean and number of queries), and `difference` from `before`.
    """
    table = pd.DataFrame(dict(rows))
    types = np.array(relevance.classes["articleType"])[relevance.query_codes["articleType"]]
    by_type = table.groupby(types).mean()
    content: dict[str, object] = {
        "precision@10": summary(table, types, seed=seed),
        "by_type": {
            name: {"n_queries": int((types == name).sum()),
                   **{key: rounded(value) for key, value in row.items()}}
            for name, row in by_type.iterrows()
        },
    }  # fmt: skip
    if before is not None:
        content["difference"] = {
            name: intervals.estimate_dict(
                intervals.paired_difference(values, before[name], seed=seed)
            )
            for name, values in rows.items()
        }
    return content


def estimates(ways: Mapping[str, Mapping], *, average: str = "micro") -> pd.DataFrame:
    """Precision of several ways to search, with intervals.

    Args:
        ways: by name, records or what `measured` gives.
        average: `micro`, over the queries, or `macro`, over the types.

    Returns:
        Index: the names; columns: the kind of relevance, and `value`, `low`, `high`.
    """
    rows = {
        name: [way["precision@10"][average][kind][key] for kind in KINDS for key in INTERVAL]
        for name, way in ways.items()
    }
    columns = pd.MultiIndex.from_product([KINDS, INTERVAL])
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def differences(ways: Mapping[str, Mapping], kind: str) -> pd.DataFrame:
    """By how much several ways differ, query by query, from what they were compared with.

    Args:
        ways: as for `estimates`; those that were compared with nothing are passed over.
        kind: of relevance, such as `group`.

    Returns:
        Columns `comparison`, `value`, `low`, `high`.
    """
    found = {name: way["difference"][kind] for name, way in ways.items() if "difference" in way}
    return pd.DataFrame(found).T[list(INTERVAL)].rename_axis("comparison").reset_index()


def worst_types(way: Mapping, kind: str, *, least_queries: int, most: int) -> pd.DataFrame:
    """The types whose photos find least, the worst first.

    Args:
        way: a record, or what `measured` gives.
        kind: of relevance.
        least_queries: a type of fewer is left out.
        most: how many types.

    Returns:
        Index: the types; columns: `photos`, and precision by each kind.
    """
    table = pd.DataFrame(way["by_type"]).T.rename(columns={"n_queries": "photos"})
    shown = table[table["photos"] >= least_queries].sort_values(kind).head(most)
    return shown.astype({"photos": int})[["photos", *KINDS]]
