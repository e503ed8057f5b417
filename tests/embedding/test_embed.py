"""embed: the store holds each product's own row, however often the run was cut short."""

from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog, images
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones
from fashion_rir.embedding import embed as embedding_embed
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ImageError, ParameterError, StoreError


class MeanColours:
    """An embedder without a network: the mean colour of each quarter of the picture."""

    image_size = 16

    def __init__(self, name: str = "mean-colours") -> None:
        self.name = name
        self.shapes: list[tuple[int, ...]] = []

    def embed(self, batch: np.ndarray) -> np.ndarray:
        assert batch.dtype == np.uint8
        self.shapes.append(batch.shape)
        quarters = batch.reshape(len(batch), 2, 8, 2, 8, 3).astype(np.float32)
        return quarters.mean(axis=(2, 4)).reshape(len(batch), 12)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        return {"model": f"{self.name}-{preprocessing}", "embedding_dim": 12}


@pytest.fixture
def products(catalog_folder: Path) -> Catalog:
    return catalog.load(catalog_folder)


def by_hand(products: Catalog, preprocessing: str) -> np.ndarray:
    """Every product embedded alone, straight from its file."""
    embedder = MeanColours()
    return np.stack(
        [
            embedder.embed(
                images.fit(images.decode(products.source.read(name)), 16, preprocessing)[None]
            )[0]
            for name in products.products["image_name"]
        ]
    )


@pytest.mark.parametrize("preprocessing", ["resize", "pad"])
@pytest.mark.parametrize("batch_size", [1, 5, 6, 12, 100])
def test_every_product_gets_its_own_row_in_the_catalogues_order(
    products, tmp_path, preprocessing, batch_size
):
    store = embedding_embed.embed_catalog(
        products,
        MeanColours(),
        preprocessing=preprocessing,
        path=tmp_path / "store.sqlite",
        batch_size=batch_size,
    )
    names, matrix = store.load()
    assert names == products.products["image_name"].tolist()
    np.testing.assert_array_equal(matrix, by_hand(products, preprocessing))


def test_every_batch_has_one_shape_and_the_filling_is_not_stored(products, tmp_path):
    embedder = MeanColours()
    store = embedding_embed.embed_catalog(
        products, embedder, preprocessing="pad", path=tmp_path / "store.sqlite", batch_size=5
    )
    assert embedder.shapes == [(5, 16, 16, 3)] * 3  # 12 products, and 3 black images
    assert len(store.image_names()) == 12


def test_the_last_batch_is_filled_with_black(products):
    names = products.products["image_name"].tolist()
    *_, (last_names, last) = embedding_embed.batches(products, names, 16, "resize", batch_size=5)
    assert last_names == names[10:]
    assert last[:2].any(axis=(1, 2, 3)).all()
    assert not last[2:].any()


def test_batches_are_read_in_the_order_asked_for(products):
    names = ["1007.jpg", "1001.jpg", "1003.jpg"]
    ((found, batch),) = embedding_embed.batches(products, names, 16, "resize", batch_size=3)
    assert found == names
    for name, pixels in zip(names, batch, strict=True):
        expected = images.fit(products.read_image(name), 16, "resize")
        np.testing.assert_array_equal(pixels, expected)


def test_no_images_give_no_batches(products):
    assert list(embedding_embed.batches(products, [], 16, "resize", batch_size=3)) == []


def test_a_resumed_run_embeds_only_what_is_missing_and_ends_the_same(products, tmp_path):
    whole = embedding_embed.embed_catalog(
        products, MeanColours(), preprocessing="pad", path=tmp_path / "whole.sqlite", batch_size=4
    )

    class Interrupted(MeanColours):
        def embed(self, batch: np.ndarray) -> np.ndarray:
            if len(self.shapes) == 2:
                raise KeyboardInterrupt
            return super().embed(batch)

    path = tmp_path / "resumed.sqlite"
    with pytest.raises(KeyboardInterrupt):
        embedding_embed.embed_catalog(
            products, Interrupted(), preprocessing="pad", path=path, batch_size=4
        )
    assert len(FeatureStore.open(path).image_names()) == 8

    embedder = MeanColours()
    resumed = embedding_embed.embed_catalog(
        products, embedder, preprocessing="pad", path=path, batch_size=4
    )
    assert embedder.shapes == [(4, 16, 16, 3)]
    assert resumed.load()[0] == whole.load()[0]
    assert resumed.load()[1].tobytes() == whole.load()[1].tobytes()


@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_an_engine_called_from_several_threads_fills_the_same_store(products, tmp_path, batch_size):
    class OneACore(MeanColours):
        calls_at_once = 3

    store = embedding_embed.embed_catalog(
        products, OneACore(), preprocessing="pad", path=tmp_path / "a.sqlite", batch_size=batch_size
    )
    names, matrix = store.load()
    assert names == products.products["image_name"].tolist()
    np.testing.assert_array_equal(matrix, by_hand(products, "pad"))


def test_a_photo_missing_from_a_threads_batch_is_named_and_what_came_before_kept(
    products, catalog_folder, tmp_path
):
    class OneACore(MeanColours):
        calls_at_once = 3

    (catalog_folder / "images" / "1010.jpg").unlink()
    path = tmp_path / "store.sqlite"
    with pytest.raises(ImageError, match=r"no photo 1010.jpg"):
        embedding_embed.embed_catalog(
            products, OneACore(), preprocessing="pad", path=path, batch_size=3
        )
    assert FeatureStore.open(path).image_names() == products.products["image_name"].tolist()[:9]


def test_a_store_may_hold_float16(products, tmp_path):
    store = embedding_embed.embed_catalog(
        products, MeanColours(), preprocessing="pad", path=tmp_path / "half.sqlite",
        number_format="float16",
    )  # fmt: skip
    expected = by_hand(products, "pad").astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(store.load()[1], expected)


def test_a_finished_run_embeds_nothing_again(products, tmp_path):
    for expected in ([(12, 16, 16, 3)], []):
        embedder = MeanColours()
        embedding_embed.embed_catalog(
            products, embedder, preprocessing="pad", path=tmp_path / "a.sqlite", batch_size=12
        )
        assert embedder.shapes == expected


def test_the_store_says_which_model_and_which_data_made_it(products, tmp_path):
    store = embedding_embed.embed_catalog(
        products, MeanColours(), preprocessing="pad", path=tmp_path / "a.sqlite"
    )
    assert store.metadata == {
        "model": "mean-colours-pad",
        "embedding_dim": "12",
        "data_hash": products.data_hash,
    }


@pytest.mark.parametrize(
    ("embedder", "preprocessing"),
    [(MeanColours("other"), "pad"), (MeanColours(), "resize")],
)
def test_a_store_of_another_model_is_not_added_to(products, tmp_path, embedder, preprocessing):
    path = tmp_path / "store.sqlite"
    half = products.subset(np.arange(12) < 6)
    embedding_embed.embed_catalog(half, MeanColours(), preprocessing="pad", path=path)
    with pytest.raises(StoreError, match="was made with model 'mean-colours-pad'"):
        embedding_embed.embed_catalog(products, embedder, preprocessing=preprocessing, path=path)
    assert len(FeatureStore.open(path).image_names()) == 6


def test_an_embedding_that_is_not_finite_stops_the_run(products, tmp_path):
    class Broken(MeanColours):
        def embed(self, batch: np.ndarray) -> np.ndarray:
            return super().embed(batch) * np.nan

    with pytest.raises(StoreError, match="embedding of 1001.jpg is not finite"):
        embedding_embed.embed_catalog(
            products, Broken(), preprocessing="pad", path=tmp_path / "store.sqlite"
        )


def test_a_photo_that_went_missing_is_named_and_the_rest_kept(products, catalog_folder, tmp_path):
    (catalog_folder / "images" / "1010.jpg").unlink()
    path = tmp_path / "store.sqlite"
    with pytest.raises(ImageError, match=r"no photo 1010.jpg"):
        embedding_embed.embed_catalog(
            products, MeanColours(), preprocessing="pad", path=path, batch_size=3
        )
    assert len(FeatureStore.open(path).image_names()) == 9


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_refused_before_anything_is_written(
    products, tmp_path, batch_size
):
    with pytest.raises(ParameterError, match=f"at least 1, not {batch_size}"):
        embedding_embed.embed_catalog(
            products,
            MeanColours(),
            preprocessing="pad",
            path=tmp_path / "store.sqlite",
            batch_size=batch_size,
        )
    assert not (tmp_path / "store.sqlite").exists()


def test_an_unknown_preprocessing_is_refused_before_anything_is_written(products, tmp_path):
    with pytest.raises(ParameterError, match="'padd'; did you mean 'pad'"):
        embedding_embed.embed_catalog(
            products, MeanColours(), preprocessing="padd", path=tmp_path / "store.sqlite"
        )
    assert not (tmp_path / "store.sqlite").exists()


def test_the_two_preprocessings_give_different_embeddings(products):
    assert not np.allclose(by_hand(products, "resize"), by_hand(products, "pad"), atol=1)


@pytest.mark.parametrize("preprocessing", ["resize", "pad"])
def test_a_catalogue_photo_as_query_gets_the_row_of_its_product(
    products, catalog_folder, tmp_path, preprocessing
):
    backbone = backbones.build("mobilenetv2", weights="none", image_size=32)
    store = embedding_embed.embed_catalog(
        products,
        backbone,
        preprocessing=preprocessing,
        path=tmp_path / "store.sqlite",
        batch_size=5,
    )
    _, rows = store.load(["1002.jpg", "1008.jpg"])
    query = images.decode(catalog_folder / "images" / "1008.jpg")
    embedding = embedding_embed.embed_image(query, backbone, preprocessing=preprocessing)
    assert embedding.shape == (1280,)
    assert embedding.dtype == np.float32
    scale = np.abs(rows).max()  # random weights give tiny features: compare relative to them
    assert np.abs(embedding - rows[1]).max() < 1e-5 * scale
    assert np.abs(embedding - rows[0]).max() > 1e-2 * scale
