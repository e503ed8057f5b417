"""Could one protocol give all four mAPs of the thesis' Table 5.2.1, and would chance do as well?

The table states neither cut-off nor divisor, nor who stands in the gallery, nor how many. Each of
these moves an mAP by tenths, the size of the gallery most of all: in a small one a query that finds
itself is much of what there is to find. So one number proves nothing. Here all readings of a
stated grid, size included, are held against the rows of the table together, with random vectors
as the floor: a reading under which chance has what the thesis' worst model has is of interest;
one that only meets a single number is what many readings give to any number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from fashion_rir.embedding import floors
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals, metrics, rankings
from fashion_rir.studies.analysis.protocol_grid import NORMALISATIONS, WHOLE, average_precision_at
from fashion_rir.studies.study import Study
from fashion_rir.thesis.numbers import THESIS_TABLES
from fashion_rir.workspace import records as result_records

SIZES = (50, 100, 150, 200, 300, 500, 1000)

N_DRAWS = 10  # galleries of each size

CUTOFFS = (5, 10, 20)

CELLS = (*((k, way) for k in CUTOFFS for way in NORMALISATIONS), WHOLE)

QUERY = ("inside", "taken out")

FLOOR = "random vectors"

NEAR = 0.01  # what 'meets a number' means


def drawn(study: Study, n_products: int) -> Study:
    """The same study of some products, each as likely as any other.

    A sample by type would hold every rare type, and many a product that is alone of its type.

    Args:
        study: its products and seed.
        n_products: how many.
    """
    generator = np.random.default_rng(study.seed)
    is_chosen = np.zeros(len(study.catalog), dtype=bool)
    is_chosen[generator.choice(len(study.catalog), n_products, replace=False)] = True
    return replace(study, catalog=study.catalog.subset(is_chosen))


def measure(study: Study, models: Mapping[str, Embedded]) -> dict:
    """All readings for some of the table's models and for random vectors.

    Args:
        study: the products that galleries are drawn from, seed and folders.
        models: by rows of `THESIS_TABLES`, embeddings and metadata of these products.

    Returns:
        A record of kind `table_fit`: `cells`, one row a reading with `size`, `query`, `cutoff`,
        `normalised_by`, `average`, and the mean mAP over the galleries of each model and of
        `FLOOR`; `met`, by row how many readings come within `NEAR` of the thesis' number, and how
        many come so near to a number between their least and largest on average, which is
        what chance gives.

    Raises:
        ParameterError: a gallery larger than the products, or a row that the table has not.
    """
    unknown = [row for row in models if row not in THESIS_TABLES.index]
    if unknown or len(study.catalog) < max(SIZES):
        raise ParameterError(
            f"The readings need {max(SIZES)} products and rows of Table 5.2.1, not "
            f"{len(study.catalog)} products and {unknown}."
        )
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": study.catalog.data_hash,
        "n_products": len(study.catalog),
        "models": {row: {key: str(value) for key, value in metadata.items() if key != "data_hash"}
                   for row, (_, metadata) in models.items()},
        "sizes": list(SIZES), "n_draws": N_DRAWS, "seed": study.seed,
        "cells": [[str(cutoff), way] for cutoff, way in CELLS],
    }  # fmt: skip
    return study.record("table_fit", "table-fit", inputs, lambda: _measured(study, models))


def together(record: Mapping) -> pd.DataFrame:
    """The readings, those first that miss the thesis' numbers least, all rows taken together.

    Args:
        record: from `measure`.

    Returns:
        The cells, `FLOOR` held against the thesis' scratch model; `worst`, the largest miss.
    """
    table = pd.DataFrame(record["cells"])
    wanted = THESIS_TABLES["mAP"].to_dict() | {FLOOR: THESIS_TABLES.loc["scratch", "mAP"]}
    rows = [row for row in wanted if row in table]
    misses = pd.DataFrame({row: (table[row] - wanted[row]).abs() for row in rows})
    return table.assign(worst=misses.max(axis=1)).sort_values("worst", ignore_index=True)


def met_by_chance(values: np.ndarray, *, near: float = NEAR, n_targets: int = 1000) -> float:
    """How many readings come near a number that has nothing to do with them.

    Args:
        values: the readings' mAPs.
        near: how near.
        n_targets: numbers tried, evenly between the least and the largest reading.

    Example:
        >>> found = met_by_chance(np.linspace(0, 1, 101), near=0.052)
        >>> 9 < found < 11  # a tenth of 101, less at both ends
        True
    """
    targets = np.linspace(values.min(), values.max(), n_targets)
    return float((np.abs(values[:, None] - targets) <= near).sum(axis=0).mean())


def _measured(study: Study, models: Mapping[str, Embedded]) -> Mapping[str, object]:
    vectors = {row: matrix for row, (matrix, _) in models.items()}
    vectors[FLOOR] = floors.random_embeddings(len(study.catalog), seed=study.seed)
    codes = rankings.class_codes(study.catalog.products["articleType"])
    generator = np.random.default_rng(study.seed)
    scores = []
    for size in SIZES:
        for _ in range(N_DRAWS):
            rows = generator.choice(len(codes), size, replace=False)
            for name, matrix in vectors.items():
                scores.extend(_gallery(name, matrix[rows], codes[rows]))
    keys = ["size", "query", "cutoff", "normalised_by", "average"]
    table = pd.DataFrame(scores, columns=["model", *keys, "mAP"])
    means = table.pivot_table("mAP", keys, "model", sort=False)
    found = {row: means[row].to_numpy() for row in models}
    return {
        "cells": result_records.rows(means.reset_index()),
        "met": {
            row: {"readings": len(values),
                  "near": int((np.abs(values - THESIS_TABLES.loc[row, "mAP"]) <= NEAR).sum()),
                  "near by chance": intervals.rounded(met_by_chance(values))}
            for row, values in found.items()
        },
    }  # fmt: skip


def _gallery(name: str, vectors: np.ndarray, codes: np.ndarray) -> Iterator[tuple]:
    """All readings of one gallery whose products all ask: a row of the table for each."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, np.inf)  # the query stands first
    order = np.argsort(-similarity, axis=1, kind="stable")
    hits = codes[order] == codes[:, None]
    for query in QUERY:
        is_hit = hits if query == "inside" else hits[:, 1:]
        asking = np.flatnonzero(is_hit.any(axis=1) & (codes >= 0))
        ranks = [metrics.relevant_ranks(is_hit[row]) for row in asking]
        for cutoff, way in CELLS:
            depth = is_hit.shape[1] if cutoff == "all" else cutoff
            values = np.array([average_precision_at(one, depth, way) for one in ranks])
            of_class = pd.Series(values).groupby(codes[asking]).mean()
            for average, value in (("micro", values.mean()), ("macro", of_class.mean())):
                yield name, len(codes), query, str(cutoff), way, average, float(value)
