"""augmentation: each change does what its name says, only in training, the same for a seed."""

import colorsys
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.training import augmentation
from fashion_rir.training.augmentation import AUGMENTATIONS, augmenter

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras' own
]
CHANGING = [name for name in AUGMENTATIONS if name != "none"]


def pictures(n: int = 8, size: int = 16) -> np.ndarray:
    """uint8 (n, size, size, 3)."""
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def augmented(name: str, batch: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.asarray(augmenter(name, seed=seed)(batch, training=True))


def plain(n: int, colour: tuple[int, int, int]) -> np.ndarray:
    """uint8 (n, 4, 4, 3) of one colour."""
    return np.full((n, 4, 4, 3), colour, dtype=np.uint8)


def spots(n: int) -> np.ndarray:
    """float32 (n, 41, 41, 3): black, with a soft white spot 10 pixels right of the middle."""
    y, x = np.mgrid[-20:21, -20:21]
    spot = 255 * np.exp(-((x - 10) ** 2 + y**2) / 4)
    return np.repeat(spot[None, :, :, None], 3, axis=3).repeat(n, axis=0).astype(np.float32)


def spot_positions(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of each picture's spot, from the middle."""
    y, x = np.mgrid[-20:21, -20:21]
    weights = batch[..., 0] / batch[..., 0].sum(axis=(1, 2), keepdims=True)
    return (weights * x).sum(axis=(1, 2)), (weights * y).sum(axis=(1, 2))


# --- every augmentation ---


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_nothing_happens_outside_of_training(name: str) -> None:
    layer = augmenter(name, seed=0)
    np.testing.assert_array_equal(layer(pictures()), pictures())
    np.testing.assert_array_equal(layer(pictures(), training=False), pictures())


@pytest.mark.parametrize("name", CHANGING)
def test_pictures_change_in_training_but_keep_shape_and_range(name: str) -> None:
    found = augmented(name, pictures())
    assert found.shape == pictures().shape
    assert found.dtype == np.float32
    assert 0 <= found.min() < 60 and 195 < found.max() <= 255
    assert not np.array_equal(found, pictures())


def test_none_changes_nothing_in_training_either() -> None:
    np.testing.assert_array_equal(augmented("none", pictures()), pictures())


@pytest.mark.parametrize("name", CHANGING)
def test_the_same_seed_gives_the_same_pictures(name: str) -> None:
    layer = augmenter(name, seed=3)
    first, second = (np.asarray(layer(pictures(), training=True)) for _ in range(2))
    np.testing.assert_array_equal(augmented(name, pictures(), seed=3), first)
    assert not np.array_equal(first, second)
    assert not np.array_equal(augmented(name, pictures(), seed=4), first)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_uint8_and_float_give_the_same_pictures(name: str) -> None:
    batch = pictures()
    np.testing.assert_array_equal(
        augmented(name, batch), augmented(name, batch.astype(np.float32))
    )  # fmt: skip


@pytest.mark.parametrize("name", CHANGING)
def test_each_picture_of_a_batch_changes_in_its_own_way(name: str) -> None:
    found = augmented(name, np.repeat(pictures(1), 16, axis=0))
    assert len(np.unique(found.reshape(16, -1), axis=0)) > 1


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_change_draws_from_a_seed_of_its_own(name: str) -> None:
    layer = augmenter(name, seed=0)
    states = [tuple(np.asarray(state)) for state in layer.non_trainable_variables]
    assert len(set(states)) == len(states) == len(AUGMENTATIONS[name])


def test_pictures_are_changed_in_float32_also_where_the_network_is_not() -> None:
    expected = augmented("strong", pictures())
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = augmented("strong", pictures())
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


# --- single changes ---


def test_flip_mirrors_about_half_of_the_pictures() -> None:
    batch = pictures(100)
    found = augmented("flip", batch)
    is_mirrored = (found == batch[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (is_mirrored | (found == batch).all(axis=(1, 2, 3))).all()
    assert 30 < is_mirrored.sum() < 70


def test_rotation_turns_up_to_72_degrees_around_the_middle() -> None:
    x, y = spot_positions(augmented("rotation", spots(200)))
    np.testing.assert_allclose(np.hypot(x, y), 10, atol=0.1)
    degrees = np.degrees(np.arctan2(y, x))
    assert -72.5 < degrees.min() < -60 and 60 < degrees.max() < 72.5


def test_zoom_goes_up_to_a_fifth_in_and_out() -> None:
    x, y = spot_positions(augmented("zoom", spots(200)))
    np.testing.assert_allclose(y, 0, atol=0.1)
    assert 10 / 1.2 - 0.1 < x.min() < 8.7 and 12 < x.max() < 10 / 0.8 + 0.1


def test_crop_keeps_at_least_half_of_the_picture() -> None:
    y, x = np.mgrid[0:11, 0:11] * 10.0  # 0 to 100
    ramps = np.repeat(np.stack([x, y, x], axis=-1)[None], 200, axis=0)
    found = augmented("crop", ramps)
    left, right = found[:, :, 0, 0], found[:, :, -1, 0]
    top, bottom = found[:, 0, :, 1], found[:, -1, :, 1]
    assert min(left.min(), top.min()) > -1e-3 and max(right.max(), bottom.max()) < 100 + 1e-3
    across, down = (right - left)[:, 0] / 100, (bottom - top)[:, 0] / 100
    assert 0.5 - 1e-4 < (across * down).min() < 0.55 and (across * down).max() > 0.9
    assert 3 / 4 - 1e-4 < (across / down).min() < 0.8 < 1.25 < (across / down).max() < 4 / 3 + 1e-4
    centre = (left + right)[:, 0] / 2
    assert centre.min() < 45 and centre.max() > 55
    middle = (left + right) / 2  # a stretched ramp is a ramp
    np.testing.assert_allclose(found[:, :, 5, 0], middle, atol=0.01)


def test_beyond_the_edge_the_nearest_pixel_continues() -> None:
    white = np.full((8, 16, 16, 3), 255, dtype=np.uint8)
    np.testing.assert_allclose(augmented("thesis", white), 255, atol=1e-3)


def test_brightness_adds_the_same_to_every_pixel() -> None:
    found = augmented("brightness", plain(200, (100, 120, 140)))
    added = found - np.array([100, 120, 140], dtype=np.float32)
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1, :1], added.shape), atol=1e-3)
    assert -51 <= added.min() < -40 and 40 < added.max() <= 51  # 0.2 * 255


def test_contrast_stretches_around_the_mean() -> None:
    batch = plain(200, (100, 100, 100))
    batch[:, :2] = 150
    found = augmented("contrast", batch)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 125, atol=1e-3)
    factor = (found[:, 0, 0, 0] - found[:, 3, 0, 0]) / 50
    assert 0.7 <= factor.min() < 0.75 and 1.25 < factor.max() <= 1.3


def test_hue_turns_the_colour_and_keeps_saturation_and_value() -> None:
    found = augmented("hue", plain(200, (200, 50, 50)))[:, 0, 0] / 255  # red: hue 0
    hue, saturation, value = np.array([colorsys.rgb_to_hsv(*colour) for colour in found]).T
    np.testing.assert_allclose(saturation, 0.75, atol=1e-4)
    np.testing.assert_allclose(value, 200 / 255, atol=1e-4)
    degrees = (hue * 360 + 180) % 360 - 180
    assert -90.1 < degrees.min() < -80 and 80 < degrees.max() < 90.1


def test_grey_takes_the_colour_from_about_half_of_the_pictures() -> None:
    found = augmented("grey", plain(100, (200, 50, 50)))[:, 0, 0]
    is_grey = np.ptp(found, axis=1) < 1e-3
    np.testing.assert_array_equal(
        found[~is_grey], np.full((int((~is_grey).sum()), 3), [200, 50, 50])
    )
    # 0.299 R + 0.587 G + 0.114 B
    np.testing.assert_allclose(found[is_grey], 0.299 * 200 + 0.587 * 50 + 0.114 * 50, atol=0.1)
    assert 30 < is_grey.sum() < 70


def test_strong_keeps_a_grey_picture_grey_and_a_red_one_reddish() -> None:
    grey = augmented("strong", plain(50, (128, 128, 128)))
    assert np.ptp(grey, axis=3).max() < 1e-3
    red = augmented("strong", plain(50, (200, 50, 50)))
    assert (red[..., 0] > red[..., 1:].max(axis=-1) + 20).all()


def test_light_changes_less_than_strong() -> None:
    smooth = spots(32)
    light, strong = (np.abs(augmented(n, smooth) - smooth).mean() for n in ("light", "strong"))
    assert 0 < light < strong / 2


# --- in a model ---


def fitted_model(name: str) -> keras.Model:
    """Augmentation before a scaling that begins as 1 and hardly learns."""
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    scale = keras.layers.Dense(3, use_bias=False, kernel_initializer="identity")
    model = keras.Model(inputs, scale(augmenter(name, seed=1)(inputs)))
    model.compile(keras.optimizers.SGD(1e-12), loss="mse")
    return model


@pytest.mark.parametrize("name", ["thesis", "light", "strong"])
def test_fit_augments_and_predict_does_not(name: str, capfd) -> None:
    model = fitted_model(name)
    batch = pictures(8)
    history = model.fit(batch, batch.astype(np.float32), batch_size=4, epochs=2, verbose=0)
    first, second = history.history["loss"]
    assert first > 100 and second > 100 and first != second
    np.testing.assert_allclose(model.predict(batch, verbose=0), batch, atol=0.01)
    assert not model.run_eagerly
    assert "WARN" not in capfd.readouterr().err


# --- bad input ---


def test_an_unknown_augmentation_offers_the_nearest() -> None:
    with pytest.raises(ParameterError, match="augmentation 'rotate'; did you mean 'rotation'"):
        augmenter("rotate", seed=0)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least 0, not -1"):
        augmenter("flip", seed=-1)


@pytest.mark.parametrize("shape", [(16, 16, 3), (2, 16, 16, 1), (2, 16, 16, 4)])
def test_what_is_no_batch_of_rgb_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match=r"shape \(n, height, width, 3\), RGB from 0 to 255"):
        augmenter("flip", seed=0)(np.zeros(shape, dtype=np.uint8), training=True)


# --- JAX ---

ON_JAX = """
import sys
import warnings

warnings.simplefilter("error")
import keras
import numpy as np
from fashion_rir.training.augmentation import augmenter

assert keras.backend.backend() == "jax"
batch = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
for name in ("none", "thesis", "strong", "grey"):  # all layers; all names would take minutes
    first, second = (np.asarray(augmenter(name, seed=2)(batch, training=True)) for _ in "ab")
    np.testing.assert_array_equal(first, second, err_msg=name)
    np.testing.assert_array_equal(augmenter(name, seed=2)(batch), batch, err_msg=name)
    assert np.array_equal(first, batch) == (name == "none"), name
    assert first.shape == batch.shape and first.min() >= 0 and first.max() <= 255, name
inputs = keras.Input((16, 16, 3), dtype="uint8")
model = keras.Model(inputs, keras.layers.Dense(1)(augmenter("thesis", seed=2)(inputs)))
model.compile("sgd", loss="mse")
assert model.jit_compile  # else Keras trains without compiling
model.fit(batch, np.zeros((4, 16, 16, 1)), epochs=1, verbose=0)
assert "tensorflow" not in sys.modules
"""


@pytest.mark.slow
def test_augmentations_run_on_jax_and_are_compiled() -> None:
    pytest.importorskip("jax")
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX], capture_output=True, text=True, timeout=300,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_change_of_strength_0_changes_nothing_and_a_stronger_one_changes_more() -> None:
    picture = np.random.default_rng(0).integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    assert (augmentation.changed(picture, "recommended", 0, n_views=2, seed=1) == picture).all()
    flat = np.full((8, 8, 3), 128, np.uint8)
    moved = [
        np.abs(augmentation.changed(flat, "brightness", strength, n_views=40, seed=1).astype(int)
               - 128).max()
        for strength in (0.5, 1, 2)
    ]  # fmt: skip
    assert 0 < moved[0] <= 26 < moved[1] <= 51 < moved[2] <= 102  # 0.2 * 255 is 51


@pytest.mark.parametrize("name", [name for name in augmentation.AUGMENTATIONS if name != "none"])
def test_every_change_has_a_strength(name: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    views = augmentation.changed(picture, name, 2, n_views=8, seed=1)
    assert views.shape == (8, 16, 16, 3) and views.dtype == np.uint8
    assert (views != picture).any()


def test_at_strength_1_a_change_is_that_of_training() -> None:
    picture = np.random.default_rng(0).integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    layer = augmentation.augmenter("thesis", seed=4)
    trained = np.asarray(layer(np.stack([picture] * 3), training=True)).round().astype(np.uint8)
    assert (augmentation.changed(picture, "thesis", 1, n_views=3, seed=4) == trained).all()


def test_a_strength_out_of_range_is_refused() -> None:
    with pytest.raises(ParameterError, match="between 0 and 2"):
        augmentation.changed(np.zeros((8, 8, 3), np.uint8), "hue", 3, n_views=1, seed=0)
