"""prepare: what the first visitor needs, and an answer without TensorFlow."""

import os
import subprocess
import sys

import numpy as np
import pytest
from drawn_shop import MODEL, PARAMETERS, ROOT, embedded_shop

from fashion_rir.embedding import backbones, embed, onnx_engine
from fashion_rir.errors import FashionRirError
from fashion_rir.storefront import models
from fashion_rir.storefront.prepare import first_model, prepare
from fashion_rir.studies.analysis import tsne

# A visitor's process: opens the shop, embeds a photo, and says what it imported.
VISITOR = """
import sys
from fashion_rir.embedding import embed
from fashion_rir.storefront import models
from fashion_rir.storefront.app import open_storefront
from fashion_rir.storefront.shop import open_shop
from fashion_rir.workspace.folders import open_workspace
workspace = open_workspace("shop")
open_storefront(workspace)
shop = open_shop(workspace)
embedder = models.open_embedder(shop, models.store_metadata(shop, sys.argv[1]))
vector = embed.embed_image(shop.catalog.read_image("2001.jpg"), embedder,
                                preprocessing="resize")
print(sorted({"tensorflow", "keras", "sklearn", "matplotlib", "faiss"} & set(sys.modules)))
print(*vector[:4].tolist())
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    workspace, _ = embedded_shop(tmp_path)
    monkeypatch.setenv("FASHION_RIR_ARCHIVE", str(tmp_path / "catalogue"))
    monkeypatch.setenv("FASHION_RIR_HOME", str(tmp_path))
    return workspace


def test_preparing_makes_all_once_and_is_quick_the_second_time(workspace):
    said = []
    shop = prepare(workspace, PARAMETERS, said.append, make_map=tsne.map_for_shop)
    assert said == [
        "Putting 101 products into the shop window",
        f"Calibrating the threshold of {MODEL}, cosine",
        f"Reading the embeddings of {MODEL}",
        f"Calibrating the threshold of {MODEL}, euclidean",
        f"Calibrating the threshold of {MODEL}, manhattan",
    ]
    assert len(shop.products) == 101
    (map_file,) = (workspace.data / "projections" / "shop").iterdir()
    assert map_file.name.startswith(f"tsne-{MODEL}-perplexity30")
    said.clear()
    prepare(workspace, PARAMETERS, said.append, make_map=tsne.map_for_shop)
    assert said == []


def test_a_first_model_that_is_neither_there_nor_can_be_built_is_refused(workspace):
    with pytest.raises(FashionRirError, match="Unknown backbone 'mean-color'"):
        prepare(workspace, PARAMETERS | {"backbone": "mean-color"})


@pytest.mark.slow
def test_a_visitor_embeds_like_keras_without_importing_it(workspace):
    for extra in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(extra, reason="the engine 'onnx' needs the extra fashion-rir[onnx]")
    parameters = PARAMETERS | {"backbone": "mobilenetv2"}
    model = first_model(parameters)
    shop = prepare(workspace, parameters)
    assert model == "mobilenetv2-32-resize"
    path = models.export_path(workspace, models.store_metadata(shop, model))
    assert onnx_engine.ExportedBackbone(path).difference < 1e-4

    answer = subprocess.run([sys.executable, "-c", VISITOR, model], cwd=workspace.root, text=True,
                            capture_output=True, timeout=120,
                            env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    imported, vector = answer.stdout.splitlines()[-2:]
    assert imported == "[]"
    network = backbones.build("mobilenetv2", weights="none", image_size=32, seed=20)
    photo = shop.catalog.read_image("2001.jpg")
    expected = embed.embed_image(photo, network, preprocessing="resize")
    found = np.array(vector.split(), dtype=np.float32)
    assert np.abs(found - expected[:4]).max() < 1e-4 * np.abs(expected).max()

    # An export of other weights than the store's is refused.
    stored = models.store_metadata(shop, model) | {"weights_sha256": "0" * 64}
    path.rename(models.export_path(workspace, stored))
    moved = onnx_engine.check_path(models.export_path(workspace, stored))
    onnx_engine.check_path(path).rename(moved)
    with pytest.raises(FashionRirError, match="made with weights_sha256"):
        models.open_embedder(shop, stored)
