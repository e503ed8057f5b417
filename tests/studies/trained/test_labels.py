"""labels: a tiny network trained in each way on a small drawn catalogue, and its records."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_networks import SIZE, differences, fail, tiny_backbone, values

from fashion_rir.data import splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies.scoring import similarity_spread
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import labels
from fashion_rir.studies.trained.labels import (
    LABEL_RUNS,
    Trained,
    ablation_table,
    score_trained,
    train_end_to_end,
)
from fashion_rir.training import end_to_end
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
RUNS = ("g", "g-frozen-unit", "done-right")
ASKED = (("g", None), ("g", "unit"), ("g-frozen-unit", None), ("g-frozen-unit", "own"))


def train(workspace: Workspace, shop: Catalog, run: str, *, seed: int = SEED) -> Trained:
    return train_end_to_end(Study(workspace, shop, seed), tiny_backbone(), run, epochs=1)


@pytest.fixture(scope="module")
def trained(workspace: Workspace, shop: Catalog) -> dict[str, Trained]:
    return {run: train(workspace, shop, run) for run in RUNS}


@pytest.fixture(scope="module")
def scored(workspace: Workspace, shop: Catalog, trained: dict[str, Trained]) -> dict:
    """Embeddings and metadata by run and by what they were asked behind."""
    return {
        (run, asked): score_trained(Study(workspace, shop, SEED), trained[run], asked=asked)
        for run, asked in ASKED
    }


def changed(model: Trained) -> set[str]:
    """The names of the network's weights that are no longer those it began with."""
    before = values(tiny_backbone().network)
    after = values(model.core.get_layer("tiny"))
    return {name for name in before if not np.array_equal(before[name], after[name])}


def pictures(shop: Catalog, model: Trained) -> np.ndarray:
    names = list(shop.products["image_name"])
    return end_to_end.load_pictures(shop, names, SIZE, model.preprocessing)


def outputs(shop: Catalog, model: Trained, input_mode: str) -> dict[str, np.ndarray]:
    network = end_to_end.behind_inputs(model.core, input_mode)
    return network.predict(pictures(shop, model), verbose=0)


@pytest.mark.parametrize(
    ("run", "baseline", "expected"),
    [
        ("g-unit", "g", "input_mode"),
        ("g-fixed-norm", "g", "core trained"),
        ("g-frozen", "g", "core trained"),
        ("g-frozen-unit", "g-frozen", "input_mode"),
        ("g-frozen-pad", "g-frozen", "preprocessing"),
        ("g-frozen-linear", "g-frozen", "core activation"),
    ],
)
def test_each_step_of_the_ablation_changes_one_thing(run, baseline, expected) -> None:
    assert differences(LABEL_RUNS[run], LABEL_RUNS[baseline]) == [expected]


def test_the_ablation_asks_every_run_behind_its_own_mode_first() -> None:
    own = [run for run, asked in labels.ABLATION if asked is None]
    assert own == list(LABEL_RUNS)
    assert len(set(labels.ABLATION)) == len(labels.ABLATION)


def test_the_record_says_what_was_trained(workspace, shop, trained) -> None:
    record = trained["g"].record
    assert trained["g"].name == record["name"] == "label-g-seed20"
    assert result_records.read(workspace.results, "label-g-seed20") == json.loads(
        json.dumps(record)
    )
    assert record["kind"] == "training"
    inputs = record["inputs"]
    assert (inputs["profile"], inputs["data_hash"]) == ("quick", shop.data_hash)
    assert (inputs["run"], inputs["label"], inputs["seed"]) == ("g", "articleType", SEED)
    assert inputs["n_validation"] == 0
    assert inputs["n_fit"] + inputs["n_test"] == 80
    assert (inputs["input_mode"], inputs["preprocessing"]) == ("tf", "resize")
    assert inputs["core"]["activation"] == "relu"
    assert inputs["model"]["model"] == "tiny-16-resize"
    assert {stage: plan["epochs"] for stage, plan in inputs["stages"].items()} == {"fine-tuning": 1}
    (row,) = record["curve"]
    assert (row["stage"], row["epoch"]) == ("fine-tuning", 1)
    assert "val_loss" not in row


def test_a_plan_of_ones_own_is_trained_under_its_name(workspace, shop) -> None:
    plan = dataclasses.replace(LABEL_RUNS["g-frozen"], preprocessing="crop")
    trained = train_end_to_end(
        Study(workspace, shop, SEED), tiny_backbone(), "own-plan", plan=plan, epochs=1
    )
    assert trained.name == "label-own-plan-seed20"
    assert trained.record["inputs"]["preprocessing"] == "crop"


@pytest.mark.parametrize(("run", "input_mode"), [("g", "tf"), ("g-frozen-unit", "unit")])
def test_the_accuracy_is_that_of_the_trained_network(shop, trained, run, input_mode) -> None:
    is_test = splits.is_test_product(shop.products, seed=SEED)
    types = np.array(sorted(set(shop.products["articleType"])))
    logits = outputs(shop, trained[run], input_mode)["logits"]
    is_right = types[logits.argmax(axis=1)] == shop.products["articleType"]
    assert trained[run].record["accuracy"]["micro"] == pytest.approx(
        is_right[is_test].mean(), abs=1e-6
    )
    assert trained[run].record["n_classes"] == len(types)


def test_what_learns(trained) -> None:
    everything = set(values(tiny_backbone().network))
    is_norm = {name for name in everything if name.startswith("2 ")}
    assert {name.split()[1] for name in is_norm} == {
        "gamma", "beta", "moving_mean", "moving_variance",
    }  # fmt: skip
    assert changed(trained["g"]) == everything
    assert changed(trained["g-frozen-unit"]) == set()
    assert changed(trained["done-right"]) == everything - is_norm
    seeded = end_to_end.build_top(
        8, LABEL_RUNS["g"].core, n_classes=trained["g"].record["n_classes"], seed=SEED
    )
    before = values(seeded)
    for model in trained.values():
        after = values(model.core.get_layer("top"))
        assert all(not np.array_equal(before[name], after[name]) for name in before)


def test_done_right_warms_up_first(trained) -> None:
    record = trained["done-right"].record
    stages = record["inputs"]["stages"]
    assert list(stages) == ["warm-up", "fine-tuning"]
    assert [stages[stage]["epochs"] for stage in stages] == [1, 1]  # cut from 3 and 6
    assert [(row["stage"], row["epoch"]) for row in record["curve"]] == [
        ("warm-up", 1), ("fine-tuning", 1),
    ]  # fmt: skip
    assert all(row["val_loss"] > 0 for row in record["curve"])
    inputs = record["inputs"]
    assert inputs["n_validation"] > 0
    assert inputs["n_fit"] + inputs["n_validation"] + inputs["n_test"] == 80
    assert inputs["preprocessing"] == trained["done-right"].preprocessing == "pad"


def assert_same_network(one: Trained, other: Trained) -> None:
    for found, expected in zip(one.core.get_weights(), other.core.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("run", ["g-frozen-unit", "done-right"])
def test_a_second_call_takes_the_finished_weights(
    workspace, shop, trained, run, monkeypatch
) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    again = train(workspace, shop, run)
    assert_same_network(again, trained[run])
    assert again.record == trained[run].record  # the time of the training, too
    with pytest.raises(AssertionError, match="trained again"):
        train(workspace, shop, "g-frozen-linear")


def test_killed_between_the_stages(tmp_path: Path, shop, trained, monkeypatch) -> None:
    """It goes on behind the warm-up, and ends as if nothing had happened."""
    elsewhere = Workspace(tmp_path, "quick")
    with monkeypatch.context() as killed:
        killed.setattr(end_to_end, "behind_inputs", fail)  # the first step of fine-tuning
        with pytest.raises(AssertionError):
            train(elsewhere, shop, "done-right")
    (warm_up,) = elsewhere.trained_models.iterdir()
    assert warm_up.name.startswith("label-done-right-seed20-warm-up-")
    made = (warm_up / "final.weights.h5").stat().st_mtime_ns
    resumed = train(elsewhere, shop, "done-right")
    assert (warm_up / "final.weights.h5").stat().st_mtime_ns == made
    assert_same_network(resumed, trained["done-right"])
    assert resumed.record["curve"] == trained["done-right"].record["curve"]
    assert resumed.record["inputs"] == trained["done-right"].record["inputs"]


def test_what_cannot_be_trained(workspace, shop) -> None:
    with pytest.raises(ParameterError, match="Unknown label run 'g-unt'; did you mean 'g-unit'"):
        train(workspace, shop, "g-unt")
    shirts = shop.subset((shop.products["articleType"] == "Tshirts").to_numpy())
    with pytest.raises(ParameterError, match="1 class of articleType; a classifier needs two"):
        train(workspace, shirts, "g")


def test_scoring_writes_retrieval_and_spread(workspace, shop, trained, scored) -> None:
    matrix, metadata = scored["g", None]
    expected = outputs(shop, trained["g"], "tf")["embedding"]
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)
    assert matrix.shape == (80, 512)
    assert metadata["model"] == "label-g-seed20"
    assert metadata["input_mode"] == "tf"
    assert metadata["training"] == trained["g"].record["inputs_hash"]
    retrieval = result_records.read(workspace.results, "label-g-seed20-cosine")
    assert retrieval["kind"] == "retrieval"
    assert list(retrieval["protocols"]) == ["held_out", "unseen"]
    assert retrieval["inputs"]["n_queries"] == trained["g"].record["inputs"]["n_test"]
    spread = result_records.read(workspace.results, "spread-label-g-seed20")
    assert (spread["kind"], spread["inputs"]) == ("spread", retrieval["inputs"])
    assert spread["similarity"] == similarity_spread(matrix, seed=SEED)


@pytest.mark.parametrize(
    ("run", "asked", "input_mode"), [("g", "unit", "unit"), ("g-frozen-unit", "own", "tf")]
)
def test_asked_behind_another_mode(
    workspace, shop, trained, scored, run, asked, input_mode
) -> None:
    matrix, metadata = scored[run, asked]
    assert metadata["model"] == f"label-{run}-seed20-asked-{asked}"
    assert metadata["input_mode"] == input_mode
    expected = outputs(shop, trained[run], input_mode)["embedding"]
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(matrix - scored[run, None][0]).max() > 0.01
    names = {path.stem for path in workspace.results.iterdir()}
    assert {f"label-{run}-seed20-asked-{asked}-cosine", f"label-{run}-seed20-cosine"} <= names


def test_what_cannot_be_asked(workspace, shop, trained) -> None:
    with pytest.raises(ParameterError, match="Unknown input mode to ask behind 'caffe'"):
        score_trained(Study(workspace, shop, SEED), trained["g"], asked="caffe")
    with pytest.raises(ParameterError, match="trained with the split of seed 20; with that of se"):
        score_trained(Study(workspace, shop, SEED + 1), trained["g"])


def test_the_ablation_table(workspace, trained, scored) -> None:
    table = ablation_table(workspace.results, seed=SEED)
    assert list(zip(table["run"], table["asked behind"], strict=True)) == [
        ("g", "own"), ("g", "unit"), ("g-frozen-unit", "unit"), ("g-frozen-unit", "own"),
    ]  # fmt: skip
    assert table["trained behind"].tolist() == ["own", "own", "unit", "unit"]
    assert table["learns"].tolist() == ["all", "all", "head", "head"]
    assert set(table["photos"]) == {"resize"}
    assert set(table["activation"]) == {"relu"}
    assert table["accuracy"].isna().tolist() == [False, True, False, True]
    for row, (run, asked) in enumerate(ASKED):
        name = labels.model_name(f"label-{run}-seed20", asked)
        found = result_records.read(workspace.results, f"{name}-cosine")
        micro = found["protocols"]["held_out"]["labels"]["articleType"]["micro"]
        assert table["mAP"][row] == micro["mAP"]["value"]
        assert table["precision@10"][row] == micro["precision@10"]["value"]
        spread = similarity_spread(scored[run, asked][0], seed=SEED)
        assert table["median similarity"][row] == spread["median"]
        assert table["pairs above 0.95"][row] == spread["above 0.95"]
    for row, run in ((0, "g"), (2, "g-frozen-unit")):
        assert table["accuracy"][row] == trained[run].record["accuracy"]["micro"]


def test_an_ablation_without_its_records(tmp_path: Path, workspace, scored) -> None:
    with pytest.raises(RecordError, match="no ablation record in .*; run notebook 04 first"):
        ablation_table(tmp_path, seed=SEED)
    with pytest.raises(RecordError, match="no ablation record"):
        ablation_table(workspace.results, seed=SEED + 1)
    result_records.write(result_records.read(workspace.results, "spread-label-g-seed20"), tmp_path)
    with pytest.raises(RecordError, match=r"no record .*label-g-seed20\.json"):
        ablation_table(tmp_path, seed=SEED)


def test_an_ablation_is_of_one_catalogue(tmp_path: Path, workspace, scored) -> None:
    for path in workspace.results.iterdir():
        record = result_records.read(workspace.results, path.stem)
        if "g-frozen-unit" in path.stem:
            record["inputs"]["data_hash"] = "of a larger sample"
        result_records.write(record, tmp_path)
    with pytest.raises(RecordError, match="differ in data_hash"):
        ablation_table(tmp_path, seed=SEED)


def test_similarity_spread_by_hand() -> None:
    same = np.tile([3.0, 4.0], (5, 1)) * np.arange(1, 6)[:, None]  # length says nothing
    assert similarity_spread(same, seed=1) == {"median": 1, "above 0.95": 1}
    assert similarity_spread(np.eye(4), seed=1) == {"median": 0, "above 0.95": 0}
    assert similarity_spread(np.array([[2.0], [-1.0]]), seed=1)["median"] == -1
    near = np.array([[1, 0], [0.9, np.sqrt(1 - 0.9**2)]])
    assert similarity_spread(near, seed=1) == {"median": 0.9, "above 0.95": 0}


def test_a_random_pair_is_of_two_products() -> None:
    one_alone = np.array([[1.0, 0], [1, 0], [0, 1]])
    found = similarity_spread(one_alone, seed=1)
    assert found["above 0.95"] == pytest.approx(1 / 3, abs=0.02)  # never a product with itself
    assert found == similarity_spread(one_alone, seed=1)
    assert found["above 0.95"] != similarity_spread(one_alone, seed=2)["above 0.95"]
    with pytest.raises(ParameterError, match="A pair takes at least 2 products, not 1"):
        similarity_spread(one_alone[:1], seed=1)


def test_settled_statistics_share_the_training_and_are_recorded_apart(
    workspace, shop, trained, monkeypatch
) -> None:
    plan = dataclasses.replace(LABEL_RUNS["g"], statistics="settled")
    monkeypatch.setattr(keras.Model, "fit", fail)  # trained already
    settled = train_end_to_end(
        Study(workspace, shop, SEED), tiny_backbone(), "g", plan=plan, epochs=1
    )
    assert settled.name == f"{trained['g'].name}-settled"
    assert settled.record["curve"] == trained["g"].record["curve"]
    before, after = trained["g"].record["inputs"], settled.record["inputs"]
    assert "statistics" not in before
    assert {name: after[name] for name in before} == before | {"model": after["model"]}
    assert after["model"] == before["model"] | {"statistics": "settled"}
    assert after["statistics"] == "settled"
    own, new = (values(model.core.get_layer("tiny")) for model in (trained["g"], settled))
    names = {name.split()[1] for name in own if not np.array_equal(own[name], new[name])}
    assert names == {"moving_mean", "moving_variance"}


def test_a_table_of_trained_networks(workspace: Workspace, scored: dict) -> None:
    table = labels.trained_table(workspace.results, labels.ablation_names("g", SEED))
    assert list(table.index) == ["g: everything learns", "g: everything learns; asked in [0, 1]"]
    record = result_records.read(workspace.results, f"label-g-seed{SEED}")
    assert table["trained on"].tolist() == [record["inputs"]["n_fit"]] * 2
    assert table["accuracy"].iloc[0] == record["accuracy"]["micro"]
    assert np.isnan(table["accuracy"].iloc[1])  # the classifier was not asked behind that mode
    assert table["mAP"].between(0, 1).all()


def test_no_training_of_80_drawn_products_is_at_full_size(
    workspace: Workspace, scored: dict, monkeypatch
) -> None:
    assert labels.full_size_names(workspace.results) == {}
    monkeypatch.setattr(labels, "FULL_SIZE", 1)
    assert f"label-g-seed{SEED}" in labels.full_size_names(workspace.results).values()
