"""The README's numbers and figure are those of the committed records."""

import shutil
from pathlib import Path

import pytest

from fashion_rir.errors import RecordError
from fashion_rir.reporting import readme
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

ROOT = Path(__file__).parents[2]
FULL = Workspace(ROOT, "full")


def test_readme_shows_the_committed_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.results_section(FULL)
    assert readme.refreshed(text, section) == text, "stale; run: fashion-rir readme"


def test_the_figure_shows_the_committed_records():
    found = readme.hash_in_figure(FULL.figures / readme.FIGURE)
    assert found == readme.numbers_hash(FULL), "stale; run: fashion-rir readme"
    assert f"](reports/full/figures/{readme.FIGURE})" in readme.results_section(FULL)


def test_a_number_of_the_table_is_the_record_s():
    table, records = readme.headline(FULL)
    record = result_records.read(FULL.results, "chance-cosine")
    expected = record["protocols"]["held_out"]["labels"]["articleType"]["micro"]["mAP"]
    row = table.loc["chance", ["mAP", "low", "high"]]
    assert row.tolist() == [expected[key] for key in ("value", "low", "high")]
    assert table.loc["chance", "kind"] == "floor"
    needed = {name for names in readme.RECORDS.values() for name in names} - {*readme.LATER}
    assert needed <= {record["name"] for record in records}
    assert table.index.is_unique


@pytest.fixture
def copied(tmp_path: Path) -> Workspace:
    """The headline's records alone, to be changed."""
    workspace = Workspace(tmp_path, "full")
    workspace.results.mkdir(parents=True)
    for name in (*readme.RECORDS["model"], *readme.RECORDS["floor"]):
        if (FULL.results / f"{name}.json").exists():
            shutil.copy(FULL.results / f"{name}.json", workspace.results)
    return workspace


def test_a_changed_number_makes_table_and_figure_stale(copied: Workspace):
    path = readme.draw_figure(copied)
    assert readme.hash_in_figure(path) == readme.numbers_hash(copied)
    section = readme.results_section(copied)
    record = result_records.read(copied.results, "chance-cosine")
    record["protocols"]["held_out"]["labels"]["articleType"]["micro"]["mAP"]["value"] += 0.001
    result_records.write(record, copied.results)
    assert readme.hash_in_figure(path) != readme.numbers_hash(copied)
    assert readme.results_section(copied) != section


def test_records_of_another_catalogue_are_refused(copied: Workspace):
    record = result_records.read(copied.results, "chance-cosine")
    record["inputs"]["data_hash"] = "other"
    result_records.write(record, copied.results)
    with pytest.raises(RecordError, match="differ in data_hash"):
        readme.headline(copied)


def test_what_is_measured_later_is_shown_once_it_is_there(copied: Workspace):
    assert "ceiling" not in set(readme.headline(copied)[0]["kind"])
    (name,) = readme.RECORDS["ceiling"]
    record = result_records.read(copied.results, "chance-cosine") | {"name": name}
    result_records.write(record, copied.results)
    assert readme.headline(copied)[0]["kind"].tolist()[-1] == "ceiling"


def test_refreshed_replaces_only_what_is_between_the_markers():
    text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter"
    assert readme.refreshed(text, "new") == f"before\n{readme.BEGIN}\nnew\n{readme.END}\nafter"


def test_lost_markers_are_named():
    with pytest.raises(RecordError, match="markers"):
        readme.refreshed("no markers", "new")


def test_missing_record_is_named(tmp_path):
    with pytest.raises(RecordError, match="no record .*attributes-final-5-sources"):
        readme.results_section(Workspace(tmp_path, "full"))
