"""catalog: what is repaired, what is left out and counted, and what is equal to what."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_catalog import parquet_of, photo, product_row, write_styles, zip_folder
from PIL import Image

from fashion_rir.data import catalog, images
from fashion_rir.errors import CatalogError, ParameterError


def edit_row(folder: Path, number: int, line: str) -> None:
    """Replace a row of styles.csv by a raw line; row 1 is the header, -1 the last one."""
    path = folder / "styles.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1 if number > 0 else number] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def append_row(folder: Path, line: str) -> None:
    with open(folder / "styles.csv", "a", encoding="utf-8") as file:
        file.write(line + "\n")


def the_one_left_out(loaded: catalog.Catalog) -> list[str]:
    assert len(loaded.left_out) == 1
    return loaded.left_out.iloc[0].tolist()


# --- the forms ---


def test_a_whole_catalogue_is_loaded_in_the_files_own_order(catalog_folder, product_rows):
    loaded = catalog.load(catalog_folder)
    assert len(loaded) == 12
    assert loaded.products["id"].tolist() == list(range(1001, 1013))
    assert loaded.products.loc[3, list(catalog.COLUMNS)].astype(str).tolist() == product_rows[3]
    assert loaded.products.loc[3, ["image_name", "width", "height", "mode"]].tolist() == [
        "1004.jpg",
        60,
        80,
        "RGB",
    ]
    assert loaded.left_out.empty
    assert loaded.left_out.columns.tolist() == ["where", "what", "reason"]
    assert loaded.counts == {
        "rows in styles.csv": 12,
        "names with an unquoted comma": 0,
        "duplicate ids": 0,
        "malformed rows": 0,
        "products without a photo": 0,
        "unreadable photos": 0,
        "photos without a row": 0,
        "second copies ignored": 0,
        "products kept": 12,
        "photos of another size than 60x80": 0,
        "photos that are not RGB": 0,
        "identical photos": 0,
        "groups of identical photos": 0,
    }


def test_zip_folder_and_parquet_give_the_same_catalogue(catalog_folder, tmp_path):
    edit_row(catalog_folder, 3, "1002,Men,Apparel,Topwear,Shirts,,Fall,,NA,Anna Shirt")
    (catalog_folder / "images" / "1005.jpg").unlink()
    folder = catalog.load(catalog_folder)
    archive = catalog.load(zip_folder(catalog_folder, tmp_path / "archive.zip"))
    mirror = catalog.load(parquet_of(catalog_folder, tmp_path / "train.parquet"))
    pd.testing.assert_frame_equal(folder.products, archive.products)
    pd.testing.assert_frame_equal(folder.products, mirror.products)
    assert folder.data_hash == archive.data_hash == mirror.data_hash
    assert folder.counts == archive.counts
    assert folder.read_image("1004.jpg").tobytes() == mirror.read_image("1004.jpg").tobytes()


def test_a_photo_is_read_as_the_same_picture_as_from_its_file(catalog_folder):
    expected = images.decode(catalog_folder / "images" / "1007.jpg")
    assert catalog.load(catalog_folder).read_image("1007.jpg").tobytes() == expected.tobytes()


def test_second_copies_are_counted(catalog_folder):
    second = catalog_folder / "myntradataset"
    write_styles(second, [product_row(1001)])
    (second / "images").mkdir()
    (second / "images" / "1001.jpg").write_bytes(photo(9))
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["second copies ignored"] == 1
    assert len(loaded) == 12


# --- rows ---


def test_an_unquoted_comma_in_a_name_is_repaired_and_counted(catalog_folder):
    row = "1002,Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Shirt, blue, cotton"
    edit_row(catalog_folder, 3, row)
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["names with an unquoted comma"] == 1
    assert loaded.products.loc[1, "productDisplayName"] == "Shirt, blue, cotton"
    assert loaded.left_out.empty


def test_columns_may_stand_in_another_order_and_between_others(catalog_folder, product_rows):
    header = [*reversed(catalog.COLUMNS), "link"]
    write_styles(catalog_folder, [[*reversed(row), "x"] for row in product_rows], header)
    loaded = catalog.load(catalog_folder)
    assert loaded.products.loc[3, list(catalog.COLUMNS)].astype(str).tolist() == product_rows[3]


def test_too_many_fields_are_malformed_where_the_name_is_not_last(catalog_folder, product_rows):
    header = [*catalog.COLUMNS, "link"]
    rows = [[*row, "x"] for row in product_rows]
    rows[0].append("y")
    write_styles(catalog_folder, rows, header)
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["malformed rows"] == 1
    assert loaded.left_out.iloc[0].tolist() == [
        "styles.csv row 2",
        "row",
        "12 fields instead of 11",
    ]


def test_a_short_row_is_left_out_and_counted(catalog_folder):
    append_row(catalog_folder, "2001,Men,Apparel")
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["malformed rows"] == 1
    assert the_one_left_out(loaded) == ["styles.csv row 14", "row", "3 fields instead of 10"]


@pytest.mark.parametrize("product_id", ["shirt", "", "-7", "1.5", "²", "9" * 30, "9" * 5000])
def test_an_id_that_is_no_number_is_left_out_and_counted(catalog_folder, product_id):
    append_row(catalog_folder, f"{product_id},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,A")
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["malformed rows"] == 1
    where, _, reason = the_one_left_out(loaded)
    assert (where, reason) == (
        "styles.csv row 14",
        f"the id {product_id!r} is not a whole number",
    )


@pytest.mark.parametrize("product_id", ["1003", "01003"])
def test_the_first_of_two_rows_with_the_same_id_is_kept(catalog_folder, product_id):
    append_row(catalog_folder, f"{product_id},Men,Apparel,Topwear,Ties,Red,Fall,2012,Formal,Tie")
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["duplicate ids"] == 1
    assert loaded.products["id"].is_unique
    assert loaded.products.loc[2, "articleType"] == "Shirts"
    assert the_one_left_out(loaded) == [
        "styles.csv row 14",
        f"product {product_id}",
        "an earlier row has the same id",
    ]


def test_missing_values_are_kept_as_missing_and_counted(catalog_folder):
    edit_row(catalog_folder, 2, "1001,Men,Apparel,Topwear,Shirts,NA,Fall,,,Anna Shirt")
    edit_row(catalog_folder, 3, "1002,Men,Apparel,Topwear,Shirts, NA ,Fall,2011,Casual,NA")
    loaded = catalog.load(catalog_folder)
    first = loaded.products.loc[0]
    assert first[["baseColour", "year", "usage"]].isna().all()
    assert first[["gender", "season", "productDisplayName"]].notna().all()
    missing = {key: n for key, n in loaded.counts.items() if key.startswith("missing values")}
    assert missing == {
        "missing values in baseColour": 2,
        "missing values in year": 1,
        "missing values in usage": 1,
        "missing values in productDisplayName": 1,
    }


@pytest.mark.parametrize("year", ["2011.5", "soon", "inf", "1e300", "-1"])
def test_a_year_that_is_no_year_counts_as_missing(catalog_folder, year):
    edit_row(catalog_folder, 2, f"1001,Men,Apparel,Topwear,Shirts,Red,Fall,{year},Casual,Anna")
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["missing values in year"] == 1
    assert loaded.products["year"].tolist()[1:] == [2011] * 11


def test_a_column_without_any_value_is_no_crash(catalog_folder, product_rows):
    write_styles(catalog_folder, [[*row[:7], "", *row[8:]] for row in product_rows])
    assert catalog.load(catalog_folder).counts["missing values in year"] == 12


def test_what_is_no_year_is_counted_and_listed(catalog_folder):
    edit_row(catalog_folder, 2, "1001,Men,Apparel,Topwear,Shirts,Red,Fall,soon,Casual,Anna")
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["years that are no year"] == 1
    assert the_one_left_out(loaded) == [
        "styles.csv row 2", "year of product 1001", "'soon' is no year"]  # fmt: skip


def test_each_row_that_was_mended_is_listed(catalog_folder):
    path = catalog_folder / "styles.csv"
    text = path.read_text(encoding="utf-8").replace("Anna Shirts 1002", "Café, blue")
    path.write_bytes(text.encode("cp1252"))
    assert catalog.load(catalog_folder).repaired.to_numpy().tolist() == [
        ["styles.csv line 3", "row", "no UTF-8, read as Windows-1252"],
        ["styles.csv row 3", "row", "its name has an unquoted comma"],
    ]


def test_empty_lines_are_no_rows(catalog_folder):
    append_row(catalog_folder, "\n")
    assert catalog.load(catalog_folder).counts["rows in styles.csv"] == 12


def test_a_byte_order_mark_does_not_hide_the_id(catalog_folder):
    path = catalog_folder / "styles.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(catalog.load(catalog_folder)) == 12


def test_a_missing_column_is_named(catalog_folder, product_rows):
    header = [*catalog.COLUMNS[:5], *catalog.COLUMNS[6:]]
    write_styles(catalog_folder, [[*row[:5], *row[6:]] for row in product_rows], header)
    with pytest.raises(CatalogError, match=r"styles.csv lacks the column 'baseColour' \(it has"):
        catalog.load(catalog_folder)


def test_an_empty_table_and_one_with_a_header_only_are_refused(catalog_folder):
    (catalog_folder / "styles.csv").write_bytes(b"")
    with pytest.raises(CatalogError, match=r"lacks the column 'id' \(it has: none\)"):
        catalog.load(catalog_folder)
    write_styles(catalog_folder, [])
    with pytest.raises(CatalogError, match="styles.csv holds no product"):
        catalog.load(catalog_folder)


# --- photos ---


def test_a_product_without_a_photo_is_left_out_and_counted(catalog_folder):
    (catalog_folder / "images" / "1003.jpg").unlink()
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["products without a photo"] == 1
    assert loaded.counts["products kept"] == len(loaded) == 11
    assert the_one_left_out(loaded) == [
        "styles.csv row 4",
        "product 1003",
        "no photo images/1003.jpg",
    ]


def test_a_photo_without_a_row_is_left_out_and_counted(catalog_folder):
    (catalog_folder / "images" / "77.jpg").write_bytes(photo(1))
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["photos without a row"] == 1
    assert the_one_left_out(loaded) == ["images/77.jpg", "photo", "no row in styles.csv"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "1003.jpg is empty (0 bytes)"),
        (b"no picture", "1003.jpg cannot be read as a picture"),
        (photo(3)[:-400], "1003.jpg cannot be read as a picture"),
    ],
)
def test_an_unreadable_photo_is_left_out_and_counted(catalog_folder, content, reason):
    (catalog_folder / "images" / "1003.jpg").write_bytes(content)
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["unreadable photos"] == 1
    assert loaded.counts["products without a photo"] == 0
    assert 1003 not in loaded.products["id"].tolist()
    where, what, why = the_one_left_out(loaded)
    assert (where, what) == ("images/1003.jpg", "product 1003")
    assert why.startswith(reason)


def test_photos_of_another_size_or_mode_are_kept_and_counted(catalog_folder):
    (catalog_folder / "images" / "1001.jpg").write_bytes(photo(0, size=(40, 90)))
    (catalog_folder / "images" / "1002.jpg").write_bytes(photo(1, mode="L"))
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["photos of another size than 60x80"] == 1
    assert loaded.counts["photos that are not RGB"] == 1
    assert loaded.products.loc[0, ["width", "height"]].tolist() == [40, 90]
    assert loaded.products.loc[1, "mode"] == "L"
    assert loaded.read_image("1002.jpg").mode == "RGB"


def test_no_photo_at_all_is_refused(catalog_folder):
    for file in (catalog_folder / "images").iterdir():
        file.unlink()
    with pytest.raises(CatalogError, match=r"no product with a readable photo \(12 rows .* 0 ph"):
        catalog.load(catalog_folder)


def test_a_photo_without_its_last_bytes_is_kept_counted_and_listed(catalog_folder, tmp_path):
    (catalog_folder / "images" / "1003.jpg").write_bytes(photo(3)[:-2])
    for _ in range(2):  # from the photos, then from the cache
        loaded = catalog.load(catalog_folder, tmp_path / "cache")
        assert len(loaded) == 12
        assert loaded.counts["photos read although damaged"] == 1
        assert loaded.repaired.to_numpy().tolist() == [
            ["images/1003.jpg", "product 1003", "read although its end mark is missing"]
        ]
    assert loaded.left_out.empty
    assert loaded.read_image("1003.jpg").tobytes() == images.decode(photo(3)).tobytes()


def test_a_photo_of_which_much_is_missing_is_left_out_and_the_share_is_said(catalog_folder):
    whole = photo(3)
    (catalog_folder / "images" / "1003.jpg").write_bytes(whole[:-250])
    loaded = catalog.load(catalog_folder)
    assert loaded.counts["unreadable photos"] == 1
    assert the_one_left_out(loaded)[2].endswith("of the picture is missing).")
    assert loaded.repaired.empty


def test_the_size_of_a_photo_turned_by_its_tag_is_the_upright_one(catalog_folder):
    lying, exif = Image.new("RGB", (80, 60), "red"), Image.Exif()
    exif[0x0112] = 6
    lying.save(catalog_folder / "images" / "1001.jpg", "TIFF", tiffinfo={0x0112: 6})
    lying.save(catalog_folder / "images" / "1002.jpg", "JPEG", exif=exif)
    lying.save(catalog_folder / "images" / "1003.jpg", "PNG", exif=exif)
    loaded = catalog.load(catalog_folder)
    assert loaded.products.loc[:2, ["width", "height"]].to_numpy().tolist() == [[60, 80]] * 3
    assert loaded.counts["photos of another size than 60x80"] == 0


def test_a_cache_of_an_older_version_is_not_taken(catalog_folder, tmp_path):
    catalog.load(catalog_folder, tmp_path / "cache")
    cache = next((tmp_path / "cache").glob("photos-*.parquet"))
    pd.read_parquet(cache).drop(columns="repair").to_parquet(cache)
    assert len(catalog.load(catalog_folder, tmp_path / "cache")) == 12


# --- the cache ---


def test_the_second_load_does_not_open_the_photos_again(catalog_folder, tmp_path, monkeypatch):
    (catalog_folder / "images" / "1003.jpg").write_bytes(b"")
    first = catalog.load(catalog_folder, tmp_path / "cache")
    monkeypatch.setattr(images, "examine", lambda *_, **__: pytest.fail("a photo was opened"))
    second = catalog.load(catalog_folder, tmp_path / "cache")
    pd.testing.assert_frame_equal(first.products, second.products)
    pd.testing.assert_frame_equal(first.left_out, second.left_out)
    assert first.counts == second.counts


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_a_changed_photo_is_looked_at_again(catalog_folder, tmp_path, form):
    def path() -> Path:
        if form == "folder":
            return catalog_folder
        return zip_folder(catalog_folder, tmp_path / "archive.zip")

    before = catalog.load(path(), tmp_path / "cache")
    (catalog_folder / "images" / "1003.jpg").write_bytes(photo(200))
    after = catalog.load(path(), tmp_path / "cache")
    is_changed = before.products["image_sha256"] != after.products["image_sha256"]
    assert after.products["id"][is_changed].tolist() == [1003]
    assert len(list((tmp_path / "cache").iterdir())) == 2  # and no partial file is left


def test_without_a_cache_nothing_is_written(catalog_folder, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    catalog.load(catalog_folder)
    assert sorted(tmp_path.rglob("*")) == before


# --- the data hash ---


def test_the_data_hash_changes_with_a_label_and_with_a_photo(catalog_folder):
    before = catalog.load(catalog_folder).data_hash
    assert catalog.load(catalog_folder).data_hash == before
    (catalog_folder / "images" / "1003.jpg").write_bytes(photo(200))
    other_photo = catalog.load(catalog_folder).data_hash
    edit_row(catalog_folder, 2, "1001,Men,Apparel,Topwear,Shirts,Red,Fall,2011,Casual,Anna")
    other_label = catalog.load(catalog_folder).data_hash
    assert len({before, other_photo, other_label}) == 3


def test_the_data_hash_does_not_depend_on_the_order_of_the_rows(catalog_folder, product_rows):
    before = catalog.load(catalog_folder).data_hash
    write_styles(catalog_folder, product_rows[::-1])
    assert catalog.load(catalog_folder).data_hash == before


# --- sample, subset, report, identical photos ---


def test_a_sample_keeps_each_types_share_and_at_least_one(catalog_folder):
    drawn = catalog.sample(catalog.load(catalog_folder), 6, seed=0)
    # Half of 4 shirts, 4 watches, 3 shoes (1.5 rounds to 2) and 1 scarf (at least one).
    assert drawn.products["articleType"].value_counts().to_dict() == {
        "Shirts": 2,
        "Watches": 2,
        "Casual Shoes": 2,
        "Scarves": 1,
    }
    assert drawn.products["id"].is_monotonic_increasing
    assert drawn.products.index.tolist() == list(range(7))


def test_a_sample_depends_on_its_seed_only(catalog_folder):
    loaded = catalog.load(catalog_folder)
    ids = [catalog.sample(loaded, 6, seed=seed).products["id"].tolist() for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_a_sample_of_all_is_all(catalog_folder):
    loaded = catalog.load(catalog_folder)
    assert catalog.sample(loaded, 12, seed=3).data_hash == loaded.data_hash


def test_a_sample_treats_a_missing_article_type_as_a_type(catalog_folder):
    edit_row(catalog_folder, -1, "1012,Men,Apparel,Topwear,NA,Red,Fall,2011,Casual,Anna")
    drawn = catalog.sample(catalog.load(catalog_folder), 6, seed=0)
    assert 1012 in drawn.products["id"].tolist()


@pytest.mark.parametrize("n_products", [0, -1, 13])
def test_a_sample_out_of_range_is_refused(catalog_folder, n_products):
    loaded = catalog.load(catalog_folder)
    with pytest.raises(ParameterError, match=f"1 to 12 products .*, not {n_products}"):
        catalog.sample(loaded, n_products, seed=0)


def test_a_subset_keeps_the_order_and_reads_the_same_photos(catalog_folder):
    loaded = catalog.load(catalog_folder)
    chosen = loaded.subset(np.arange(12) % 2 == 1)
    assert chosen.products["id"].tolist() == [1002, 1004, 1006, 1008, 1010, 1012]
    assert chosen.products.index.tolist() == list(range(6))
    assert isinstance(chosen.read_image("1004.jpg"), Image.Image)


def test_the_report_lists_every_count(catalog_folder):
    loaded = catalog.load(catalog_folder)
    table = catalog.report(loaded)
    assert dict(zip(table["what"], table["count"], strict=True)) == loaded.counts


def test_identical_photos_are_found_group_by_group(catalog_folder):
    for name, number in (("1001", 30), ("1009", 30), ("1005", 31), ("1002", 31), ("1012", 31)):
        (catalog_folder / "images" / f"{name}.jpg").write_bytes(photo(number))
    loaded = catalog.load(catalog_folder)
    copies = catalog.identical_groups(loaded.products)
    groups = copies.groupby("image_sha256")["id"].agg(list).tolist()
    assert sorted(groups) == [[1001, 1009], [1002, 1005, 1012]]
    assert copies["image_sha256"].drop_duplicates().is_monotonic_increasing
    assert loaded.counts["identical photos"] == 5
    assert loaded.counts["groups of identical photos"] == 2
