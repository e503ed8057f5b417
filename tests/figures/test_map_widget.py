"""map_widget: what the kernel answers when someone hovers, selects, or drops a photo."""

import base64
import io
from datetime import UTC, datetime

import numpy as np
import pytest
from drawn_catalog import photo, product_row, write_catalog
from PIL import Image

from fashion_rir.data import catalog as data_catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.figures import map_widget
from fashion_rir.studies.analysis import tsne
from fashion_rir.workspace.maps import Projection

METADATA = {"model": "drawn-net", "weights_sha256": "abc"}


@pytest.fixture
def catalog(catalog_folder) -> Catalog:
    return data_catalog.load(catalog_folder)


@pytest.fixture
def made(catalog: Catalog) -> Projection:
    """Twelve products in a row, each its own direction."""
    n_products = len(catalog)
    points = np.eye(n_products, dtype=np.float32)
    coordinates = np.stack([np.arange(n_products), np.zeros(n_products)], axis=1).astype(float)
    about = {"model": METADATA, "data_hash": catalog.data_hash}
    return Projection("map", about, catalog.products["id"].to_numpy(), coordinates, points,
                      np.zeros(n_products, dtype=np.float32), points, 0.0, 0.0)  # fmt: skip


def placed_by(made, embed):
    """What the explorer is given: from a photo to its place."""
    return lambda picture: tsne.place(made, embed(picture))


def embed_as(row: int):
    """An embedder that sees a product in every photo."""

    def embed(picture: Image.Image):
        return np.eye(12, dtype=np.float32)[[row]], METADATA

    return embed


def upload(name: str, content: bytes) -> dict:
    """A file as the browser sends it."""
    return {"name": name, "type": "image/jpeg", "size": len(content), "content": content,
            "last_modified": datetime.now(UTC)}  # fmt: skip


def test_dots_lie_between_0_and_1_and_have_the_label_s_colours(catalog, made) -> None:
    dots = map_widget.explorer(catalog, made, "articleType").children[0]
    points = np.frombuffer(dots.points, dtype=np.float32).reshape(-1, 2)
    assert np.allclose(points[:, 0], np.arange(12) / 11)
    assert (points[:, 1] == 1).all()  # y runs downwards on a screen
    classes = np.frombuffer(dots.classes, dtype=np.uint8)
    assert len(set(classes[:4])) == 1 and classes[0] != classes[4]
    assert len(dots.palette) == 4 + 1  # four types, and 'other'
    assert all(colour.startswith("#") for colour in dots.palette)


def test_hovering_brings_the_product_s_picture_and_name(catalog, made) -> None:
    dots = map_widget.explorer(catalog, made, "articleType").children[0]
    dots.hovered = 5
    assert dots.card["row"] == 5
    assert dots.card["caption"] == "Anna Watches 1006 · Watches · Blue"
    assert dots.card["picture"].startswith("data:image/png;base64,")
    dots.hovered = -1  # leaving shows nothing new
    assert dots.card["row"] == 5


def test_a_selected_region_shows_its_products(catalog, made) -> None:
    explorer = map_widget.explorer(catalog, made, "articleType")
    dots, panel = explorer.children
    dots.selected = [0, 1, 4]
    assert "3 products: Shirts (2), Watches (1)" in panel.value
    assert panel.value.count("<img ") == 3
    dots.selected = []
    assert panel.value == "There is no product in this region."


def test_a_large_region_shows_some_pictures_of_all(catalog, made, monkeypatch) -> None:
    monkeypatch.setattr(map_widget, "SHOWN_PICTURES", 4)
    monkeypatch.setattr(map_widget, "SHOWN_TYPES", 2)
    shown = map_widget.selection_html(catalog, range(12))
    assert shown.count("<img ") == 4
    assert "12 products: Shirts (4), Watches (4) and 2 more" in shown


def test_a_name_is_never_read_as_html(tmp_path) -> None:
    row = product_row(1001)
    row[-1] = '<script>"x"</script>'
    folder = write_catalog(tmp_path / "catalogue", [row], [photo(1)])
    shown = map_widget.selection_html(data_catalog.load(folder), [0])
    assert "<script>" not in shown
    assert 'alt="&lt;script&gt;&quot;x&quot;' in shown


def test_a_picture_that_is_gone_leaves_its_reason(catalog, catalog_folder) -> None:
    (catalog_folder / "images" / "1003.jpg").write_bytes(b"no picture")
    card = map_widget.product_card(catalog, 2)
    assert card["picture"] == ""
    assert card["caption"].startswith("Anna Shirts 1003 · Shirts · Blue (")


def test_a_dropped_photo_goes_onto_the_map(catalog, made) -> None:
    dots, button, panel = map_widget.explorer(
        catalog, made, "articleType", placed_by(made, embed_as(11))
    ).children
    button.value = (upload("mine & yours.jpg", photo(3)),)
    ((x, _),) = dots.placed
    assert x > 0.5  # product 11 stands at the right end
    assert "mine &amp; yours.jpg is at the cross" in panel.value
    assert "Nearest on the map" in panel.value
    button.value = (upload("another.jpg", photo(4)),)
    assert len(dots.placed) == 2


def test_a_file_that_is_no_picture_is_answered_in_a_sentence(catalog, made) -> None:
    dots, button, panel = map_widget.explorer(
        catalog, made, "gender", placed_by(made, embed_as(0))
    ).children
    button.value = (upload("<b>.jpg", b"no picture"),)
    assert dots.placed == []
    assert panel.value.startswith("<p>&lt;b&gt;.jpg")


def test_a_photo_of_another_model_is_answered_in_a_sentence(catalog, made) -> None:
    def embed(picture: Image.Image):
        return np.eye(12, dtype=np.float32)[[0]], METADATA | {"model": "other"}

    dots, button, panel = map_widget.explorer(
        catalog, made, "gender", placed_by(made, embed)
    ).children
    button.value = (upload("a.jpg", photo(1)),)
    assert "the embeddings with other" in panel.value
    assert dots.placed == []


def test_a_picture_as_text_is_the_picture() -> None:
    uri = map_widget.data_uri(Image.new("RGB", (3, 2), "red"))
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(data)).size == (3, 2)


def test_the_script_fetches_nothing() -> None:
    script = map_widget.MapWidget._esm
    text = str(getattr(script, "read_text", lambda: script)())
    assert "canvas" in text
    for trace in ("http", "import ", "innerHTML", "fetch("):
        assert trace not in text
