"""One table of every model of a profile, and which ones no other beats."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies.costs import (
    EMBEDDING_COST,
    TRAINING_COST,
    embedding_cost,
    training_cost,
)
from fashion_rir.workspace import tables, words
from fashion_rir.workspace.records import Record, read_kind

COLUMNS = {  # of the table: label and metric
    "mAP": ("articleType", "mAP"),
    "MAP@R": ("articleType", "MAP@R"),
    "colour P@10": ("baseColour", "precision@10"),
    "graded nDCG@10": ("graded", "nDCG@10"),
}


def model_table(
    folder: Path, *, data_hash: str, measure: str = "cosine"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every model that was scored on a catalogue, the best mAP first.

    Args:
        folder: a profile's results.
        data_hash: of the catalogue; models that were scored on a sample of it are left out.
        measure: one of `gallery.MEASURES`.

    Returns:
        The table: index `model`, in words, without its seed; `seeds` (how many), `dim`, `weights`;
        for each of `COLUMNS` the means over the seeds, held out and `unseen`, micro and `macro`;
        `training s` (of one seed) and `ms an image` where they were measured. And the records that
        are left out: columns `record` and `reason`.

    Raises:
        RecordError: no record is left.
    """
    kinds: dict[str, list[Record]] = {"retrieval": [], "training": [], "cost": []}
    for record in read_kind(folder):
        kinds.setdefault(record["kind"], []).append(record)
    records, left_out = _comparable(kinds["retrieval"], data_hash, measure)
    if not records:
        raise RecordError(
            f"{folder} has no retrieval record by {measure} of this catalogue under both "
            "protocols; run the notebooks first."
        )
    groups: dict[str, list[Record]] = {}
    named = words.distinct((record["inputs"]["model"] for record in records), with_seed=False)
    for name, record in zip(named, records, strict=True):
        groups.setdefault(name, []).append(record)
    table = tables.seed_table(groups, protocol="held_out", metrics=[]).set_index("model")
    for protocol in ("held_out", "unseen"):
        for average in ("micro", "macro"):
            found = tables.seed_table(groups, protocol=protocol, metrics=COLUMNS.values(),
                                       average=average).set_index("model")  # fmt: skip
            said = [word for word in (protocol, average) if word not in ("held_out", "micro")]
            for name, (label, metric) in COLUMNS.items():
                table[" ".join([name, *said])] = found[f"{label} {metric}"]
    return _with_costs(table, kinds, groups).sort_values("mAP", ascending=False), left_out


def pareto_front(
    table: pd.DataFrame, *, costs: Sequence[str] = (), gains: Sequence[str] = ()
) -> pd.Series:
    """Which rows no other row beats: none is as good in all columns and better in one.

    Args:
        table: one row a model.
        costs: columns of which less is better.
        gains: columns of which more is better.

    Returns:
        bool, by the table's index. A row that lacks one of the numbers is not on the front.

    Raises:
        ParameterError: no column, or one that the table does not have.

    Example:
        >>> table = pd.DataFrame({"ms": [1, 2, 3], "mAP": [0.2, 0.6, 0.5]}, index=["a", "b", "c"])
        >>> pareto_front(table, costs=["ms"], gains=["mAP"]).tolist()
        [True, True, False]
    """
    columns = [*costs, *gains]
    absent = [column for column in columns if column not in table]
    if absent or not columns:
        raise ParameterError(
            f"A front is drawn over columns of the table; it has no {absent or 'columns given'} "
            f"(it has: {', '.join(map(str, table.columns))})."
        )
    values = table[columns].to_numpy(dtype=np.float64, copy=True)
    values[:, : len(costs)] *= -1  # more is better everywhere
    is_as_good = (values[:, None] >= values[None]).all(axis=2)  # [one, other]: one against other
    is_better = (values[:, None] > values[None]).any(axis=2)
    is_beaten = (is_as_good & is_better).any(axis=0)
    return pd.Series(~is_beaten & np.isfinite(values).all(axis=1), index=table.index)


def _comparable(
    records: Iterable[Record], data_hash: str, measure: str
) -> tuple[list[Record], pd.DataFrame]:
    """The records of one catalogue and measure that all test products were asked for."""
    records = list(records)
    same_data = [r["inputs"]["n_queries"] for r in records if r["inputs"]["data_hash"] == data_hash]
    n_queries = max(same_data, default=0)
    kept, left_out = [], []
    for record in records:
        inputs = record["inputs"]
        if inputs["data_hash"] != data_hash:
            reason = "of another catalogue, such as a sample"
        elif inputs["measure"] != measure:
            reason = f"by {inputs['measure']}"
        elif inputs["n_queries"] != n_queries:
            reason = f"asked {inputs['n_queries']:,} of {n_queries:,} queries"
        elif not {"held_out", "unseen"} <= set(record["protocols"]):
            reason = "not under both protocols"
        else:
            kept.append(record)
            continue
        left_out.append({"record": record["name"], "reason": reason})
    return kept, pd.DataFrame(left_out, columns=["record", "reason"])


def _with_costs(
    table: pd.DataFrame,
    kinds: Mapping[str, Sequence[Record]],
    groups: Mapping[str, Sequence[Record]],
) -> pd.DataFrame:
    """The table with what each model costs to train and to embed."""
    seconds = {one["inputs_hash"]: one["timings"]["training_seconds"] for one in kinds["training"]}
    measured = [one["timings"]["ms_an_image"] for one in kinds["cost"]]
    costs = {name: cost for some in measured for name, cost in some.items()}
    trained = [
        float(np.mean([training_cost(one["inputs"]["model"], seconds) for one in groups[name]]))
        for name in table.index
    ]
    embedded = [embedding_cost(groups[name][0]["inputs"]["model"], costs) for name in table.index]
    return table.assign(**{TRAINING_COST: trained, EMBEDDING_COST: embedded})
