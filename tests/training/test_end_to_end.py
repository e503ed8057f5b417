"""end_to_end: what learns and what stays, the same core behind other inputs, and its store."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from fashion_rir.data import catalog, images
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones, embed
from fashion_rir.errors import ParameterError, StoreError, TrainingError
from fashion_rir.training import end_to_end, fit
from fashion_rir.training.augmentation import augmenter
from fashion_rir.training.end_to_end import CoreSettings, TunedEmbedder, behind_inputs, build_core
from fashion_rir.training.fit import Batches, Checkpoint, Training, TrainingSettings

SIZE = 32
SETTINGS = CoreSettings(hidden=5)


def tiny_backbone() -> backbones.Backbone:
    """A convolution, batch normalisation and pooling, in place of a network of the study."""
    keras.utils.set_random_seed(0)
    scaled = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(4, 3, strides=4, name="convolution")(scaled)
    maps = keras.layers.BatchNormalization(name="normalisation")(maps)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(maps))
    network = keras.Model(scaled, pooled, name="tiny")
    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    model = keras.Model(inputs, network(backbones.input_layers(inputs, "tf")))
    sha256 = backbones.hash_values(network)
    return backbones.Backbone("tiny", SIZE, "none-seed0", sha256, "tf", model)


def pictures(n: int = 8) -> np.ndarray:
    """uint8 (n, 32, 32, 3)."""
    return np.random.default_rng(0).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)


def classifier(core: keras.Model, augment: str = "none") -> keras.Model:
    model = behind_inputs(core, "tf", augment=augment)
    return keras.Model(model.inputs, model.output["logits"])


def train(
    core: keras.Model, *, augment: str = "none", folder: Path | None = None,
    sampler: fit.Sampler = lambda epoch: [np.arange(8)], epochs: int = 1,
) -> keras.Model:  # fmt: skip
    model = classifier(core, augment)
    settings = TrainingSettings(epochs=epochs, learning_rate=0.05)
    fit.fit(
        model,
        Batches(pictures(), np.arange(8) % 3, sampler),
        Training(settings, 0, None if folder is None else Checkpoint(folder, {})),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def changed_by_training(trained: str) -> set[str]:
    """Which weights one step changes."""
    core = build_core(tiny_backbone(), replace(SETTINGS, trained=trained), n_classes=3, seed=0)
    before = core.get_weights()
    train(core)
    pairs = zip(core.weights, before, core.get_weights(), strict=True)
    return {weight.path for weight, old, new in pairs if (old != new).any()}


TOP = {"dense/kernel", "dense/bias", "logits/kernel", "logits/bias"}
CONVOLUTION = {"convolution/kernel", "convolution/bias"}
SCALE = {"normalisation/gamma", "normalisation/beta"}
STATISTICS = {"normalisation/moving_mean", "normalisation/moving_variance"}


# --- what learns ---


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        ("all", CONVOLUTION | SCALE | STATISTICS | TOP),
        ("all but batch normalisation", CONVOLUTION | TOP),
        ("head", TOP),
    ],
)
def test_only_what_is_trained_changes(trained: str, expected: set[str]) -> None:
    def plain(path: str) -> str:
        layer, weight = path.split("/")[-2:]
        return f"{layer.rstrip('_0123456789')}/{weight}"

    # A bias before batch normalisation has no effect that could be learned.
    may_rest = {"convolution/bias"}
    found = {plain(path) for path in changed_by_training(trained)}
    assert found - may_rest == expected - may_rest


@pytest.mark.parametrize("trained", ["all but batch normalisation", "head"])
def test_untrained_normalisation_uses_its_stored_statistics(trained: str) -> None:
    network = tiny_backbone().network
    batch = pictures() / np.float32(255)
    end_to_end.set_trained(network, "all")
    as_it_is = np.asarray(network(batch, training=False))
    assert np.abs(np.asarray(network(batch, training=True)) - as_it_is).max() > 1e-3
    network = tiny_backbone().network
    end_to_end.set_trained(network, trained)
    np.testing.assert_allclose(network(batch, training=True), as_it_is, atol=1e-6)


def test_a_network_of_the_study_is_frozen_and_freed() -> None:
    network = backbones.build("mobilenetv2", weights="none", image_size=SIZE).network
    n_all = len(network.trainable_weights)
    n_normalisations = sum(
        isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers
    )
    assert n_normalisations == 52
    end_to_end.set_trained(network, "head")
    assert network.trainable_weights == []
    end_to_end.set_trained(network, "all but batch normalisation")
    assert len(network.trainable_weights) == n_all - 2 * n_normalisations
    end_to_end.set_trained(network, "all")
    assert len(network.trainable_weights) == n_all


def test_an_unknown_part_is_refused() -> None:
    network = tiny_backbone().network
    with pytest.raises(ParameterError, match="part to train 'heads'; did you mean 'head'"):
        end_to_end.set_trained(network, "heads")


# --- the core ---


def test_a_core_has_an_embedding_and_logits() -> None:
    core = build_core(tiny_backbone(), SETTINGS, n_classes=3, seed=0)
    outputs = core.predict(pictures() / np.float32(255), verbose=0)
    assert {name: values.shape for name, values in outputs.items()} == {
        "embedding": (8, 5), "logits": (8, 3)}  # fmt: skip
    assert outputs["embedding"].min() >= 0  # ReLU
    assert set(build_core(tiny_backbone(), SETTINGS, seed=0).output) == {"embedding"}


@pytest.mark.parametrize(
    ("settings", "dim"),
    [
        (CoreSettings(hidden=None), 4),
        (CoreSettings(hidden=6, activation="linear"), 6),
        (CoreSettings(hidden=6, projection=2), 2),
    ],
)
def test_the_embedding_is_the_last_layer_below_the_classes(
    settings: CoreSettings, dim: int
) -> None:
    top = end_to_end.build_top(4, settings, n_classes=3, seed=0)
    features = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    embedding = np.asarray(top(features)["embedding"])
    assert embedding.shape == (10, dim)
    assert embedding.min() < 0  # none of these ends in a ReLU
    if settings.hidden is None:
        np.testing.assert_array_equal(embedding, features)


def test_the_seed_draws_the_head() -> None:
    first, same, other = (
        end_to_end.build_top(4, SETTINGS, n_classes=3, seed=seed).get_weights()
        for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1, or None for no such layer, not 0"),
        ({"projection": -2}, "projection must be at least 1, or None for no such layer, not -2"),
        ({"activation": "lineal"}, "activation 'lineal'; did you mean 'linear'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, not 1.0"),
        ({"trained": "top"}, "Unknown part to train 'top'"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        CoreSettings(**changes)


# --- behind inputs ---


def test_a_core_behind_its_own_input_mode_equals_scaling_by_hand() -> None:
    core = build_core(tiny_backbone(), SETTINGS, n_classes=3, seed=0)
    by_hand = core(pictures() / np.float32(127.5) - 1)
    found = behind_inputs(core, "tf")(pictures())
    for name in ("embedding", "logits"):
        np.testing.assert_allclose(found[name], by_hand[name], atol=1e-5)


def test_another_input_mode_shares_the_weights_and_gives_other_embeddings() -> None:
    core = build_core(tiny_backbone(), replace(SETTINGS, activation="linear"), seed=0)
    right, wrong = behind_inputs(core, "tf"), behind_inputs(core, "unit")
    before = np.asarray(right(pictures())["embedding"])
    assert np.abs(np.asarray(wrong(pictures())["embedding"]) - before).max() > 1e-3
    core.set_weights([2 * weight for weight in core.get_weights()])
    for model in (right, wrong):
        for found, expected in zip(model.get_weights(), core.get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert np.abs(np.asarray(right(pictures())["embedding"]) - before).max() > 1e-3


def test_augmentation_acts_in_training_only() -> None:
    core = build_core(tiny_backbone(), replace(SETTINGS, activation="linear", trained="head"),
                      seed=0)  # fmt: skip
    plain, augmented = behind_inputs(core, "tf"), behind_inputs(core, "tf", augment="flip", seed=1)
    expected = np.asarray(plain(pictures())["embedding"])
    np.testing.assert_array_equal(augmented(pictures())["embedding"], expected)
    found = np.asarray(augmented(pictures(), training=True)["embedding"])
    assert np.abs(found - expected).max() > 1e-4
    flipped = np.asarray(augmenter("flip", seed=1)(pictures(), training=True)).astype(np.uint8)
    np.testing.assert_allclose(found, plain(flipped)["embedding"], atol=1e-5)


def test_an_unknown_input_or_augmentation_is_refused() -> None:
    core = build_core(tiny_backbone(), SETTINGS, seed=0)
    with pytest.raises(ParameterError, match="input mode 'cafe'; did you mean 'caffe'"):
        behind_inputs(core, "cafe")
    with pytest.raises(ParameterError, match="augmentation 'lite'"):
        behind_inputs(core, "tf", augment="lite")


# --- training ---


def test_a_killed_training_of_a_core_goes_on_to_the_same_end(tmp_path: Path) -> None:
    def fresh() -> keras.Model:
        return build_core(tiny_backbone(), SETTINGS, n_classes=3, seed=0)

    def killed(epoch: int) -> Sequence[np.ndarray]:
        if epoch == 1:
            raise KeyboardInterrupt
        return [np.arange(8)]

    whole, resumed = fresh(), fresh()
    train(whole, augment="flip", epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), augment="flip", epochs=2, folder=tmp_path, sampler=killed)
    train(resumed, augment="flip", epochs=2, folder=tmp_path)
    for found, expected in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_of_another_head_or_backbone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "core.weights.h5"
    core = classifier(build_core(tiny_backbone(), SETTINGS, n_classes=3, seed=0))
    core.save_weights(path)
    same = classifier(build_core(tiny_backbone(), SETTINGS, n_classes=3, seed=1))
    fit.load_weights(same, path)
    assert all((a == b).all() for a, b in zip(same.get_weights(), core.get_weights(), strict=True))
    mobilenet = backbones.build("mobilenetv2", weights="none", image_size=SIZE)
    for other in (
        build_core(tiny_backbone(), replace(SETTINGS, hidden=6), n_classes=3, seed=0),
        build_core(tiny_backbone(), replace(SETTINGS, hidden=None), n_classes=3, seed=0),
        build_core(tiny_backbone(), SETTINGS, n_classes=4, seed=0),
        build_core(mobilenet, SETTINGS, n_classes=3, seed=0),
    ):
        with pytest.raises(TrainingError, match="of another head size or backbone"):
            fit.load_weights(classifier(other), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="core.weights.h5 cannot be loaded"):
        fit.load_weights(same, path)


# --- embedding a catalogue ---


@pytest.fixture
def products(catalog_folder: Path) -> Catalog:
    return catalog.load(catalog_folder)


def tuned(core: keras.Model, name: str = "label-seed0") -> TunedEmbedder:
    base = tiny_backbone().metadata("pad")
    return TunedEmbedder(name, behind_inputs(core, "tf"), base, {"training": "abc"})


def test_a_tuned_embedder_fills_a_store(products: Catalog, tmp_path: Path) -> None:
    core = build_core(tiny_backbone(), replace(SETTINGS, activation="linear"), n_classes=3, seed=0)
    embedder = tuned(core)
    store = embed.embed_catalog(
        products, embedder, preprocessing="pad", path=tmp_path / "store.sqlite", batch_size=5
    )
    names, matrix = store.load()
    assert names == products.products["image_name"].tolist()
    batch = np.stack([images.fit(products.read_image(name), SIZE, "pad") for name in names])
    np.testing.assert_allclose(matrix, embedder.embed(batch), atol=1e-5)
    assert len(np.unique(matrix, axis=0)) == len(names)
    expected = {"model": "label-seed0", "backbone": "tiny", "embedding_dim": "5",
                "training": "abc", "preprocessing": "pad", "image_size": "32"}  # fmt: skip
    assert {key: store.metadata[key] for key in expected} == expected
    assert store.metadata["weights_sha256"] != tiny_backbone().weights_sha256


def test_the_store_of_another_training_is_refused(products: Catalog, tmp_path: Path) -> None:
    core = build_core(tiny_backbone(), SETTINGS, n_classes=3, seed=0)
    path = tmp_path / "store.sqlite"
    embed.embed_catalog(products, tuned(core), preprocessing="pad", path=path)
    embed.embed_catalog(products, tuned(core), preprocessing="pad", path=path)  # goes on
    train(core)
    with pytest.raises(StoreError, match="was made with weights_sha256"):
        embed.embed_catalog(products, tuned(core), preprocessing="pad", path=path)
    with pytest.raises(StoreError, match="was made with model 'label-seed0'"):
        embed.embed_catalog(products, tuned(core, "other"), preprocessing="pad", path=path)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((1, SIZE, SIZE, 3), dtype=np.float32), "not float32 of shape"),
        (np.zeros((1, 16, 16, 3), dtype=np.uint8), "not uint8 of shape .1, 16, 16, 3"),
    ],
)
def test_a_batch_of_another_kind_is_refused(batch: np.ndarray, message: str) -> None:
    embedder = tuned(build_core(tiny_backbone(), SETTINGS, seed=0))
    assert embedder.image_size == SIZE
    with pytest.raises(ParameterError, match=f"batch for label-seed0 is uint8 .*{message}"):
        embedder.embed(batch)


# --- pictures ---


@pytest.mark.parametrize("preprocessing", ["resize", "pad"])
def test_pictures_come_in_the_order_asked_for(products: Catalog, preprocessing: str) -> None:
    names = products.products["image_name"].tolist()[::-1]
    names = (names * 22)[:260]  # more than one batch, the last one not full
    found = end_to_end.load_pictures(products, names, 16, preprocessing)
    assert found.dtype == np.uint8
    expected = {name: images.fit(products.read_image(name), 16, preprocessing) for name in names}
    np.testing.assert_array_equal(found, np.stack([expected[name] for name in names]))


def test_no_picture_is_refused(products: Catalog) -> None:
    with pytest.raises(ParameterError, match="There is no picture to train on"):
        end_to_end.load_pictures(products, [], 16, "pad")
    with pytest.raises(ParameterError, match="preprocessing 'pads'; did you mean 'pad'"):
        end_to_end.load_pictures(products, ["1001.jpg"], 16, "pads")
