"""contrastive: batches and losses by hand, small heads trained by each objective."""

import dataclasses

import keras
import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.training import contrastive, heads, losses
from fashion_rir.training.contrastive import Contrastive
from fashion_rir.training.fit import Training, TrainingSettings
from fashion_rir.training.heads import ProjectionSettings

SEED = 21
SETTINGS = ProjectionSettings(hidden=16, projection=4, dropout=0.1)
FITTING = TrainingSettings(epochs=3, batch_size=16, learning_rate=0.02)


def objective(name: str, **changes: object) -> Contrastive:
    return Contrastive(name, **{"products_per_class": 4} | changes)


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


def train(
    inputs: np.ndarray, labels: np.ndarray, asked: Contrastive,
    settings: ProjectionSettings = SETTINGS, fitting: TrainingSettings = FITTING,
    *, validation: tuple | None = None,
) -> tuple:  # fmt: skip
    return heads.train_head((inputs, labels), asked, settings, Training(fitting, SEED),
                            validation=validation)  # fmt: skip


def similarity(embeddings: np.ndarray, types: np.ndarray) -> float:
    """Mean cosine of two products of one type."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return float((unit @ unit.T)[types[:, None] == types].mean())


@pytest.mark.parametrize("name", contrastive.CONTRASTIVE)
def test_every_objective_learns(name, features, views, codes) -> None:
    inputs, labels = given(name, features, views, codes)
    fitting = dataclasses.replace(FITTING, epochs=8)
    head, curve = train(inputs, labels, objective(name), SETTINGS, fitting,
                        validation=(inputs[::3], labels[::3]))  # fmt: skip
    assert curve["epoch"].tolist() == list(range(1, 9))
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]
    assert {"loss", "val_loss"} <= set(curve)
    found = head.outputs(features)
    assert found["hidden"].shape == (48, 16)
    assert found["projection"].shape == (48, 4)
    assert ("logits" in found) == (name == "hybrid")
    if name != "nt_xent":  # products of a type have come together
        types = codes[:, 0]
        assert similarity(found["projection"], types) > similarity(features, types)


def test_the_loss_is_that_of_the_outputs(features, codes) -> None:
    """Without dropout, the validation loss can be computed from what the head gives."""
    plain = dataclasses.replace(SETTINGS, dropout=0.0)
    asked = objective("hybrid", temperature=0.3, cross_entropy_share=0.25)
    fitting = dataclasses.replace(FITTING, epochs=1)
    types = codes[:, 0]
    head, curve = train(features, types, asked, plain, fitting, validation=(features, types))
    found = head.outputs(features)
    contrastive = float(losses.supervised_contrastive(found["projection"], types, temperature=0.3))
    posterior = heads.posterior(found["logits"])
    cross_entropy = -np.log(posterior[np.arange(48), types]).mean()
    expected = 0.75 * contrastive + 0.25 * cross_entropy
    assert curve["val_loss"].iloc[-1] == pytest.approx(expected, rel=1e-4)


def test_two_stored_views_make_nt_xent(views) -> None:
    plain = dataclasses.replace(SETTINGS, dropout=0.0)
    asked = Contrastive("nt_xent", temperature=0.5)
    fitting = dataclasses.replace(FITTING, epochs=1, batch_size=24)  # 96 views are asked at once
    missing = np.full(48, -1)  # it does not look at labels
    head, curve = train(views, missing, asked, plain, fitting, validation=(views, missing))
    first, second = (head.outputs(views[:, view])["projection"] for view in (0, 1))
    expected = float(losses.nt_xent(first, second, temperature=0.5))
    assert curve["val_loss"].iloc[-1] == pytest.approx(expected, rel=1e-4)


def test_each_step_takes_two_different_views_of_each_product() -> None:
    asked = Contrastive("nt_xent")
    given = asked.examples(np.ones((10, 4, 2)), np.full(10, -1))
    sampler = asked.sampler(given, 3, seed=SEED)
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
    sampler = objective("supervised").batches(codes[:, 0], 16, seed=SEED)
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
    one, _ = train(spoiled, types, objective("supervised"))
    known = types >= 0
    other, _ = train(features[known], types[known], objective("supervised"))
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
        Contrastive(**changes)


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
        train(features, types, asked, SETTINGS, fitting)


def test_bad_embeddings_are_refused_before_training(features, views, codes, monkeypatch) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    spoiled = features.copy()
    spoiled[5, 2] = np.nan

    def try_to_train(inputs: np.ndarray, name: str, fitting: TrainingSettings = FITTING) -> None:
        train(inputs, codes[:, 0], objective(name), SETTINGS, fitting)

    with pytest.raises(ParameterError, match="embedding in row 5 is not finite"):
        try_to_train(spoiled, "supervised")
    with pytest.raises(ParameterError, match=r"supervised takes embeddings of shape \(n, dim\)"):
        try_to_train(views, "supervised")
    for too_few in (features, views[:, :1]):
        with pytest.raises(ParameterError, match=r"nt_xent takes .* two views or more"):
            try_to_train(too_few, "nt_xent")
    with pytest.raises(ParameterError, match="a batch takes 2 at least, not 1"):
        try_to_train(views, "nt_xent", dataclasses.replace(FITTING, batch_size=1))
