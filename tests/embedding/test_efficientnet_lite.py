"""EfficientNet-Lite: the published architecture, its input mode, and its weights."""

import keras
import numpy as np
import pytest

from fashion_rir.data import images, shipped
from fashion_rir.embedding import backbones, efficientnet_lite, weight_arrays
from fashion_rir.embedding.onnx_engine import TOLERANCE, OnnxBackbone
from fashion_rir.errors import WeightsError


@pytest.fixture(scope="module")
def lite0() -> backbones.Backbone:
    """Lite0 at 32 pixels with random weights."""
    return backbones.build("efficientnetlite0", weights="none", image_size=32)


def pixels(size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "n_parameters"), [("EfficientNetLite0", 3_413_024), ("EfficientNetLite2", 4_869_168)]
)
def test_a_network_has_the_published_number_of_parameters(name, n_parameters):
    assert efficientnet_lite.build(name, 64).count_params() == n_parameters


def test_the_picture_is_halved_five_times_and_ends_in_1280_channels():
    network = efficientnet_lite.build("EfficientNetLite0", 224)
    shapes = [layer.output.shape[1:] for layer in network.layers if layer.name.endswith("_bn2")]
    sides, channels = [shape[0] for shape in shapes], [shape[-1] for shape in shapes]
    assert sides == [112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7, 7, 7, 7]
    assert channels == [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    assert network.get_layer("head_bn_relu6").output.shape == (None, 7, 7, 1280)


def test_depth_scales_all_stages_but_the_first_and_the_last():
    network = efficientnet_lite.build("EfficientNetLite2", 64)
    channels = [layer.output.shape[-1] for layer in network.layers if layer.name.endswith("_bn2")]
    wanted = [(16, 1), (24, 3), (48, 3), (88, 4), (120, 4), (208, 5), (352, 1)]
    assert channels == [width for width, repeats in wanted for _ in range(repeats)]


def test_a_block_adds_its_input_only_where_the_shape_stays():
    network = efficientnet_lite.build("EfficientNetLite0", 64)
    added = [layer.name for layer in network.layers if isinstance(layer, keras.layers.Add)]
    first_of_a_stage = {0, 1, 3, 5, 8, 11, 15}
    assert added == [f"block{i}_add" for i in range(16) if i not in first_of_a_stage]


def test_the_input_mode_centres_on_127():
    inputs = keras.Input((1, 3, 3), dtype="uint8")
    model = keras.Model(inputs, backbones.input_layers(inputs, "lite"))
    picture = np.array([[[[0, 63, 127], [128, 191, 255], [127, 127, 127]]]], dtype=np.uint8)
    expected = [[-127 / 128, -0.5, 0], [1 / 128, 0.5, 1], [0, 0, 0]]
    np.testing.assert_allclose(np.asarray(model(picture))[0, 0], expected, atol=1e-7)


def test_onnx_embeds_like_keras(lite0, tmp_path):
    pytest.importorskip("tf2onnx", reason="the engine 'onnx' needs the extra fashion-rir[onnx]")
    expected = lite0.embed(pixels())
    found = OnnxBackbone(lite0, tmp_path / "lite0.onnx").embed(pixels())
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_weights_in_half_precision_come_back_nearly_as_they_were(lite0, tmp_path):
    path = tmp_path / "lite0.npz"
    weight_arrays.save(lite0.network, path)
    found = backbones.build("efficientnetlite0", weights=str(path), image_size=32)
    for mine, theirs in zip(lite0.network.weights, found.network.weights, strict=True):
        tolerance = 1e-3 if mine.path.endswith("kernel") else 0
        np.testing.assert_allclose(theirs, mine, rtol=tolerance, atol=1e-7)
    np.testing.assert_allclose(found.embed(pixels()), lite0.embed(pixels()), rtol=0.02, atol=1e-4)


def test_the_same_weights_give_the_same_file(lite0, tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        weight_arrays.save(lite0.network, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_weights_that_are_a_pickle_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, **{"stem_conv/kernel": np.array([print], dtype=object)})
    with pytest.raises(WeightsError, match=r"bad.npz does not fit efficientnetlite0"):
        backbones.build("efficientnetlite0", weights=str(path), image_size=32)


@pytest.mark.parametrize("fault", ["lacks one", "has another shape", "has one too many"])
def test_weights_that_do_not_fit_name_the_array(lite0, tmp_path, fault):
    path = tmp_path / "odd.npz"
    weight_arrays.save(lite0.network, path)
    arrays = dict(np.load(path))
    if fault == "lacks one":
        del arrays["head_bn/gamma"]
    elif fault == "has another shape":
        arrays["head_bn/gamma"] = np.ones(3)
    else:
        arrays["head_bn/alpha"] = np.ones(3)
    np.savez(path, **arrays)
    with pytest.raises(WeightsError, match=r"odd.npz does not fit .*'head_bn/(gamma|alpha)'"):
        backbones.build("efficientnetlite0", weights=str(path), image_size=32)


def test_where_no_file_is_the_message_says_that_keras_has_none(monkeypatch):
    monkeypatch.delenv(backbones.WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(WeightsError, match="Keras has no weights of EfficientNetLite2; put"):
        backbones.build("efficientnetlite2", weights="imagenet", image_size=32)


def test_with_the_shipped_weights_jeans_stand_nearest_to_jeans_and_shoes_to_shoes():
    photos = shipped.phone_photos()
    backbone = backbones.build("efficientnetlite0", weights="shipped", image_size=96)
    of_type = photos.products.groupby("articleType")["image_name"]
    names = [name for kind in ("Jeans", "Casual Shoes") for name in of_type.get_group(kind)[:10]]
    pictures = [photos.read_image(name, for_size=96) for name in names]
    vectors = backbone.embed(np.stack([images.fit(one, 96, "pad") for one in pictures]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T - 2 * np.eye(20)
    is_jeans = np.arange(20) < 10
    assert (is_jeans[similarity.argmax(axis=1)] == is_jeans).mean() >= 0.9
