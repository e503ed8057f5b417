"""The drawn catalogue: its bytes, its content, and that it is written whole or not at all."""

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog, sources
from fashion_rir.data.drawn import drawing, sketch
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.errors import CatalogError, ParameterError

# Of styles.csv and then all photos by name, for version 1 with the default parameters.
# A change of the drawings changes it: then raise `shop.VERSION` too.
CONTENT_SHA256 = "2ece98e48c1c8e75425c25b36a910e296f323a23706494fc2e1a31b6f7acdaae"


@pytest.fixture(scope="module")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_shop.generate(tmp_path_factory.mktemp("drawn") / "shop")


@pytest.fixture(scope="module")
def shop(shop_folder: Path) -> catalog.Catalog:
    return catalog.load(shop_folder)


def content_hash(folder: Path) -> str:
    digest = hashlib.sha256((folder / "styles.csv").read_bytes())
    for path in sorted((folder / "images").iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def test_same_bytes_on_every_machine(shop_folder: Path) -> None:
    assert content_hash(shop_folder) == CONTENT_SHA256


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    first = drawn_shop.generate(tmp_path / "a", n_products=50, seed=1)
    again = drawn_shop.generate(tmp_path / "b", n_products=50, seed=1)
    other = drawn_shop.generate(tmp_path / "c", n_products=50, seed=2)
    assert content_hash(first) == content_hash(again) != content_hash(other)


def test_loads_with_every_kind_of_fault_the_real_catalogue_has(shop: catalog.Catalog) -> None:
    expected = {
        "rows in styles.csv": 601,
        "names with an unquoted comma": 1,
        "malformed rows": 0,
        "products without a photo": 1,
        "unreadable photos": 0,
        "photos of another size than 60x80": 0,
        "photos that are not RGB": 0,
        "identical photos": 10,
        "groups of identical photos": 5,
        "missing values in baseColour": 4,
        "missing values in season": 3,
        "missing values in usage": 5,
    }
    assert len(shop) == 600
    assert {name: shop.counts[name] for name in expected} == expected


def test_smallest_shop_has_the_same_faults(tmp_path: Path) -> None:
    shop = catalog.load(drawn_shop.generate(tmp_path / "shop", n_products=50))
    assert len(shop) == 50
    assert shop.counts["products without a photo"] == 1
    assert shop.counts["groups of identical photos"] == 5
    assert shop.products["articleType"].nunique() == 25


def test_name_with_a_comma_is_read_whole(shop_folder: Path, shop: catalog.Catalog) -> None:
    names = shop.products["productDisplayName"]
    assert names[names.str.contains(",")].str.endswith("Tshirt, Pack of 2").tolist() == [True]
    assert '"' not in (shop_folder / "styles.csv").read_text()


def test_header_is_that_of_the_real_file(shop_folder: Path) -> None:
    header = (shop_folder / "styles.csv").read_text().splitlines()[0]
    assert header == (
        "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
        "productDisplayName"
    )


def test_types_have_a_long_tail(shop: catalog.Catalog) -> None:
    counts = shop.products["articleType"].value_counts()
    assert counts.index[0] == "Tshirts"
    assert 0.18 <= counts.iloc[0] / len(shop) <= 0.22
    assert set(counts.index[counts == 1]) == {"Umbrellas", "Basketballs"}


def test_labels_cover_the_real_ranges(shop: catalog.Catalog) -> None:
    products = shop.products
    assert set(products["gender"]) == {"Men", "Women", "Boys", "Girls", "Unisex"}
    assert set(products["season"].dropna()) == {"Summer", "Fall", "Winter", "Spring"}
    assert set(products["year"]) == set(range(2007, 2020))
    assert products["baseColour"].nunique() >= 20
    assert (products["id"].sort_values().diff().dropna() > 1).any()
    assert not products["id"].is_monotonic_increasing


def test_name_says_what_the_labels_say(shop: catalog.Catalog) -> None:
    for row in shop.products.dropna(subset="baseColour").itertuples():
        assert f" {row.gender} {row.baseColour} " in row.productDisplayName


def test_identical_photos_show_the_same_product(shop: catalog.Catalog) -> None:
    copies = catalog.identical_groups(shop.products)
    for _, group in copies.groupby("image_sha256"):
        assert group["id"].nunique() == 2
        assert group[["articleType", "gender", "year"]].drop_duplicates().shape[0] == 1


def test_photos_are_centred_on_white(shop: catalog.Catalog) -> None:
    for name in shop.products["image_name"][:100]:
        pixels = np.asarray(shop.read_image(name))  # (height, width, 3)
        assert pixels.shape == (80, 60, 3)
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].min() > 235
        assert pixels[20:60, 15:45].min() < 200


def test_products_of_a_type_look_alike(shop: catalog.Catalog) -> None:
    """The nearest other photo by plain brightness is mostly of the same type."""
    _, first = np.unique(shop.products["image_sha256"], return_index=True)
    names, types = (shop.products[column].to_numpy()[first] for column in
                    ("image_name", "articleType"))  # fmt: skip
    pixels = np.stack([np.asarray(shop.read_image(name).convert("L").reduce(4)) for name in names])
    is_drawn = (pixels < 235).reshape(len(names), -1).astype(np.float32)  # (n_photos, n_pixels)
    difference = is_drawn @ (1 - is_drawn.T) + (1 - is_drawn) @ is_drawn.T
    np.fill_diagonal(difference, np.inf)
    assert (types[difference.argmin(axis=1)] == types).mean() > 0.8


@pytest.mark.parametrize("kind", drawn_shop.TYPES, ids=lambda kind: kind.name)
def test_pattern_cut_and_colour_change_the_drawing(kind: drawn_shop.ArticleType) -> None:
    def pixels(**changes: object) -> bytes:
        settings = {"colour": (32, 44, 92), "accent": (244, 234, 206), "pattern": "plain",
                    "gender": "Men", "is_warm": False} | changes  # fmt: skip
        generator = np.random.default_rng(3)
        return drawing.draw(kind.name, sketch.Look(**settings), generator).tobytes()

    variants = {
        pixels(),
        pixels(colour=(196, 42, 48)),
        pixels(gender="Boys"),
        pixels(pattern="stripes"),
        pixels(pattern="checks"),
        pixels(pattern="dots"),
    }
    assert len(variants) == 6
    assert pixels() == pixels()


def test_every_type_has_a_drawing_and_one_master_category() -> None:
    sub_categories = [sub for subs in drawn_shop.MASTER_CATEGORIES.values() for sub in subs]
    assert [kind.name for kind in drawn_shop.TYPES] == list(drawing.DRAWINGS)
    assert sorted({kind.sub_category for kind in drawn_shop.TYPES}) == sorted(sub_categories)
    assert sum(kind.share for kind in drawn_shop.TYPES) == 1000


@pytest.mark.real_data
@pytest.mark.skipif("FASHION_RIR_ARCHIVE" not in os.environ, reason="needs the real catalogue")
def test_labels_are_spelled_as_in_the_real_catalogue(shop: catalog.Catalog) -> None:
    header, *rows = sources.open_source(Path(os.environ["FASHION_RIR_ARCHIVE"])).rows()
    real = [dict(zip(header, row, strict=False)) for row in rows]
    for columns in (["masterCategory", "subCategory", "articleType"], ["gender"], ["baseColour"],
                    ["season"], ["usage"]):  # fmt: skip
        ours = shop.products[columns].dropna().drop_duplicates().itertuples(index=False, name=None)
        assert set(ours) <= {tuple(row[column] for column in columns) for row in real}


def test_complete_catalogue_is_left_untouched(tmp_path: Path) -> None:
    folder = drawn_shop.generate(tmp_path / "shop", n_products=50)
    (folder / "note.txt").write_text("still here")
    assert drawn_shop.generate(folder, n_products=50) == folder
    assert (folder / "note.txt").exists()


@pytest.mark.parametrize("changed", [{"seed": 8}, {"n_products": 51}])
def test_other_parameters_replace_it(tmp_path: Path, changed: dict[str, int]) -> None:
    folder = drawn_shop.generate(tmp_path / "shop", n_products=50)
    before = content_hash(folder)
    drawn_shop.generate(folder, **({"n_products": 50} | changed))
    assert content_hash(folder) != before
    assert os.listdir(tmp_path) == ["shop"]


def test_another_version_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_shop, "VERSION", 0)
    folder = drawn_shop.generate(tmp_path / "shop", n_products=50)
    monkeypatch.undo()
    drawn_shop.generate(folder, n_products=50)
    assert f'"version": {drawn_shop.VERSION}' in (folder / "drawn.json").read_text()


@pytest.mark.parametrize("damage", ["styles.csv", "photo", "drawn.json"])
def test_incomplete_catalogue_is_mended(tmp_path: Path, damage: str) -> None:
    folder = drawn_shop.generate(tmp_path / "shop", n_products=50)
    before = content_hash(folder)
    if damage == "photo":
        next((folder / "images").iterdir()).unlink()
    elif damage == "styles.csv":
        (folder / "styles.csv").unlink()
    else:
        (folder / "drawn.json").write_text("{broken")
    drawn_shop.generate(folder, n_products=50)
    assert content_hash(folder) == before


def test_folder_with_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "styles.csv").write_text("my own")
    with pytest.raises(CatalogError, match=r"no drawn\.json.*name another folder"):
        drawn_shop.generate(tmp_path, n_products=50)
    assert (tmp_path / "styles.csv").read_text() == "my own"


def test_file_in_place_of_the_folder_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file")
    with pytest.raises(CatalogError, match="name another folder"):
        drawn_shop.generate(tmp_path / "shop", n_products=50)
    assert (tmp_path / "shop").read_text() == "a file"


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert len(catalog.load(drawn_shop.generate(tmp_path / "shop", n_products=50))) == 50


@pytest.mark.parametrize("exists_before", [False, True])
def test_full_disk_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists_before: bool
) -> None:
    folder = tmp_path / "shop"
    before = exists_before and content_hash(drawn_shop.generate(folder, n_products=50, seed=1))
    write_bytes, n_written = Path.write_bytes, 0

    def write_until_full(path: Path, data: bytes) -> int:
        nonlocal n_written
        n_written += 1
        if n_written > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_until_full)
    with pytest.raises(CatalogError, match="No space left on device"):
        drawn_shop.generate(folder, n_products=50)
    assert os.listdir(tmp_path) == ["shop"] * exists_before
    if exists_before:
        assert content_hash(folder) == before


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match=r"cannot be written to .*file/shop"):
        drawn_shop.generate(tmp_path / "file" / "shop", n_products=50)


@pytest.mark.parametrize("n_products", [-1, 0, 49, 10_001])
def test_number_of_products_out_of_range(tmp_path: Path, n_products: int) -> None:
    with pytest.raises(ParameterError, match=f"50 to 10,000 products, not {n_products}"):
        drawn_shop.generate(tmp_path / "shop", n_products=n_products)
    assert not os.listdir(tmp_path)


def test_negative_seed(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="not -1"):
        drawn_shop.generate(tmp_path / "shop", seed=-1)


def test_corners_are_cut_at_a_quarter_of_each_side() -> None:
    corner_cut = sketch._cut_corners([(0, 0), (4, 0), (4, 4)], 1)
    assert corner_cut == [(1, 0), (3, 0), (4, 1), (4, 3), (3, 3), (1, 1)]


def test_mirrored_outline_names_points_on_the_axis_once() -> None:
    assert sketch.mirrored([(0, 1), (5, 2), (0, 9)]) == [(0, 1), (5, 2), (0, 9), (-5, 2)]


def test_mixed_colour() -> None:
    assert sketch.mixed((0, 100, 200), (100, 100, 0), 25) == (25, 100, 150)
