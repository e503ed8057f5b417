"""The README's table and figure of results, made from the committed records of the full run."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from PIL import Image

from fashion_rir.errors import RecordError
from fashion_rir.evaluation import intervals
from fashion_rir.reporting import pages
from fashion_rir.studies import names
from fashion_rir.system import sha256_of, write_text
from fashion_rir.workspace import joined_store, tables, words
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.records import Record

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

FIGURE = "headline.png"

NUMBERS_KEY = "Numbers"  # of the PNG's own text: the hash of what it shows

SEEDS = (20, 21, 22)

_SOURCES = ["mobilenetv2-128-resize", "mobilenetv2-128-pad", "resnet50-224-pad"]

_THREE = names.cost_groups(_SOURCES, SEEDS)

_FIVE = ["mobilenetv2-128-resize", "mobilenetv2-128-pad", "mobilenetv2-224-resize",
         "resnet50-224-pad", "colour-histogram-64-resize"]  # fmt: skip

_ATTRIBUTES = names.attribute_groups(_FIVE, SEEDS)

_CONTRASTIVE = names.contrastive_groups(_SOURCES, SEEDS[:1])

# The best of each family by what it is: records by cosine, each of all products.
RECORDS = {
    "model": [
        _ATTRIBUTES["type-first, seeds averaged"][0],
        _ATTRIBUTES["joined, seeds averaged"][0],
        _THREE["heads of all seeds"][0],
        _CONTRASTIVE["supervised head"][0],
        _THREE["all three as they are"][0],
        "resnet50-224-resize-cosine",
        "resnet50-224-pad-cosine",
        "mobilenetv2-128-resize-cosine",
    ],
    "floor": ["product-name-cosine", "raw-pixels-16-resize-cosine", "mean-colour-32-resize-cosine",
              "chance-cosine"],
    "ceiling": ["photo-oracle-articleType-cosine"],
}  # fmt: skip

# Records that the full run makes in notebooks 06 and 08; shown once they are there.
LATER = (
    _CONTRASTIVE["supervised head"][0],
    "product-name-cosine",
    "photo-oracle-articleType-cosine",
)

COLUMNS = {  # of the table: protocol, label and metric
    "mAP": ("held_out", "articleType", "mAP"),
    "mAP, unseen": ("unseen", "articleType", "mAP"),
    "hit rate@1": ("held_out", "articleType", "hit_rate@1"),
    "precision@10": ("held_out", "articleType", "precision@10"),
    "colour precision@10": ("held_out", "baseColour", "precision@10"),
    "graded nDCG@10": ("held_out", "graded", "nDCG@10"),
}

# The single seeds of what is averaged over them.
SINGLE_SEEDS = {
    _ATTRIBUTES["type-first, seeds averaged"][0]: _ATTRIBUTES["type-first"],
    _ATTRIBUTES["joined, seeds averaged"][0]: _ATTRIBUTES["joined"],
    _THREE["heads of all seeds"][0]: _THREE["head on all three"],
}

NAME_FLOOR = "product-name-cosine"

# By what the report's first page asks of them.
TYPE_FIRST, JOINED, LABEL_HEAD, PAIR_HEAD = RECORDS["model"][:4]

# Precision@10 from the words of a type, and of a colour, to products of this data set, as published
# for Marqo-FashionSigLIP (203 million weights, trained on more than a million fashion products).
LARGE_MODEL = {"articleType": 0.629, "baseColour": 0.502}

COMPARED = {"hit rate@1": "hit_rate@1", "precision@10": "precision@10"}  # with the name's floor


def headline(workspace: Workspace) -> tuple[pd.DataFrame, list[Record]]:
    """The best of each family, floors and ceilings, held out.

    Args:
        workspace: of the full profile.

    Returns:
        Index: what a model is called, in the order of `RECORDS`; columns: `kind` (a key of
        `RECORDS`), the values of `COLUMNS` (missing where a record was made before a metric was),
        `low` and `high` of the mAP, and `weights`. And the records.

    Raises:
        RecordError: a record is missing, or two are of different profiles or catalogues.
    """
    kinds, records = [], []
    for kind, wanted in RECORDS.items():
        for name in wanted:
            if name in LATER and not result_records.is_there(workspace.results, name):
                continue
            kinds.append(kind)
            records.append(result_records.read(workspace.results, name))
    result_records.require_same(records)
    named = words.distinct(record["inputs"]["model"] for record in records)
    rows = [{"kind": kind, **_cells(record)} for kind, record in zip(kinds, records, strict=True)]
    return pd.DataFrame(rows, index=named), records


def results_section(workspace: Workspace) -> str:
    """The Markdown between the README's markers.

    Args:
        workspace: of the full profile.

    Returns:
        A sentence on what was measured, the figure, and the table of `headline`.

    Raises:
        RecordError: see `headline`.
    """
    table, records = headline(workspace)
    return pages.render(
        "results.md",
        inputs=records[0]["inputs"],
        maps=[f"{name} {value:.3f}" for name, value in table["mAP"].items()],
        figure=FIGURE,
        columns=list(COLUMNS),
        rows=map(_table_row, table.index, table.to_dict("records")),
        side_by_side=words.legend(record["inputs"]["model"] for record in records),
        weights=tables.trained_weights(table["weights"]),
        name_floor=_name_floor(workspace, records),
        seed_spread=_seed_spread(workspace),
        over_types=_over_types(workspace),
        shop=joined_store.open_model().quality if joined_store.is_here() else {},
        large_model=LARGE_MODEL,
    ).rstrip("\n")


def _name_floor(workspace: Workspace, records: list[Record]) -> list[str]:
    """What the product's name reaches, and the best model that sees photos, by protocol."""
    if not result_records.is_there(workspace.results, NAME_FLOOR):
        return []
    floor = result_records.read(workspace.results, NAME_FLOOR)
    seeing = [record for record in records if record["name"] in RECORDS["model"]]
    sentences = []
    for protocol, said in (("held_out", "held out"), ("unseen", "unseen")):
        for shown, metric in COMPARED.items():
            path = (protocol, "articleType", metric)
            best = max(found for found in (_value(one, *path) for one in seeing) if found)
            sentences.append(f"{shown} {_value(floor, *path):.3f} against {best:.3f} ({said})")
    return sentences


def _seed_spread(workspace: Workspace) -> list[str]:
    """The least and the largest mAP of the single seeds of what is averaged."""
    spreads = []
    for averaged, names_ in SINGLE_SEEDS.items():
        singles, _ = result_records.there(workspace.results, names_)
        if singles and result_records.is_there(workspace.results, averaged):
            values = [_value(record, *COLUMNS["mAP"]) for record in singles]
            spreads.append(f"{min(values):.3f} to {max(values):.3f}")
    return spreads


def _over_types(workspace: Workspace) -> dict[str, object]:
    """mAP with its interval over types, of the models that this was measured of.

    Returns:
        `models`, in words with their intervals; `wider`, how many times these are as wide as those
        over queries, on average. Nothing if it was not measured.
    """
    if not result_records.is_there(workspace.results, "over-types"):
        return {}
    record = result_records.read(workspace.results, "over-types")
    asked = [result_records.read(workspace.results, f"{name}-cosine") for name in record["models"]]
    named = words.distinct(one["inputs"]["model"] for one in asked)
    over_types = [intervals.Estimate(**one["mAP"]) for one in record["models"].values()]
    over_queries = [one.estimate(*COLUMNS["mAP"]) for one in asked]
    widths = [(one.high - one.low) / (other.high - other.low)
              for one, other in zip(over_types, over_queries, strict=True)]  # fmt: skip
    models = [f"{name} {mean}" for name, mean in zip(named, over_types, strict=True)]
    return {"models": models, "wider": sum(widths) / len(widths)}


def numbers_hash(workspace: Workspace) -> str:
    """SHA-256 of the numbers that the figure shows, as its file must name it."""
    table, _ = headline(workspace)
    shown = table[["kind", "mAP", "low", "high"]].round(intervals.DIGITS)
    return sha256_of(shown.to_csv(lineterminator="\n"))


def draw_figure(workspace: Workspace) -> Path:
    """Draw the README's figure, and write the hash of its numbers into the file.

    Args:
        workspace: of the full profile.
    """
    import matplotlib.pyplot as plt

    from fashion_rir.figures import scores

    table, _ = headline(workspace)
    by_kind = {kind: rows for kind, rows in table.groupby("kind")}
    models = by_kind["model"].reset_index(names="model")
    models = models.rename(columns={"low": "mAP low", "high": "mAP high"})
    bounds = {kind: by_kind.get(kind, table.iloc[:0])["mAP"] for kind in ("floor", "ceiling")}
    figure, _ = scores.between_bounds(
        models, "mAP", floors=dict(bounds["floor"]), ceilings=dict(bounds["ceiling"]),
        title="Real catalogue: held-out mAP by articleType",
    )  # fmt: skip
    path = workspace.figures / FIGURE
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={NUMBERS_KEY: numbers_hash(workspace)})
    plt.close(figure)
    return path


def hash_in_figure(path: Path) -> str:
    """The hash of the numbers that a figure was drawn from; empty if it names none."""
    with Image.open(path) as picture:
        return picture.text.get(NUMBERS_KEY, "")


def refreshed(text: str, section: str) -> str:
    """The README with a new section between the markers.

    Raises:
        RecordError: the markers are not there.
    """
    if BEGIN not in text or END not in text:
        raise RecordError(f"The page has lost its markers {BEGIN} and {END}; put them back.")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def write(workspace: Workspace) -> Path:
    """Write the README's section anew, and draw the figure where its numbers changed.

    Args:
        workspace: of the full profile.

    Returns:
        The README.

    Raises:
        RecordError: a record is missing, or the README has lost its markers.
    """
    path = workspace.root / "README.md"
    text = refreshed(path.read_text(encoding="utf-8"), results_section(workspace))
    write_text(path, text)
    figure = workspace.figures / FIGURE
    if not figure.exists() or hash_in_figure(figure) != numbers_hash(workspace):
        draw_figure(workspace)
    return path


def _cells(record: Record) -> dict[str, object]:
    cells: dict[str, object] = {name: _value(record, *path) for name, path in COLUMNS.items()}
    found = record.estimate(*COLUMNS["mAP"])
    cells |= {"low": found.low, "high": found.high}
    return cells | {"weights": record["inputs"]["model"]["weights"]}


def _value(record: Record, protocol: str, label: str, metric: str) -> float | None:
    """A mean over queries; None where the record was not scored so."""
    is_scored = record.has_scores(protocol, label)
    return record.estimate(protocol, label, metric).value if is_scored else None


def _table_row(name: str, row: Mapping[str, object]) -> list[str]:
    first, *others = COLUMNS
    return [
        name if row["kind"] == "model" else f"*{row['kind']}: {name}*",
        f"{row[first]:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
        *("–" if pd.isna(row[column]) else f"{row[column]:.3f}" for column in others),
    ]
