"""A data card, and a model card for each kind of trained model, written from the records.

After Gebru et al., *Datasheets for Datasets* (2021), and Mitchell et al., *Model Cards for Model
Reporting* (2019). What a card says in words stands here; every number comes from a record.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fashion_rir.studies.analysis.counts import RARE, counts
from fashion_rir.system import write_text
from fashion_rir.workspace import markdown, old_names, words
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

DATA_CARD = "data"

N_TYPES = 10  # article types whose share the data card states

MADE = "Made from the records in `../results/` by `fashion-rir cards`."

DEMO = (
    "**Demo:** drawn products, and networks that never saw a photo. The numbers carry no meaning."
)

PHOTO_LIMITS = (
    "Trained and tested on small catalogue photos, one product on a white ground; photos from a "
    "phone are harder, and this card's numbers say nothing of them.",
    "Relevant means 'has the same label'. Labels stand in for what a shopper calls similar.",
    "What is rare in the data is found badly: compare macro with micro in the records, and see "
    "the data card for who and what is rare.",
)

TYPE_TRAINED = (
    "It learned articleType, the very label that its mAP counts. Look at the colour column before "
    "using it in a shop."
)


@dataclass(frozen=True)
class Kind:
    """A kind of trained model: what its card says in words.

    Attributes:
        title: of the card.
        what: what it is and how it was trained.
        use: what it is good for, and what not.
        limits: what to know before use, beside `PHOTO_LIMITS`.
    """

    title: str
    what: str
    use: str
    limits: tuple[str, ...] = ()


KINDS = {
    "label-end-to-end": Kind(
        "Networks fine-tuned on articleType",
        "A pretrained network with a new layer and a softmax over the articleTypes, trained on "
        "the photos. Run `g` is the thesis' own recipe, the others change one thing of it each; "
        "`done-right` is a careful recipe.",
        "Made to explain the thesis' model g (notebook 04). For a search, take a head on stored "
        "embeddings: it is better and trains in a minute.",
        (TYPE_TRAINED,),
    ),
    "from-scratch": Kind(
        "Small networks trained from nothing",
        "Small convolutional networks with random weights, trained on articleType, without any "
        "pretrained network.",
        "For places where pretrained weights may not be used (notebook 08).",
        (TYPE_TRAINED,),
    ),
    "contrastive-end-to-end": Kind(
        "Networks trained on pairs of photos",
        "A network with a projection head, trained so that two augmented views of a product, or "
        "two products of a type, come close. Run `h-32` is the thesis' model h, run `i` its model "
        "i from random weights.",
        "Made to test the thesis' models h and i and its recommendations (notebook 05).",
    ),
    "label-heads": Kind(
        "Heads on stored embeddings, trained on one label",
        "A small network on the stored embeddings of frozen backbones: a linear probe is a "
        "softmax alone, a dense head has a hidden layer. What is searched is the square root of "
        "its class posterior, or its hidden layer, or the posterior beside a share of the "
        "embeddings.",
        "A search by type (posterior); a shop's search, where colour matters too (posterior with "
        "a share of the pretrained embeddings put back).",
        (TYPE_TRAINED,),
    ),
    "attribute-heads": Kind(
        "Heads on stored embeddings, trained on several labels",
        "One hidden layer on the stored embeddings of frozen backbones, with a softmax for each "
        "label. What is searched joins the posteriors, each with a share; the validated head kept "
        "products aside, by which the shares were chosen.",
        "A shop's search for products that share type, colour, gender and usage (notebook 08).",
        ("It learned the very labels that the scores count.",),
    ),
    "contrastive-heads": Kind(
        "Contrastive heads on stored embeddings",
        "A small network on the stored embeddings of frozen backbones, trained so that products "
        "of a type come close, with no softmax or beside one.",
        "A search by type that is trained in minutes (notebook 05).",
        (TYPE_TRAINED,),
    ),
}

SCORES = {  # column: protocol, label, metric
    "mAP, held out": ("held_out", "articleType", "mAP"),
    "mAP, unseen": ("unseen", "articleType", "mAP"),
    "type P@10": ("held_out", "articleType", "precision@10"),
    "colour P@10": ("held_out", "baseColour", "precision@10"),
}


def texts(workspace: Workspace) -> tuple[dict[str, str], list[str]]:
    """All cards of a profile, and what is missing for more.

    Args:
        workspace: says where the records lie.

    Returns:
        Markdown by the card's name (`data`, or a key of `KINDS`), and a sentence for each card
        that has no record yet.

    Raises:
        RecordError: a record is damaged, or of another schema version.
    """
    cards, missing = {}, []
    records = _records(workspace.results)
    if "eda" in records:
        cards[DATA_CARD] = data_card(records["eda"])
    else:
        missing.append("The data card needs the record of notebook 01.")
    trainings: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    for record in records.values():
        if record["kind"] == "training":
            trainings[kind_of(record)].append(record)
    for kind, found in trainings.items():
        if found:
            cards[kind] = model_card(KINDS[kind], found, records.values())
        else:
            missing.append(f"No training is recorded for the card '{KINDS[kind].title}'.")
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


def kind_of(record: Mapping) -> str:
    """The key in `KINDS` of a record of kind `training`."""
    inputs = record["inputs"]
    if "core" in inputs:
        if "objective" in inputs:
            return "contrastive-end-to-end"
        return "from-scratch" if str(inputs["run"]).startswith("scratch") else "label-end-to-end"
    if "objective" in inputs:
        return "contrastive-heads"
    return "attribute-heads" if "labels" in inputs else "label-heads"


def data_card(record: Mapping) -> str:
    """The data card, from the record `eda`."""
    repairs, inputs = record["repairs"], record["inputs"]
    n_products = inputs["n_products"]
    lines = [
        "# Data card: Fashion Product Images (Small)",
        "",
        *_demo_note(inputs),
        "## Origin and licence",
        "",
        "Published by Param Aggarwal on Kaggle under the MIT licence: the catalogue of a fashion "
        "shop, by its Kurtas and Sarees an Indian one. The small edition has photos of 60x80 "
        "pixels. Neither photos nor product table are part of this project.",
        "",
        "## Counts",
        "",
        f"{n_products:,} products are used, of {repairs['rows in styles.csv']:,} rows; "
        f"{repairs['products without a photo']:,} rows have no photo. Data hash "
        f"`{inputs['data_hash'][:12]}`.",
        "",
        *markdown.table(("label", "classes", "missing"), _class_rows(record)),
        "",
        "## Known faults",
        "",
        *_fault_lines(record),
        "",
        "## Who and what is over-represented",
        "",
        *_bias_lines(record),
        "",
        "## Use",
        "",
        "Good for comparing methods of search on clean catalogue photos. Not good for claims "
        "about people, about photos that shoppers take, or about shops elsewhere: gender is the "
        "shop's own department, not a property of anyone, and the range is that of one shop.",
        "",
        MADE,
    ]
    return "\n".join(lines) + "\n"


def model_card(kind: Kind, trainings: Sequence[Mapping], records: Iterable[Mapping]) -> str:
    """The card of a kind of model.

    Args:
        kind: its words.
        trainings: its records of kind `training`.
        records: where its records of kind `retrieval` are among.
    """
    trained = {_identity(_model(one)) for one in trainings}
    by_cosine = [one for one in records if one["kind"] == "retrieval"
                 and one["inputs"]["measure"] == "cosine"]  # fmt: skip
    scored = [one for one in by_cosine if _identity(_model(one)) in trained]
    inputs = trainings[0]["inputs"]
    side_by_side = words.legend(map(_model, trainings))
    lines = [
        f"# Model card: {kind.title}",
        "",
        *_demo_note(inputs),
        kind.what,
        "",
        "## Training",
        "",
        *markdown.table(
            ("model", "seeds", "fitted on", "validation", "asked", "epochs", "minutes",
             "accuracy", "first seed's inputs"),
            _training_rows(trainings),
        ),
        "",
        *(f"{line}.\n" for line in side_by_side),
        "Accuracy is of articleType on test products, micro, the mean over seeds; a model without "
        "classifier has none. No test product and no identical copy of one was trained on. Split "
        f"of seed {inputs.get('split_seed', inputs['seed'])}. {_products_and_pixels(trainings)}",
        "",
        "## Retrieval",
        "",
        *_retrieval_lines(_by_name(scored)),
        "",
        f"Starting weights: {', '.join(_starting_weights(trainings))}.{_stand_in(trainings)}",
        "",
        "## Intended use",
        "",
        kind.use,
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in (*kind.limits, *PHOTO_LIMITS)),
        "",
        MADE,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _records(folder: Path) -> dict[str, dict]:
    names = sorted(path.stem for path in folder.glob("*.json"))
    return {name: result_records.read(folder, name) for name in names}


def _demo_note(inputs: Mapping) -> list[str]:
    return [DEMO, ""] if inputs["profile"] == "demo" else []


def _class_rows(record: Mapping) -> list[tuple]:
    return [(f"`{label}`", len(values), record["missing"].get(label, 0))
            for label, values in record["counts"].items()]  # fmt: skip


def _fault_lines(record: Mapping) -> list[str]:
    copies, repairs = record["identical"], record["repairs"]
    by_name, without = (
        record["told_by_name"][key]
        for key in (
            "accuracy by the name",
            "accuracy by the name without the type's own words",
        )
    )
    lines = [
        f"- {copies['photos']:,} products share their photo with another, byte for byte, in "
        f"{copies['groups']:,} groups. Copies are kept on one side of every split.",
        f"- Of these groups, {copies['groups that disagree in articleType']} disagree in "
        f"articleType, {copies['groups that disagree in gender']} in gender, and "
        f"{copies['groups that disagree in baseColour']} in colour: a floor of label noise.",
        f"- {repairs['photos of another size than 60x80']:,} photos have another size.",
        f"- The product name tells the type: reading nothing but the name finds it for "
        f"{by_name:.0%} of the products, and without the type's own words for {without:.0%}. A "
        "model that sees names is not a model of photos.",
    ]
    missing = {key: count for key, count in record["missing"].items() if count}
    if missing:
        listed = ", ".join(f"{key} ({count:,})" for key, count in missing.items())
        lines.append(f"- Values are missing in {listed}.")
    return lines


def _bias_lines(record: Mapping) -> list[str]:
    counted = {column: counts(dict(record), column) for column in record["counts"]}
    types, years = counted["articleType"], counted["year"]
    children = sum(counted["gender"].get(name, 0) for name in ("Boys", "Girls"))
    adults = ", ".join(
        f"{name} {_share(counted['gender'], name)}" for name in counted["gender"].index
    )
    first = ", ".join(f"{name} {_share(types, name)}" for name in types.index[:N_TYPES])
    rare = int((types < RARE).sum())
    return [
        f"- **People:** {adults}. Children (boys and girls) are "
        f"{children / counted['gender'].sum():.1%}.",
        f"- **Categories:** {_listed(counted['masterCategory'])}.",
        f"- **Types:** the {min(N_TYPES, len(types))} most frequent of {len(types)} hold "
        f"{types.head(N_TYPES).sum() / types.sum():.0%}: {first}. {rare} types have fewer than "
        f"{RARE} products; micro means hardly see them.",
        f"- **Usage and season:** {_listed(counted['usage'])}; {_listed(counted['season'])}.",
        f"- **Colours:** {_listed(counted['baseColour'])}.",
        f"- **Years:** {years.index.min()} to {years.index.max()}, most of "
        f"{years.idxmax()} ({_share(years, years.idxmax())}).",
    ]


def _listed(counts: pd.Series, most: int = 5) -> str:
    shown = ", ".join(f"{name} {_share(counts, name)}" for name in counts.index[:most])
    left = len(counts) - most
    return f"{shown}, {left} more" if left > 0 else shown


def _share(counts: pd.Series, name: object) -> str:
    return f"{counts[name] / counts.sum():.1%}"


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
    return f"Trained and tested on {'; '.join(told)}."


def _accuracy(record: Mapping) -> float | None:
    """Of articleType, micro: stored by label where several were learned."""
    accuracy = record.get("accuracy", {})
    return accuracy.get("articleType", accuracy).get("micro")


def _retrieval_lines(scored: Mapping[str, Sequence[Mapping]]) -> list[str]:
    if not scored:
        return ["No retrieval by cosine is recorded of these models yet."]
    head = ("model, what is searched", "seeds", *SCORES, "spread of mAP", "95 % interval of mAP",
            "weights SHA-256")  # fmt: skip
    return [
        "By cosine; all test products ask; means over seeds. The spread is the standard deviation "
        "over seeds. The interval (over queries) and the weights are the first seed's.",
        "",
        *markdown.table(head, [(name, len(found), *_score_cells(found))
                               for name, found in scored.items()]),
    ]  # fmt: skip


def _score_cells(records: Sequence[Mapping]) -> tuple:
    cells = []
    for protocol, label, metric in SCORES.values():
        found = [value for one in records if (value := _score(one, protocol, label, metric))]
        if not found:
            cells.append("")
            continue
        cells.append(f"{sum(estimate['value'] for estimate in found) / len(found):.3f}")
    maps = [_score(one, *SCORES["mAP, held out"]) for one in records]
    spread = f"{pd.Series([one['value'] for one in maps]).std():.3f}" if len(maps) > 1 else ""
    interval = f"{maps[0]['low']:.3f} to {maps[0]['high']:.3f}"
    return *cells, spread, interval, f"`{records[0]['inputs']['model']['weights_sha256'][:12]}`"


def _score(record: Mapping, protocol: str, label: str, metric: str) -> dict[str, float] | None:
    found = record["protocols"].get(protocol, {}).get("labels", {}).get(label, {})
    return found.get("micro", {}).get(metric)


def _by_name(records: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The seeds of each model together, by what it is called."""
    records = sorted(records, key=lambda one: int(_model(one)["seed"]))
    groups: dict[str, list[Mapping]] = {}
    names = words.distinct(map(_model, records), with_seed=False)
    for name, record in sorted(zip(names, records, strict=True), key=lambda pair: pair[0]):
        groups.setdefault(name, []).append(record)
    return groups


def _model(record: Mapping) -> dict[str, object]:
    """The model of a training, or of a retrieval with what was trained, as `words` takes it."""
    inputs = record["inputs"]
    if record["kind"] == "retrieval":
        return old_names.completed(inputs["model"])
    statistics = {key: inputs[key] for key in ("statistics",) if key in inputs}
    about = {"family": kind_of(record), "run": inputs["run"], "seed": str(inputs["seed"])}
    return {**inputs["model"], **about, **statistics, "model": record["name"]}


def _identity(model: Mapping[str, object]) -> tuple:
    """What a training and the retrieval with its network have in common."""
    keys = ("family", "run", "seed", "statistics", "features", "backbone", "image_size")
    return tuple(model.get(key) for key in keys)


def _starting_weights(trainings: Sequence[Mapping]) -> list[str]:
    named = (str(one["inputs"]["model"]["weights"]).split("+") for one in trainings)
    return sorted({name for names in named for name in names})


def _stand_in(trainings: Sequence[Mapping]) -> str:
    if not any("resnet50-v1.5" in name for name in _starting_weights(trainings)):
        return ""
    return (
        " The ResNet50 weights are a stand-in for the Keras release, for non-commercial use only."
    )
