"""The models of a profile by mAP, one table for each set of products that was searched."""

from collections.abc import Container, Sequence

import pandas as pd
from markupsafe import Markup

from fashion_rir.workspace import tables, words
from fashion_rir.workspace.records import Record

METRICS = ("mAP", "hit_rate@1", "hit_rate@10", "precision@10")

MOST_ROWS = 8  # of the report; the rest is folded


def scores(
    records: Sequence[Record], *, protocol: str = "held_out", label: str = "articleType",
    with_seed: bool = True, collapsed: Container[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """The models of one set of products, the best first.

    Args:
        records: of kind `retrieval`, of one data hash.
        protocol: one of `protocols.PROTOCOLS`.
        label: what makes a product relevant.
        with_seed: whether models' names say the seed.
        collapsed: as for `shown`.

    Returns:
        `tables.retrieval_table` with the models' names in words, each its own.

    Raises:
        RecordError: a record was not scored so.
    """
    models = [record["inputs"]["model"] for record in records]
    named = [
        f"{name} (collapsed: says nothing of its method)" if model["model"] in collapsed else name
        for name, model in zip(words.distinct(models, with_seed=with_seed), models, strict=True)
    ]
    return tables.retrieval_table(
        [_with_name(record, name) for record, name in zip(records, named, strict=True)],
        protocol=protocol, label=label, metrics=METRICS,
    )  # fmt: skip


def shown(records: Sequence[Record], *, collapsed: Container[str] = ()) -> dict[str, object]:
    """What the report says of the models of one set of products.

    Args:
        records: of kind `retrieval`, of one data hash.
        collapsed: the models' names whose training came to nothing; it is said beside their scores.

    Returns:
        `of_all`, how the sentence on the table begins; `weights`, those that were trained;
        `is_stand_in`, whether those of ResNet50 are; the `first` rows as HTML, and `more`, of which
        there are `n_more`; the `legend`.

    Raises:
        RecordError: a record was not scored by articleType, held out.
    """
    inputs = records[0]["inputs"]
    table = scores(records, with_seed=False, collapsed=collapsed)
    weights = tables.trained_weights(table["weights"])
    rows = _seeds_together(table)
    return {
        "of_all": f"{inputs['n_products']:,} products; the" if "n_products" in inputs else "The",
        "weights": weights,
        "is_stand_in": any("resnet50-v1.5" in name for name in weights),
        "first": _html(rows.head(MOST_ROWS)),
        "more": _html(rows.iloc[MOST_ROWS:]),
        "n_more": len(rows.iloc[MOST_ROWS:]),
        "legend": words.legend(record["inputs"]["model"] for record in records),
    }


def _with_name(record: Record, name: str) -> Record:
    model = record["inputs"]["model"] | {"model": name}
    return Record(record | {"inputs": record["inputs"] | {"model": model}})


def _seeds_together(table: pd.DataFrame) -> pd.DataFrame:
    """One row a model, measure and number of queries, and how sure its mAP is."""
    rows = []
    for (model, measure, queries), found in table.groupby(["model", "measure", "queries"]):
        low, high = found[["mAP low", "mAP high"]].iloc[0]
        is_one = len(found) == 1
        sure = f"{low:.3f} to {high:.3f}" if is_one else f"± {found['mAP'].std():.3f} over seeds"
        means = {metric.replace("_", " "): found[metric].mean() for metric in METRICS}
        row = {"model": model, "mAP": means.pop("mAP"), "95 % interval, or spread": sure, **means}
        rows.append({**row, "measure": measure, "seeds": len(found), "queries": queries})
    return pd.DataFrame(rows).sort_values("mAP", ascending=False, kind="stable")


def _html(table: pd.DataFrame) -> Markup:
    return Markup(table.to_html(index=False, border=0, float_format="{:.3f}".format))
