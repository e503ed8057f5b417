"""What a paired comparison changes, in the few words that a figure's row has room for."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import words

NAMES = {"cosine": "cosine", "euclidean": "Euclidean", "manhattan": "Manhattan"}

COLUMNS = ("group", "name", "value", "low", "high")


def parts(model: Mapping[str, object], measure: str) -> dict[str, str]:
    """A pretrained model and its measure, piece by piece, in words.

    Args:
        model: a record's `inputs.model`.
        measure: one of `gallery.MEASURES`.

    Example:
        >>> model = {"backbone": "resnet50", "preprocessing": "pad", "transform": "l2"}
        >>> parts(model, "euclidean")
        {'network': 'ResNet50', 'how': 'padded', 'transform': 'length 1', 'measure': 'Euclidean'}
    """
    backbone, how = str(model["backbone"]), str(model["preprocessing"])
    transform = str(model.get("transform", ""))
    said = words.WORDS.get(transform, transform).replace("scaled to ", "")
    return {"network": words.WORDS.get(backbone, backbone), "how": words.WORDS.get(how, how),
            "transform": said, "measure": NAMES[measure]}  # fmt: skip


def table(
    folder: Path, comparisons: Iterable[Mapping], *, metric: str = "mAP", with_second: bool = True
) -> pd.DataFrame:
    """Paired differences, named by what is changed and grouped by what stays.

    Args:
        folder: the results where the compared records lie.
        comparisons: records of kind `comparison`.
        metric: one that was compared.
        with_second: whether the name says what is subtracted; where that is the same in all rows, a
            figure's title says it better.

    Returns:
        Columns `group` (the network, or both of them, and how photos are squared where that stays
        the same), `name` (what differs, first − second, and the measure where both share it),
        `value`, `low` and `high`; one group behind the other, each in the comparisons' order.

    Raises:
        RecordError: a compared record is missing.
    """
    rows = []
    for comparison in comparisons:
        sides = []
        for side in ("first", "second"):
            inputs = result_records.read(folder, comparison["inputs"][side])["inputs"]
            sides.append(parts(inputs["model"], inputs["measure"]))
        found = comparison["differences"][metric]
        rows.append(
            (*_named(*sides, with_second=with_second), *(found[key] for key in COLUMNS[2:]))
        )
    groups = list(dict.fromkeys(row[0] for row in rows))
    rows.sort(key=lambda row: groups.index(row[0]))  # stable: a group's rows keep their order
    return pd.DataFrame(rows, columns=COLUMNS)


def _named(
    first: Mapping[str, str], second: Mapping[str, str], *, with_second: bool
) -> tuple[str, str]:
    """The group and the name of a comparison."""
    differs = [key for key in first if first[key] != second[key]]
    if "network" in differs:
        group = f"{first['network']} − {second['network']}"
        differs.remove("network")
    else:
        group = ", ".join(first[key] for key in ("network", "how") if key not in differs)
    if not with_second:
        return group, ", ".join(filter(None, (first["transform"], first["measure"])))
    name = " − ".join(" ".join(one[key] or "raw" for key in differs) for one in (first, second))
    name = name if differs else f"both {first['how']}"
    return group, name if "measure" in differs else f"{name}, {first['measure']}"
