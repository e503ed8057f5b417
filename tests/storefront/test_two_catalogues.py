"""A storefront of two catalogues: one with photos, one whose photos are not there."""

import io

import numpy as np
import pytest
from drawn_shop import MODEL, embedded_shop, picture
from PIL import Image

from fashion_rir.data import catalog as catalogs
from fashion_rir.data import shipped
from fashion_rir.data.drawn.from_labels import drawing_of
from fashion_rir.embedding.embed import open_store
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.storefront.api import SearchApi
from fashion_rir.storefront.app import Storefront
from fashion_rir.storefront.shop import Shop, beside, open_shops, prepare


@pytest.fixture(scope="module")
def shops(tmp_path_factory) -> dict[str, Shop]:
    workspace, catalog = embedded_shop(tmp_path_factory.mktemp("two"))
    path = workspace.data / "table.parquet"
    rows = catalog.products[list(catalogs.COLUMNS)].fillna("").astype(str)
    shipped.write_table(catalog, rows.to_numpy().tolist(), path)
    source = shipped.TableSource(path)
    source.fingerprint = lambda: "0" * 16  # what the manifest says of the real table
    table = catalogs.from_source(source, source.photos)
    other = beside(workspace)
    store = FeatureStore.open(workspace.feature_store(MODEL))
    names, metadata = list(table.products["image_name"]), dict(store.metadata)
    vectors = store.load(names)[1]
    metadata.pop("data_hash")
    copied = open_store(other.feature_store(MODEL), table, metadata, "float32")
    copied.append(names, vectors)
    prepare(workspace, catalog, called="phone photos")
    prepare(other, table, called="products")
    return open_shops(workspace)


def jpeg() -> bytes:
    return picture((9, 9, 200))


def test_the_menu_names_both_the_one_with_photos_first(shops) -> None:
    assert [name.partition(" ")[2] for name in shops] == ["phone photos", "products, as drawings"]
    assert [shop.is_drawn for shop in shops.values()] == [False, True]


def test_a_product_without_photo_is_its_drawing(shops) -> None:
    shop = [*shops.values()][1]
    drawn = np.asarray(Image.open(io.BytesIO(shop.photo(0))))
    assert np.array_equal(drawn, np.asarray(drawing_of(shop.products.iloc[0].to_dict())))


def test_a_visitor_takes_his_photo_along(shops) -> None:
    app = Storefront(shops, model=MODEL)
    settings = {"model": MODEL}
    assert app.answer({"kind": "upload", "name": "a.jpg"}, [jpeg()])[0]["kind"] == "upload"
    there = [*shops][1]
    reply, previews = app.answer({"kind": "move", "catalogue": there, "request": 7}, [])
    assert (reply["kind"], reply["name"], reply["request"]) == ("move", "a.jpg", 7)
    assert len(previews) == 1
    assert (app.shop_info["catalogue"], app.shop_info["is_drawn"]) == (there, True)
    product = int(shops[there].products["id"].iloc[0])
    found, photos = app.answer({"kind": "search", "settings": settings, "product": product}, [])
    assert found["kind"] == "results" and photos[0].startswith(b"\x89PNG")


def test_a_part_of_a_drawing_cannot_be_searched_with(shops) -> None:
    app = Storefront(shops, model=MODEL)
    app.answer({"kind": "move", "catalogue": [*shops][1]}, [])
    product = int([*shops.values()][1].products["id"].iloc[0])
    asked = {"kind": "search", "settings": {"model": MODEL}, "product": product}
    reply, _ = app.answer({**asked, "box": [0.1, 0.1, 0.9, 0.9]}, [])
    assert reply["kind"] == "error" and "shown as a drawing" in reply["text"]


@pytest.mark.parametrize("name", ["elsewhere", 7, None, ["x"]])
def test_an_unknown_catalogue_is_answered_by_a_sentence(shops, name) -> None:
    app = Storefront(shops, model=MODEL)
    reply, _ = app.answer({"kind": "move", "catalogue": name}, [])
    assert reply["kind"] == "error" and "Unknown catalogue" in reply["text"]
    assert app.shop_info["catalogue"] == [*shops][0]


def test_the_api_asks_either(shops) -> None:
    api, there = SearchApi(lambda: shops, MODEL), [*shops][1]
    product = int(shops[there].products["id"].iloc[0])
    for more in ("", f', "catalogue": "{there}"'):
        body = f'{{"product": {product}{more}}}'
        status, found = api.answer("application/json", body.encode())
        assert status == 200 and found["cards"]
    status, found = api.answer(
        "application/json", f'{{"product": {product}, "catalogue": "no"}}'.encode()
    )
    assert status == 400 and "Unknown catalogue 'no'" in found["error"]
