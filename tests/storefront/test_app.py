"""storefront: what the app answers, and that nobody can break it by what he sends."""

import io

import numpy as np
import pytest
from drawn_shop import HOSTILE_NAME, MODEL, picture
from PIL import Image

from fashion_rir.errors import ImageError
from fashion_rir.storefront import visit as visit_module
from fashion_rir.storefront.app import Storefront
from fashion_rir.storefront.photos import MAX_UPLOAD_BYTES, crop, decode_upload

SETTINGS = {"model": MODEL, "measure": "cosine", "n_results": 12}


@pytest.fixture
def app(shop):
    return Storefront({"shop": shop}, model=MODEL)


def ask(app: Storefront, kind: str, *buffers: bytes, **content: object) -> tuple[dict, list]:
    return app.answer({"kind": kind, "request": 7, **content}, list(buffers))


def image_bytes(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 50), (200, 10, 10)).save(buffer, kind, **options)
    return buffer.getvalue()


def test_an_uploaded_photo_finds_its_own_product(app, shop):
    reply, (preview,) = ask(app, "upload", shop.photo(55), name="C:\\x\\shoe.jpg")
    assert (reply["kind"], reply["name"], reply["request"]) == ("upload", "shoe.jpg", 7)
    assert Image.open(io.BytesIO(preview)).size == (60, 80)
    reply, photos = ask(app, "search", settings=SETTINGS)
    assert [card["id"] for card in reply["cards"]][0] == 3006
    assert photos[0] == shop.photo(55)
    assert reply["cards"][0]["distance"] == pytest.approx(0, abs=1e-5)
    assert reply["cards"][0]["share"] == pytest.approx(1, abs=1e-5)
    assert reply["query"]["type"] == "Casual Shoes"
    assert "type Casual Shoes" in reply["cards"][0]["agree"]
    assert 0 < reply["seconds"] < 60


def test_a_product_finds_products_like_it_but_not_itself(app, shop):
    reply, photos = ask(app, "search", product=2011, settings=SETTINGS)
    ids = [card["id"] for card in reply["cards"]]
    assert 2011 not in ids
    assert set(ids) < set(range(2001, 2051))
    assert reply["query_card"]["id"] == 2011
    assert photos[-1] == shop.photo(10)


def test_a_crop_box_searches_for_that_part_only(app):
    wide = Image.new("RGB", (120, 80), "white")
    for left, data in ((0, picture((180, 10, 10))), (60, picture((10, 10, 200)))):
        wide.paste(Image.open(io.BytesIO(data)), (left, 0))
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    ask(app, "upload", buffer.getvalue(), name="two.png")
    for box, kind in (((0, 0, 0.5, 1), "Shirts"), ((0.5, 0, 1, 1), "Casual Shoes")):
        reply, _ = ask(app, "search", box=box, settings=SETTINGS)
        assert {card["attributes"]["type"] for card in reply["cards"]} == {kind}
    reply, _ = ask(app, "search", product=2011, box=(0, 0, 0.02, 0.02), settings=SETTINGS)
    assert reply["kind"] == "results"  # a product can be cropped too


def test_a_visitor_who_uploaded_nothing_is_told_so(app):
    reply, _ = ask(app, "search", settings=SETTINGS)
    assert reply["kind"] == "error"
    assert "upload one, or pick a product" in reply["text"]


def test_a_name_with_markup_is_sent_as_it_is(app):
    reply, _ = ask(app, "picks", text="socks")
    assert [card["name"] for card in reply["cards"]] == [HOSTILE_NAME]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_format_is_known_by_content_not_by_name(kind):
    photo = decode_upload(image_bytes(kind), "photo.jpg")
    assert photo.size == (40, 50)
    assert np.abs(np.asarray(photo)[25, 20].astype(int) - [200, 10, 10]).max() < 8


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_of_several_frames_the_first_is_used(kind):
    later = [Image.new("RGB", (40, 50), "blue")]
    photo = decode_upload(image_bytes(kind, save_all=True, append_images=later), "x")
    assert np.asarray(photo)[25, 20, 0] > 190


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.jpg is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "cannot be read as a p"),
        (b"#!/bin/sh\nrm -r x", "cannot be read as a picture"),
        (image_bytes("PNG")[:60], "cannot be read as a picture"),
        (b"\x00" * (MAX_UPLOAD_BYTES + 1), r"has 8\.0 MB; the limit is 8 MB"),
    ],
    ids=["empty", "svg", "script", "cut off", "too large"],
)
def test_an_upload_that_is_no_picture_is_refused(app, data, message):
    reply, _ = ask(app, "upload", data, name="x.jpg")
    assert reply["kind"] == "error"
    with pytest.raises(ImageError, match=message):
        decode_upload(data, "x.jpg")


def test_a_small_file_of_very_many_pixels_is_not_unpacked():
    bomb = io.BytesIO()
    Image.new("1", (8000, 8000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 20_000
    with pytest.raises(ImageError, match="8000 x 8000 pixels; the limit is 30,000,000"):
        decode_upload(bomb.getvalue(), "bomb.png")


def test_a_large_photo_is_kept_smaller():
    large = io.BytesIO()
    Image.new("RGB", (3000, 1500)).save(large, "JPEG")
    assert decode_upload(large.getvalue(), "x").size == (2048, 1024)


def test_nothing_of_an_upload_is_written_to_disk(app, shop):
    files = sorted(shop.workspace.root.rglob("*"))
    ask(app, "upload", shop.photo(0), name="../../evil.jpg")
    ask(app, "search", settings=SETTINGS)
    new = set(shop.workspace.root.rglob("*")) - set(files)
    assert {file.suffix for file in new} <= {".npy", ".json", ""}  # galleries and thresholds


def test_a_box_cuts_the_part_it_surrounds():
    photo = Image.new("RGB", (100, 200))
    assert crop(photo, (0.25, 0.5, 0.75, 1)).size == (50, 100)
    assert crop(photo, None) is photo


@pytest.mark.parametrize(
    "message",
    [None, [], {"kind": "rm"}, {"kind": []}, {"kind": "search"}, {"kind": "search", "settings": 1},
     {"kind": "picks", "seed": -1}, {"kind": "picks", "text": ["x"]}, {"kind": "upload", "name": 7},
     {"kind": "search", "settings": SETTINGS, "product": 99},
     {"kind": "map", "settings": SETTINGS, "product": 2001}],
)  # fmt: skip
def test_a_message_that_cannot_be_answered_gets_a_sentence(app, message):
    reply, out = app.answer(message, [])
    assert (reply["kind"], out) == ("error", [])
    assert reply["text"].endswith((".", ")."))
    assert "went wrong" not in reply["text"]


def test_an_unforeseen_fault_is_answered_and_the_next_question_too(app, monkeypatch):
    monkeypatch.setattr(visit_module.search, "products_named", lambda *_, **__: 1 / 0)
    reply, _ = ask(app, "picks")
    assert reply["text"].startswith("Something went wrong (ZeroDivisionError)")
    monkeypatch.undo()
    assert ask(app, "picks")[0]["kind"] == "picks"


def test_the_table_is_sent_as_text(app):
    reply, _ = ask(app, "csv", product=2011, settings=SETTINGS)
    assert reply["csv"].splitlines()[0].startswith("rank,id,name,type,colour")
    assert len(reply["csv"].splitlines()) == 13


def test_a_shop_without_a_store_says_how_to_build_one(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(visit_module.models, "shown_models", lambda _: [])
    info = Storefront({"shop": shop}).shop_info
    assert info["fault"].startswith("There is no feature store in data/features/shop")
    assert "fashion-rir embed" in info["fault"]


def test_the_first_model_is_the_wanted_one_if_it_is_there(shop):
    assert (
        Storefront({"shop": shop}, model="raw-pixels-16-resize")
        .shop_info["model"]
        .startswith("raw")
    )
    assert Storefront({"shop": shop}, model="gone").shop_info["model"] == MODEL
