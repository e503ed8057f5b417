"""labels: small networks from nothing are trained and scored like fine-tuned ones."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from fashion_rir.data import catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.scratch import scratch_backbone, scratch_table, train_from_scratch
from fashion_rir.training import networks
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
DIMS = {"resnet18": 512, "resnet34": 512, "alexnet": 256, "googlenet": 1024}


def one_convolution(images: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Conv2D(4, 5, strides=4, activation="relu")(images)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable:
    monkeypatch.setitem(networks.NETWORKS, "tiny", one_convolution)
    return one_convolution


@pytest.mark.parametrize("name", DIMS)
def test_every_network_embeds_pictures(name) -> None:
    backbone = scratch_backbone(name, image_size=48, seed=SEED)
    assert backbone.embedding_dim == DIMS[name]
    found = backbone.embed(np.zeros((1, 48, 48, 3), dtype=np.uint8))
    assert found.shape == (1, DIMS[name])
    assert np.isfinite(found).all()


def test_the_weights_are_seeded(tiny) -> None:
    hashes = [scratch_backbone("tiny", image_size=48, seed=s).weights_sha256 for s in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_pixels_reach_the_network_in_its_own_range(tiny) -> None:
    backbone = scratch_backbone("tiny", image_size=48, seed=SEED)
    picture = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), dtype=np.uint8)
    expected = backbone.network(picture.astype("float32") / 127.5 - 1)
    assert backbone.embed(picture) == pytest.approx(np.asarray(expected), abs=1e-5)


def test_a_training_leaves_its_records(tiny, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "quick")
    shop = catalog.load(drawn_shop.generate(tmp_path / "shop", n_products=50))
    trained, (vectors, metadata) = train_from_scratch(
        Study(workspace, shop, SEED), "tiny", image_size=48, epochs=1
    )
    assert trained.name == metadata["model"] == "label-scratch-tiny-48-seed20"
    assert vectors.shape == (50, 4)
    inputs = trained.record["inputs"]
    assert (inputs["run"], inputs["input_mode"]) == ("scratch-tiny-48", "tf")
    assert inputs["core"]["hidden"] is None
    assert inputs["n_validation"] > 0
    table = scratch_table(workspace.results, ["tiny"], image_size=48, seed=SEED)
    record = result_records.read(workspace.results, f"{trained.name}-cosine")
    labels = record["protocols"]["held_out"]["labels"]
    assert table.loc["tiny", "epochs"] == 1
    assert table.loc["tiny", "mAP"] == labels["articleType"]["micro"]["mAP"]["value"]
    with pytest.raises(RecordError, match="There is no record"):
        scratch_table(workspace.results, ["alexnet"], image_size=48, seed=SEED)


def test_settled_statistics_are_recorded_apart(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(
        networks.NETWORKS, "tiny", lambda x: keras.layers.BatchNormalization()(one_convolution(x))
    )
    shop = catalog.load(drawn_shop.generate(tmp_path / "shop", n_products=50))
    settled, (_, metadata) = train_from_scratch(
        Study(Workspace(tmp_path, "quick"), shop, SEED), "tiny",
        image_size=48, epochs=1, statistics="settled",
    )  # fmt: skip
    assert settled.name == metadata["model"] == "label-scratch-tiny-48-seed20-settled"
    assert settled.record["inputs"]["statistics"] == "settled"


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="'resnet19'; did you mean 'resnet1"):
        scratch_backbone("resnet19", image_size=48, seed=SEED)
    with pytest.raises(ParameterError, match="images of 48 to 4096 pixels, not 32"):
        scratch_backbone("alexnet", image_size=32, seed=SEED)


def test_a_table_of_no_network_is_refused(tmp_path) -> None:
    with pytest.raises(ParameterError, match="name one at least"):
        scratch_table(tmp_path, [], image_size=48, seed=SEED)
