"""The models of a profile by mAP, one table for each set of products that was searched."""

import re
from collections.abc import Iterable, Mapping

import pandas as pd
from markupsafe import Markup

from fashion_rir.workspace import tables

METRICS = ("mAP", "hit_rate@1", "hit_rate@10", "precision@10")

MOST_ROWS = 8  # the rest is folded

_SEED = re.compile(r"-seed\d+")


def shown(records: list[dict]) -> dict[str, object]:
    """What the report says of the models of one set of products.

    Args:
        records: of kind `retrieval`, of one data hash.

    Returns:
        `of_all`, how the sentence on the table begins; `weights`, those that were trained;
        `is_stand_in`, whether those of ResNet50 are; the `first` rows as HTML, and `more`, of which
        there are `n_more`; the `legend`.

    Raises:
        RecordError: a record was not scored by articleType, held out.
    """
    inputs = records[0]["inputs"]
    table = tables.retrieval_table(
        records, protocol="held_out", label="articleType", metrics=METRICS
    )
    weights = tables.trained_weights(table["weights"])
    joints = {joint: f"[{n}]" for n, joint in enumerate(sorted(_joints(records)), start=1)}
    rows = _seeds_together(table.assign(model=[_short(name, joints) for name in table["model"]]))
    return {
        "of_all": f"{inputs['n_products']:,} products; the" if "n_products" in inputs else "The",
        "weights": weights,
        "is_stand_in": any("resnet50-v1.5" in name for name in weights),
        "first": _html(rows.head(MOST_ROWS)),
        "more": _html(rows.iloc[MOST_ROWS:]),
        "n_more": len(rows.iloc[MOST_ROWS:]),
        "legend": [f"{sign}: {joint.replace('+', ' + ')}" for joint, sign in joints.items()],
    }


def _joints(records: Iterable[Mapping]) -> set[str]:
    """The lists of embeddings, joined by `+`, that make models' names long."""
    found = set()
    for record in records:
        model = record["inputs"]["model"]
        parts = [str(model.get(key, "")).split("+")
                 for key in ("backbone", "image_size", "preprocessing")]  # fmt: skip
        joint = "+".join("-".join(part) for part in zip(*parts, strict=False))
        if "+" in joint and joint in model["model"]:
            found.add(joint)
    return found


def _short(model: str, joints: Mapping[str, str]) -> str:
    """A model's name with a sign for a list of embeddings, the longest list first."""
    for joint in sorted(joints, key=len, reverse=True):
        model = model.replace(joint, joints[joint])
    return model


def _seeds_together(table: pd.DataFrame) -> pd.DataFrame:
    """One row a model, measure and number of queries, and how sure its mAP is."""
    table = table.assign(model=table["model"].str.replace(_SEED, "", regex=True))
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
