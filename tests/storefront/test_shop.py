"""shop: the window holds the catalogue's products and photos, whole or not at all."""

import json

import pandas as pd
import pytest
from drawn_catalog import write_styles
from drawn_shop import picture, row, shop_folder

from fashion_rir.data import catalog
from fashion_rir.errors import ImageError, StoreError
from fashion_rir.storefront.shop import SHOWN_HEIGHT, open_shop, prepare
from fashion_rir.workspace.folders import open_workspace


@pytest.fixture
def loaded(tmp_path):
    folder = shop_folder(tmp_path)
    return open_workspace("shop", tmp_path), catalog.load(folder)


def test_the_window_holds_the_same_products_and_photos_as_the_catalogue(loaded):
    workspace, products = loaded
    shop = prepare(workspace, products)
    pd.testing.assert_frame_equal(shop.products, products.products)
    assert shop.data_hash == shop.catalog.data_hash == products.data_hash
    for place, name in enumerate(products.products["image_name"]):
        assert shop.photo(place) == products.source.read(name)
    assert shop.row_of[2003] == 2
    assert shop.choices["gender"] == ["Men", "Unisex", "Women"]


def test_a_window_of_the_same_catalogue_is_not_made_again(loaded):
    workspace, products = loaded
    said = []
    prepare(workspace, products, said.append)
    prepare(workspace, products, said.append)
    assert said == ["Putting 101 products into the shop window"]


def test_a_changed_catalogue_gets_a_new_window_and_the_old_one_goes(loaded, tmp_path):
    workspace, products = loaded
    prepare(workspace, products)
    write_styles(tmp_path / "catalogue", [row(2001), row(2002)])
    shop = prepare(workspace, catalog.load(tmp_path / "catalogue"))
    assert len(shop.products) == 2
    assert len(list(shop.folder.glob("photos-*"))) == 1


def test_a_large_photo_is_scaled_down_for_the_window(loaded, tmp_path):
    workspace, _ = loaded
    large = picture((200, 0, 0), size=(600, 800))
    (tmp_path / "catalogue" / "images" / "2001.jpg").write_bytes(large)
    shop = prepare(workspace, catalog.load(tmp_path / "catalogue"))
    assert shop.catalog.read_image("2001.jpg").size == (240, SHOWN_HEIGHT)
    assert shop.catalog.read_image("2002.jpg").size == (60, 80)


def test_an_unknown_photo_is_refused(loaded):
    shop = prepare(*loaded)
    with pytest.raises(ImageError, match=r"no photo 7\.jpg"):
        shop.catalog.read_image("7.jpg")


@pytest.mark.parametrize("damage", ["nothing there", "no JSON", "other version", "short photos"])
def test_a_damaged_window_says_how_to_make_it(loaded, damage):
    workspace, products = loaded
    if damage != "nothing there":
        folder = prepare(workspace, products).folder
        about = folder / "shop.json"
        if damage == "no JSON":
            about.write_text("{", encoding="utf-8")
        if damage == "other version":
            about.write_text(json.dumps({"schema": 2}), encoding="utf-8")
        if damage == "short photos":
            (photos,) = folder.glob("photos-*")
            photos.write_bytes(photos.read_bytes()[:-1])
    with pytest.raises(StoreError, match="no whole shop window.*`fashion-rir storefront`"):
        open_shop(workspace)
