"""contrastive: a tiny network trained in several ways on a small drawn catalogue."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from tiny_networks import differences, fail, tiny_backbone, values

from fashion_rir.data import splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import contrastive
from fashion_rir.studies.trained.contrastive import (
    CONTRASTIVE_RUNS,
    build_backbone,
    runs_table,
    score_trained,
    score_untrained,
    train_end_to_end,
    training_name,
)
from fashion_rir.studies.trained.labels import Trained
from fashion_rir.training import end_to_end, losses
from fashion_rir.training.augmentation import AUGMENTATIONS
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
SIZE = 16  # pixels
N = 80
RUNS = ("h-16", "hybrid")


def train(workspace: Workspace, shop: Catalog, run: str) -> Trained:
    return train_end_to_end(Study(workspace, shop, SEED), tiny_backbone(), run, epochs=1)


@pytest.fixture(scope="module")
def trained(workspace: Workspace, shop: Catalog) -> dict[str, Trained]:
    return {run: train(workspace, shop, run) for run in RUNS}


@pytest.fixture(scope="module")
def scored(workspace: Workspace, shop: Catalog, trained: dict[str, Trained]) -> dict:
    """Embeddings and metadata: before, and after by run and layer."""
    found = {
        (run, searched): score_trained(
            Study(workspace, shop, SEED), trained[run], searched=searched
        )
        for run, searched in (("h-16", "projection"), ("h-16", "hidden"), ("hybrid", "projection"))
    }
    found["untrained"] = score_untrained(Study(workspace, shop, SEED), tiny_backbone())
    return found


def pictures(shop: Catalog, preprocessing: str) -> np.ndarray:
    return end_to_end.load_pictures(shop, list(shop.products["image_name"]), SIZE, preprocessing)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("h-16", ["fitting"]),
        ("i", ["pretrained", "core hidden"]),
        ("h-32-fixed-norm", ["core trained"]),
        ("a", ["objective"]),
        ("b", ["fitting"]),
        ("c", ["fitting"]),
        ("d", ["augment"]),
        ("hybrid", ["objective", "preprocessing"]),
        ("triplet", ["objective"]),
        ("multi-attribute", ["objective", "labels"]),
    ],
)
def test_what_each_run_changes_of_h_32(run, expected) -> None:
    changed = differences(CONTRASTIVE_RUNS[run], CONTRASTIVE_RUNS["h-32"])
    assert sorted(changed) == sorted(expected)


def test_the_runs_are_those_of_the_thesis() -> None:
    h = CONTRASTIVE_RUNS["h-32"]
    assert (h.core.hidden, h.core.activation, h.core.projection) == (512, "relu", 128)
    assert (h.core.trained, h.preprocessing, h.objective.name) == ("all", "resize", "nt_xent")
    assert (h.fitting.epochs, h.fitting.batch_size, h.augment) == (5, 32, "thesis")
    assert CONTRASTIVE_RUNS["h-16"].fitting.batch_size == 16
    assert CONTRASTIVE_RUNS["b"].fitting.batch_size == 128
    assert CONTRASTIVE_RUNS["c"].fitting.epochs == 30
    assert set(AUGMENTATIONS[h.augment]) < set(AUGMENTATIONS[CONTRASTIVE_RUNS["d"].augment])
    assert set(contrastive.DESCRIPTIONS) == {"untrained", *CONTRASTIVE_RUNS}


def test_model_i_starts_from_random_weights(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        contrastive.backbones, "build", lambda name, **options: asked.append(options)
    )
    for run in ("h-32", "i"):
        build_backbone(run, "resnet50", weights="imagenet", image_size=64, seed=SEED)
    assert [options["weights"] for options in asked] == ["imagenet", "none"]
    with pytest.raises(ParameterError, match="Unknown contrastive run 'h32'; did you mean 'h-32'"):
        build_backbone("h32", "resnet50", weights="none", image_size=64, seed=SEED)


def test_the_record_says_what_was_trained(workspace, shop, trained) -> None:
    record = trained["h-16"].record
    assert record["name"] == trained["h-16"].name == "contrastive-h-16-tiny-16-seed20"
    assert result_records.read(workspace.results, record["name"]) == json.loads(json.dumps(record))
    inputs = record["inputs"]
    assert (inputs["run"], inputs["seed"], inputs["n_validation"]) == ("h-16", SEED, 0)
    assert inputs["n_fit"] + inputs["n_test"] == N
    assert inputs["objective"] == {"name": "nt_xent", "temperature": 0.1, "batches": "shuffled"}
    assert inputs["stages"]["contrastive"] == dataclasses.asdict(
        dataclasses.replace(CONTRASTIVE_RUNS["h-16"].fitting, epochs=1)
    )
    assert (inputs["augment"], inputs["preprocessing"]) == ("thesis", "resize")
    assert [row["epoch"] for row in record["curve"]] == [1]
    hybrid = trained["hybrid"].record
    assert hybrid["inputs"]["objective"]["K"] == 4
    assert hybrid["inputs"]["objective"]["P"] == 8
    assert hybrid["inputs"]["preprocessing"] == "pad"
    assert 0 <= hybrid["accuracy"]["micro"] <= 1
    assert {"loss", "embedding_loss", "logits_loss"} < set(hybrid["curve"][0])


def test_everything_learns(trained) -> None:
    before = values(tiny_backbone().network)
    for model in trained.values():
        after = values(model.core.get_layer("tiny"))
        assert all(not np.array_equal(before[name], after[name]) for name in before)


def test_a_second_call_takes_the_finished_weights(workspace, shop, trained, monkeypatch) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    again = train(workspace, shop, "h-16")
    for found, expected in zip(
        again.core.get_weights(), trained["h-16"].core.get_weights(), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert again.record == trained["h-16"].record


def test_what_cannot_be_trained(workspace, shop) -> None:
    with pytest.raises(ParameterError, match="Unknown contrastive run 'j'"):
        train(workspace, shop, "j")
    few = shop.subset(np.arange(N) < 40)
    with pytest.raises(ParameterError, match="batch_size must be 1 to"):
        train(workspace, few, "b")


def test_the_projection_and_the_hidden_layer_are_searched(shop, trained, scored) -> None:
    model = trained["h-16"]
    matrix, metadata = scored["h-16", "projection"]
    network = end_to_end.behind_inputs(model.core, "tf")
    expected = network.predict(pictures(shop, "resize"), verbose=0)["embedding"]
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)
    assert matrix.shape == (N, 128)
    assert metadata["model"] == model.name
    assert metadata["searched"] == "projection"
    assert metadata["training"] == model.record["inputs_hash"]
    hidden, hidden_metadata = scored["h-16", "hidden"]
    assert hidden.shape == (N, 512)
    assert hidden.min() == 0 < hidden.max()  # behind the ReLU
    assert hidden_metadata["model"] == f"{model.name}-hidden"
    last = model.core.get_layer("top").layers[2]  # behind it stands the projection
    np.testing.assert_allclose(np.asarray(last(hidden)), matrix, rtol=1e-3, atol=1e-4)
    assert scored["hybrid", "projection"][1]["preprocessing"] == "pad"


def test_before_training_the_pooled_features_are_searched(shop, scored) -> None:
    matrix, metadata = scored["untrained"]
    expected = tiny_backbone().embed(pictures(shop, "resize"))
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)
    assert metadata["model"] == training_name("untrained", "tiny", SIZE, SEED)


def test_scoring_measures_the_pairs(workspace, shop, scored) -> None:
    name = training_name("h-16", "tiny", SIZE, SEED)
    record = result_records.read(workspace.results, f"pairs-{name}")
    assert record["kind"] == "pairs"
    assert record["inputs"]["augmentation"] == "thesis"
    is_test = splits.is_test_product(shop.products, seed=SEED)
    pairs = record["pairs"]
    assert pairs["n_products"] == pairs["n_view_pairs"] == is_test.sum()
    matrix = scored["h-16", "projection"][0]
    assert pairs["uniformity"] == pytest.approx(float(losses.uniformity(matrix[is_test])), abs=1e-5)
    assert 0 < pairs["alignment of views"] < 4
    retrieval = result_records.read(workspace.results, f"{name}-cosine")
    assert list(retrieval["protocols"]) == ["held_out", "unseen"]


def test_what_cannot_be_scored(workspace, shop, trained) -> None:
    with pytest.raises(ParameterError, match="Unknown layer to search 'hiden'"):
        score_trained(Study(workspace, shop, SEED), trained["h-16"], searched="hiden")
    with pytest.raises(ParameterError, match="trained with the split of seed 20; with that of se"):
        score_trained(Study(workspace, shop, SEED + 1), trained["h-16"])
    record = json.loads(json.dumps(trained["h-16"].record))
    record["inputs"]["core"]["hidden"] = None
    flat = dataclasses.replace(trained["h-16"], record=record)
    with pytest.raises(ParameterError, match="has no hidden layer; search its projection"):
        score_trained(Study(workspace, shop, SEED), flat, searched="hidden")


def test_the_table_of_runs(workspace, scored) -> None:
    names = {
        "before": training_name("untrained", "tiny", SIZE, SEED),
        "h": training_name("h-16", "tiny", SIZE, SEED),
        "h, hidden": training_name("h-16", "tiny", SIZE, SEED) + "-hidden",
    }
    table = runs_table(workspace.results, names)
    assert table.index.tolist() == list(names)
    for shown, name in names.items():
        found = result_records.read(workspace.results, f"{name}-cosine")["protocols"]["held_out"]
        colour = found["labels"]["baseColour"]["micro"]["precision@10"]["value"]
        assert table.loc[shown, "colour P@10"] == colour
        assert table.loc[shown, "nDCG@10"] == found["graded"]["micro"]["nDCG@10"]["value"]
        pairs = result_records.read(workspace.results, f"pairs-{name}")["pairs"]
        assert table.loc[shown, "uniformity"] == pairs["uniformity"]
    assert table["seconds"].isna().tolist() == [True, False, False]
    with pytest.raises(RecordError, match="no record"):
        runs_table(workspace.results, {"i": training_name("i", "tiny", SIZE, SEED)})


def test_settled_statistics_share_the_training_and_are_recorded_apart(
    workspace, shop, trained, monkeypatch
) -> None:
    run, own = next(iter(trained.items()))
    plan = dataclasses.replace(CONTRASTIVE_RUNS[run], statistics="settled")
    monkeypatch.setattr(keras.Model, "fit", fail)  # trained already
    settled = train_end_to_end(
        Study(workspace, shop, SEED), tiny_backbone(), run, plan=plan, epochs=1
    )
    assert settled.name == f"{own.name}-settled"
    assert settled.record["inputs"]["statistics"] == "settled"
    assert "statistics" not in own.record["inputs"]
    assert settled.record["curve"] == own.record["curve"]
