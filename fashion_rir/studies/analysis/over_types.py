"""How much of a score hangs on which types a shop has: intervals over types, not over queries.

An interval over queries says how sure a mean is of this catalogue's types in their shares. Drawing
the types anew says what another shop, with other types of the same kind, may give: the score of a
type differs far more from type to type than a query from the next one of its type.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fashion_rir.evaluation import intervals
from fashion_rir.studies.analysis.protocols import CLASS_METRICS
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.records import Record


def measure(study: Study, names: Sequence[str]) -> dict:
    """Means and differences with intervals over types, from records of `rank_everything`.

    Args:
        study: whose profile's records are read; it needs no catalogue.
        names: of the models; each `full-ranking-<name>` must be there.

    Returns:
        A record of kind `over_types`: `models`, by name and metric the mean over queries with its
        interval over articleTypes, and `differences`, the same for `<first> less <second>`.

    Raises:
        RecordError: a record is missing, or they are of different products.
    """
    named = [f"full-ranking-{name}" for name in names]
    parents = result_records.read_named(study.results, named)
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": parents[0]["inputs"]["data_hash"],
        "n_products": parents[0]["inputs"]["n_products"],
        "parents": {record["name"]: record["inputs_hash"] for record in parents},
        "seed": study.seed,
    }
    tables = {name: _classes(record) for name, record in zip(names, parents, strict=True)}
    return study.record("over_types", "over-types", inputs, lambda: _measured(tables, study.seed))


def _measured(tables: Mapping[str, pd.DataFrame], seed: int) -> dict[str, object]:
    sizes = next(iter(tables.values()))["queries"].to_numpy()
    models = {name: _estimates(table, sizes, seed) for name, table in tables.items()}
    differences = {
        f"{first} less {second}": _estimates(tables[first] - tables[second], sizes, seed)
        for first, second in itertools.permutations(tables, 2)
    }
    return {"models": models, "differences": differences}


def _estimates(table: pd.DataFrame, sizes: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    return {
        metric: intervals.estimate_dict(
            intervals.bootstrap_over_classes(table[metric].to_numpy(), sizes, seed=seed)
        )
        for metric in CLASS_METRICS
    }


def _classes(record: Record) -> pd.DataFrame:
    """The scores of each type, by name."""
    return pd.DataFrame(record["labels"]["articleType"]["classes"]).set_index("class").sort_index()
