"""Killed work, two processes at once, full and read-only disks.

The short version of `make torture`, which kills more often, and training and the study's command.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from torture import comparison, disks, kills, work

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
SHORT = ("embedding", "record and ledger writing", "index saving")
QUICK_WRITERS = [name for name in disks.WRITERS if name not in ("training", "ledger", "cards")]


@pytest.fixture(scope="module")
def server() -> Iterator[kills.ForkServer]:
    with kills.ForkServer() as server:
        yield server


@pytest.mark.parametrize("name", SHORT)
def test_killed_work_loses_nothing_and_ends_as_if_it_had_not_been_killed(server, name):
    result = kills.torment(server, name, 2, seed=5)
    assert result.losses == []
    assert result.kills >= 2


def test_two_processes_fill_one_store_without_a_loss(tmp_path):
    assert kills.two_at_once(tmp_path) == []


@pytest.mark.skipif(not disks.can_mount(), reason="mounting a small disk needs the rights of root")
@pytest.mark.parametrize("name", QUICK_WRITERS)
def test_a_full_or_read_only_disk_is_one_sentence_and_changes_nothing(name):
    assert disks.faults(name) == []


# --- what would be found ---


def test_work_that_fails_is_a_loss(server, tmp_path):
    (tmp_path / "data").touch()  # in the way
    assert server.run("embedding", tmp_path)["code"] == 1
    assert "CatalogError" in (tmp_path / "log.txt").read_text()


def test_a_lost_a_doubled_and_a_half_written_row_are_found(tmp_path):
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE image_features (image_name TEXT, features BLOB)")
        connection.executemany("INSERT INTO image_features VALUES (?, x'00')", [["1"], ["1"]])
    work.reported(tmp_path, "1\n2")
    (tmp_path / "a.json").write_text('{"half')
    expected = ["a.json is half-written", "2 is lost", "a row is doubled"]
    assert work.faults("embedding", tmp_path) == expected


def test_a_store_that_is_gone_and_a_value_that_is_old_are_found(tmp_path):
    work.reported(tmp_path, "3")
    assert work.faults("embedding", tmp_path) == ["1 rows lost with their store"]
    assert work.faults("study step", tmp_path) == ["3 is lost"]
    inputs = {"profile": "quick", "data_hash": "x"}
    place = work.Workspace(tmp_path, "quick").results
    for value, expected in ((2, ["a value is lost"]), (3, []), (4, [])):
        record = work.result_records.make_record("kind", "count", inputs, value=value)
        work.result_records.write(record, place)
        assert work.faults("record and ledger writing", tmp_path) == expected


def test_an_index_over_other_vectors_is_found(tmp_path):
    import numpy as np

    strange = work.Gallery(np.eye(8, dtype=np.float32), range(8), "euclidean")
    work.Index(strange, "hnsw").save(tmp_path / "index")
    assert work.faults("index saving", tmp_path) == ["a wrong index"]
    work.Index(work.gallery(0), "hnsw").save(tmp_path / "index")
    assert work.faults("index saving", tmp_path) == []


def test_folders_differ_by_their_results_and_not_by_times(tmp_path):
    record = {"value": 0.5, "timings": {"seconds": 1}, "made_by": {"commit": "a"}}
    changes = {"one": {}, "same": {"timings": {"seconds": 2}, "made_by": {"commit": "b"}},
               "near": {"value": 0.5000001}, "other": {"value": 0.6}}  # fmt: skip
    for name, change in changes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text(json.dumps(record | change))
    one = tmp_path / "one"
    assert comparison.differences(one, tmp_path / "same") == []
    assert comparison.differences(one, tmp_path / "near") == ["a.json differs"]
    assert comparison.differences(one, tmp_path / "near", tolerance=1e-5) == []
    assert comparison.differences(one, tmp_path / "other", 1e-5) == ["a.json differs"]
    (tmp_path / "same" / "b.csv").write_text("x\n1\n")
    assert comparison.differences(one, tmp_path / "same") == ["only one folder has b.csv"]


def test_records_of_the_same_inputs_that_say_other_things_are_found(tmp_path):
    for place, inputs_hash, value in (("01", "a", 1.0), ("02", "a", 1.0), ("03", "b", 2.0)):
        folder = tmp_path / place
        folder.mkdir()
        record = {"inputs_hash": inputs_hash, "value": value, "timings": {"seconds": len(place)}}
        (folder / "found.json").write_text(json.dumps(record))
    folders = [tmp_path / place for place in ("01", "02", "03", "nowhere")]
    assert comparison.contradictions(folders) == []
    (tmp_path / "02" / "found.json").write_text(json.dumps({"inputs_hash": "a", "value": 1.5}))
    assert comparison.contradictions(folders) == ["found.json differs between notebooks"]
