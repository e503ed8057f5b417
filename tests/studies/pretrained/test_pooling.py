"""pooling: GeM pooling takes the average's place, and validation products choose its p."""

from pathlib import Path

import keras
import numpy as np
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.data.splits import Asking
from fashion_rir.embedding import backbones
from fashion_rir.errors import ParameterError
from fashion_rir.studies.pretrained import pooling as pretrained_pooling
from fashion_rir.studies.pretrained.pooling import gem_backbone, gem_pooling
from fashion_rir.studies.study import Study
from fashion_rir.training import networks
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
SIZE = 12


def tiny_backbone(pooling: type = keras.layers.GlobalAveragePooling2D) -> backbones.Backbone:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    hidden = keras.layers.Conv2D(6, 3, activation="relu")(inputs)
    network = keras.Model(inputs, pooling()(hidden), name="tiny")
    pictures = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    model = keras.Model(pictures, network(backbones.input_layers(pictures, "tf")))
    return backbones.Backbone("tiny", SIZE, "none-seed1", "a" * 64, "tf", model)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return catalog.load(
        drawn_shop.generate(tmp_path_factory.mktemp("drawn") / "shop", n_products=60)
    )


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def test_p_of_one_is_the_average() -> None:
    backbone = tiny_backbone()
    pooled = gem_backbone(backbone, 1.0)
    assert pooled.embed(pictures()) == pytest.approx(backbone.embed(pictures()), abs=1e-5)
    assert pooled.metadata("pad")["model"] == "tiny-gem1-12-pad"
    assert pooled.weights_sha256 == backbone.weights_sha256


def test_p_pools_the_feature_maps_behind_the_input_mode() -> None:
    backbone = tiny_backbone()
    convolution = backbone.network.layers[1]
    maps = np.asarray(convolution(pictures().astype("float32") / 127.5 - 1))
    assert pretrained_pooling._predicted_maps(backbone, pictures()) == pytest.approx(maps, abs=1e-5)
    found = gem_backbone(backbone, 3.0).embed(pictures())
    assert found == pytest.approx(networks.gem(maps, 3.0), abs=1e-5)


def test_the_exponent_is_chosen_and_the_model_scored(tmp_path: Path, shop, monkeypatch) -> None:
    workspace = Workspace(tmp_path, "quick")
    asking = Asking(splits.split(shop.products, seed=SEED), n_validation=2, seed=SEED)

    def run() -> dict:
        return gem_pooling(
            Study(workspace, shop, SEED),
            tiny_backbone(),
            asking,
            preprocessing="resize",
        )[1]

    monkeypatch.setattr(pretrained_pooling, "GEM_EXPONENTS", (1, 2))
    monkeypatch.setattr(pretrained_pooling, "N_GALLERY", 30)
    metadata = run()
    choice = result_records.read(workspace.results, "choice-tiny-12-resize+gem")
    p = choice["chosen"]["p"]
    assert p in (1.0, 2.0)
    assert metadata["model"] == f"tiny-gem{p:g}-12-resize"
    assert choice["inputs"]["n_gallery"] == 32
    record = result_records.read(workspace.results, f"{metadata['model']}-cosine")
    assert set(record["protocols"]) == {"held_out", "unseen"}

    def fail(*_: object) -> None:
        raise AssertionError("chosen again")

    monkeypatch.setattr(pretrained_pooling, "_predicted_maps", fail)
    assert run() == metadata


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="exponent p of GeM pooling"):
        gem_backbone(tiny_backbone(), 0.5)
    flat = tiny_backbone(keras.layers.GlobalMaxPooling2D)
    with pytest.raises(ParameterError, match="tiny does not end in global average pooling"):
        gem_backbone(flat, 2.0)
