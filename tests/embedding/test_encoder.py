"""encoder: any ONNX file that makes one row of numbers of a picture."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is needed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from fashion_rir.embedding import encoder  # noqa: E402
from fashion_rir.embedding.encoder import open_encoder  # noqa: E402
from fashion_rir.errors import FashionRirError  # noqa: E402

SAID = "mean=0.5,0.5,0.5 std=0.25,0.25,0.25"


def write(path, shape, *, inputs=("image",), nodes=None, outputs=(("embedding", None),),
          kind=TensorProto.FLOAT):  # fmt: skip
    """A model that means over the picture's sides, or does what the nodes say."""
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    mean = helper.make_node("ReduceMean", [inputs[0]], ["embedding"], axes=axes, keepdims=0)
    graph = helper.make_graph(
        nodes or [mean], "g",
        [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, form) for name, form in outputs],
        [numpy_helper.from_array(np.float32(np.nan), "nan"),
         numpy_helper.from_array(np.float32(0), "zero")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def pictures(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [["n", 3, 16, 16], ["n", 16, 16, 3], [1, 3, 16, 16],
                                   [4, 16, 16, 3]])  # fmt: skip
def test_pictures_are_scaled_centred_and_laid_out_as_was_said(tmp_path, shape):
    opened = open_encoder(write(tmp_path / "My Tower.onnx", shape), SAID)
    batch = pictures(5, 16)
    expected = (batch.reshape(5, -1, 3).mean(axis=1) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(opened.embed(batch), expected, atol=1e-5)
    about = opened.metadata("pad")
    assert (about["model"], about["embedding_dim"]) == ("my-tower-16-pad", 3)


def test_settings_stand_beside_the_file_and_what_is_said_counts_first(tmp_path):
    path = write(tmp_path / "m.onnx", ["n", 3, "h", "w"])
    text = "size: 8\nmean: [0, 0, 0]\nstd: [1, 1, 1]\nrange: 255\n"
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    assert open_encoder(path).image_size == 8
    white = np.full((1, 12, 12, 3), 255, np.uint8)
    np.testing.assert_allclose(open_encoder(path, "size=12").embed(white), [[255, 255, 255]])


def test_an_encoder_is_opened_again_from_what_a_store_says(tmp_path):
    opened = open_encoder(write(tmp_path / "m.onnx", ["n", 3, 16, 16]), SAID)
    about = opened.metadata("resize")
    again = encoder.from_metadata(about["encoder"])
    assert again.metadata("resize") == about
    np.testing.assert_array_equal(again.embed(pictures(2, 16)), opened.embed(pictures(2, 16)))
    other = open_encoder(tmp_path / "m.onnx", "mean=0,0,0 std=1,1,1")
    assert other.metadata("resize")["weights_sha256"] != about["weights_sha256"]
    (tmp_path / "m.onnx").unlink()
    with pytest.raises(FashionRirError, match="no longer there"):
        encoder.from_metadata(about["encoder"])


@pytest.mark.parametrize(
    ("change", "said", "fault"),
    [({"inputs": ("pixel_values", "input_ids")}, SAID, "has 2 inputs .pixel_values, input_ids"),
     ({"shape": ["n", 3, 16], "nodes": [helper.make_node("Identity", ["image"], ["embedding"])]},
      SAID, "not pictures"),
     ({"kind": TensorProto.INT64, "nodes": [helper.make_node("Cast", ["image"], ["embedding"],
                                                             to=TensorProto.FLOAT)]},
      SAID, "not pictures"),
     ({}, SAID + " size=24", "16 pixels, not of 24"),
     ({"shape": ["n", 3, 16, 20]}, SAID, "16 x 20; squares"),
     ({}, SAID + " layout=NHWC", "not the layout NHWC that was said, but NCHW"),
     ({"shape": ["n", "a", "b", "c"]}, SAID, "does not show its layout"),
     ({"shape": ["n", 3, "b", "c"]}, SAID, "say the size"),
     ({}, "std=1,1,1", "mean is missing"), ({}, "mean=0,0,0 std=1,0,1", "std holds a 0"),
     ({}, SAID + " range=2", "range is missing or not"), ({}, "mean", "name=value, not 'mean'"),
     ({}, SAID + " sise=16", "did you mean 'size'"),
     ({}, SAID + " output=pooled", "did you mean 'embedding'"),
     ({"nodes": [helper.make_node("Mul", ["image", "nan"], ["m"]),
                 helper.make_node("ReduceMean", ["m"], ["embedding"], axes=[2, 3], keepdims=0)]},
      SAID, "not finite"),
     ({"nodes": [helper.make_node("Mul", ["image", "zero"], ["m"]),
                 helper.make_node("ReduceMean", ["m"], ["embedding"], axes=[2, 3], keepdims=0)]},
      SAID, "the same numbers"),
     ({"nodes": [helper.make_node("Identity", ["image"], ["embedding"])]}, SAID,
      r"gives embedding \[3, 16, 16\]"),
     ({"nodes": [helper.make_node("ReduceMean", ["image"], ["a"], axes=[2, 3], keepdims=0),
                 helper.make_node("ReduceMax", ["image"], ["b"], axes=[2, 3], keepdims=0)],
       "outputs": (("a", None), ("b", None))}, SAID, "name the output")],
)  # fmt: skip
def test_what_cannot_work_is_named_before_work_starts(tmp_path, change, said, fault):
    form = {"shape": ["n", 3, 16, 16], **change}
    path = write(tmp_path / "m.onnx", form.pop("shape"), **form)
    with pytest.raises(FashionRirError, match=fault):
        open_encoder(path, said)


@pytest.mark.parametrize(("data", "fault"), [(b"no model", "no ONNX model"), (b"", "no ONNX"),
                                             (None, "no encoder")])  # fmt: skip
def test_what_is_no_onnx_file_is_refused(tmp_path, data, fault):
    if data is not None:
        (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(FashionRirError, match=fault):
        open_encoder(tmp_path / "m.onnx", SAID)


def test_of_several_outputs_the_named_one_is_taken(tmp_path):
    nodes = [helper.make_node("ReduceMean", ["image"], ["a"], axes=[2, 3], keepdims=0),
             helper.make_node("ReduceMax", ["image"], ["b"], axes=[2, 3], keepdims=0)]  # fmt: skip
    path = write(tmp_path / "m.onnx", ["n", 3, 16, 16], nodes=nodes,
                 outputs=(("a", None), ("b", None)))  # fmt: skip
    found = open_encoder(path, "mean=0,0,0 std=1,1,1 output=b").embed(pictures(2, 16))
    np.testing.assert_allclose(found, pictures(2, 16).reshape(2, -1, 3).max(axis=1) / 255)


@pytest.mark.parametrize(("text", "name"), [("SigLIP B/16", "siglip-b-16"), ("..", "encoder"),
                                            ("resnet50", "own-resnet50")])  # fmt: skip
def test_names_are_plain_and_never_a_backbone_s(text, name):
    assert encoder.encoder_name(text) == name
