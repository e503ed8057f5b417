"""heads: contrastive heads on stored embeddings of a drawn shop, and their records."""

import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import labels as data_labels
from fashion_rir.data import splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.heads import HeadPlan, HeadRun, run_head
from fashion_rir.studies.trained.spread import spread
from fashion_rir.training.contrastive import Contrastive
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.training.heads import Head, ProjectionSettings
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED, SPLIT_SEED = 21, 20
N = 80
MODEL = "mobilenetv2-128-resize"
SETTINGS = ProjectionSettings(hidden=16, projection=4, dropout=0.1)
FITTING = TrainingSettings(epochs=3, batch_size=8, learning_rate=0.02)
LABELS = ("articleType", "baseColour", "gender")


def fail(*_: object, **__: object) -> None:
    raise AssertionError("training has begun")


def test_spread_by_hand() -> None:
    corners = np.array([[2.0, 0], [0, 3], [-1, 0], [0, 0.5]], dtype=np.float32)
    views = corners[:1], -corners[:1]
    found = spread(corners, np.array([0, 0, 1, -1]), views=views, seed=0)
    assert found["alignment of types"] == pytest.approx(2.0)  # one pair, at a right angle
    assert found["alignment of views"] == pytest.approx(4.0)
    # Of six pairs, one is the same, one opposite, and the others at right angles.
    expected = np.log((1 + np.exp(-8) + 4 * np.exp(-4)) / 6)
    assert found["uniformity"] == pytest.approx(expected, abs=1e-5)
    assert (found["n_products"], found["n_pairs"], found["n_view_pairs"]) == (4, 1, 1)
    alone = spread(corners, np.arange(4), seed=0)
    assert alone["alignment of types"] is alone["alignment of views"] is None


def test_each_product_is_paired_within_its_type() -> None:
    types = np.repeat([0, 1, 2], 5)
    found = spread(np.eye(3)[types].astype(np.float32), types, seed=1)
    assert found["alignment of types"] == pytest.approx(0, abs=1e-6)
    assert found["n_pairs"] == 12  # five products of a type make four pairs


@pytest.fixture(scope="module")
def stored(shop: Catalog) -> Embedded:
    """Embeddings that know the type, among much else."""
    types = pd.factorize(shop.products["articleType"])[0]
    generator = np.random.default_rng(1)
    matrix = 2 * generator.normal(size=(N, 8)) + 2 * generator.normal(size=(N, 8))[types]
    metadata = {
        "model": MODEL, "backbone": "mobilenetv2", "image_size": "128", "preprocessing": "resize",
        "weights": "none-seed0", "weights_sha256": "a" * 64, "embedding_dim": "8",
        "data_hash": shop.data_hash,
    }  # fmt: skip
    return Embedded(matrix.astype(np.float32), metadata)


def train(workspace: Workspace, shop: Catalog, stored: tuple, name: str, **changes: object):
    objective = Contrastive(name, products_per_class=4)
    plan = HeadPlan(name, SETTINGS, FITTING, SEED, objective=objective)
    return run_head(Study(workspace, shop, SPLIT_SEED), [stored], plan, **changes)


@pytest.fixture(scope="module")
def run(workspace: Workspace, shop: Catalog, stored: tuple) -> HeadRun:
    return train(workspace, shop, stored, "hybrid")


def test_the_record_says_what_was_trained(workspace, shop, run) -> None:
    record = run.record
    assert run.name == record["name"] == f"hybrid-{MODEL}-seed21"
    assert result_records.read(workspace.results, run.name) == json.loads(json.dumps(record))
    parts = splits.split(shop.products, seed=SPLIT_SEED)
    inputs = record["inputs"]
    assert inputs["n_fit"] == parts.is_fit.sum()
    assert inputs["objective"] == {
        "name": "hybrid", "temperature": 0.1, "cross_entropy_share": 0.5, "batches": "P x K",
        "P": 2, "K": 4,
    }  # fmt: skip
    assert inputs["stages"]["head"]["batch_size"] == 8
    assert inputs["head"] == dataclasses.asdict(SETTINGS)
    assert (inputs["labels"], inputs["n_views"]) == (["articleType"], 1)
    assert (inputs["seed"], inputs["split_seed"]) == (SEED, SPLIT_SEED)
    assert set(record["accuracy"]) == {"micro", "macro", "top5"}
    assert record["spread"]["n_products"] == parts.is_test.sum()
    assert list(record["timings"]) == ["training_seconds"]
    assert len(record["curve"]) == 3


def test_a_run_gives_embeddings_of_every_product(shop, run) -> None:
    assert run.projection.shape == (N, 4)
    assert run.hidden.shape == (N, 16)
    classes, codes = run.classes["articleType"], run.codes["articleType"]
    assert run.logits["articleType"].shape == (N, len(classes))
    assert [classes.names[code] for code in codes] == list(shop.products["articleType"])
    vectors, metadata = run.embedding("projection", run.projection, temperature=0.1)
    assert metadata["model"] == f"{run.name}-projection"
    assert metadata["embedding_dim"] == 4
    assert metadata["temperature"] == 0.1
    np.testing.assert_array_equal(vectors, run.projection)


def test_a_second_call_takes_the_finished_weights(
    workspace, shop, stored, run, monkeypatch
) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    again = train(workspace, shop, stored, "hybrid")
    np.testing.assert_allclose(again.projection, run.projection, atol=1e-6)
    assert again.record == run.record


def test_a_run_on_views_searches_the_clean_photos(workspace, shop, stored, monkeypatch) -> None:
    noise = np.random.default_rng(4).normal(size=(N, 3, 8))
    views = (stored[0][:, None] + 0.1 * noise).astype(np.float32)
    views[:, 0] = stored[0]
    head_inputs = []
    outputs = Head.outputs
    monkeypatch.setattr(
        Head, "outputs",
        lambda head, inputs, *names: head_inputs.append(inputs) or outputs(head, inputs, *names),
    )  # fmt: skip
    run = train(workspace, shop, stored, "nt_xent", views=views)
    assert run.record["inputs"]["n_views"] == 3
    assert run.record["inputs"]["objective"] == {
        "name": "nt_xent", "temperature": 0.1, "batches": "shuffled",
    }  # fmt: skip
    clean, first_view, _ = head_inputs  # a view is scaled as the clean embedding is
    parts = splits.split(shop.products, seed=SPLIT_SEED)
    np.testing.assert_allclose(clean[parts.is_test], first_view, rtol=1e-6)
    measured = run.record["spread"]
    assert 0 < measured["alignment of views"] < measured["alignment of types"]
    assert run.logits == {}
    with pytest.raises(ParameterError, match="80 embeddings and 79 products with views do not"):
        train(workspace, shop, stored, "nt_xent", views=views[1:])


def test_classes_that_nobody_was_trained_on_are_missing(shop) -> None:
    products = shop.products.copy()
    is_fit = np.arange(N) >= 5
    products.loc[0, "articleType"] = "Jetpacks"
    products.loc[1, "baseColour"] = None
    classes, codes = data_labels.learn_labels(products, LABELS, is_fit)
    found = data_labels.side_by_side(codes)
    assert found.shape == (N, 3)
    assert found[0, 0] == found[1, 1] == -1
    assert "Jetpacks" not in classes["articleType"].names
    _, one = data_labels.learn_labels(products, LABELS[:1], is_fit)
    np.testing.assert_array_equal(data_labels.side_by_side(one), found[:, 0])
