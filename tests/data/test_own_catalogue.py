"""own_catalogue, own_columns, own_table, own_photos: a folder and a table become products."""

import datetime
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook
from PIL import Image

from fashion_rir.data import own_catalogue, own_columns, own_photos
from fashion_rir.data.own_columns import Columns
from fashion_rir.data.own_table import OwnTable, read_table, text_of
from fashion_rir.errors import CatalogError, FashionRirError


def picture(number: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 40), (number * 40 % 256, 80, 120)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four photos: two in a folder, one of them with an accent as macOS writes it."""
    photos = tmp_path / "photos"
    (photos / "shirts").mkdir(parents=True)
    names = ("shirts/SKU-007.JPG", "shirts/Cafe\u0301.png", "0012.webp", "b.avif")
    for number, name in enumerate(names):
        kind = {"JPG": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF"}[name.split(".")[1]]
        (photos / name).write_bytes(picture(number, kind))
    (photos / "notes.txt").write_text("no photo", encoding="utf-8")
    return photos


def table_of(header: list[str], *rows: list[str]) -> OwnTable:
    return OwnTable(Path("t.csv"), header, [list(row) for row in rows],
                    list(range(2, 2 + len(rows))))  # fmt: skip


def catalogue_of(folder: Path, table: OwnTable, columns: Columns | None = None):
    photos = own_photos.photos_in(folder)
    columns = columns or own_columns.draft(table, photos)
    own_columns.check(columns, table, "my.yaml")
    listing = own_catalogue.list_table(folder, photos, table, columns)
    return own_catalogue.look_into(listing, folder.parent / "scan.parquet")


def test_photos_alone_are_products_called_by_their_path(folder):
    listing = own_catalogue.list_photos(folder, own_photos.photos_in(folder))
    catalog = own_catalogue.look_into(listing, folder.parent / "scan.parquet")
    ids = catalog.products["shown_id"].tolist()
    assert ids == ["0012", "b", "shirts/Cafe\u0301", "shirts/SKU-007"]
    assert catalog.products["folder"].fillna("-").tolist() == ["-", "-", "shirts", "shirts"]
    assert catalog.products["productDisplayName"].tolist() == ids
    for name in catalog.products["image_name"]:
        assert catalog.read_image(name).size == (30, 40)


def test_two_photos_of_one_stem_are_two_products(folder):
    (folder / "b.png").write_bytes(picture(9, "PNG"))
    listing = own_catalogue.list_photos(folder, own_photos.photos_in(folder))
    assert {"b.avif", "b.png"} <= set(listing.products["shown_id"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SKU-007", "shirts/SKU-007.JPG"), ("sku-007.jpg", "shirts/SKU-007.JPG"),
     ("shirts\\SKU-007.JPG", "shirts/SKU-007.JPG"), ("./shirts/SKU-007.jpg", "shirts/SKU-007.JPG"),
     ("https://shop.example/img/SKU-007.jpg?v=2", "shirts/SKU-007.JPG"),
     ("SKU-007.png", "shirts/SKU-007.JPG"), ("Caf\u00e9.png", "shirts/Cafe\u0301.png"),
     ("0012", "0012.webp"), ("12", None), ("", None)],
)  # fmt: skip
def test_a_photo_is_found_by_what_tables_call_it(folder, text, expected):
    assert own_photos.photos_in(folder).find(text) == expected


def test_a_draft_knows_columns_by_name_and_by_the_photos_they_name(folder):
    table = table_of(
        ["Brand", "Bild", "SKU", "Title", "Color", "Category", "Price"],
        ["Acme", "SKU-007.jpg", "01", "A shirt", "red", "Shirts", "9.5"],
        ["Acme", "b.avif", "02", "A shoe", "blue", "Shoes", "8.5"],
        ["Brio", "0012.webp", "03", "A sock", "red", "Shoes", "7.5"],
    )
    found = own_columns.draft(table, own_photos.photos_in(folder))
    assert found == Columns(id="SKU", photo="Bild", name="Title", type="Category", colour="Color",
                            filters=["Brand"])  # fmt: skip


def test_an_id_that_names_the_photos_needs_no_other_column(folder):
    table = table_of(["code", "colour"], ["SKU-007", "red"], ["0012", "blue"])
    found = own_columns.draft(table, own_photos.photos_in(folder))
    assert (found.id, found.photo) == ("code", None)
    catalog = catalogue_of(folder, table)
    assert catalog.products["shown_id"].tolist() == ["SKU-007", "0012"]
    assert catalog.products["baseColour"].tolist() == ["red", "blue"]
    assert catalog.counts["photos without a row"] == 2


def test_what_does_not_fit_together_is_counted_and_listed(folder):
    (folder / "other").mkdir()
    (folder / "other" / "b.jpg").write_bytes(picture(7))
    rows = [["1", "0012.webp"], ["1", "SKU-007"], ["", "SKU-007"], ["3", "missing.jpg"],
            ["4", "b"], ["5", ""]]  # fmt: skip
    table = table_of(["id", "file", "Brand"], *([*row, "Acme"] for row in rows))
    catalog = catalogue_of(folder, table, Columns(id="id", photo="file", filters=["Brand"]))
    counts = catalog.counts
    assert counts["rows in the table"] == 6
    assert counts["ids that repeat"] == counts["rows without an id"] == 1
    assert counts["rows without a photo"] == 2
    assert counts["rows that fit several photos"] == 1
    assert counts["products"] == 1
    reasons = dict(zip(catalog.left_out["where"], catalog.left_out["reason"], strict=True))
    assert reasons["t.csv row 3"] == "row 2 has the same id"
    assert "b.avif or other/b.jpg" in reasons["t.csv row 6"]
    assert catalog.products["Brand"].tolist() == ["Acme"]


def test_a_photo_that_cannot_be_read_is_left_out_and_listed(folder):
    (folder / "b.avif").write_bytes(b"no picture")
    listing = own_catalogue.list_photos(folder, own_photos.photos_in(folder))
    catalog = own_catalogue.look_into(listing, folder.parent / "scan.parquet")
    assert catalog.counts["photos that cannot be read"] == 1
    assert "b" not in set(catalog.products["shown_id"])
    assert catalog.left_out["where"].tolist() == ["b.avif"]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [(Columns(), "tells the products apart"),
     (Columns(id="ID"), "did you mean 'id'"),
     (Columns(id="id", name="note"), "'note' 2 times .columns 2, 3."),
     (Columns(id="id", name="brand", filters=["brand"]), "twice, to name and to filters"),
     (Columns(id="id", photo="id"), "empty `photo` means")],
)  # fmt: skip
def test_columns_that_do_not_fit_the_table_are_named(columns, fault):
    table = table_of(["id", "note", "note", "brand"], ["1", "a", "b", "c"])
    with pytest.raises(FashionRirError, match=fault):
        own_columns.check(columns, table, "my.yaml")


def test_columns_are_read_as_they_were_written(folder, tmp_path):
    table = table_of(["id", "Größe"], ["0012", "M"])
    columns = Columns(id="id", filters=["Größe"])
    own_columns.write(columns, table, tmp_path / "my.yaml")
    assert own_columns.read(tmp_path / "my.yaml") == columns


@pytest.mark.parametrize(
    ("text", "fault"),
    [("id: [a]", "id must be the name of one column"), ("filters: brand", "a list of columns"),
     ("color: c", "did you mean 'colour'"), ("- id", "says nothing of columns"),
     ("id: 'x", "is no YAML")],
)  # fmt: skip
def test_columns_of_another_form_are_refused(tmp_path, text, fault):
    (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FashionRirError, match=fault):
        own_columns.read(tmp_path / "my.yaml")


def test_no_row_with_a_photo_shows_what_both_sides_say(folder):
    table = table_of(["id", "name"], ["x1", "a"], ["x2", "c"])
    with pytest.raises(CatalogError, match="says 'x1', the folder holds '0012.webp'"):
        catalogue_of(folder, table)


@pytest.mark.parametrize(
    ("name", "fault"), [("empty", "holds no photo .1 other files"), ("absent", "is not there"),
                        ("file.txt", "is no folder")],
)  # fmt: skip
def test_a_folder_without_photos_is_refused(tmp_path, name, fault):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    (tmp_path / "file.txt").touch()
    with pytest.raises(CatalogError, match=fault):
        own_photos.photos_in(tmp_path / name)


def test_a_csv_is_read_whatever_stands_between_its_fields(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes('sku;n\u00e4me, long\r\n007;"a;b"\r\n\r\n8;c;d\r\n'.encode("utf-16"))
    table = read_table(path)
    assert table.header == ["sku", "n\u00e4me, long"]
    assert table.rows == [["007", "a;b"]]
    assert table.faults == [("t.csv row 4", "row", "3 fields instead of 2")]


def test_excel_gives_the_texts_that_are_shown(tmp_path):
    book = Workbook()
    book.active.title = "empty"
    sheet = book.create_sheet("products")
    sheet.append(["sku", "price", "text", "date", "nothing"])
    sheet.append([42, 15970.0, "007", datetime.datetime(2024, 5, 1), None])
    sheet["A2"].number_format = "00000"
    book.save(tmp_path / "t.xlsx")
    table = read_table(tmp_path / "t.xlsx")
    assert table.rows == [["00042", "15970", "007", "2024-05-01", ""]]


def test_parquet_keeps_texts_and_gives_whole_numbers_without_a_point(tmp_path):
    frame = pd.DataFrame({"id": ["007", "8"], "year": [2011.0, np.nan], "image": [b"x", b"y"]})
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.header == ["id", "year"]
    assert table.rows == [["007", "2011"], ["8", ""]]


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet"])
def test_a_damaged_table_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\3\4 no table")
    with pytest.raises(CatalogError, match="cannot be read as"):
        read_table(tmp_path / name)


@pytest.mark.parametrize(("name", "fault"), [("t.xls", "save it as .xlsx"), ("t.json", "another"),
                                             ("gone.csv", "Cannot read")])  # fmt: skip
def test_a_table_of_another_kind_is_refused(tmp_path, name, fault):
    with pytest.raises(CatalogError, match=fault):
        read_table(tmp_path / name)


def test_a_table_with_a_header_alone_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("id,name\n,\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="holds no product"):
        read_table(tmp_path / "t.csv")


def test_texts_of_values():
    assert [text_of(value) for value in (True, 3, 1e20, "a ")] == ["True", "3", str(10**20), "a "]


def test_a_column_called_like_one_of_ours_keeps_its_values(folder):
    table = table_of(["sku", "width", "id"], ["0012", "wide", "x"], ["b", "slim", "x"])
    catalog = catalogue_of(folder, table, Columns(id="sku", filters=["width", "id"]))
    assert catalog.products["width (table)"].tolist() == ["wide", "slim"]
    assert catalog.products["width"].tolist() == [30, 30]
    assert catalog.products["id (table)"].tolist() == ["x", "x"]


def test_a_kept_catalogue_opens_as_it_was(folder, tmp_path):
    table = table_of(["sku", "Brand"], ["0012", "Acme"], ["b", ""])
    catalog = catalogue_of(folder, table, Columns(id="sku", filters=["Brand"]))
    own_catalogue.save(catalog, tmp_path / "home", {"backbone": "mobilenetv2"})
    again = own_catalogue.load(tmp_path / "home")
    assert again.data_hash == catalog.data_hash
    assert own_catalogue.parameters(tmp_path / "home") == {"backbone": "mobilenetv2"}
    name = again.products["image_name"].iloc[0]
    assert again.source.read(name) == (folder / "0012.webp").read_bytes()


def test_another_value_of_an_own_column_is_another_catalogue(folder):
    columns = Columns(id="sku", filters=["Brand"])
    hashes = {catalogue_of(folder, table_of(["sku", "Brand"], ["b", brand]), columns).data_hash
              for brand in ("Acme", "Brio")}  # fmt: skip
    assert len(hashes) == 2


def test_a_catalogue_that_is_not_there_is_named(tmp_path):
    for read in (own_catalogue.load, own_catalogue.parameters):
        with pytest.raises(CatalogError, match="run `fashion-rir index`"):
            read(tmp_path / "none")


def test_a_photo_that_has_changed_since_is_looked_into_again(folder):
    photos = own_photos.photos_in(folder)
    cache = folder.parent / "scan.parquet"
    before = own_photos.scan(folder, photos.paths, cache)
    (folder / "b.avif").write_bytes(picture(99, "PNG"))
    after = own_photos.scan(folder, photos.paths, cache)
    changed = before["image_sha256"] != after["image_sha256"]
    assert after["photo"][changed].tolist() == ["b.avif"]
    cache.write_bytes(b"damaged")
    assert own_photos.scan(folder, photos.paths, cache).equals(after)
