"""The real catalogue, where it is at hand: every count that the study builds on."""

import os
from pathlib import Path

import pytest

from fashion_rir.data import catalog

pytestmark = pytest.mark.real_data
CACHE = Path(__file__).parent.parent / "data" / "catalog"  # looking into all photos takes minutes


@pytest.fixture(scope="module")
def real_catalog() -> catalog.Catalog:
    path = os.environ.get("FASHION_RIR_ARCHIVE")
    if not path:
        pytest.skip("FASHION_RIR_ARCHIVE names no real catalogue")
    return catalog.load(Path(path), CACHE)


def test_the_counts_of_the_small_edition(real_catalog):
    counts = real_catalog.counts
    assert counts["rows in styles.csv"] == 44_446
    assert counts["products kept"] == len(real_catalog) == 44_072
    assert counts["products without a photo"] == 374
    assert counts["malformed rows"] == counts["duplicate ids"] == 0
    assert counts["unreadable photos"] == counts["photos without a row"] == 0
    assert counts["photos of another size than 60x80"] == 23


def test_everything_left_out_is_listed(real_catalog):
    assert len(real_catalog.left_out) == 374
    assert real_catalog.left_out["reason"].str.startswith("no photo images/").all()


def test_the_groups_of_identical_photos(real_catalog):
    copies = catalog.identical_groups(real_catalog.products)
    assert len(copies) == real_catalog.counts["identical photos"] == 1_429
    assert copies["image_sha256"].nunique() == 651
    assert real_catalog.counts["groups of identical photos"] == 651


def test_a_sample_of_five_thousand_holds_every_article_type(real_catalog):
    drawn = catalog.sample(real_catalog, 5_000, seed=0)
    types = real_catalog.products["articleType"].nunique()
    assert drawn.products["articleType"].nunique() == types
    assert abs(len(drawn) - 5_000) <= types  # rare types are rounded up to one


def test_a_photo_is_readable(real_catalog):
    assert real_catalog.read_image(real_catalog.products["image_name"].iloc[0]).mode == "RGB"
