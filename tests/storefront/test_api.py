"""api: the storefront for programs."""

import base64
import json

import pytest
from drawn_shop import MODEL

from fashion_rir.storefront.api import MAX_BODY_BYTES, SearchApi

BOUNDARY = "----x"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(scope="module")
def api(shop) -> SearchApi:
    return SearchApi(lambda: {"shop": shop}, MODEL)


def form(**fields: bytes | str) -> bytes:
    """As curl -F sends it: bytes as a file, texts as they are."""
    parts = []
    for name, value in fields.items():
        is_file = isinstance(value, bytes)
        kind = f'; filename="{name}.jpg"\r\nContent-Type: image/jpeg' if is_file else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{kind}\r\n\r\n'
        parts.append(head.encode() + (value if is_file else value.encode()) + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def ask(api: SearchApi, **fields: object) -> tuple[int, dict]:
    return api.answer("application/json", json.dumps(fields).encode())


def test_a_photo_in_a_form_finds_its_product(api, shop):
    status, reply = api.answer(FORM, form(photo=shop.photo(55), settings='{"n_results": 24}'))
    assert (status, reply["cards"][0]["id"], len(reply["cards"])) == (200, 3006, 24)
    assert reply["model"] == MODEL
    assert set(reply) == {"model", "cards", "query", "n_matches", "is_match", "has_more", "page",
                          "measure", "seconds"}  # fmt: skip
    assert json.loads(json.dumps(reply)) == reply


def test_a_photo_in_json_finds_the_same_as_in_a_form(api, shop):
    _, by_form = api.answer(FORM, form(photo=shop.photo(55)))
    text = base64.b64encode(shop.photo(55)).decode()
    for photo in (text, f"data:image/jpeg;base64,{text}"):
        _, by_json = ask(api, photo=photo)
        assert by_json["cards"] == by_form["cards"]


@pytest.mark.parametrize("product", [2011, "2011"])
def test_a_product_finds_products_like_it(api, product):
    status, reply = ask(api, product=product, settings={"wanted": {"gender": "Men"}})
    assert status == 200
    assert {card["attributes"]["gender"] for card in reply["cards"]} == {"Men"}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [({}, "Send a photo, a product"), ({"product": 1, "photo": "eA=="}, "Send a photo, a"),
     ({"product": 1}, "no product 1"), ({"product": [1]}, "by its id"), ({"photo": 7}, "no base64"),
     ({"photo": "#"}, "no base64"), ({"photo": "eA=="}, "cannot be read as a picture"),
     ({"photo": ""}, "is empty"), ({"produkt": 1}, "did you mean 'product'"),
     ({"product": 2011, "settings": []}, "no settings"),
     ({"product": 2011, "settings": {"n_results": 13}}, "not 13"),
     ({"product": 2011, "settings": {"model": "x"}}, "Unknown model"),
     ({"product": 2011, "settings": {"wanted": {"gender": "Boy"}}}, "Unknown gender"),
     ({"product": 2011, "box": [0, 0, 2, 2]}, "crop box")],
)  # fmt: skip
def test_a_bad_request_is_answered_by_400_and_a_sentence(api, fields, fault):
    status, reply = ask(api, **fields)
    assert status == 400
    assert list(reply) == ["error"]
    assert fault in reply["error"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("", b""), ("application/json", b"[" * 100_000), ("application/json", b"\xff"),
     ("text/plain", b"product=1"), ("application/json", b"[1]"), (FORM, b"no form"),
     ("multipart/form-data", b"x"), (FORM, form(settings="{")), (FORM, form(photo=b"")),
     ("application/json", b" " * (MAX_BODY_BYTES + 1))],
)  # fmt: skip
def test_a_body_of_another_form_is_answered_by_400(api, content_type, body):
    status, reply = api.answer(content_type, body)
    assert (status, list(reply)) == (400, ["error"])


def test_a_photo_of_one_request_is_not_searched_with_by_the_next(api, shop):
    ask(api, photo=base64.b64encode(shop.photo(55)).decode())
    status, _ = ask(api, settings={})
    assert status == 400
