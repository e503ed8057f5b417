"""backbones: the right input range, the right weights, and a refusal for everything else."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fashion_rir import system
from fashion_rir.data import shipped_files
from fashion_rir.embedding import backbones
from fashion_rir.embedding.backbones import BACKBONES, WEIGHTS_VARIABLE
from fashion_rir.errors import ParameterError, WeightsError

MODULES = {
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv3": "mobilenet_v3",
    "resnet50": "resnet50",
    "resnet101": "resnet",
    "resnet152": "resnet",
    "efficientnetb0": "efficientnet",
    "inceptionv3": "inception_v3",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
}
IN_KERAS = [name for name in BACKBONES if name in MODULES]
SLOW = ("resnet101", "resnet152")
EVERY_NAME = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in BACKBONES
]


def pixels(size: int, n_images: int = 2) -> np.ndarray:
    shape = (n_images, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def least_size(name: str) -> int:
    return 75 if name == "inceptionv3" else 32


def keras_pipeline(name: str, weights: object, batch: np.ndarray) -> np.ndarray:
    """The embeddings as the documentation of keras.applications says to make them."""
    import keras

    network = getattr(keras.applications, BACKBONES[name].architecture)(
        include_top=False, pooling="avg", weights=weights, input_shape=batch.shape[1:]
    )
    module = getattr(keras.applications, MODULES[name])
    return np.asarray(network(module.preprocess_input(batch.astype("float32"))))


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over the largest feature: random networks have tiny features."""
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.fixture(autouse=True)
def no_weights_folder(request, monkeypatch):
    """The reader's own weights play no part, except where a test asks for them."""
    if "real_data" not in request.keywords:
        monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)


@pytest.fixture
def nothing_shipped(monkeypatch):
    """As where the package is installed without the repository."""
    monkeypatch.setattr(shipped_files, "is_here", lambda: False)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory) -> Path:
    """Random MobileNetV2 weights in a file."""
    import keras

    keras.utils.set_random_seed(7)
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    path = tmp_path_factory.mktemp("weights") / "mobilenetv2.weights.h5"
    network.save_weights(path)
    return path


@pytest.fixture(scope="module")
def backbone(weights_file: Path) -> backbones.Backbone:
    """MobileNetV2 at 32 pixels with the weights of `weights_file`."""
    return backbones.build("mobilenetv2", weights=str(weights_file), image_size=32)


@pytest.fixture
def entry(weights_file: Path) -> dict:
    """What weights.json says of `weights_file`."""
    return {
        "name": "mobilenetv2-random",
        "file": weights_file.name,
        "sha256": system.sha256_of_file(weights_file),
        "architecture": "MobileNetV2",
        "input_mode": "tf",
    }


def weights_folder(folder: Path, weights_file: Path, *entries: dict) -> Path:
    """A folder with a copy of the weights file and a weights.json; returns the copy."""
    (folder / "weights.json").write_text(json.dumps({"schema": 1, "weights": entries}))
    return Path(shutil.copy(weights_file, folder))


# --- every network ---


@pytest.mark.parametrize("name", EVERY_NAME)
def test_every_network_builds_and_embeds_into_the_stated_length(name):
    size = least_size(name)
    backbone = backbones.build(name, weights="none", image_size=size)
    embeddings = np.asarray(backbone.model(pixels(size)))
    assert backbone.embedding_dim == BACKBONES[name].embedding_dim
    assert embeddings.shape == (2, BACKBONES[name].embedding_dim)
    assert np.isfinite(embeddings).all()
    assert not np.array_equal(embeddings[0], embeddings[1])


@pytest.mark.parametrize("name", IN_KERAS)
def test_every_networks_input_mode_is_the_one_keras_documents(name):
    import keras

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    mode = BACKBONES[name].input_mode
    model = keras.Model(inputs, backbones.input_layers(inputs, mode))
    expected = getattr(keras.applications, MODULES[name]).preprocess_input
    batch = pixels(8)
    np.testing.assert_allclose(model(batch), expected(batch.astype("float32")), atol=1e-4)


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_an_input_mode_equals_keras_imagenet_utils(mode):
    import keras

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(inputs, backbones.input_layers(inputs, mode))
    batch = pixels(8)
    expected = keras.applications.imagenet_utils.preprocess_input(
        batch.astype("float32"), mode=mode
    )
    found = np.asarray(model(batch))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_raw_mode_leaves_the_pixels_as_they_are():
    import keras

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(inputs, backbones.input_layers(inputs, "raw"))
    np.testing.assert_array_equal(model(pixels(8)), pixels(8))


def test_an_unknown_input_mode_offers_the_nearest():
    import keras

    with pytest.raises(ParameterError, match="'cafe'; did you mean 'caffe'"):
        backbones.input_layers(keras.Input((8, 8, 3)), "cafe")


@pytest.mark.parametrize("name", ["mobilenetv2", "mobilenetv3", "efficientnetb0"])
def test_a_network_equals_keras_own_pipeline_with_imagenet_weights(name, tmp_path, monkeypatch):
    import keras

    keras.utils.set_random_seed(3)
    network = getattr(keras.applications, BACKBONES[name].architecture)(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    path = tmp_path / "random.weights.h5"
    network.save_weights(path)
    # Keras builds another graph for "imagenet" than for a file: take its word for these weights.
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: path)
    expected = keras_pipeline(name, "imagenet", pixels(32))
    found = backbones.build(name, weights=str(path), image_size=32).model(pixels(32))
    assert relative_difference(found, expected) < 1e-5


# --- what is fed in ---


def test_embed_gives_float32_rows_that_do_not_depend_on_the_rest_of_the_batch(backbone):
    batch = pixels(32, n_images=3)
    embeddings = backbone.embed(batch)
    assert embeddings.dtype == np.float32
    assert relative_difference(backbone.embed(batch[1:2])[0], embeddings[1]) < 1e-5
    assert relative_difference(embeddings[0], embeddings[1]) > 1e-2


def test_embed_refuses_what_would_be_black_or_of_another_size(backbone):
    with pytest.raises(ParameterError, match="uint8 .* not float64"):
        backbone.embed(pixels(32) / 255)
    with pytest.raises(ParameterError, match=r"\(n, 32, 32, 3\), not uint8 of shape \(2, 48"):
        backbone.embed(pixels(48))


def test_the_metadata_say_which_model_it_is(backbone, weights_file):
    assert backbone.metadata("pad") == {
        "model": "mobilenetv2-32-pad",
        "backbone": "mobilenetv2",
        "image_size": 32,
        "preprocessing": "pad",
        "weights": "mobilenetv2.weights",
        "weights_sha256": system.sha256_of_file(weights_file),
        "embedding_dim": 1280,
    }


# --- random weights, parameters ---


def test_equal_seeds_give_equal_weights_and_others_do_not():
    first, again, other = (
        backbones.build("vgg16", weights="none", image_size=32, seed=seed) for seed in (1, 1, 2)
    )
    assert (first.weights, other.weights) == ("none-seed1", "none-seed2")
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256
    batch = pixels(32)
    np.testing.assert_array_equal(first.model(batch), again.model(batch))
    assert relative_difference(first.model(batch), other.model(batch)) > 1e-2


def test_the_usual_image_size_is_taken_where_none_is_given():
    backbone = backbones.build("vgg16", weights="none")
    assert backbone.image_size == 224
    assert backbone.model.input_shape == (None, 224, 224, 3)


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ParameterError, match="'ResNet-50'; did you mean 'resnet50'"):
        backbones.build("ResNet-50", weights="none")


@pytest.mark.parametrize("name", BACKBONES)
def test_an_image_size_below_the_networks_least_is_refused(name):
    least = least_size(name)
    with pytest.raises(ParameterError, match=f"of {least} to 4096 pixels, not {least - 1}"):
        backbones.build(name, weights="none", image_size=least - 1)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ParameterError, match=f"below 2\\^32, not {seed}"):
        backbones.build("mobilenetv2", weights="none", seed=seed)


# --- weights from a file ---


def test_a_weights_file_gives_its_own_embeddings_and_hash(backbone, weights_file):
    expected = keras_pipeline("mobilenetv2", weights_file, pixels(32))
    assert relative_difference(backbone.model(pixels(32)), expected) < 1e-5
    assert backbone.weights == "mobilenetv2.weights"
    assert backbone.weights_sha256 == system.sha256_of_file(weights_file)


def test_the_folder_in_the_environment_is_looked_at_first(
    weights_file, entry, tmp_path, monkeypatch
):
    other = entry | {"architecture": "ResNet50", "file": "resnet50.weights.h5"}
    weights_folder(tmp_path, weights_file, other, entry)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    backbone = backbones.build("mobilenetv2", weights="imagenet", image_size=32)
    assert backbone.weights == "mobilenetv2-random"
    assert backbone.weights_sha256 == entry["sha256"]


def test_the_input_mode_of_weights_json_counts(weights_file, entry, tmp_path):
    import keras

    path = weights_folder(tmp_path, weights_file, entry | {"input_mode": "torch"})
    found = backbones.build("mobilenetv2", weights=str(path), image_size=32).model(pixels(32))
    network = keras.applications.MobileNetV2(
        include_top=False, pooling="avg", weights=path, input_shape=(32, 32, 3)
    )
    inputs = keras.applications.imagenet_utils.preprocess_input(
        pixels(32).astype("float32"), mode="torch"
    )
    assert relative_difference(found, network(inputs)) < 1e-5


def test_a_file_with_another_hash_is_refused_with_both_hashes(weights_file, entry, tmp_path):
    path = weights_folder(tmp_path, weights_file, entry | {"sha256": "0" * 64})
    with pytest.raises(WeightsError, match=f"{entry['sha256'][:12]}.* says 000000000000"):
        backbones.build("mobilenetv2", weights=str(path), image_size=32)


def test_a_listed_file_of_another_architecture_is_refused(weights_file, entry, tmp_path):
    path = weights_folder(tmp_path, weights_file, entry)
    with pytest.raises(WeightsError, match="weights of MobileNetV2, not of VGG16"):
        backbones.build("vgg16", weights=str(path), image_size=32)


def test_an_unlisted_file_of_another_architecture_is_refused(weights_file, recwarn):
    with pytest.raises(WeightsError, match="mobilenetv2.weights.h5 does not fit .*another network"):
        backbones.build("mobilenetv3", weights=str(weights_file), image_size=32)
    assert not [w for w in recwarn if "freshly-initialized" in str(w.message)]


def test_an_unknown_variant_is_refused(weights_file, entry, tmp_path):
    path = weights_folder(tmp_path, weights_file, entry | {"variant": "v9"})
    with pytest.raises(WeightsError, match="variant 'v9' of MobileNetV2"):
        backbones.build("mobilenetv2", weights=str(path), image_size=32)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras", ".txt"])
def test_random_bytes_are_no_weights(tmp_path, suffix):
    path = tmp_path / f"random{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(WeightsError, match=f"random{suffix} does not fit vgg16"):
        backbones.build("vgg16", weights=str(path), image_size=32)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights file .*missing.h5; give 'imagenet'"):
        backbones.build("mobilenetv2", weights=str(tmp_path / "missing.h5"), image_size=32)


def test_a_listed_file_that_is_missing_is_named(weights_file, entry, tmp_path, monkeypatch):
    weights_folder(tmp_path, weights_file, entry).unlink()
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match=r"names .*mobilenetv2.weights.h5, which is not there"):
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"weights": 3}',
        '{"weights": ["a.h5"]}',
        '{"weights": [{"file": "a.h5", "architecture": "MobileNetV2", "sha256": "0"}]}',
    ],
)
def test_a_broken_weights_json_is_refused(tmp_path, monkeypatch, content):
    (tmp_path / "weights.json").write_text(content)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="weights.json is no list of weights"):
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)


def test_a_weights_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "typo"))
    with pytest.raises(WeightsError, match=r"FASHION_RIR_WEIGHTS names .*typo, which is no folder"):
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)


def test_a_folder_without_a_list_of_weights_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match=r"FASHION_RIR_WEIGHTS names .* holds no weights\.json"):
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)


# --- weights that travel with the project ---


@pytest.mark.parametrize("is_set", [False, True])
def test_imagenet_weights_are_the_shipped_ones_where_nothing_better_is_named(
    tmp_path, monkeypatch, is_set
):
    if is_set:  # to a folder that does not list this network
        (tmp_path / "weights.json").write_text('{"weights": []}')
        monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    found = backbones.build("mobilenetv2", weights="imagenet", image_size=32)
    assert found.weights == "mobilenetv2-imagenet-float16"
    assert found.weights_sha256 == shipped_files.manifest()["mobilenetv2-float16.npz"]["sha256"]
    assert found.input_mode == "tf"


def test_shipped_weights_can_be_asked_for_whatever_folder_is_named(
    weights_file, entry, tmp_path, monkeypatch
):
    weights_folder(tmp_path, weights_file, entry)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    found = backbones.build("mobilenetv2", weights="shipped", image_size=32)
    assert found.weights == "mobilenetv2-imagenet-float16"


def test_a_network_whose_weights_are_not_shipped_says_which_are():
    with pytest.raises(WeightsError, match="No weights of VGG16 travel .* MobileNetV2 and"):
        backbones.build("vgg16", weights="shipped", image_size=32)


@pytest.mark.real_data
def test_rounded_weights_embed_nearly_as_the_whole_ones(real_weights):
    path = real_file(real_weights, "MobileNetV2")
    whole = backbones.build("mobilenetv2", weights=str(path), image_size=64).embed(pixels(64))
    rounded = backbones.build("mobilenetv2", weights="shipped", image_size=64).embed(pixels(64))
    lengths = np.linalg.norm(whole, axis=1) * np.linalg.norm(rounded, axis=1)
    assert (np.sum(whole * rounded, axis=1) / lengths).min() > 0.9995


# --- weights from Keras ---


@pytest.mark.parametrize("is_set", [False, True])
def test_a_download_that_fails_gives_one_clear_sentence(
    tmp_path, monkeypatch, nothing_shipped, is_set
):
    import keras

    def fail(**_: object) -> None:
        raise OSError("URL fetch failure: None -- Name or service not known")

    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    if is_set:  # to a folder that does not list this network
        (tmp_path / "weights.json").write_text('{"weights": []}')
        monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)
    assert str(caught.value) == (
        "The ImageNet weights of MobileNetV2 could not be downloaded (OSError); connect to the "
        "network once, or put the file into a folder with a weights.json and name the folder in "
        "FASHION_RIR_WEIGHTS."
    )


def test_what_keras_has_downloaded_before_is_taken_from_its_cache(
    backbone, weights_file, tmp_path, monkeypatch, nothing_shipped
):
    import keras

    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(weights_file, tmp_path / "models" / "mobilenet_v2_other_notop.h5")
    cached = tmp_path / "models" / backbones.KERAS_FILES["MobileNetV2"]
    keras.applications.MobileNetV2(
        include_top=False, weights=weights_file, input_shape=(32, 32, 3)
    ).save(cached)  # in the older form, in which Keras publishes its own
    found = backbones.build("mobilenetv2", weights="imagenet", image_size=32)
    assert found.weights == "mobilenetv2-imagenet-keras"
    assert found.weights_sha256 == system.sha256_of_file(cached)
    np.testing.assert_array_equal(found.model(pixels(32)), backbone.model(pixels(32)))


@pytest.mark.parametrize("name", IN_KERAS)
def test_keras_calls_its_files_as_we_say(name, monkeypatch):
    import keras

    class Asked(Exception):
        """Carries the name of the file that Keras asks for."""

    def ask(fname: str, *_: object, **__: object) -> None:
        raise Asked(fname)

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", ask)
    # The deep networks' blocks play no part in the name.
    monkeypatch.setattr(
        "keras.src.applications.resnet.stack_residual_blocks_v1", lambda x, *_, **__: x
    )
    architecture = BACKBONES[name].architecture
    with pytest.raises(Asked, match=f"^{backbones.KERAS_FILES[architecture]}$"):
        getattr(keras.applications, architecture)(
            include_top=False, weights="imagenet", input_shape=(224, 224, 3)
        )


# --- ResNet-50 v1.5 ---


def resnet50_v15_by_recipe(size: int) -> object:
    """Another way to the same network: every second position behind a full 3x3 convolution."""
    import keras

    config = keras.applications.ResNet50(
        include_top=False, weights=None, pooling="avg", input_shape=(size, size, 3)
    ).get_config()
    for layer in config["layers"]:
        for stage in ("conv3", "conv4", "conv5"):
            if layer["name"] == f"{stage}_block1_1_conv":
                layer["config"]["strides"] = (1, 1)
            if layer["name"] == f"{stage}_block1_3_conv":
                layer["config"]["strides"] = (2, 2)
    return keras.Model.from_config(config)


def torch_inputs(batch: np.ndarray) -> np.ndarray:
    import keras

    return keras.applications.imagenet_utils.preprocess_input(batch.astype("float32"), mode="torch")


def test_resnet50_v15_equals_its_other_form_with_random_weights():
    import keras

    keras.utils.set_random_seed(0)
    network = backbones._network(BACKBONES["resnet50"], 50, "v1.5")
    recipe = resnet50_v15_by_recipe(50)
    recipe.set_weights(network.get_weights())
    inputs = torch_inputs(pixels(50))
    assert relative_difference(network(inputs), recipe(inputs)) < 1e-5


@pytest.fixture(scope="module")
def real_weights() -> Path:
    """The folder with the real weights."""
    folder = os.environ.get(WEIGHTS_VARIABLE)
    if not folder:
        pytest.skip(f"{WEIGHTS_VARIABLE} names no folder with the real weights")
    return Path(folder)


def real_file(folder: Path, architecture: str) -> Path:
    entries = json.loads((folder / "weights.json").read_text())["weights"]
    files = [entry["file"] for entry in entries if entry["architecture"] == architecture]
    if not files:
        pytest.skip(f"{WEIGHTS_VARIABLE} has no weights of {architecture}")
    return folder / files[0]


@pytest.mark.real_data
def test_the_real_resnet50_v15_equals_its_recipe(real_weights):
    path = real_file(real_weights, "ResNet50")
    backbone = backbones.build("resnet50", weights="imagenet", image_size=64)
    if backbone.weights != "resnet50-v1.5-pqf-imagenet":
        pytest.skip("these ResNet50 weights are not of the variant v1.5")
    recipe = resnet50_v15_by_recipe(64)
    recipe.load_weights(path)
    expected = recipe(torch_inputs(pixels(64)))
    assert relative_difference(backbone.model(pixels(64)), expected) < 1e-5


@pytest.mark.real_data
def test_the_real_mobilenetv2_equals_keras_own_pipeline(real_weights):
    path = real_file(real_weights, "MobileNetV2")
    backbone = backbones.build("mobilenetv2", weights="imagenet", image_size=128)
    expected = keras_pipeline("mobilenetv2", path, pixels(128))
    assert relative_difference(backbone.model(pixels(128)), expected) < 1e-5
    assert backbone.weights_sha256 == system.sha256_of_file(path)


def test_a_certificate_that_nobody_trusts_is_named(monkeypatch, nothing_shipped):
    import keras

    def fail(**_: object) -> None:
        raise Exception("URL fetch failure on https://x: None -- [SSL: CERTIFICATE_VERIFY_FAILED]")

    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(WeightsError, match=r"\(Exception: the server's certificate is none that"):
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)
