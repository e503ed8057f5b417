"""The storefront of a catalogue of one's own: its ids, its columns, its kinds of photos."""

import csv
import io

import pytest
from drawn_shop import picture
from PIL import Image

from fashion_rir.embedding.floors import MeanColour
from fashion_rir.storefront import prepare, shop
from fashion_rir.storefront.app import Storefront
from fashion_rir.workspace import indexing
from fashion_rir.workspace.folders import open_own
from fashion_rir.workspace.parameters import profile_parameters

PARAMETERS = {
    "catalogue": "my-shop", "sample_size": None, "seed": 20, "weights": "none",
    "backbone": "mean-colour", "image_size": 32, "preprocessing": "resize", "engine": "keras",
}  # fmt: skip
MODEL = "mean-colour-32-resize"
SETTINGS = {"model": MODEL, "measure": "cosine", "n_results": 12}


def own_shop(root, names: list[str], table: str | None) -> shop.Shop:
    """A shop of photos from dark to light red, named as said."""
    for name in ("profiles", "notebooks", "photos"):
        (root / name).mkdir()
    for number, name in enumerate(names):
        kind = {"tif": "TIFF", "jpg": "JPEG"}[name.partition(".")[2]]
        (root / "photos" / name).write_bytes(picture((100 + 20 * number, 30, 30), kind=kind))
    path = None
    if table is not None:
        path = root / "t.csv"
        path.write_text(table, encoding="utf-8")
    listing = indexing.list_products(root / "photos", path, None)
    workspace = open_own("my-shop", root)
    indexing.index(workspace, listing, MeanColour(), PARAMETERS)
    return prepare.prepare(workspace, profile_parameters(workspace, "10-storefront"))


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Storefront:
    rows = [f"SKU-0{number},{brand},Mug,=1+1" for number, brand in enumerate(["Acme", "Brio"] * 3)]
    table = "\n".join(["sku,Brand,Kind,products", *rows])
    names = [f"SKU-0{number}.{'tif' if number == 5 else 'jpg'}" for number in range(6)]
    return Storefront({"own": own_shop(tmp_path_factory.mktemp("own"), names, table)}, model=MODEL)


def ask(app: Storefront, kind: str, **content: object) -> tuple[dict, list]:
    return app.answer({"kind": kind, **content}, [])


def test_products_are_asked_for_and_shown_by_their_own_ids(app):
    reply, _ = ask(app, "search", product="SKU-00", settings=SETTINGS)
    assert [card["id"] for card in reply["cards"]] == [f"SKU-0{n}" for n in range(1, 6)]
    assert reply["query_card"]["id"] == "SKU-00"
    reply, _ = ask(app, "search", product="SKU-99", settings=SETTINGS)
    assert "no product SKU-99" in reply["text"]


def test_filters_are_the_columns_that_are_there(app):
    assert app.shop_info["filters"] == {"articleType": ["Mug"], "Brand": ["Acme", "Brio"]}
    wanted = SETTINGS | {"wanted": {"Brand": "Brio"}}
    reply, _ = ask(app, "search", product="SKU-00", settings=wanted)
    assert [card["id"] for card in reply["cards"]] == ["SKU-01", "SKU-03", "SKU-05"]
    assert reply["cards"][0]["differ"] == ["Brand Brio, not Acme"]
    reply, _ = ask(app, "search", product="SKU-00", settings=SETTINGS | {"wanted": {"gender": "x"}})
    assert "Unknown filter 'gender'" in reply["text"]


def test_a_product_is_found_by_its_id_and_by_its_own_columns(app):
    reply, _ = ask(app, "picks", text="sku-03")
    assert [card["id"] for card in reply["cards"]] == ["SKU-03"]
    reply, _ = ask(app, "picks", text="acme, mug")
    assert [card["id"] for card in reply["cards"]] == ["SKU-00", "SKU-02", "SKU-04"]
    reply, _ = ask(app, "picks", text="")
    assert [card["attributes"]["type"] for card in reply["cards"]] == ["Mug"]


def test_a_photo_that_no_browser_shows_is_shown_as_a_jpeg(app):
    _, (photo,) = ask(app, "picks", text="SKU-05")
    assert Image.open(io.BytesIO(photo)).format == "JPEG"


def test_the_table_of_results_has_the_own_columns(app):
    reply, _ = ask(app, "csv", product="SKU-00", settings=SETTINGS)
    (first, *_) = csv.DictReader(io.StringIO(reply["csv"]))
    assert (first["id"], first["Brand"], first["type"]) == ("SKU-01", "Brio", "Mug")


def test_three_photos_alone_make_a_shop(tmp_path):
    app = Storefront({"own": own_shop(tmp_path, ["a.jpg", "b.jpg", "007.jpg"], None)}, model=MODEL)
    assert app.shop_info["filters"] == {}
    reply, _ = ask(app, "search", product="007", settings=SETTINGS)
    assert sorted(card["id"] for card in reply["cards"]) == ["a", "b"]
    assert reply["curve"]["thresholds"] == []
    assert reply["cards"][0]["attributes"] == {}
    reply, _ = ask(app, "picks", text="")
    assert len(reply["cards"]) == 3
    reply, _ = ask(app, "map", product="007", settings=SETTINGS)
    assert "no t-SNE map" in reply["text"]
