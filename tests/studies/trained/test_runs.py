"""runs: who is trained on, where it is kept, and what the record says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data.labels import LabelClasses
from fashion_rir.data.splits import Split
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
SIZES = {"Shirts": 200, "Ties": 100, "Tops": 40, "Socks": 6, "Belts": 2, "Scarves": 1}
INPUTS = {"profile": "quick", "data_hash": "abc", "seed": SEED}
CURVE = pd.DataFrame({"epoch": [1, 2], "loss": [1.23456789, 0.5], "val_loss": [2.0, np.nan]})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


@pytest.fixture
def shop(catalog_folder: Path) -> catalog.Catalog:
    return catalog.load(catalog_folder)


def products(n_same: int) -> pd.DataFrame:
    """A catalogue's table where `n_same` products of a type in a row share a photo."""
    types = np.repeat(list(SIZES), list(SIZES.values()))
    photos = [f"{kind} {number // n_same}" for kind, n in SIZES.items() for number in range(n)]
    return pd.DataFrame({"articleType": types, "image_sha256": photos})


def sides(parts: Split) -> np.ndarray:
    """bool, shape (3, n_products): fit, validation and test."""
    return np.stack([parts.is_fit, parts.is_validation, parts.is_test])


@pytest.mark.parametrize("n_same", [1, 2, 3])
def test_every_product_has_one_part(n_same: int) -> None:
    parts = splits.split(products(n_same), seed=SEED)
    assert (sides(parts).sum(axis=0) == 1).all()
    assert sides(parts).any(axis=1).all()


@pytest.mark.parametrize("n_same", [2, 3])
def test_identical_photos_stay_together(n_same: int) -> None:
    table = products(n_same)
    table = table.sample(frac=1, random_state=0)  # identical ones are not neighbours
    side = sides(splits.split(table, seed=SEED)).argmax(axis=0)
    assert (pd.Series(side, index=table.index).groupby(table["image_sha256"]).nunique() == 1).all()


def test_a_fifth_asks_and_a_tenth_of_the_rest_validates() -> None:
    table = products(1)
    parts = splits.split(table, seed=SEED)
    counts = [table["articleType"][side].value_counts() for side in sides(parts)]
    fit, validation, test = (count.reindex(list(SIZES)).fillna(0).tolist() for count in counts)
    assert test == [40, 20, 8, 1, 0, 0]
    assert validation == [16, 8, 3, 0, 0, 0]  # of 160, 80, 32 and 5
    assert fit == [144, 72, 29, 5, 2, 1]


@pytest.mark.parametrize("n_same", [1, 2, 3])
def test_every_type_keeps_a_product_to_learn_from(n_same: int) -> None:
    table = products(n_same)
    for seed in range(5):
        parts = splits.split(table, seed=seed)
        assert set(table["articleType"][parts.is_fit]) == set(SIZES)


def test_the_seed_says_who_is_where() -> None:
    table = products(2)
    parts = splits.split(table, seed=SEED)
    assert (sides(splits.split(table, seed=SEED)) == sides(parts)).all()
    other = sides(splits.split(table, seed=SEED + 1))
    assert (other != sides(parts)).any(axis=1).all()
    assert (parts.is_test == splits.is_test_product(table, seed=SEED)).all()  # who asks elsewhere


def test_another_plan_is_kept_elsewhere(workspace: Workspace) -> None:
    place = runs.folder(workspace, "probe-seed20", INPUTS)
    assert place.parent == workspace.trained_models
    assert place.name == f"probe-seed20-{result_records.hash_inputs(INPUTS)[:8]}"
    assert runs.folder(workspace, "probe-seed20", dict(INPUTS)) == place
    assert runs.folder(workspace, "probe-seed20", INPUTS | {"seed": 21}) != place
    assert runs.folder(workspace, "probe-seed21", INPUTS) != place


def test_what_the_numbers_depend_on(workspace: Workspace, shop: catalog.Catalog) -> None:
    place = np.arange(12)
    parts = Split(place < 7, (place >= 7) & (place < 9), place >= 9)
    base = {"model": "resnet50-96-pad", "image_size": 96, "data_hash": "of the store"}
    inputs = runs.describe(Study(workspace, shop), base, parts, SEED)
    assert inputs.pop("backend") in ("tensorflow", "jax", "torch")
    assert inputs == {
        "profile": "quick",
        "data_hash": shop.data_hash,
        "n_products": 12,
        "n_fit": 7,
        "n_validation": 2,
        "n_test": 3,
        "model": {"model": "resnet50-96-pad", "image_size": "96"},
        "seed": SEED,
    }
    assert result_records.hash_inputs(inputs)  # it can be written as JSON


def test_label_scores() -> None:
    classes = LabelClasses("articleType", ("Shirts", "Ties"))
    posterior = np.array([[0.75, 0.25], [0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    scores = runs.label_scores(np.log(posterior), np.array([0, 1, 1, -1]), classes)
    assert scores == {
        "n_classes": 2,
        "accuracy": {"micro": round(2 / 3, 6), "macro": 0.75, "top5": 1.0},
        "confused_pairs": [{"true": "Ties", "predicted": "Shirts", "products": 1, "share": 0.5}],
        "calibration": [{"confidence": 0.75, "accuracy": round(2 / 3, 6), "products": 3}],
        "calibration_error": round(0.75 - 2 / 3, 6),
    }
    assert json.loads(json.dumps(scores)) == scores


def test_a_classifier_without_a_fault_has_no_confused_pairs() -> None:
    classes = LabelClasses("articleType", ("Shirts", "Ties"))
    scores = runs.label_scores(np.array([[9.0, 0], [0, 9]]), np.arange(2), classes)
    assert scores["confused_pairs"] == []


def write(workspace: Workspace, *, seconds: float, **changes: object) -> dict:
    scores = {"accuracy": {"micro": 0.5}}
    return Study(workspace).record("training", "probe-seed20", INPUTS | changes,
                                   lambda: runs.content(CURVE, seconds, scores))  # fmt: skip


@pytest.mark.parametrize("n_seeds", [0, -1])
def test_a_training_without_a_seed_is_refused(n_seeds: int) -> None:
    with pytest.raises(ParameterError, match=f"n_seeds must be at least 1, not {n_seeds}"):
        splits.seeds(20, n_seeds)


def test_the_record_of_a_training(workspace: Workspace) -> None:
    record = write(workspace, seconds=12.34)
    assert result_records.read(workspace.results, "probe-seed20") == record
    assert (record["kind"], record["inputs"]) == ("training", INPUTS)
    assert record["accuracy"] == {"micro": 0.5}
    assert record["curve"] == [
        {"epoch": 1, "loss": 1.234568, "val_loss": 2.0},
        {"epoch": 2, "loss": 0.5, "val_loss": None},
    ]
    assert record["timings"] == {"training_seconds": 12.3}


def test_the_first_time_is_kept(workspace: Workspace) -> None:
    first = write(workspace, seconds=12.3)
    assert write(workspace, seconds=0.1) == first  # taken from its folder
    assert result_records.read(workspace.results, "probe-seed20") == first


def test_another_training_of_the_same_name_has_its_own_time(workspace: Workspace) -> None:
    write(workspace, seconds=12.3)
    record = write(workspace, seconds=45.6, data_hash="other")
    assert record["timings"] == {"training_seconds": 45.6}
    assert result_records.read(workspace.results, "probe-seed20") == record


def test_a_damaged_earlier_record_is_named(workspace: Workspace) -> None:
    write(workspace, seconds=12.3)
    (workspace.results / "probe-seed20.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match=r"probe-seed20\.json is no result record"):
        write(workspace, seconds=0.1)
