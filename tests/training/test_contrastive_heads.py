"""contrastive_heads: batches and losses by hand, small heads trained by each objective."""

import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data import labels as data_labels
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.errors import ParameterError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.heads import ContrastiveRun, run_contrastive_head
from fashion_rir.studies.trained.spread import spread
from fashion_rir.training import contrastive_heads, heads, losses
from fashion_rir.training.contrastive_heads import (
    Objective,
    ProjectionSettings,
    batch_sampler,
    train_contrastive_head,
)
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED, SPLIT_SEED = 21, 20
N = 80
MODEL = "mobilenetv2-128-resize"
SETTINGS = ProjectionSettings(hidden=16, projection=4, dropout=0.1)
FITTING = TrainingSettings(epochs=3, batch_size=16, learning_rate=0.02)
LABELS = ("articleType", "baseColour", "gender")


def objective(name: str, **changes: object) -> Objective:
    return Objective(name, **{"products_per_class": 4} | changes)


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """Type, colour and gender of 48 products; some have no colour."""
    generator = np.random.default_rng(1)
    types = np.repeat(np.arange(6), 8)
    return np.stack([types, generator.integers(-1, 3, 48), generator.integers(0, 2, 48)], axis=1)


@pytest.fixture(scope="module")
def features(codes: np.ndarray) -> np.ndarray:
    """Embeddings of which those of one type lie together, if not on their own."""
    generator = np.random.default_rng(2)
    centres = generator.normal(size=(6, 10))
    return (2 * generator.normal(size=(48, 10)) + 2 * centres[codes[:, 0]]).astype(np.float32)


@pytest.fixture(scope="module")
def views(features: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(48, 3, 10))
    return (features[:, None] + 0.3 * noise).astype(np.float32)


def given(name: str, features: np.ndarray, views: np.ndarray, codes: np.ndarray) -> tuple:
    """The features and labels that an objective takes."""
    return (
        views if name == "nt_xent" else features,
        codes if name == "multi_attribute" else codes[:, 0],
    )


@pytest.mark.parametrize("name", contrastive_heads.OBJECTIVES)
def test_every_objective_learns(name, features, views, codes) -> None:
    inputs, labels = given(name, features, views, codes)
    fitting = dataclasses.replace(FITTING, epochs=8)
    head, curve = train_contrastive_head(
        inputs, labels, objective(name), SETTINGS, fitting, seed=SEED,
        validation=(inputs[::3], labels[::3]),
    )  # fmt: skip
    assert curve["epoch"].tolist() == list(range(1, 9))
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]
    assert {"loss", "val_loss"} <= set(curve)
    found = head.outputs(features)
    assert found["hidden"].shape == (48, 16)
    assert found["projection"].shape == (48, 4)
    assert ("logits" in found) == (name == "hybrid")
    if name != "nt_xent":  # products of a type have come together
        before = spread(features, codes[:, 0], seed=0)
        after = spread(found["projection"], codes[:, 0], seed=0)
        assert after["alignment of types"] < before["alignment of types"]


def test_the_loss_is_that_of_the_outputs(features, codes) -> None:
    """Without dropout, the validation loss can be computed from what the head gives."""
    plain = dataclasses.replace(SETTINGS, dropout=0.0)
    asked = objective("hybrid", temperature=0.3, cross_entropy_share=0.25)
    fitting = dataclasses.replace(FITTING, epochs=1)
    types = codes[:, 0]
    head, curve = train_contrastive_head(features, types, asked, plain, fitting, seed=SEED,
                                         validation=(features, types))  # fmt: skip
    found = head.outputs(features)
    contrastive = float(losses.supervised_contrastive(found["projection"], types, temperature=0.3))
    posterior = heads.posterior(found["logits"])
    cross_entropy = -np.log(posterior[np.arange(48), types]).mean()
    expected = 0.75 * contrastive + 0.25 * cross_entropy
    assert curve["val_loss"].iloc[-1] == pytest.approx(expected, rel=1e-4)


def test_two_stored_views_make_nt_xent(views) -> None:
    plain = dataclasses.replace(SETTINGS, dropout=0.0)
    asked = Objective("nt_xent", temperature=0.5)
    fitting = dataclasses.replace(FITTING, epochs=1, batch_size=24)  # 96 views are asked at once
    missing = np.full(48, -1)  # it does not look at labels
    head, curve = train_contrastive_head(views, missing, asked, plain, fitting, seed=SEED,
                                         validation=(views, missing))  # fmt: skip
    first, second = (head.outputs(views[:, view])["projection"] for view in (0, 1))
    expected = float(losses.nt_xent(first, second, temperature=0.5))
    assert curve["val_loss"].iloc[-1] == pytest.approx(expected, rel=1e-4)


def test_each_step_takes_two_different_views_of_each_product() -> None:
    sampler = contrastive_heads._view_sampler(Objective("nt_xent"), 10, 4, 3, seed=SEED)
    epochs = [sampler(epoch) for epoch in (0, 1)]
    for batches in epochs:
        assert [len(batch) for batch in batches] == [6, 6, 6]  # the tenth product waits
        for batch in batches:
            first, second = np.split(batch, 2)
            assert (first // 4 == second // 4).all()
            assert (first % 4 != second % 4).all()
    assert not np.array_equal(*epochs)
    np.testing.assert_array_equal(sampler(1), epochs[1])


def test_p_times_k_batches(codes) -> None:
    sampler = batch_sampler(objective("supervised"), codes[:, 0], 16, seed=SEED)
    batches = sampler(0)
    assert np.shape(batches) == (3, 16)
    for batch in batches:
        types, counts = np.unique(codes[batch, 0], return_counts=True)
        assert len(types) == 4
        assert set(counts) == {4}
    assert not np.array_equal(sampler(1), batches)


def test_a_product_without_a_type_is_left_out(features, codes) -> None:
    types = np.where(np.arange(48) % 8 == 0, -1, codes[:, 0])
    spoiled = features.copy()
    spoiled[types == -1] = 1e6  # would be seen in the standardisation
    one, _ = train_contrastive_head(spoiled, types, objective("supervised"), SETTINGS, FITTING,
                                    seed=SEED)  # fmt: skip
    known = types >= 0
    other, _ = train_contrastive_head(features[known], types[known], objective("supervised"),
                                      SETTINGS, FITTING, seed=SEED)  # fmt: skip
    np.testing.assert_allclose(
        one.outputs(features)["projection"], other.outputs(features)["projection"], atol=1e-5
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "supervisd"}, "Unknown objective 'supervisd'; did you mean 'supervised'"),
        ({"temperature": 0.0}, "temperature must be a number above 0, usually 0.01 to 1, not 0.0"),
        ({"temperature": -0.1}, "temperature must be a number above 0"),
        ({"name": "triplet", "margin": 0.0}, "margin is in squared distances"),
        ({"name": "multi_attribute", "shares": (0.5, 0.2)}, "sum to 1"),
        ({"cross_entropy_share": 1.0}, "must be above 0 and below 1, not 1.0"),
        ({"products_per_class": 1}, r"products_per_class \(K\) must be at least 2"),
    ],
)
def test_an_objective_out_of_range(changes, message) -> None:
    with pytest.raises(ParameterError, match=message):
        Objective(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"projection": 0}, "projection must be at least 1, not 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"activation": "tanh"}, "Unknown activation 'tanh'"),
    ],
)
def test_a_head_out_of_range(changes, message) -> None:
    with pytest.raises(ParameterError, match=message):
        ProjectionSettings(**changes)


def fail(*_: object, **__: object) -> None:
    raise AssertionError("training has begun")


SHUFFLED = {"products_per_class": None}


@pytest.mark.parametrize(
    ("asked", "batch_size", "types", "message"),
    [
        (objective("supervised"), 16, np.zeros(48, int), "are of 1 class"),
        (objective("supervised"), 16, np.arange(48), "none has a positive"),
        (objective("supervised"), 16, np.full(48, -1), "None of 48 products has a class"),
        (objective("triplet"), 16, np.zeros(47, int), "48 embeddings but 47 labels"),
        (objective("triplet"), 16, np.zeros((48, 2), int), r"labels of shape \(n,\), not \(48, 2"),
        (objective("multi_attribute"), 16, np.zeros(48, int), r"shape \(n, 3\), one share"),
        (objective("supervised"), 32, None, r"classes_per_batch \(P\) must be 2 to 6"),
        (objective("supervised", products_per_class=9), 18, None, r"\(K\) must be 2 to 8"),
        (objective("supervised"), 18, None, "batch of 18 products cannot hold 4 of each class"),
        (objective("supervised", **SHUFFLED), 64, None, "batch_size must be 1 to 48 here, not 64"),
        (objective("supervised", **SHUFFLED), 1, None, "48 of 48 batches hold no two products"),
    ],
)
def test_bad_labels_and_batches_are_refused_before_training(
    asked, batch_size, types, message, features, codes, monkeypatch
) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    fitting = dataclasses.replace(FITTING, batch_size=batch_size)
    types = codes[:, 0] if types is None else types
    with pytest.raises(ParameterError, match=message):
        train_contrastive_head(features, types, asked, SETTINGS, fitting, seed=SEED)


def test_bad_embeddings_are_refused_before_training(features, views, codes, monkeypatch) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    spoiled = features.copy()
    spoiled[5, 2] = np.nan

    def train(inputs: np.ndarray, name: str, fitting: TrainingSettings = FITTING) -> None:
        train_contrastive_head(inputs, codes[:, 0], objective(name), SETTINGS, fitting, seed=SEED)

    with pytest.raises(ParameterError, match="embedding in row 5 holds a number that is not fin"):
        train(spoiled, "supervised")
    with pytest.raises(ParameterError, match=r"supervised takes embeddings of shape \(n, dim\)"):
        train(views, "supervised")
    for too_few in (features, views[:, :1]):
        with pytest.raises(ParameterError, match=r"nt_xent takes .* two views or more"):
            train(too_few, "nt_xent")
    with pytest.raises(ParameterError, match="a batch takes 2 at least, not 1"):
        train(views, "nt_xent", dataclasses.replace(FITTING, batch_size=1))


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
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("study"), "demo")


@pytest.fixture(scope="module")
def shop(workspace: Workspace) -> Catalog:
    """A demo catalogue of 80 products."""
    return catalog.load(drawn_shop.generate(workspace.data / "raw" / "demo", n_products=N))


@pytest.fixture(scope="module")
def stored(shop: Catalog) -> tuple[np.ndarray, dict]:
    """Embeddings that know the type, among much else."""
    types = pd.factorize(shop.products["articleType"])[0]
    generator = np.random.default_rng(1)
    matrix = 2 * generator.normal(size=(N, 8)) + 2 * generator.normal(size=(N, 8))[types]
    return matrix.astype(np.float32), {
        "model": MODEL, "backbone": "mobilenetv2", "image_size": "128", "preprocessing": "resize",
        "weights": "none-seed0", "weights_sha256": "a" * 64, "embedding_dim": "8",
        "data_hash": shop.data_hash,
    }  # fmt: skip


def train(workspace: Workspace, shop: Catalog, stored: tuple, name: str, **changes: object):
    options = {"seed": SEED, "split_seed": SPLIT_SEED} | changes
    fitting = dataclasses.replace(FITTING, batch_size=8)
    return run_contrastive_head(Study(workspace, shop), [stored], name, objective(name), SETTINGS,
                                fitting, **options)  # fmt: skip


@pytest.fixture(scope="module")
def run(workspace: Workspace, shop: Catalog, stored: tuple) -> ContrastiveRun:
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
    assert run.logits.shape == (N, len(run.classes))
    assert [run.classes.names[code] for code in run.codes] == list(shop.products["articleType"])
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
    outputs = contrastive_heads.ContrastiveHead.outputs
    monkeypatch.setattr(
        contrastive_heads.ContrastiveHead, "outputs",
        lambda head, inputs: head_inputs.append(inputs) or outputs(head, inputs),
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
    assert run.logits.shape == (N, 0)
    with pytest.raises(ParameterError, match="80 embeddings and 79 products with views do not"):
        train(workspace, shop, stored, "nt_xent", views=views[1:])


def test_classes_that_nobody_was_trained_on_are_missing(shop) -> None:
    products = shop.products.copy()
    is_fit = np.arange(N) >= 5
    products.loc[0, "articleType"] = "Jetpacks"
    products.loc[1, "baseColour"] = None
    found, classes = data_labels.class_codes(products, LABELS, is_fit)
    assert found.shape == (N, 3)
    assert found[0, 0] == found[1, 1] == -1
    assert "Jetpacks" not in classes.names
    one, _ = data_labels.class_codes(products, LABELS[:1], is_fit)
    np.testing.assert_array_equal(one, found[:, 0])
