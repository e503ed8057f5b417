"""map: the map of notebook 07, and the query's place on it."""

import numpy as np
import pytest
from drawn_shop import MODEL

from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import StoreError
from fashion_rir.storefront import map, models
from fashion_rir.storefront.app import Storefront
from fashion_rir.studies.analysis import tsne
from fashion_rir.studies.study import Study
from fashion_rir.workspace import maps

SETTINGS = {"model": MODEL, "measure": "cosine", "n_results": 12}


@pytest.fixture(scope="module")
def made(shop):
    metadata = models.store_metadata(shop, MODEL)
    vectors = FeatureStore.open(shop.workspace.feature_store(MODEL)).load()[1]
    settings = maps.MapSettings(perplexity=10)
    return tsne.project(Study(shop.workspace, shop.catalog), (vectors, metadata), settings)


def test_the_coordinates_are_those_of_the_kept_map(shop, made):
    found = map.open_map(shop, models.store_metadata(shop, MODEL))
    np.testing.assert_array_equal(found, made.coordinates)


@pytest.mark.parametrize("other", [{"model": "raw-pixels-16-resize"}, {"weights_sha256": "0"}])
def test_without_a_map_of_this_model_the_message_says_how_to_make_it(shop, made, other):
    metadata = models.store_metadata(shop, MODEL) | other
    with pytest.raises(StoreError, match="no t-SNE map of .*fashion-rir study --only 07"):
        map.open_map(shop, metadata)


def test_product_and_photo_of_it_lie_among_products_of_their_type(shop, made):
    app = Storefront({"shop": shop}, model=MODEL)
    app.answer({"kind": "upload", "name": "x"}, [shop.photo(10)])
    for query in ({"product": 2011}, {}):
        reply, (dots, classes) = app.answer({"kind": "map", "settings": SETTINGS, **query}, [])
        assert reply["text"].endswith("products: 15 of the 15 nearest dots are Shirts.")
        places = np.frombuffer(dots, np.float32).reshape(-1, 2)
        assert (places.shape, len(classes)) == ((101, 2), 101)
        assert places.min() >= -1e-6
        np.testing.assert_allclose(places.max(axis=0), [1, reply["height"]], rtol=1e-5)
        distance = np.linalg.norm(places[10] - reply["spot"])
        assert distance < (1e-6 if query else 0.2)
    assert [name for name, _ in reply["legend"]] == ["Apparel", "Footwear", "others"]
