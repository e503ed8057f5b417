"""shipped_models: the real catalogue's embeddings, and a new photo in their space."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog, images, shipped
from fashion_rir.embedding import shipped_models
from fashion_rir.errors import ParameterError, StoreError

NAMES = ("mobilenetv2-128-resize", "efficientnetlite0-224-resize")


@pytest.fixture(scope="module")
def table() -> catalog.Catalog:
    return shipped.table()


@pytest.fixture(scope="module", params=NAMES)
def model(request) -> shipped_models.ShippedModel:
    return shipped_models.open_model(request.param)


def precision(queries: np.ndarray, vectors: np.ndarray, is_hit: np.ndarray) -> float:
    """The share of hits among the ten nearest by cosine; `is_hit` is queries by products."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = np.argsort(-(queries @ unit.T), axis=1)[:, :10]
    return float(np.take_along_axis(is_hit, nearest, axis=1).mean())


def test_both_networks_are_shipped():
    assert shipped_models.names() == list(NAMES)


def test_every_product_of_the_table_has_its_embedding(model, table):
    vectors, metadata = model.embedded(table)
    assert vectors.shape == (44_072, 128)
    assert vectors.dtype == np.float32
    squared = np.sum(vectors**2, axis=1)
    assert 0 < squared.min() <= squared.max() < 1.01
    assert squared.mean() == pytest.approx(model.measured["squared length kept"], abs=0.002)
    assert metadata["data_hash"] == table.data_hash
    assert metadata["model"] == f"{model.name}-reduced128"
    assert metadata["embedding_dim"] == 128


def test_identical_photos_have_the_same_embedding(model, table):
    copies = catalog.identical_groups(table.products)
    first, second = copies.index[:2]
    assert copies["image_sha256"].nunique() == 651
    vectors, _ = model.embedded(table)
    np.testing.assert_array_equal(vectors[first], vectors[second])


def test_a_sample_has_the_rows_of_its_own_products(model, table):
    vectors, _ = model.embedded(table)
    some = table.subset(np.isin(np.arange(len(table)), [5, 17, 40_000]))
    backwards = replace(some, products=some.products.iloc[::-1].reset_index(drop=True))
    np.testing.assert_array_equal(model.embedded(backwards)[0], vectors[[40_000, 17, 5]])


def test_products_stand_near_those_of_their_type(model, table):
    types = table.products["articleType"].to_numpy()
    queries = np.random.default_rng(1).permutation(len(table))[:200]
    vectors, _ = model.embedded(table)
    is_hit = types[queries][:, np.newaxis] == types
    np.put_along_axis(is_hit, queries[:, np.newaxis], False, axis=1)  # not by finding itself
    assert precision(vectors[queries], vectors, is_hit) > 0.6


def test_a_product_that_is_not_in_the_table_or_has_another_photo_has_none(model, table):
    products = table.products.head(4).copy()
    products.loc[1, ["id", "image_name"]] = 999_999, "999999.jpg"
    products.loc[3, "image_sha256"] = "0" * 64
    other = replace(table, products=products)
    assert model.is_known(other).tolist() == [True, False, True, False]
    with pytest.raises(StoreError, match=r"2 of 4 products .* \(the first: 999999\); leave them"):
        model.embedded(other)
    assert len(model.embedded(other.subset(model.is_known(other)))[0]) == 2


def test_another_name_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'mobilenetv2-128-resize'"):
        shipped_models.open_model("mobilenetv2-128-pad")


# --- what reducing changes ---


def test_what_reducing_changes_is_said(model):
    whole, reduced = model.measured["whole"], model.measured["reduced"]
    sentence = model.difference()
    assert f"mAP {reduced['mAP']['value']:.3f} instead of {whole['mAP']['value']:.3f}" in sentence
    assert "from 1,280 numbers to 128 of one byte" in sentence
    table = shipped_models.differences().set_index(["model", "metric"])
    row = table.loc[(model.name, "precision@10")]
    assert row["change"] == pytest.approx(row["reduced"] - row["whole"])


def test_reducing_changes_little(model):
    for metric in shipped_models.METRICS:
        whole, reduced = (model.measured[kind][metric]["value"] for kind in ("whole", "reduced"))
        assert abs(reduced - whole) < 0.02


# --- a new photo ---


class Fake:
    """A network that gives what it is told."""

    image_size = 8

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors = vectors

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return self._vectors[: len(batch)]

    def metadata(self, preprocessing: str) -> dict[str, object]:
        return {"model": f"fake-8-{preprocessing}", "embedding_dim": 1280}


def test_a_new_photo_is_projected_by_the_shipped_directions(model):
    whole = np.random.default_rng(0).random((3, 1280), dtype=np.float32)
    embedder = model.embedder(Fake(whole))
    found = embedder.embed(np.zeros((2, 8, 8, 3), np.uint8))
    unit = whole[:2] / np.linalg.norm(whole[:2], axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit @ model.reduction.directions, atol=1e-5)
    assert embedder.image_size == 8
    assert embedder.metadata("pad") == {
        "model": "fake-8-pad-reduced128", "embedding_dim": 128, "transform": "reduced128",
    }  # fmt: skip


def test_phone_photos_find_their_own_kind_among_the_real_products(model, table):
    photos = shipped.phone_photos()
    groups = shipped.phone_groups()
    chosen = pd.concat(
        photos.products[photos.products["source_class"] == kind].head(6)
        for kind in ("shoes", "pants", "t-shirt")
    )
    embedder = model.embedder()
    size = embedder.image_size
    pictures = [photos.read_image(name, for_size=size) for name in chosen["image_name"]]
    asked = embedder.embed(np.stack([images.fit(one, size, "resize") for one in pictures]))
    types = table.products["articleType"].to_numpy()
    is_hit = np.stack([np.isin(types, groups[kind]) for kind in chosen["source_class"]])
    vectors, metadata = model.embedded(table)
    by_chance = is_hit.mean()
    assert precision(asked, vectors, is_hit) > 2 * by_chance
    found = embedder.metadata("resize")
    for key in ("model", "weights", "weights_sha256", "image_size", "embedding_dim"):
        assert str(found[key]) == str(metadata[key])


@pytest.mark.real_data
def test_a_products_own_photo_lands_on_its_embedding(model, table):
    import os

    from fashion_rir.workspace.folders import ARCHIVE_VARIABLE, real_path

    if not os.environ.get(ARCHIVE_VARIABLE):
        pytest.skip(f"{ARCHIVE_VARIABLE} names no archive")
    real = catalog.load(real_path())
    embedder = model.embedder()
    size = embedder.image_size
    names = real.products["image_name"].iloc[[0, 1000, 30_000]]
    pictures = [real.read_image(name, for_size=size) for name in names]
    found = embedder.embed(np.stack([images.fit(one, size, "resize") for one in pictures]))
    expected = model.embedded(real)[0][[0, 1000, 30_000]]
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert (np.sum(found * expected, axis=1) / lengths).min() > 0.999
