"""In what our runs differ from the thesis' set-up, and whether one came to nothing.

A claim that is not found again in another set-up is not refuted: other weights, fewer products or
smaller photos may be the reason. One that is found again holds there too.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from fashion_rir.evaluation.collapse import signs_of_collapse
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.records import Record

# Of ResNet50: other weights of the same network, for those of Keras.
STAND_IN = "resnet50-v1.5-pqf-imagenet"

THESIS_PIXELS = {"mobilenetv2": 128, "resnet50": 224}

TRAINED_BACKBONE = "resnet50"  # the only network that the thesis trains

_SETTLED_RUNS = ("frozen", "fixed-norm", "done-right")  # of batch normalisation that does not learn


def models_of(record: Record, records: Mapping[str, Record]) -> list[dict]:
    """The models that a record speaks of, each as a mapping of fields.

    Args:
        record: any.
        records: by name; of a comparison, what it compares is looked up there.
    """
    inputs = record["inputs"]
    if "model" in inputs:
        return [inputs["model"]]
    if "models" in inputs and isinstance(inputs["models"], Mapping):
        return [*inputs["models"].values()]
    parents = [records[name] for name in inputs.get("parents", {}) if name in records]
    return [model for parent in parents for model in models_of(parent, records)]


def differences(names: Iterable[str], records: Mapping[str, Record], n_all: int) -> list[str]:
    """In what the runs behind some records differ from the thesis' set-up, in words.

    Args:
        names: of records.
        records: by name.
        n_all: products of the whole catalogue.

    Returns:
        Each difference once; nothing where there is none.
    """
    found: dict[str, None] = {}
    for name in names:
        n_products = records[name]["inputs"].get("n_products", n_all)
        is_sample = n_products < n_all
        if is_sample:
            found[f"{n_products:,} of {n_all:,} products"] = None
        for model in models_of(records[name], records):
            found |= dict.fromkeys(_of_model(model, is_sample))
    return list(found)


def collapsed(folder: Path) -> dict[str, list[str]]:
    """The models of a profile that came to nothing, by name, and the signs of it.

    Args:
        folder: a profile's results.

    Raises:
        RecordError: a record is damaged.
    """
    found: dict[str, list[str]] = {}
    for record in result_records.read_kind(folder):
        if record["kind"] == "spread":
            model = record["inputs"]["model"]["model"]
            signs = signs_of_collapse(similarity=record["similarity"])
        elif record["kind"] == "training":
            model, signs = record["name"], signs_of_collapse(accuracy=record.get("accuracy"))
        else:
            continue
        if signs:
            found.setdefault(model, []).extend(signs)
    return found


def _of_model(model: Mapping, is_sample: bool) -> Iterable[str]:
    """The differences of one model."""
    family = str(model.get("family", ""))
    if STAND_IN in str(model.get("weights", "")):
        yield "stand-in weights of ResNet50"
    if family.endswith("-heads"):
        yield "a head on stored embeddings in place of a trained network"
        return
    backbone, pixels = str(model.get("backbone", "")), str(model.get("image_size", ""))
    if family and backbone in THESIS_PIXELS and backbone != TRAINED_BACKBONE:
        yield "MobileNetV2 in place of ResNet50"
    wanted = THESIS_PIXELS[TRAINED_BACKBONE if family else backbone] if (
        backbone in THESIS_PIXELS
    ) else None  # fmt: skip
    if wanted and pixels.isdigit() and int(pixels) < wanted:
        yield f"{pixels} of {wanted} pixels"
    learns = family.endswith("-end-to-end") and not any(
        word in str(model.get("run", "")) for word in _SETTLED_RUNS
    )
    if learns and is_sample and model.get("statistics") != "settled":
        yield "batch statistics that had no time to settle"
