"""models: shared galleries, light embedders, and stores that cannot be used."""

import dataclasses
import shutil
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
from drawn_shop import MODEL

from fashion_rir.embedding.floors import MeanColour
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import FashionRirError, StoreError
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront import models
from fashion_rir.storefront.shop import open_shop
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import open_workspace


@pytest.fixture(name="shop")
def a_copy_to_damage(shop, tmp_path):
    root = tmp_path / "shop"
    shutil.copytree(shop.workspace.root, root)
    return open_shop(open_workspace("shop", root))


def test_the_menu_lists_every_feature_store(shop):
    assert models.model_names(shop.workspace) == [MODEL, "raw-pixels-16-resize"]


def test_a_store_of_other_products_is_not_in_the_menu(shop):
    folder = shop.workspace.feature_store("any").parent
    metadata = {"model": "of-a-sample", "embedding_dim": 2, "data_hash": "other"}
    FeatureStore.create(folder / "of-a-sample.sqlite", metadata)
    (folder / "damaged.sqlite").write_bytes(b"no database")
    assert models.shown_models(shop) == ["damaged", MODEL, "raw-pixels-16-resize"]


@pytest.mark.parametrize("measure", ["cosine", "euclidean", "manhattan"])
def test_a_gallery_is_read_once_and_mapped_then(shop, measure):
    said = []
    first, metadata = models.open_gallery(shop, MODEL, measure, said.append)
    again, _ = models.open_gallery(shop, MODEL, measure, said.append)
    assert said == [f"Reading the embeddings of {MODEL}"]
    assert metadata["model"] == MODEL
    assert isinstance(again.vectors, np.memmap)
    stored = FeatureStore.open(shop.workspace.feature_store(MODEL)).load()[1]
    expected = Gallery(stored, shop.products["id"], measure)
    np.testing.assert_allclose(first.distances(stored[:2]), expected.distances(stored[:2]))


def test_euclidean_and_manhattan_share_one_file(shop):
    models.open_gallery(shop, MODEL, "euclidean")
    said = []
    gallery, _ = models.open_gallery(shop, MODEL, "manhattan", said.append)
    assert (said, gallery.measure) == ([], "manhattan")


def test_a_store_that_was_made_anew_is_read_anew(shop):
    models.open_gallery(shop, MODEL, "euclidean")
    path = shop.workspace.feature_store(MODEL)
    with closing(sqlite3.connect(path)) as connection, connection:
        row = np.array([1, 2, 3, 4], dtype="<f4").tobytes()
        connection.execute("UPDATE image_features SET features = ? WHERE image_name = '2001.jpg'",
                           [row])  # fmt: skip
        connection.execute("CREATE TABLE filler AS SELECT randomblob(9999)")
    gallery, _ = models.open_gallery(shop, MODEL, "euclidean")
    assert gallery.vectors[0].tolist() == [1, 2, 3, 4]


def test_a_missing_store_is_named_with_how_to_build_it(shop):
    with pytest.raises(
        StoreError, match=r"no feature store no-such\.sqlite.*fashion-rir embed --profile shop`"
    ):
        models.open_gallery(shop, "no-such", "cosine")


def test_a_half_written_store_says_how_many_are_missing(shop):
    with closing(sqlite3.connect(shop.workspace.feature_store(MODEL))) as connection, connection:
        connection.execute("DELETE FROM image_features WHERE image_name < '2003'")
    with pytest.raises(StoreError, match="lacks 2 of 101 images.*fashion-rir embed"):
        models.open_gallery(shop, MODEL, "cosine")


def test_a_store_of_another_catalogue_is_refused(shop):
    foreign = dataclasses.replace(shop, data_hash="0" * 64)
    with pytest.raises(StoreError, match="made from another catalogue.*fashion-rir embed"):
        models.open_gallery(foreign, MODEL, "cosine")


def test_a_file_that_is_no_store_is_refused(shop):
    shop.workspace.feature_store("broken").write_bytes(b"not SQLite, but long enough" * 50)
    with pytest.raises(StoreError, match="damaged, or no SQLite file.*build it again"):
        models.open_gallery(shop, "broken", "cosine")


def test_a_locked_store_is_refused_within_seconds_unless_it_was_read_before(shop, monkeypatch):
    monkeypatch.setattr(models, "LOCK_SECONDS", 0.1)
    models.open_gallery(shop, MODEL, "cosine")
    for name in (MODEL, "raw-pixels-16-resize"):
        connection = sqlite3.connect(shop.workspace.feature_store(name))
        connection.execute("BEGIN EXCLUSIVE")
    models.open_gallery(shop, MODEL, "cosine")
    with pytest.raises(StoreError, match="raw-pixels.*is locked: another program is writing"):
        models.open_gallery(shop, "raw-pixels-16-resize", "cosine")


def test_the_menu_does_not_wait_for_a_locked_store(shop, monkeypatch):
    monkeypatch.setattr(models, "LOCK_SECONDS", 0.1)
    connection = sqlite3.connect(shop.workspace.feature_store(MODEL))
    connection.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    assert models.shown_models(shop) == [MODEL, "raw-pixels-16-resize"]
    assert time.monotonic() - start < 5
    connection.close()


def test_a_floor_embeds_a_photo_like_the_store(shop):
    metadata = models.store_metadata(shop, MODEL)
    assert isinstance(models.open_embedder(shop, metadata), MeanColour)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"model": "joined", "backbone": "dense512"}, "joined cannot embed a new photo"),
        ({"model": "m", "backbone": "mobilenetv2", "image_size": "32", "weights_sha256": "ab"},
         "m has no ONNX export"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_embed_photos_says_what_to_do(shop, about, message):
    with pytest.raises(FashionRirError, match=f"{message}.*pick a product"):
        models.open_embedder(shop, about)


def test_a_threshold_promises_what_test_products_got(shop):
    gallery, _ = models.open_gallery(shop, MODEL, "cosine")
    said = []
    curve = models.calibration(shop, MODEL, gallery, said.append)
    # Red shirts and blue shoes lie apart: every pair of one type is nearer than any of two.
    assert set(curve["precision"]) == {1}
    assert (curve["recall"][-1], sorted(curve["thresholds"])) == (1, curve["thresholds"])
    shirt_to_shoes = gallery.distances(gallery.vectors[:1])[0, 50:100]
    assert curve["thresholds"][-1] < shirt_to_shoes.min()
    assert models.calibration(shop, MODEL, gallery, said.append) == curve
    assert said == [f"Calibrating the threshold of {MODEL}, cosine"]


def test_a_recorded_curve_of_the_same_catalogue_goes_first(shop):
    gallery, _ = models.open_gallery(shop, MODEL, "cosine")
    curve = {"thresholds": [0.5], "precision": [0.9], "recall": [0.1], "false_match_rate": [0.0]}
    name = f"thresholds-{MODEL}-cosine"
    for data_hash in (shop.data_hash, "another"):
        inputs = {"profile": "shop", "data_hash": data_hash, "measure": "cosine"}
        record = result_records.make_record("threshold_calibration", name, inputs, curve=curve)
        result_records.write(record, shop.workspace.results)
        is_taken = models.calibration(shop, MODEL, gallery) == curve
        assert is_taken == (data_hash == shop.data_hash)
