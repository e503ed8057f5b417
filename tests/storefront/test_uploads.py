"""An upload in the storefront: cut out, told what it shows, ranked by the products' own labels."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from drawn_joined import COLOURS, TYPES, joined_model
from drawn_shop import MODEL, embedded_shop
from PIL import Image, ImageDraw

from fashion_rir.embedding import embed
from fashion_rir.embedding.photo_head import PhotoHead
from fashion_rir.embedding.photo_pipeline import NO_MATCH, PhotoPipeline
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ShippedError
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront import uploads
from fashion_rir.storefront.api import SearchApi
from fashion_rir.storefront.app import Storefront
from fashion_rir.storefront.shop import Shop, prepare
from fashion_rir.workspace import joined_store, photo_search
from fashion_rir.workspace.joined_store import JoinedEmbedder

SHIPPED = replace(joined_model(), sha256="0" * 64)
RED, BLUE, GROUND = (210, 20, 20), (20, 20, 210), (110, 170, 110)


class RedAndBlue:
    """How red and how blue a picture is, more than green: two numbers."""

    image_size = 16

    def embed(self, batch: np.ndarray) -> np.ndarray:
        mean = batch.reshape(len(batch), -1, 3).mean(axis=1)
        return (mean[:, [0, 2]] - mean[:, 1:2]).astype(np.float32) / 10


def drawn_head() -> PhotoHead:
    """Red things are red shirts, blue ones blue shoes; of what is neither it knows nothing."""
    sure = np.array([[0, 2], [2, 0]], np.float32)  # rows: red, blue; columns as in the classes
    arrays = {
        "mean": np.zeros(2, np.float32), "scale": np.ones(1, np.float32),
        "hidden": np.eye(2, dtype=np.float32), "hidden_bias": np.zeros(2, np.float32),
        "articleType": sure, "articleType_bias": np.zeros(2, np.float32),
        "baseColour": sure, "baseColour_bias": np.zeros(2, np.float32),
    }  # fmt: skip
    classes = {"articleType": tuple(TYPES), "baseColour": tuple(COLOURS)}
    return PhotoHead(classes, arrays, {"networks": ["drawn"], "least_confidence": 0.7})


def photo_of(colour: tuple[int, int, int], size: tuple[int, int] = (120, 160)) -> Image.Image:
    """A garment of a colour in the middle of a green floor."""
    image = Image.new("RGB", size, GROUND)
    width, height = size
    box = (width // 4, height // 4, 3 * width // 4, 3 * height // 4)
    ImageDraw.Draw(image).rectangle(box, fill=colour)
    return image


def as_bytes(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **how)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    """The drawn shop, with joined embeddings as well."""
    workspace, catalog = embedded_shop(tmp_path_factory.mktemp("uploads"))
    embedder = JoinedEmbedder(SHIPPED, [RedAndBlue()])
    about = joined_store.metadata(SHIPPED) | {"data_hash": catalog.data_hash}
    store = FeatureStore.create(workspace.feature_store(joined_store.MODEL), about)
    names = list(catalog.products["image_name"])
    vectors = [embed.embed_image(catalog.read_image(one), embedder, preprocessing="resize")
               for one in names]  # fmt: skip
    store.append(names, np.stack(vectors))
    return prepare(workspace, catalog)


@pytest.fixture(autouse=True)
def model(monkeypatch):
    monkeypatch.setattr(joined_store, "open_model", lambda: SHIPPED)
    monkeypatch.setattr(joined_store, "open_embedder",
                        lambda _: JoinedEmbedder(SHIPPED, [RedAndBlue()]))  # fmt: skip
    monkeypatch.setattr(photo_search, "open_pipeline",
                        lambda _: PhotoPipeline([RedAndBlue()], drawn_head()))  # fmt: skip


@pytest.fixture
def app(shop) -> Storefront:
    return Storefront({"shop": shop}, model=MODEL)


def search(app: Storefront, photo: bytes, **settings: object) -> tuple[dict, list[bytes]]:
    app.answer({"kind": "upload", "name": "photo.png"}, [photo])
    wanted = {"model": joined_store.MODEL, **settings}
    return app.answer({"kind": "search", "settings": wanted}, [])


def labels(reply: dict) -> set[tuple[str, str]]:
    return {(card["attributes"]["type"], card["attributes"]["colour"]) for card in reply["cards"]}


def test_an_upload_finds_products_of_the_labels_that_it_shows(app):
    reply, _ = search(app, as_bytes(photo_of(BLUE)))
    assert labels(reply) == {("Casual Shoes", "Blue")}
    assert reply["is_match"] and "why" not in reply
    assert "Casual Shoes" in reply["upload"]["said"] and "Blue" in reply["upload"]["said"]


def test_the_page_is_shown_what_was_cut_out(app):
    reply, out = search(app, as_bytes(photo_of(RED)))
    assert reply["upload"]["is_cut"] and reply["upload"]["note"].startswith("Cut out: ")
    assert len(out) == len(reply["cards"]) + 1
    corner = np.asarray(Image.open(io.BytesIO(out[-1])).convert("RGB"))[0, 0]
    assert (corner > 240).all()  # the floor is gone


def test_a_switch_turns_the_cut_out_off(app):
    reply, out = search(app, as_bytes(photo_of(RED)), is_cut=False)
    assert not reply["upload"]["is_cut"]
    assert reply["upload"]["note"] == "The whole photo is searched."
    corner = np.asarray(Image.open(io.BytesIO(out[-1])).convert("RGB"))[0, 0].astype(int)
    assert np.abs(corner - GROUND).max() < 12


def test_what_the_shop_does_not_know_is_no_match_in_words(app):
    reply, _ = search(app, as_bytes(Image.new("RGB", (120, 160), GROUND)))
    assert not reply["is_match"] and reply["why"] == NO_MATCH
    assert reply["cards"]  # the nearest ones are shown apart


def test_pages_do_not_overlap(app):
    pages = [search(app, as_bytes(photo_of(RED)), page=page)[0]["cards"] for page in (0, 1)]
    ids = [{card["id"] for card in page} for page in pages]
    assert len(ids[0]) == len(ids[1]) == 12 and not ids[0] & ids[1]


def test_filters_hold_for_an_upload(app):
    reply, _ = search(app, as_bytes(photo_of(RED)), wanted={"gender": "Women"})
    assert {card["attributes"]["gender"] for card in reply["cards"]} == {"Women"}


def test_an_upload_can_be_changed_and_asked_for_as_a_table(app):
    reply, _ = search(app, as_bytes(photo_of(RED)), changed={"articleType": "Casual Shoes"},
                      weights={"baseColour": 0.0, "looks": 0.0, "words": 0.0})  # fmt: skip
    assert {kind for kind, _ in labels(reply)} == {"Casual Shoes"}
    asked = {"kind": "csv", "settings": {"model": joined_store.MODEL}}
    assert app.answer(asked, [])[0]["csv"].count("Shirts,Red") == 12


def test_another_model_is_asked_as_before(app):
    reply, out = search(app, as_bytes(photo_of(RED)), model=MODEL)
    assert "upload" not in reply and len(out) == len(reply["cards"])


def test_without_the_pipeline_an_upload_is_searched_as_before(app, monkeypatch):
    def missing(_):
        raise ShippedError("phone-head.npz is missing.")

    monkeypatch.setattr(photo_search, "open_pipeline", missing)
    reply, _ = search(app, as_bytes(photo_of(RED)))
    assert reply["cards"] and "upload" not in reply


def test_a_shop_whose_types_it_cannot_tell_is_searched_as_before(app, monkeypatch):
    classes = {"articleType": ("Hats", "Kurtas"), "baseColour": tuple(COLOURS)}
    other = replace(drawn_head(), classes=classes)
    monkeypatch.setattr(photo_search, "open_pipeline",
                        lambda _: PhotoPipeline([RedAndBlue()], other))  # fmt: skip
    assert "upload" not in search(app, as_bytes(photo_of(RED)))[0]


def test_programs_are_told_what_was_cut_out(shop):
    api = SearchApi(lambda: {"shop": shop})
    photo = as_bytes(photo_of(BLUE))
    body = (b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\n"
            + photo + b"\r\n--x--\r\n")  # fmt: skip
    status, reply = api.answer("multipart/form-data; boundary=x", body)
    assert status == 200 and reply["upload"]["is_cut"]
    json.dumps(reply)


def two_garments() -> Image.Image:
    image = Image.new("RGB", (240, 160), GROUND)
    pen = ImageDraw.Draw(image)
    for left in (15, 95, 175):
        pen.rectangle((left, 40, left + 50, 120), fill=RED)
    return image


def screenshot() -> Image.Image:
    image = Image.new("RGB", (180, 320), "black")
    image.paste(photo_of(RED, (180, 220)), (0, 50))
    return image


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return as_bytes(photo_of(RED), exif=exif)


def carpet() -> Image.Image:
    generator = np.random.default_rng(0)
    coarse = Image.fromarray(generator.integers(90, 130, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((160, 120), Image.Resampling.BICUBIC)


ODD = {
    "a plain wall": as_bytes(Image.new("RGB", (120, 160), (208, 204, 192))),
    "a blurred carpet": as_bytes(carpet()),
    "a garment that fills the frame": as_bytes(Image.new("RGB", (120, 160), RED)),
    "several garments": as_bytes(two_garments()),
    "a screenshot with bars": as_bytes(screenshot()),
    "turned by EXIF": turned(),
    "20 pixels": as_bytes(photo_of(RED, (20, 20))),
    "one pixel": as_bytes(Image.new("RGB", (1, 1), RED)),
    "very long": as_bytes(photo_of(RED, (30, 2000))),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_photos_get_an_answer_and_a_sentence(app, name):
    reply, _ = search(app, ODD[name])
    assert reply["kind"] == "results" and len(reply["cards"]) == 12
    assert reply["upload"]["note"].endswith(".")
    if not reply["upload"]["is_cut"]:
        assert "whole photo" in reply["upload"]["note"]


def test_fifty_megapixels_are_answered_by_results_or_one_sentence(app):
    buffer = io.BytesIO()
    photo_of(RED, (7000, 7200)).save(buffer, "JPEG", quality=60)
    reply, _ = app.answer({"kind": "upload", "name": "large.jpg"}, [buffer.getvalue()])
    assert reply["kind"] == "upload"
    found, _ = app.answer({"kind": "search", "settings": {"model": joined_store.MODEL}}, [])
    assert labels(found) == {("Shirts", "Red")}


def test_a_ranking_by_labels_worked_out_by_hand():
    looks = Gallery(np.float32([[1, 0], [0, 1], [1, 0]]), [7, 8, 9], "cosine")
    codes = {"articleType": np.array([0, 0, 1]), "baseColour": np.array([1, 1, 1])}
    posteriors = {"articleType": np.float32([[0.8, 0.2]]), "baseColour": np.float32([[0.0, 1.0]])}
    gallery = uploads.LabelGallery(looks, codes, posteriors)
    query = np.float32([[1, 0]])
    expected = [0.8, 0.8 * np.exp(-uploads.LOOKS_WEIGHT), 0.2]
    assert 1 - gallery.distances(query)[0] == pytest.approx(expected, abs=1e-5)
    assert gallery.search(query, 2).ids.tolist() == [[7, 8]]
    assert gallery.search(query, 2, where=np.array([False, True, True])).ids.tolist() == [[8, 9]]
