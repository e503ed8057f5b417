"""photos: sizes and preprocessings are scored, composed photos searched; each once."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_rir.data import catalog, splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.embedding import backbones, floors
from fashion_rir.errors import ParameterError
from fashion_rir.search import boxes
from fashion_rir.studies.pretrained import photos
from fashion_rir.studies.pretrained.photos import (
    objects_table,
    score_pretrained,
    search_photos,
    size_table,
)
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace

SEED = 20
N = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return catalog.load(drawn_shop.generate(tmp_path_factory.mktemp("drawn"), n_products=N))


@pytest.fixture(scope="module")
def is_test(shop: Catalog) -> np.ndarray:
    return splits.is_test_product(shop.products, seed=SEED)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


def fail(*_: object, **__: object) -> None:
    raise AssertionError("made again")


def tiny_backbone(name: str, *, weights: str, image_size: int, seed: int) -> backbones.Backbone:
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((image_size, image_size, 3))
    hidden = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(hidden), name=name)
    pictures = keras.Input((image_size, image_size, 3), dtype="uint8")
    model = keras.Model(pictures, network(backbones.input_layers(pictures, "unit")))
    return backbones.Backbone(name, image_size, weights, "a" * 64, "unit", model)


def test_each_size_and_preprocessing_is_scored(workspace, shop, is_test, monkeypatch) -> None:
    built = []

    def build(name: str, **options: object) -> backbones.Backbone:
        built.append((name, options["image_size"]))
        return tiny_backbone(name, **options)

    monkeypatch.setattr(backbones, "build", build)
    plan = [["tiny", 8, "resize"], ["tiny", 8, "crop"], ["tiny", 12, "pad-white"]]
    names = score_pretrained(Study(workspace, shop, SEED, "none"), plan)
    assert names == ["tiny-8-resize", "tiny-8-crop", "tiny-12-pad-white"]
    assert built == [("tiny", 8), ("tiny", 12)]  # one network for both preprocessings
    table = size_table(workspace.results, names)
    assert table["image size"].tolist() == [8, 8, 12]
    assert table["preprocessing"].tolist() == ["resize", "crop", "pad-white"]
    record = result_records.read(workspace.results, "tiny-8-crop-cosine")
    expected = record["protocols"]["held_out"]["labels"]["articleType"]["micro"]["mAP"]["value"]
    assert table.loc[1, "mAP"] == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (["mobilenetv2", 32], "must hold a backbone, an image size"),
        (["mobilenet2", 32, "pad"], "did you mean 'mobilenetv2'"),
        (["mobilenetv2", 16, "pad"], "of 32 to 4096 pixels, not 16"),
        (["mobilenetv2", 32, "padd"], "did you mean 'pad'"),
    ],
)
def test_a_plan_with_a_mistake_is_refused(workspace, shop, is_test, entry, message) -> None:
    with pytest.raises(ParameterError, match=message):
        score_pretrained(Study(workspace, shop, SEED, "none"), [entry])


def test_an_empty_plan_is_refused(workspace, shop, is_test) -> None:
    with pytest.raises(ParameterError, match="The plan is empty"):
        score_pretrained(Study(workspace, shop, SEED, "none"), [])


def search(workspace: Workspace, shop: Catalog, is_test: np.ndarray, **changes: object) -> dict:
    embedder = floors.RawPixels()
    model = stores.embed(workspace, shop, embedder, preprocessing="resize")
    options = {"n_photos": 3, "per_photo": (2, 3)} | changes
    return search_photos(Study(workspace, shop, SEED), model, embedder, **options)


def test_the_search_of_photos_is_recorded_once(workspace, shop, is_test, monkeypatch) -> None:
    record = search(workspace, shop, is_test)
    assert record["name"] == photos.objects_name("raw-pixels-16-resize")
    assert [row["n_products"] for row in record["rows"]] == [6, 9]
    table = objects_table(record)
    assert list(table.columns) == ["2 products", "3 products"]
    assert set(table.index) == set(photos.WAYS.values())
    assert table.loc["the whole photo", "2 products"] == record["rows"][0]["hit_rate_whole_photo"]
    monkeypatch.setattr(boxes, "study", fail)
    assert search(workspace, shop, is_test) == json.loads(json.dumps(record))
    with pytest.raises(AssertionError):
        search(workspace, shop, is_test, n_photos=4)


def test_photos_are_composed_of_test_products_only(workspace, shop, is_test, monkeypatch) -> None:
    seen = []
    composed = boxes.composed
    monkeypatch.setattr(boxes, "composed", lambda pictures, **options: (
        seen.extend(pictures), composed(pictures, **options))[1])  # fmt: skip
    search(workspace, shop, is_test)
    assert seen and set(seen) <= set(shop.products["id"][is_test])


def test_blank_photos_are_left_out_and_counted(shop, is_test, monkeypatch) -> None:
    first = shop.products["image_name"][is_test].iloc[0]
    read = Catalog.read_image
    white = Image.new("RGB", (60, 80), "white")
    monkeypatch.setattr(
        Catalog, "read_image", lambda self, name: white if name == first else read(self, name)
    )
    pictures = photos.TestPictures(shop, is_test, most=N, seed=SEED)
    assert pictures.n_blank == 1
    assert len(pictures) == is_test.sum() - 1
    assert int(first.removesuffix(".jpg")) not in pictures


@pytest.mark.parametrize("change", [{"n_photos": 0}, {"per_photo": (5,)}, {"per_photo": (1,)}])
def test_photos_that_cannot_be_composed_are_refused(workspace, shop, is_test, change) -> None:
    with pytest.raises(ParameterError, match="Ask for at least 1 photo of 2 to 4"):
        search(workspace, shop, is_test, **change)
