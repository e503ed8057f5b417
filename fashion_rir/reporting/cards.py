"""A data card, and a model card for each kind of trained model, written from the records.

After Gebru et al., *Datasheets for Datasets* (2021), and Mitchell et al., *Model Cards for Model
Reporting* (2019). What a card says in words stands in `cards.yaml` and `templates/`; every number
comes from a record.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from fashion_rir.reporting import pages
from fashion_rir.studies.analysis.counts import RARE, counts
from fashion_rir.system import write_text
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import words
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.records import Record

DATA_CARD = "data"

WORDS = Path(__file__).with_name("cards.yaml")

N_TYPES = 10  # article types whose share the data card states

N_LISTED = 5  # classes that it names of the other labels

SCORES = {  # column: protocol, label, metric
    "mAP, held out": ("held_out", "articleType", "mAP"),
    "mAP, unseen": ("unseen", "articleType", "mAP"),
    "type P@10": ("held_out", "articleType", "precision@10"),
    "colour P@10": ("held_out", "baseColour", "precision@10"),
}


@functools.cache
def kinds() -> dict[str, dict]:
    """What the cards of each kind of trained model say in words: title, what, use, limits."""
    return yaml.safe_load(WORDS.read_text(encoding="utf-8"))


def texts(workspace: Workspace) -> tuple[dict[str, str], list[str]]:
    """All cards of a profile, and what is missing for more.

    Args:
        workspace: says where the records lie.

    Returns:
        Markdown by the card's name (`data`, or a key of `kinds`), and a sentence for each card
        that has no record yet.

    Raises:
        RecordError: a record is damaged, or of another schema version.
    """
    cards, missing = {}, []
    records = {record["name"]: record for record in result_records.read_kind(workspace.results)}
    if "eda" in records:
        cards[DATA_CARD] = data_card(records["eda"])
    else:
        missing.append("The data card needs the record of notebook 01.")
    trainings: dict[str, list[dict]] = {kind: [] for kind in kinds()}
    for record in records.values():
        if record["kind"] == "training":
            trainings[_model(record)["family"]].append(record)
    for kind, found in trainings.items():
        if found:
            cards[kind] = model_card(kind, found, records.values())
        else:
            missing.append(f"No training is recorded for the card '{kinds()[kind]['title']}'.")
    return cards, missing


def write(workspace: Workspace) -> tuple[list[Path], list[str]]:
    """Write the cards to `reports/<profile>/cards/`; see `texts`.

    A card whose records are gone is removed.

    Raises:
        FashionRirError: as `texts`, or the folder cannot be written.
    """
    cards, missing = texts(workspace)
    folder = card_folder(workspace)
    for path in folder.glob("*.md"):
        if path.stem not in cards:
            path.unlink()
    for name, text in cards.items():
        write_text(folder / f"{name}.md", text)
    return [folder / f"{name}.md" for name in cards], missing


def card_folder(workspace: Workspace) -> Path:
    """Where the cards of a profile lie."""
    return workspace.results.parent / "cards"


def data_card(record: Mapping) -> str:
    """The data card, from the record `eda`."""
    counted = {column: counts(dict(record), column) for column in record["counts"]}
    types, genders, years = counted["articleType"], counted["gender"], counted["year"]
    children = sum(genders.get(name, 0) for name in ("Boys", "Girls"))
    missing = record["missing"]
    return pages.render(
        "data-card.md",
        **{key: record[key] for key in ("inputs", "repairs", "identical", "told_by_name")},
        classes=[(f"`{label}`", len(values), missing.get(label, 0))
                 for label, values in record["counts"].items()],
        missing=[f"{key} ({count:,})" for key, count in missing.items() if count],
        counted=counted,
        first=_first,
        children=children / genders.sum(),
        frequent=_shares(types)[:N_TYPES],
        share_of_frequent=types.head(N_TYPES).sum() / types.sum(),
        n_rare=int((types < RARE).sum()),
        rare=RARE,
        best_year=f"{years.idxmax()} ({years.max() / years.sum():.1%})",
    )  # fmt: skip


def model_card(kind: str, trainings: Sequence[Record], records: Iterable[Record]) -> str:
    """The card of a kind of model.

    Args:
        kind: one of `kinds`.
        trainings: its records of kind `training`.
        records: where its records of kind `retrieval` are among.
    """
    trained = {one["inputs_hash"] for one in trainings}
    by_cosine = [one for one in records if one["kind"] == "retrieval"
                 and one["inputs"]["measure"] == "cosine"]  # fmt: skip
    scored = [one for one in by_cosine if _model(one).get("training") in trained]
    named = (str(one["inputs"]["model"]["weights"]).split("+") for one in trainings)
    weights = sorted({name for names in named for name in names})
    return pages.render(
        "model-card.md",
        **kinds()[kind],
        inputs=trainings[0]["inputs"],
        trainings=_training_rows(trainings),
        side_by_side=words.legend(map(_model, trainings)),
        products_and_pixels=_products_and_pixels(trainings),
        metrics=list(SCORES),
        scores=[(name, len(found), *_score_cells(found))
                for name, found in _by_name(scored).items()],
        weights=weights,
        is_stand_in=any("resnet50-v1.5" in name for name in weights),
    )  # fmt: skip


def _shares(counts: pd.Series) -> list[str]:
    return [f"{name} {count / counts.sum():.1%}" for name, count in counts.items()]


def _first(counts: pd.Series, most: int = N_LISTED) -> str:
    left = len(counts) - most
    return ", ".join(_shares(counts)[:most]) + (f", {left} more" if left > 0 else "")


def _training_rows(trainings: Sequence[Mapping]) -> list[tuple]:
    rows = []
    for name, found in _by_name(trainings).items():
        inputs = found[0]["inputs"]
        accuracies = [value for one in found if (value := _accuracy(one)) is not None]
        accuracy = f"{sum(accuracies) / len(accuracies):.3f}" if accuracies else ""
        minutes = sum(one["timings"]["training_seconds"] for one in found) / len(found) / 60
        sizes = [f"{inputs[key]:,}" for key in ("n_fit", "n_validation", "n_test")]
        rows.append((name, len(found), *sizes, len(found[0]["curve"]), f"{minutes:.1f}", accuracy,
                     f"`{found[0]['inputs_hash'][:12]}`"))  # fmt: skip
    return rows


def _products_and_pixels(trainings: Sequence[Mapping]) -> str:
    """On how many products, and on pictures of what size, models were trained."""
    sizes: dict[int, set[int]] = {}
    for one in trainings:
        pixels = {int(size) for size in str(one["inputs"]["model"]["image_size"]).split("+")}
        sizes.setdefault(one["inputs"]["n_products"], set()).update(pixels)
    told = [f"{n:,} products at {' or '.join(map(str, sorted(pixels)))} pixels"
            for n, pixels in sorted(sizes.items())]  # fmt: skip
    return "; ".join(told)


def _accuracy(record: Mapping) -> float | None:
    """Of articleType, micro: stored by label where several were learned."""
    accuracy = record.get("accuracy", {})
    return accuracy.get("articleType", accuracy).get("micro")


def _score_cells(records: Sequence[Record]) -> tuple:
    cells = []
    for protocol, label, metric in SCORES.values():
        scored = [one for one in records if one.has_scores(protocol, label)]
        found = [one.estimate(protocol, label, metric).value for one in scored]
        cells.append(f"{sum(found) / len(found):.3f}" if found else "")
    maps = [one.estimate(*SCORES["mAP, held out"]) for one in records]
    spread = f"{pd.Series([one.value for one in maps]).std():.3f}" if len(maps) > 1 else ""
    interval = f"{maps[0].low:.3f} to {maps[0].high:.3f}"
    return *cells, spread, interval, f"`{_model(records[0])['weights_sha256'][:12]}`"


def _by_name(records: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The seeds of each model together, by what it is called."""
    records = sorted(records, key=lambda one: int(_model(one)["seed"]))
    groups: dict[str, list[Mapping]] = {}
    names = words.distinct(map(_model, records), with_seed=False)
    for name, record in sorted(zip(names, records, strict=True), key=lambda pair: pair[0]):
        groups.setdefault(name, []).append(record)
    return groups


def _model(record: Mapping) -> dict[str, str]:
    """The model of a record, as `words` takes it."""
    named = {"model": record["name"]} if record["kind"] == "training" else {}
    return record["inputs"]["model"] | named
