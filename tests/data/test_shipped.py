"""The shipped catalogues: phone photos with pictures, and the real table without."""

import os
from dataclasses import replace
from pathlib import Path

import drawn_catalog
import pandas as pd
import pytest

from fashion_rir.data import catalog, shipped, splits
from fashion_rir.errors import ImageError
from fashion_rir.workspace.folders import ARCHIVE_VARIABLE, real_path


@pytest.fixture(scope="module")
def photos() -> catalog.Catalog:
    return shipped.phone_photos()


@pytest.fixture(scope="module")
def table() -> catalog.Catalog:
    return shipped.table()


# --- phone photos ---


def test_the_phone_photos_are_a_catalogue_with_pictures(photos):
    assert len(photos) == 1000
    assert photos.has_photos
    assert photos.left_out.empty
    counts = photos.products["articleType"].value_counts()
    assert (counts["Tshirts"], counts["Shirts"], counts["Formal Shoes"]) == (164, 102, 6)
    picture = photos.read_image("900001.jpg")
    assert picture.mode == "RGB"
    assert max(picture.size) == 160


def test_a_phone_photo_has_its_pattern_and_its_source_beside_the_ten_columns(photos):
    first = photos.products.set_index("id").loc[900001]
    assert first["articleType"] == "Sweaters"
    assert first["pattern"] == "textured"
    assert first["is_long_sleeved"]
    assert first["source_class"] == "longsleeve"
    assert first["source_file"] == "bfb072bd-4378-47d5-ad94-e11e367fbdd0.jpg"
    assert photos.products[["pattern", "source_class"]].notna().all(axis=None)


def test_every_class_of_the_source_has_its_types_in_the_real_table(photos, table):
    groups = shipped.phone_groups()
    assert set(groups) == set(photos.products["source_class"])
    types = set(table.listed["articleType"])
    assert {kind for kinds in groups.values() for kind in kinds} <= types


# --- the table ---


def test_the_table_is_the_real_catalogue_without_its_photos(table):
    assert len(table) == 44_072
    assert len(table.listed) == 44_446
    assert table.counts["products without a photo"] == 374
    assert table.counts["identical photos"] == 1429
    assert table.counts["groups of identical photos"] == 651
    assert table.counts["photos of another size than 60x80"] == 23
    assert len(table.left_out) == 374


def test_the_table_splits_as_the_catalogue_does_and_can_be_sampled(table):
    parts = splits.split(table.products, seed=20)
    assert parts.is_test.mean() == pytest.approx(0.2, abs=0.01)
    assert len(catalog.sample(table, 1000, seed=0)) == pytest.approx(1000, abs=60)


def test_asking_the_table_for_a_photo_says_where_photos_come_from(table):
    assert not table.has_photos
    with pytest.raises(ImageError, match=r"without photos, .* 15970.jpg; .* Kaggle"):
        table.read_image("15970.jpg")


def test_the_table_is_that_of_the_committed_records(table):
    records = (Path(__file__).parents[2] / "reports" / "full" / "results").glob("*.json")
    assert any(table.data_hash in record.read_text(encoding="utf-8") for record in records)


@pytest.mark.real_data
def test_the_table_equals_the_archives(table, tmp_path):
    if not os.environ.get(ARCHIVE_VARIABLE):
        pytest.skip(f"{ARCHIVE_VARIABLE} names no archive")
    real = catalog.load(real_path(), cache_dir=tmp_path)
    assert table.data_hash == real.data_hash
    assert table.counts == real.counts
    pd.testing.assert_frame_equal(table.products, real.products)
    pd.testing.assert_frame_equal(table.listed, real.listed)
    pd.testing.assert_frame_equal(table.left_out, real.left_out)
    assert shipped.differences(real, table) == {}


def test_a_table_read_back_is_the_catalogue_that_was_written(tmp_path):
    rows = [drawn_catalog.product_row(number) for number in (7, 3, 12)]
    rows[1][6:8] = ["NA", ""]  # no season, no year
    drawings = [drawn_catalog.photo(number) for number in (1, 2, 2)]
    folder = drawn_catalog.write_catalog(tmp_path / "shop", rows, drawings)
    drawn_catalog.write_styles(folder, [*rows, drawn_catalog.product_row(99)])  # without a photo
    real = catalog.load(folder)
    _, *rows = real.source.rows()
    shipped.write_table(real, rows, tmp_path / "table.parquet")
    source = shipped.TableSource(tmp_path / "table.parquet")
    back = catalog.from_source(source, source.photos)
    assert back.data_hash == real.data_hash
    assert back.counts == real.counts
    pd.testing.assert_frame_equal(back.products, real.products)


# --- the archive in the table's place ---


def changed(table: catalog.Catalog) -> catalog.Catalog:
    """Another edition: one product less, one more, one label and one photo changed."""
    products = table.products.iloc[:-1].copy()
    products.loc[0, "baseColour"] = "Octarine"
    products.loc[1, "image_sha256"] = "0" * 64
    new = products.iloc[[2]].assign(id=999_999, image_name="999999.jpg")
    return replace(table, products=pd.concat([products, new], ignore_index=True))


def test_what_differs_between_archive_and_table_is_counted(table):
    assert shipped.differences(changed(table), table) == {
        "products that the shipped table lacks": 1,
        "products of the shipped table that are not here": 1,
        "products whose photo is another in the shipped table": 1,
        "products whose baseColour is another in the shipped table": 1,
    }


def test_the_archive_takes_the_tables_place_unmixed_and_says_the_difference(table):
    real = changed(table)
    with pytest.warns(UserWarning, match="1 products that the shipped table lacks; 1 products of"):
        found = shipped.in_place_of_table(real)
    pd.testing.assert_frame_equal(found.products, real.products)
    assert found.counts["products whose photo is another in the shipped table"] == 1


def test_an_archive_like_the_table_says_nothing(table, recwarn):
    assert shipped.in_place_of_table(table).counts == table.counts
    assert not recwarn.list
