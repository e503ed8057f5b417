"""onnx_engine: the export embeds like Keras, and another model's export is refused."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from fashion_rir.embedding import backbones
from fashion_rir.embedding.onnx_engine import ExportedBackbone, OnnxBackbone, check_path
from fashion_rir.errors import FashionRirError

for extra in ("onnx", "onnxruntime", "tf2onnx"):
    pytest.importorskip(extra, reason="the engine 'onnx' needs the extra fashion-rir[onnx]")


@pytest.fixture(scope="module")
def backbone() -> backbones.Backbone:
    return backbones.build("mobilenetv2", weights="none", image_size=32, seed=0)


@pytest.fixture(scope="module")
def export(backbone: backbones.Backbone, tmp_path_factory) -> Path:
    """The file of a finished export."""
    path = tmp_path_factory.mktemp("models") / "onnx" / "mobilenetv2.onnx"
    OnnxBackbone(backbone, path)
    return path


def pixels(n_images: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n_images, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("n_images", [1, 5])
def test_the_export_embeds_like_keras(backbone, export, n_images):
    engine = OnnxBackbone(backbone, export)
    expected = backbone.embed(pixels(n_images))
    found = engine.embed(pixels(n_images))
    assert found.dtype == np.float32
    assert found.shape == (n_images, 1280)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_export_is_made_once_and_leaves_no_partial_file(backbone, export, monkeypatch):
    monkeypatch.setattr(backbone.model, "export", lambda *_, **__: pytest.fail("exported again"))
    OnnxBackbone(backbone, export)
    names = {file.name for file in export.parent.iterdir()}
    assert names == {export.name, check_path(export).name}


def test_the_embeddings_are_said_to_be_the_keras_models(backbone, export):
    engine = OnnxBackbone(backbone, export)
    assert engine.metadata("pad") == backbone.metadata("pad") | {"engine": "onnx"}
    assert engine.image_size == 32


@pytest.mark.parametrize(
    ("name", "size", "seed"),
    [("mobilenetv2", 32, 1), ("vgg16", 32, 0), ("mobilenetv2", 48, 0)],
    ids=["other weights", "other network", "other size"],
)
def test_the_export_of_another_model_is_refused(export, name, size, seed):
    other = backbones.build(name, weights="none", image_size=size, seed=seed)
    with pytest.raises(FashionRirError, match=f"{export.name}.* belongs to another model"):
        OnnxBackbone(other, export)


def test_a_damaged_export_is_refused(backbone, export, tmp_path):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(export.read_bytes()[:1000])
    with pytest.raises(FashionRirError, match=r"damaged.onnx is damaged or .*delete it"):
        OnnxBackbone(backbone, path)


def test_a_keras_model_that_gives_no_number_is_refused(backbone, export):
    class Broken:
        input_shape = (None, 32, 32, 3)

        def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
            return np.full((len(batch), 1280), np.nan, dtype=np.float32)

    broken = dataclasses.replace(backbone, model=Broken())
    with pytest.raises(FashionRirError, match="differs from Keras by nan"):
        OnnxBackbone(broken, export)


NEEDS_EXTRA = r"needs the extra: pip install -e '\.\[onnx\]'"


def test_without_onnx_runtime_the_message_says_what_to_install(backbone, export, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FashionRirError, match=NEEDS_EXTRA):
        OnnxBackbone(backbone, export)


def test_without_the_exporter_the_message_says_what_to_install(backbone, tmp_path, monkeypatch):
    def export(*_: object, **__: object) -> None:
        raise ImportError("No module named 'tf2onnx'")

    monkeypatch.setattr(backbone.model, "export", export)
    with pytest.raises(FashionRirError, match=NEEDS_EXTRA):
        OnnxBackbone(backbone, tmp_path / "model.onnx")


def test_the_light_reader_embeds_the_same_and_says_what_the_check_found(backbone, export):
    reader = ExportedBackbone(export)
    np.testing.assert_array_equal(
        reader.embed(pixels(2)), OnnxBackbone(backbone, export).embed(pixels(2))
    )
    assert reader.metadata("pad") == backbone.metadata("pad") | {"engine": "onnx"}
    assert 0 <= reader.difference < 1e-4


@pytest.mark.parametrize("fault", ["no check", "another file", "a large difference", "no JSON"])
def test_the_light_reader_refuses_what_was_not_checked(export, tmp_path, fault):
    path = tmp_path / "model.onnx"
    path.write_bytes(export.read_bytes() + (b" " if fault == "another file" else b""))
    check = json.loads(check_path(export).read_text(encoding="utf-8"))
    if fault == "a large difference":
        check["difference_to_keras"] = 0.01
    if fault != "no check":
        text = "{" if fault == "no JSON" else json.dumps(check)
        check_path(path).write_text(text, encoding="utf-8")
    with pytest.raises(FashionRirError, match=r"model\.onnx.*`fashion-rir storefront` makes it"):
        ExportedBackbone(path)


def test_an_export_on_another_backend_is_refused(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(FashionRirError, match="on TensorFlow only, not on jax; unset"):
        OnnxBackbone(backbone, tmp_path / "a.onnx")


def test_onnx_runtime_tells_its_maker_nothing(export, tmp_path):
    """With telemetry on, it keeps an id of the machine and a session's file in these folders."""
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "scratch")}
    for place in places.values():
        Path(place).mkdir()
    kept_apart = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in kept_apart}
    code = (
        "import sys, pathlib, numpy as np\n"
        "from fashion_rir.embedding.onnx_engine import ExportedBackbone\n"
        "reader = ExportedBackbone(pathlib.Path(sys.argv[1]))\n"
        "reader.embed(np.zeros((1, 32, 32, 3), np.uint8))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(export)], env=environment | places, check=True)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [p for p in left if "onnxruntime" in str(p).lower() or p.name == ".ses"] == []
