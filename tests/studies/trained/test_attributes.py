"""attributes: heads of several attributes on a small drawn catalogue, with made-up features."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.studies import names, scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import attributes, heads
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.training.heads import HeadSettings, JoinShares
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import joint_name, short_name

N, DIM = 80, 12
SMALL_GRID = {"temperature": (0.3, 1.0), "baseColour": (0.1,), "stored": (0.0, 0.1)}


@pytest.fixture(autouse=True)
def few_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "GRID", SMALL_GRID)


@pytest.fixture(scope="module")
def model(shop: Catalog) -> Embedded:
    """Chance, but that products of one type lie together."""
    types = pd.factorize(shop.products["articleType"])[0]
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(N, DIM)) + 3 * generator.normal(size=(N, DIM))[types]
    metadata = {
        "model": "mobilenetv2-128-pad", "backbone": "mobilenetv2", "image_size": "128",
        "preprocessing": "pad", "weights": "none-seed0", "weights_sha256": "a" * 64,
        "embedding_dim": str(DIM), "data_hash": shop.data_hash,
    }  # fmt: skip
    return Embedded(matrix.astype(np.float32), metadata)


def run(workspace, shop, model, seed):
    settings = HeadSettings(hidden=16)
    fitting = TrainingSettings(epochs=2, batch_size=16, learning_rate=0.05)
    plan = heads.HeadPlan("attributes", settings, fitting, seed, heads.ATTRIBUTES)
    return heads.run_head(Study(workspace, shop, 20), [model], plan)


@pytest.fixture(scope="module")
def runs(workspace, shop, model):
    return [run(workspace, shop, model, seed) for seed in (1, 2)]


def test_the_record_holds_the_accuracy_of_every_label(workspace, runs):
    record = result_records.read(workspace.results, "attributes-mobilenetv2-128-pad-seed1")
    assert record["kind"] == "training"
    assert sorted(record["accuracy"]) == sorted(heads.ATTRIBUTES)
    assert record["inputs"]["n_fit"] + record["inputs"]["n_validation"] + record["inputs"][
        "n_test"
    ] == len(runs[0].logits["articleType"])
    assert record["timings"]["training_seconds"] > 0


def test_a_finished_head_is_taken_from_its_folder(workspace, shop, model, runs):
    again = run(workspace, shop, model, 1)
    np.testing.assert_array_equal(again.logits["gender"], runs[0].logits["gender"])
    assert again.metadata["weights_sha256"] == runs[0].metadata["weights_sha256"]


def test_the_joined_embedding_is_scored_under_its_own_name(workspace, shop, model, runs):
    shares = JoinShares({"articleType": 1.0, "baseColour": 0.1}, stored=0.1)
    joined = runs[0].joined("joined", model[0], shares)
    is_test = splits.is_test_product(shop.products, seed=20)
    record = scoring.retrieval(Study(workspace, shop, 20), joined, is_test, measure="cosine")
    assert record["name"] == "attributes-mobilenetv2-128-pad-seed1-joined-cosine"
    assert "baseColour 0.1, stored 0.1" in record["inputs"]["model"]["shares"]


def test_an_ensemble_averages_the_posteriors(runs):
    both = heads.ensemble(runs)
    posteriors = [
        np.exp(r.logits["gender"] - r.logits["gender"].max(1, keepdims=True)) for r in runs
    ]
    mean = np.mean([p / p.sum(1, keepdims=True) for p in posteriors], axis=0)
    np.testing.assert_allclose(np.exp(both.logits["gender"]), mean, rtol=1e-4)
    assert both.name == "attributes-mobilenetv2-128-pad-seeds1+2"


def test_heads_of_other_labels_make_no_ensemble(runs):
    other = replace(runs[0], classes={"gender": runs[0].classes["gender"]})
    with pytest.raises(ParameterError, match="one set of classes, not of 2"):
        heads.ensemble([runs[0], other])


def test_shares_are_chosen_by_the_sum_of_both_metrics_step_by_step(workspace, shop, model, runs):
    shares, record = attributes.choose_shares(
        Study(workspace, shop, 20), runs[0], model[0], n_queries=2
    )
    rows = pd.DataFrame(record["rows"])
    assert rows["varied"].tolist() == ["temperature"] * 2 + ["baseColour"] + ["stored"] * 2
    best = rows[rows["varied"] == "stored"].assign(total=lambda t: t["mAP"] + t["nDCG@10"])
    assert shares.stored == best.loc[best["total"].idxmax(), "stored"]
    assert record["inputs"]["n_queries"] == 2
    again = attributes.choose_shares(Study(workspace, shop, 20), runs[0], model[0], n_queries=2)
    assert again == (shares, json.loads(json.dumps(record)))


def test_test_products_have_no_say_in_the_shares(workspace, shop, model, runs, tmp_path):
    """The stored embeddings of test products are made nonsense: the choice stays the same."""
    is_test = splits.is_test_product(shop.products, seed=20)
    nonsense = model[0].copy()
    nonsense[is_test] = np.random.default_rng(1).normal(size=(is_test.sum(), DIM))
    chosen = [
        attributes.choose_shares(
            Study(Workspace(tmp_path / name, "quick"), shop, 20), runs[0], stored,
            n_queries=2,
        )[1]["rows"]
        for name, stored in (("as-it-is", model[0]), ("nonsense", nonsense))
    ]  # fmt: skip
    assert chosen[0] == chosen[1]


def test_a_part_is_taken_out_by_name():
    shares = JoinShares({"articleType": 1.0, "baseColour": 0.1}, stored=0.1)
    assert attributes.without(shares, "stored", "baseColour") == JoinShares(
        {"articleType": 1.0, "baseColour": 0.0}
    )
    with pytest.raises(ParameterError, match="no share of season; there are articleType"):
        attributes.without(shares, "season")


def test_embeddings_of_another_catalogue_are_refused(workspace, shop, model):
    with pytest.raises(ParameterError, match="79 embeddings do not fit 80 products"):
        run(workspace, shop, (model[0][1:], model[1]), 1)


def test_a_least_colour_comes_first_then_the_map():
    trials = [(0.9, 0.3), (0.8, 0.6), (0.7, 0.9)]
    rows = [{"mAP": m, "nDCG@10": 0.5, "baseColour precision@10": c} for m, c in trials]

    def best(least):
        worth = [attributes._worth(row, least) for row in rows]
        return worth.index(max(worth))

    assert [best(None), best(0.2), best(0.5), best(0.95)] == [0, 0, 1, 2]


def test_a_last_training_takes_the_validation_products_in(workspace, shop, model, runs):
    settings, fitting = HeadSettings(hidden=8), TrainingSettings(epochs=1, batch_size=16)
    plan = heads.HeadPlan("attributes-final", settings, fitting, 1, heads.ATTRIBUTES,
                          with_validation=True)  # fmt: skip
    final = heads.run_head(Study(workspace, shop, 20), [model], plan)
    first, last = runs[0].record["inputs"], final.record["inputs"]
    assert last["n_validation"] == 0
    assert last["n_fit"] == first["n_fit"] + first["n_validation"]
    assert last["n_test"] == first["n_test"]
    assert "val_loss" not in final.record["curve"][0]


def test_the_groups_name_records_that_the_notebook_writes():
    groups = names.attribute_groups(["a", "b"], [1, 2])
    both = joint_name(["a", "b"])
    assert groups["joined"] == [f"attributes-final-{both}-seed{s}-joined-cosine" for s in (1, 2)]
    assert groups["type-first, seeds averaged"] == [
        short_name(f"attributes-final-{both}-seeds1+2-type-first-cosine")
    ]
    contrastive = names.contrastive_groups(["a"], [1])
    assert contrastive["triplet head"] == ["triplet-a-seed1-projection-cosine"]
