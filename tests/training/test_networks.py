"""networks: the papers' sizes, small pictures, and GeM pooling against values by hand."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.training import networks
from fashion_rir.training.networks import GeMPooling, build_network, gem

EMBEDDING_DIMS = {"resnet18": 512, "resnet34": 512, "alexnet": 256, "googlenet": 1024}


def pictures(size: int, n: int = 2) -> np.ndarray:
    """float32 (n, size, size, 3) in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (n, size, size, 3)).astype(np.float32)


def feature_maps() -> np.ndarray:
    """float32 (3, 5, 4, 6), half of it zero, as behind a ReLU."""
    maps = np.random.default_rng(0).standard_normal((3, 5, 4, 6), dtype=np.float32)
    return np.maximum(maps, 0)


# --- networks ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Published with a classifier of 1,000 classes: 11.69 and 21.80 million.
        ("resnet18", 11_689_512 - 513_000),
        ("resnet34", 21_797_672 - 513_000),
        # The five kernels of the paper, not split over two GPUs, and two numbers a channel.
        (
            "alexnet",
            11 * 11 * 3 * 96
            + 5 * 5 * 96 * 256
            + 3 * 3 * (256 * 384 + 384 * 384 + 384 * 256)
            + 2 * (96 + 256 + 384 + 384 + 256),
        ),
        # Published with a classifier: 7.00 million. Its 7,280 channels have one bias each, ours
        # the two numbers of the batch normalisation.
        ("googlenet", 6_998_552 - 1_025_000 + 7_280),
    ],
)
def test_every_network_has_the_published_number_of_parameters(name: str, expected: int) -> None:
    network = build_network(name, image_size=224)
    assert sum(np.prod(weight.shape) for weight in network.trainable_variables) == expected
    assert network.layers[-2].output.shape[1:3] == (7, 7)


def test_the_inception_blocks_give_the_channels_of_the_paper() -> None:
    # Szegedy et al. 2015, table 1, 3a to 5b: 1x1, 3x3, 5x5 and the one behind the pooling joined.
    expected = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    features = keras.Input((4, 4, 192))
    for blocks in networks.INCEPTION_BLOCKS:
        for channels in blocks:
            features = networks._inception(features, channels)
            assert features.shape == (None, 4, 4, expected.pop(0))
    assert not expected


@pytest.mark.parametrize(
    ("image_size", "expected"), [(48, 3), (64, 4), (80, 5), (111, 7), (112, 4), (224, 7)]
)
def test_a_small_picture_keeps_a_map_worth_pooling(image_size: int, expected: int) -> None:
    maps = networks.alexnet(keras.Input((image_size, image_size, 3)))
    assert maps.shape == (None, expected, expected, 256)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network_embeds_small_pictures(name: str) -> None:
    network = build_network(name, image_size=48)
    assert network.layers[-2].output.shape[1:3] == (3, 3)
    embeddings = np.asarray(network(pictures(48)))
    assert embeddings.shape == (2, EMBEDDING_DIMS[name])
    assert embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all() and (embeddings >= 0).all()
    assert not np.allclose(embeddings[0], embeddings[1])


def test_the_same_seed_gives_the_same_weights() -> None:
    found = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        found.append(np.asarray(build_network("alexnet", image_size=48)(pictures(48))))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_a_basic_block_adds_what_came_in() -> None:
    inputs = keras.Input((4, 4, 64))
    block = keras.Model(inputs, networks._basic_block(inputs, 64, strides=1))
    for weight in block.trainable_variables:
        if weight.name == "kernel":
            weight.assign(np.zeros(weight.shape))
    features = np.random.default_rng(0).standard_normal((2, 4, 4, 64), dtype=np.float32)
    np.testing.assert_array_equal(block(features), np.maximum(features, 0))


@pytest.mark.parametrize(
    "name",
    ["alexnet", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet18", "googlenet"))],
)
def test_a_network_learns_to_tell_bright_from_dark(name: str) -> None:
    keras.utils.set_random_seed(0)
    is_bright = np.tile([0.0, 1.0], 4).astype(np.float32)
    batch = pictures(48, n=8) * 0.2 + (is_bright[:, None, None, None] - 0.5)
    network = build_network(name, image_size=48)
    model = keras.Sequential([network, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    losses = model.fit(batch, is_bright, batch_size=8, epochs=8, verbose=0).history["loss"]
    assert losses[0] > 0.3 and losses[-1] < 0.01


def test_an_unknown_network_offers_the_nearest() -> None:
    with pytest.raises(ParameterError, match="network 'ResNet-18'; did you mean 'resnet18'"):
        build_network("ResNet-18", image_size=64)


@pytest.mark.parametrize("size", [47, 4097])
def test_pictures_that_are_too_small_or_large_are_refused(size: int) -> None:
    with pytest.raises(ParameterError, match=f"alexnet .* 48 to 4096 pixels, not {size}"):
        build_network("alexnet", image_size=size)


# --- poolings ---


def test_gem_equals_a_value_by_hand() -> None:
    maps = np.array([1.0, 2.0, 3.0, 0.0], dtype=np.float32).reshape(1, 2, 2, 1)
    expected = ((1 + 8 + 27) / 4) ** (1 / 3)
    assert gem(maps, p=3).item() == pytest.approx(expected, rel=1e-5)
    assert np.asarray(GeMPooling(3)(maps)).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("p", [1, 2.5, 3, 10, 100])
def test_the_layer_equals_numpy(p: float) -> None:
    found = np.asarray(GeMPooling(p)(feature_maps()))
    assert found.shape == (3, 6)
    np.testing.assert_allclose(found, gem(feature_maps(), p), rtol=1e-5)


def test_p_of_one_is_the_average_and_a_large_p_is_near_the_maximum() -> None:
    maps = feature_maps()
    np.testing.assert_allclose(gem(maps, 1), maps.mean(axis=(1, 2)), atol=2e-6)
    maximum = maps.max(axis=(1, 2))
    ratio = gem(maps, 100) / maximum  # at least (1 / 20 positions) ** (1 / 100)
    assert ratio.min() > 0.97 and ratio.max() < 1 + 1e-6


def test_negative_features_count_as_zero() -> None:
    maps = feature_maps()
    negative = np.where(maps == 0, np.float32(-5), maps)
    np.testing.assert_array_equal(gem(negative), gem(maps))
    np.testing.assert_array_equal(GeMPooling()(negative), GeMPooling()(maps))


def test_float16_feature_maps_stay_float16_and_do_not_overflow() -> None:
    maps = np.full((1, 2, 2, 3), 1000, dtype=np.float16)  # 1000 ** 3 is no float16
    found = gem(maps)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, [[1000, 1000, 1000]])


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e20])
@pytest.mark.parametrize("p", [3.0, 50.0])
def test_a_step_of_learning_stays_finite(scale: float, p: float) -> None:
    inputs = keras.Input((5, 4, 6))
    features = keras.layers.Dense(6, activation="relu")(inputs)
    model = keras.Model(inputs, GeMPooling(p)(features))
    model.compile(keras.optimizers.SGD(1e-30), loss="mae")
    model.train_on_batch(feature_maps() * np.float32(scale), np.ones((3, 6), dtype=np.float32))
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)


def test_gem_pools_in_float32_also_where_the_network_is_not() -> None:
    maps = np.full((1, 5, 4, 6), 1000, dtype=np.float16)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = np.asarray(GeMPooling()(maps))
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1000, rtol=1e-5)


@pytest.mark.parametrize("p", [0, 0.99, -3, float("inf"), float("nan")])
@pytest.mark.parametrize("pool", [GeMPooling, lambda p: gem(feature_maps(), p)])
def test_a_p_outside_of_its_range_is_refused(pool, p: float) -> None:
    with pytest.raises(ParameterError, match=f"between 1 .* and infinity, not at {p}"):
        pool(p)


def test_what_is_no_stack_of_feature_maps_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"not \(5, 4, 6\); store them before any pooling"):
        gem(feature_maps()[0])


# --- JAX ---

ON_JAX = """
import sys
import keras
import numpy as np
from fashion_rir.training.networks import build_network

weights, pictures, found = sys.argv[1:]
assert keras.backend.backend() == "jax"
network = build_network("alexnet", image_size=48)
network.load_weights(weights)
np.save(found, network.predict(np.load(pictures), verbose=0))
assert "tensorflow" not in sys.modules
"""


@pytest.mark.slow
def test_a_network_embeds_on_jax_as_on_tensorflow(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    paths = [str(tmp_path / name) for name in ("network.weights.h5", "pictures.npy", "found.npy")]
    network = build_network("alexnet", image_size=48)
    network.save_weights(paths[0])
    np.save(paths[1], pictures(48))
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX, *paths], capture_output=True, text=True, timeout=300,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = np.asarray(network(pictures(48)))
    np.testing.assert_allclose(np.load(paths[2]), expected, rtol=1e-4, atol=1e-4 * expected.max())
