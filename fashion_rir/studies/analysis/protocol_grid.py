"""Which protocol, label and cut-off come closest to an mAP that was reported without them?

A reported mAP says little unless it says who asks, whether the query finds itself, what counts as
relevant, how far down the ranking is read, and what the sum of precisions is divided by. All of
these are in use. Here each combination of a stated grid is tried on one model.
"""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import intervals, protocols, rankings
from fashion_rir.evaluation.rankings import Scoring, View
from fashion_rir.studies.study import Study
from fashion_rir.thesis.numbers import THESIS_MAP

CUTOFFS = (5, 10, 20, 50, 100)

NORMALISATIONS = ("relevant", "relevant within k", "hits")

# All of the ranking: there the three normalisations are the same.
WHOLE = ("all", "relevant")

CELLS = (*itertools.product(CUTOFFS, NORMALISATIONS), WHOLE)

HIDDEN = {"thesis": "nothing", "held_out": "query"}  # by protocol, see `full_ranking`


def average_precision_at(ranks: np.ndarray, k: int, normalised_by: str) -> float:
    """Sum of the precisions at the hits among the first k, divided in one of three ways.

    Args:
        ranks: from `metrics.relevant_ranks`, over the full ranking, at least one.
        k: cut-off, at least 1.
        normalised_by: `relevant`, their number R (a ranking cannot reach 1 where R > k);
            `relevant within k`, min(R, k); `hits`, those among the first k (then a single hit,
            at rank 1, gives 1).

    Returns:
        In [0, 1]; 0 where nothing was hit.

    Raises:
        ParameterError: a cut-off below 1, or an unknown normalisation.

    Example:
        >>> ranks = np.array([1, 3, 9])  # two of the three are among the first five
        >>> [round(average_precision_at(ranks, 5, way), 4) for way in NORMALISATIONS]
        [0.5556, 0.5556, 0.8333]
    """
    if k < 1:
        raise ParameterError(f"The cut-off k must be at least 1, not {k}.")
    n_hits = int(np.searchsorted(ranks, k, side="right"))
    divisors = {"relevant": len(ranks), "relevant within k": min(len(ranks), k), "hits": n_hits}
    if normalised_by not in divisors:
        raise unknown_name("normalisation", normalised_by, NORMALISATIONS)
    if n_hits == 0:
        return 0.0
    return float(np.sum(np.arange(1, n_hits + 1) / ranks[:n_hits]) / divisors[normalised_by])


def measure(
    study: Study,
    model: Embedded,
    is_query: np.ndarray,
    *,
    labels: tuple[str, ...] = protocols.EVALUATED_LABELS,
) -> dict:
    """Try the whole grid on a model, or take the record of the same run.

    Args:
        study: its products, split, seed and folders.
        model: embeddings (n_products, embedding_dim) and metadata, from `stores.embed`.
        is_query: bool, shape (n_products,): the test products.
        labels: what makes a product relevant; each must have two classes.

    Returns:
        A record of kind `protocol-grid`: `cells`, a list with `protocol`, `label`, `cutoff`,
        `normalised_by`, `average` (micro or macro) and `mAP`.

    Raises:
        ParameterError: see `rankings.score_views`.
    """
    vectors, metadata = model
    inputs = study.describe(metadata) | {
        "measure": "cosine",
        "n_queries": int(is_query.sum()),
        "labels": list(labels),
        "cells": [[str(cutoff), way] for cutoff, way in CELLS],
        "seed": study.seed,
    }

    def try_all() -> dict[str, object]:
        views = {protocol: View(is_query, hidden=hidden) for protocol, hidden in HIDDEN.items()}
        found = rankings.score_views(
            vectors, study.catalog.products, views, labels=labels,
            scoring=_scoring(len(study.catalog) - 1),
        )  # fmt: skip
        cells = [
            cell
            for protocol, ranked in found.items()
            for label, scores in ranked.scores.items()
            for cell in _cells(scores, protocol, label)
        ]
        return {"cells": cells}

    return study.record("protocol-grid", f"protocol-grid-{metadata['model']}", inputs, try_all)


def closest(record: Mapping, *, target: float = THESIS_MAP) -> pd.DataFrame:
    """The grid of a record, those cells first that come closest to a reported mAP.

    Args:
        record: from `measure`.
        target: the reported mAP.

    Returns:
        Columns `protocol`, `label`, `cutoff`, `normalised_by`, `average`, `mAP`, `difference`.
    """
    table = pd.DataFrame(record["cells"])
    table["difference"] = table["mAP"] - target
    return table.sort_values("difference", key=np.abs, ignore_index=True)


def _scoring(most: int) -> Scoring:
    """Every cell of the grid that a gallery of `most` products can fill."""
    cells = [cell for cell in CELLS if cell == WHOLE or cell[0] <= most]

    def score(ranks: np.ndarray) -> list[float]:
        return [
            average_precision_at(ranks, most + 1 if cutoff == "all" else cutoff, way)
            for cutoff, way in cells
        ]

    columns = tuple(f"{cutoff} {way}" for cutoff, way in cells)
    return Scoring(columns, score, max(c for c, _ in cells if c != "all"))


def _cells(scores: pd.DataFrame, protocol: str, label: str) -> list[dict[str, object]]:
    """The means of all cells under one protocol and label."""
    values, classes = scores.drop(columns="label"), scores["label"]
    means = {"micro": values.mean(), "macro": values.groupby(classes).mean().mean()}
    return [
        {
            "protocol": protocol,
            "label": label,
            "cutoff": column.split(" ", 1)[0],
            "normalised_by": column.split(" ", 1)[1],
            "average": average,
            "mAP": intervals.rounded(value),
        }
        for average, mean in means.items()
        for column, value in mean.items()
    ]
