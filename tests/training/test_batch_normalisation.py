"""batch_norm: statistics settled by hand, and a kernel that trains as Keras' own layer does."""

import keras
import numpy as np
import pytest

from fashion_rir.embedding import backbones
from fashion_rir.errors import ParameterError
from fashion_rir.training import batch_normalisation
from fashion_rir.training.batch_normalisation import (
    FusedBatchNormalization,
    settle,
    with_fused_kernels,
)

SIZE = 4


def network(momentum: float = 0.99) -> keras.Model:
    """Batch normalisation of the pictures themselves, so that its statistics are theirs."""
    inputs = keras.Input((SIZE, SIZE, 3))
    outputs = keras.layers.BatchNormalization(momentum=momentum, name="normalisation")(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(outputs), name="tiny")


def flat(*greys: int) -> np.ndarray:
    """Pictures of one grey each."""
    shades = np.array(greys, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(shades, (len(greys), SIZE, SIZE, 3)).copy()


def statistics(model: keras.Model) -> tuple[list[float], list[float]]:
    layer = model.get_layer("normalisation")
    return np.array(layer.moving_mean).tolist(), np.array(layer.moving_variance).tolist()


def test_settled_statistics_are_those_of_the_pictures() -> None:
    model = network()
    # 0, 2, 4 and 6: mean 3, mean squared deviation (9 + 1 + 1 + 9) / 4.
    assert settle(model, "raw", flat(0, 2, 4, 6), seed=0) == 1
    assert statistics(model) == ([3.0] * 3, [5.0] * 3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_batches_together_give_the_variance_of_all(seed, monkeypatch) -> None:
    monkeypatch.setattr(batch_normalisation, "SETTLING_BATCH", 2)
    model = network()
    settle(model, "raw", flat(0, 2, 4, 6), seed=seed)
    mean, variance = statistics(model)
    assert mean == [3.0] * 3
    assert variance == pytest.approx([5.0] * 3)  # whichever two meet in a batch


def test_a_last_batch_that_is_not_full_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(batch_normalisation, "SETTLING_BATCH", 2)
    model = network()
    drawn = np.random.default_rng(5).permutation(3)[:2]
    settle(model, "raw", flat(0, 2, 10), seed=5)
    assert statistics(model)[0] == pytest.approx([np.array([0, 2, 10])[drawn].mean()] * 3)


def test_only_so_many_pictures_are_drawn() -> None:
    model = network()
    drawn = np.random.default_rng(5).permutation(4)[:2]
    settle(model, "raw", flat(0, 2, 10, 40), n_pictures=2, seed=5)
    assert statistics(model)[0] == pytest.approx([np.array([0, 2, 10, 40])[drawn].mean()] * 3)


def test_pictures_pass_through_the_input_mode() -> None:
    model = network()
    settle(model, "unit", flat(0, 255), seed=0)
    assert statistics(model) == ([0.5] * 3, [0.25] * 3)


def test_nothing_but_the_statistics_changes() -> None:
    model = network()
    layer = model.get_layer("normalisation")
    layer.gamma.assign([1.0, 2.0, 3.0])
    settle(model, "raw", flat(0, 2), seed=0)
    assert np.array(layer.gamma).tolist() == [1.0, 2.0, 3.0]
    assert layer.momentum == 0.99


def test_a_later_layer_is_settled_on_what_the_earlier_one_gives() -> None:
    inputs = keras.Input((SIZE, SIZE, 3))
    first = keras.layers.BatchNormalization(epsilon=0.0, scale=False, center=False)(inputs)
    second = keras.layers.BatchNormalization(name="normalisation")(first)
    model = keras.Model(inputs, second, name="deep")
    settle(model, "raw", flat(10, 20), seed=0)
    assert statistics(model) == ([0.0] * 3, [1.0] * 3)


def test_what_cannot_be_settled() -> None:
    fixed = network()
    fixed.get_layer("normalisation").trainable = False
    with pytest.raises(ParameterError, match="No batch normalisation of tiny was trained"):
        settle(fixed, "raw", flat(0, 2), seed=0)
    with pytest.raises(ParameterError, match="at least 2 training photos, not 1"):
        settle(network(), "raw", flat(0), seed=0)
    with pytest.raises(ParameterError, match="kind of statistics"):
        batch_normalisation.recorded("setled")


def test_a_record_says_what_was_settled_and_else_nothing() -> None:
    assert batch_normalisation.recorded("as trained") == {}
    assert batch_normalisation.recorded("settled")["statistics"] == "settled"


# --- one kernel ---


def step(layer: keras.layers.Layer, *, training: bool) -> list[np.ndarray]:
    """Outputs, gradients and weights behind one step of a layer on random maps."""
    tf = pytest.importorskip("tensorflow")
    random = np.random.default_rng(0)
    maps = tf.Variable(random.normal(3.0, 2.0, (4, 3, 3, 2)).astype("float32"))
    aim = random.normal(size=(4, 3, 3, 2)).astype("float32")
    layer.build(maps.shape)
    layer.set_weights([np.array(v, "float32") for v in ([2, 3], [0.1, 0.2], [1, 4], [2, 0.5])])
    with tf.GradientTape() as tape:
        outputs = layer(maps, training=training)
        loss = tf.reduce_sum(outputs * aim)
    gradients = tape.gradient(loss, [maps, layer.gamma.value, layer.beta.value])
    return [np.array(value) for value in [outputs, *gradients, *layer.get_weights()]]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a kernel of TensorFlow")
@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_the_kernel_does_what_keras_does(training, trainable) -> None:
    options = {"momentum": 0.7, "epsilon": 1e-3, "trainable": trainable}
    own = step(keras.layers.BatchNormalization(**options), training=training)
    fused = step(FusedBatchNormalization(**options), training=training)
    for expected, found in zip(own, fused, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_maps_without_scale_or_of_one_dimension_are_normalised_too() -> None:
    batch = np.array([[0.0], [2.0]], dtype="float32")
    for layer in (FusedBatchNormalization(epsilon=0.0), FusedBatchNormalization(epsilon=0.0,
                  scale=False)):  # fmt: skip
        assert np.array(layer(batch, training=True)).ravel().tolist() == [-1.0, 1.0]


def test_a_fused_backbone_embeds_alike_and_says_that_it_is_fused() -> None:
    plain = backbones.build("mobilenetv2", weights="none", image_size=32, seed=1)
    fused = with_fused_kernels(plain)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fused.embed(pictures), plain.embed(pictures))
    assert {type(layer) for layer in fused.network.layers} >= {FusedBatchNormalization}
    assert keras.layers.BatchNormalization not in {type(layer) for layer in fused.network.layers}
    assert fused.metadata("resize") == plain.metadata("resize") | {"batch_normalisation": "fused"}
