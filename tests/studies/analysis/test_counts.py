"""counts: the twelve drawn products, counted by hand."""

from pathlib import Path

import pytest

from fashion_rir.data import catalog
from fashion_rir.evaluation import intervals
from fashion_rir.studies.analysis import counts
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace


@pytest.fixture
def record(tmp_path: Path, catalog_folder: Path) -> dict:
    images = catalog_folder / "images"
    (images / "1002.jpg").write_bytes((images / "1001.jpg").read_bytes())  # both are shirts
    (images / "1005.jpg").write_bytes((images / "1001.jpg").read_bytes())  # a watch
    styles = catalog_folder / "styles.csv"
    text = styles.read_text(encoding="utf-8").replace("1012,Women", "1012,Men")
    styles.write_text(text.replace("1011,Women", "1011,NA"), encoding="utf-8")
    workspace = Workspace(tmp_path, "quick")
    made = counts.summarise(Study(workspace, catalog.load(catalog_folder), 1))
    assert result_records.read(workspace.results, "eda") == made
    return made


def test_counts(record: dict) -> None:
    types = counts.counts(record, "articleType")
    # The most frequent first; equal ones by name.
    assert list(types.items()) == [
        ("Shirts", 4), ("Watches", 4), ("Casual Shoes", 3), ("Scarves", 1),
    ]  # fmt: skip
    assert types.index.name == "articleType"
    assert counts.counts(record, "gender").to_dict() == {"Women": 10, "Men": 1}
    assert counts.counts(record, "year").to_dict() == {"2011": 12}
    assert record["missing"]["gender"] == 1
    assert record["sizes"] == {"60x80": 12}
    assert record["repairs"]["products kept"] == 12


def test_an_uncounted_column_is_refused(record: dict) -> None:
    with pytest.raises(KeyError):
        counts.counts(record, "productDisplayName")


def test_crossed(record: dict) -> None:
    table = counts.crossed(record, "gender", "masterCategory")
    # The man's scarf is one of five accessories; the shoe without a gender counts nowhere.
    assert table.to_dict("index") == {
        "Women": {"Accessories": 4, "Apparel": 4, "Footwear": 2},
        "Men": {"Accessories": 1, "Apparel": 0, "Footwear": 0},
    }
    assert (table.index.name, table.columns.name) == ("gender", "masterCategory")


def test_long_tail(record: dict) -> None:
    found = counts.long_tail(record)
    assert found["articleTypes"] == 4
    assert found["with one product"] == 1
    assert found["with fewer than 10 products"] == 4
    assert found["types that hold 75 % of the products"] == 3  # 8 of 12 are too few, 11 enough
    assert found["share of the most frequent type"] == pytest.approx(4 / 12, abs=1e-3)


def test_identical_photos(record: dict) -> None:
    assert record["identical"] == {
        "photos": 3,
        "groups": 1,
        "largest group": 3,
        "groups that disagree in articleType": 1,
        "groups that disagree in gender": 0,
        "groups that disagree in baseColour": 0,
    }


def test_first_rows_are_those_of_the_file(record: dict) -> None:
    assert [row["id"] for row in record["first_rows"]] == [str(1001 + i) for i in range(9)]
    assert record["first_rows"][0]["articleType"] == "Shirts"


def test_the_name_tells_the_type(record: dict) -> None:
    told = record["told_by_name"]
    assert told["accuracy by the name"] == 1
    assert told["accuracy by the name without the type's own words"] < 1
    assert told["share of the most frequent type"] == intervals.rounded(4 / 12)
