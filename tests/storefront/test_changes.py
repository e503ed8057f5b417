"""The joined model in the storefront: queries that are changed, weighed, and said in words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from drawn_joined import joined_model
from drawn_shop import MODEL, embedded_shop

from fashion_rir.embedding import embed
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.storefront.api import SearchApi
from fashion_rir.storefront.app import Storefront
from fashion_rir.storefront.shop import Shop, prepare
from fashion_rir.workspace import joined_store, photo_search
from fashion_rir.workspace.joined_store import JoinedEmbedder

SHIPPED = replace(joined_model(), sha256="0" * 64)
SETTINGS = {"model": joined_store.MODEL}


class RedAndBlue:
    """How red and how blue a picture is, more than green: two numbers."""

    image_size = 16

    def embed(self, batch: np.ndarray) -> np.ndarray:
        mean = batch.reshape(len(batch), -1, 3).mean(axis=1)
        return (mean[:, [0, 2]] - mean[:, 1:2] + 1).clip(0.1).astype(np.float32)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    """The drawn shop, with joined embeddings as well."""
    workspace, catalog = embedded_shop(tmp_path_factory.mktemp("joined"))
    embedder = JoinedEmbedder(SHIPPED, [RedAndBlue()])
    about = joined_store.metadata(SHIPPED) | {"data_hash": catalog.data_hash}
    store = FeatureStore.create(workspace.feature_store(joined_store.MODEL), about)
    names = list(catalog.products["image_name"])
    pictures = (catalog.read_image(name) for name in names)
    vectors = [embed.embed_image(one, embedder, preprocessing="resize") for one in pictures]
    store.append(names, np.stack(vectors))
    return prepare(workspace, catalog)


@pytest.fixture(autouse=True)
def model(monkeypatch):
    monkeypatch.setattr(joined_store, "open_model", lambda: SHIPPED)
    monkeypatch.setattr(joined_store, "open_embedder",
                        lambda _: JoinedEmbedder(SHIPPED, [RedAndBlue()]))  # fmt: skip


@pytest.fixture
def app(shop) -> Storefront:
    return Storefront({"shop": shop}, model=MODEL)


def ask(app: Storefront, kind: str = "search", *buffers: bytes, **content: object) -> dict:
    settings = SETTINGS | content.pop("settings", {})
    return app.answer({"kind": kind, "settings": settings, **content}, list(buffers))[0]


def types(reply: dict) -> set[str]:
    return {card["attributes"]["type"] for card in reply["cards"]}


def test_the_joined_model_is_searched_by_at_first_and_says_how_well_it_finds(app):
    info = app.shop_info
    assert info["model"] == info["joined"] == info["models"][0] == joined_store.MODEL
    said = info["labels"][joined_store.MODEL]
    assert "same type 86 times of 100, the same colour 59" in said
    assert info["changeable"]["baseColour"] == ["Blue", "Red"]


def test_an_upload_is_answered_by_the_joined_model(app, shop):
    app.answer({"kind": "upload", "name": "x.jpg"}, [shop.photo(55)])
    reply = ask(app)
    assert types(reply) == {"Casual Shoes"}
    assert reply["cards"][0]["distance"] == pytest.approx(0, abs=1e-4)


def test_another_type_in_place_of_the_query_s(app):
    assert types(ask(app, product=2011)) == {"Shirts"}
    changed = {"changed": {"articleType": "Casual Shoes"}}
    reply = ask(app, product=2011, settings=changed | {"weights": {"baseColour": 0.0}})
    assert types(reply) == {"Casual Shoes"}
    assert reply["query"]["type"] == "Casual Shoes"
    assert "type Casual Shoes" in reply["cards"][0]["agree"]


def test_words_find_alone_even_after_an_upload(app, shop):
    app.answer({"kind": "upload", "name": "x.jpg"}, [shop.photo(0)])
    assert types(ask(app, by_words=True, settings={"words": "blue shoes"})) == {"Casual Shoes"}
    assert types(ask(app, by_words=True, settings={"words": "shirts, RED"})) == {"Shirts"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [({"settings": {"words": "..."}, "by_words": True}, "Nothing is left"),
     ({"settings": {"changed": {"baseColour": "Pink"}}, "product": 2011}, "Unknown baseColour"),
     ({"settings": {"changed": {"size": "M"}}, "product": 2011}, "Unknown attribute"),
     ({"settings": {"weights": {"looks": -1}}, "product": 2011}, "from 0 to 20"),
     ({"settings": {"weights": {"look": 1}}, "product": 2011}, "did you mean 'looks'"),
     ({"settings": {"words": 7}, "product": 2011}, "Words are a text"),
     ({"settings": {"changed": "x"}, "product": 2011}, "text by attribute"),
     ({"settings": {"words": "red", "model": MODEL}, "product": 2011}, "take the model joined"),
     ({"settings": {"words": "red", "model": MODEL}, "by_words": True}, "take the model joined")],
)  # fmt: skip
def test_what_cannot_be_changed_is_said(app, content, fault):
    reply = ask(app, **content)
    assert reply["kind"] == "error"
    assert fault in reply["text"]


def test_programs_ask_in_words_too(shop):
    api = SearchApi(lambda: {"shop": shop})

    def asked(**fields: object) -> tuple[int, dict]:
        return api.answer("application/json", json.dumps(fields).encode())

    status, reply = asked(words="blue shoes")
    assert (status, types(reply), reply["model"]) == (200, {"Casual Shoes"}, joined_store.MODEL)
    status, reply = asked(product=2011, words="blue", settings={"weights": {"words": 20.0}})
    assert status == 200
    assert asked(words="")[0] == asked(words=7)[0] == 400


def test_the_command_line_finds_by_words_and_a_picture(shop):
    catalog = shop.catalog
    found, n_products = photo_search.by_words(shop.workspace, catalog, "blue shoe", None, 5)
    assert (set(found["articleType"]), n_products) == ({"Casual Shoes"}, 101)


def test_a_catalogue_of_one_s_own_by_the_joined_model_is_searched_by_it(shop, monkeypatch):
    monkeypatch.setattr(joined_store, "export", lambda _: None)
    model = photo_search.own_model(shop.workspace, {"backbone": joined_store.BACKBONE})
    picture = shop.catalog.read_image(shop.products["image_name"].iloc[55])
    found, _ = photo_search.nearest(shop.workspace, shop.catalog, picture, model, ("cosine", 1))
    assert found["distance"].tolist() == pytest.approx([0], abs=1e-5)


def test_an_older_model_s_embeddings_are_not_taken_for_this_one_s(shop, monkeypatch):
    other = replace(SHIPPED, sha256="1" * 64)
    monkeypatch.setattr(joined_store, "open_model", lambda: other)
    assert Storefront({"shop": shop}, model=MODEL).shop_info["joined"] is None
