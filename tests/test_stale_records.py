"""No committed number is older than what it was made from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from fashion_rir.evaluation import intervals
from fashion_rir.workspace import records as result_records

ROOT = Path(__file__).parents[1]
PLACES = [ROOT / "reports" / "full" / "results"]
# Comparisons whose parents were run again with more labels, which changed no number of theirs.
# The next full run renews them; this number only falls.
N_AWAITED = 23


def read_records(folder: Path) -> dict[str, dict]:
    """All records of a folder, by their files' names."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def changed_inputs(records: Mapping[str, Mapping]) -> list[str]:
    """Records whose inputs are not those that their hash was made of, or of another's name."""
    return [
        name
        for name, record in records.items()
        if record["name"] != name
        or record.get("schema") != result_records.SCHEMA_VERSION
        or result_records.hash_inputs(record["inputs"]) != record["inputs_hash"]
    ]


def stale(records: Mapping[str, Mapping]) -> list[tuple[str, str]]:
    """Pairs of a record and a parent that is gone, or was run again since with other inputs."""
    return [
        (name, parent)
        for name, record in records.items()
        for parent, made_from in record["inputs"].get("parents", {}).items()
        if records.get(parent, {}).get("inputs_hash") != made_from
    ]


def wrong_differences(records: Mapping[str, Mapping]) -> list[str]:
    """Comparisons whose difference is not that of their parents' means."""
    found = []
    for name, record in records.items():
        inputs = record["inputs"]
        if record["kind"] != "comparison" or inputs["label"] == "graded":
            continue
        first, second = (
            records[inputs[side]]["protocols"][inputs["protocol"]]["labels"][inputs["label"]]
            for side in ("first", "second")
        )
        if first["n_queries"] != second["n_queries"]:
            continue  # the second one's mean is over other queries
        for metric, difference in record["differences"].items():
            means = first["micro"][metric]["value"] - second["micro"][metric]["value"]
            if abs(means - difference["value"]) > 2.1 * 10**-intervals.DIGITS:
                found.append(f"{name}: {metric}")
    return found


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.parent.name)
def test_every_committed_record_is_of_its_inputs(place):
    records = read_records(place)
    assert len(records) >= 100
    assert changed_inputs(records) == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.parent.name)
def test_every_committed_comparison_is_of_its_parents(place):
    records = read_records(place)
    assert wrong_differences(records) == []
    found = stale(records)
    assert all(parent in records for _, parent in found)
    assert len(found) <= N_AWAITED


# --- what would be found ---


def family() -> dict[str, dict]:
    """Two retrievals and their comparison."""
    base = {"profile": "quick", "data_hash": "x"}
    records = {}
    for name, mean in (("a", 0.5), ("b", 0.2)):
        labels = {"articleType": {"micro": {"mAP": {"value": mean}}, "n_queries": 9}}
        records[name] = result_records.make_record("retrieval", name, base | {"measure": name},
                                            protocols={"held_out": {"labels": labels}})  # fmt: skip
    parents = {name: record["inputs_hash"] for name, record in records.items()}
    inputs = {**base, "first": "a", "second": "b", "parents": parents, "protocol": "held_out",
              "label": "articleType"}  # fmt: skip
    records["a-b"] = result_records.make_record("comparison", "a-b", inputs,
                                         differences={"mAP": {"value": 0.3}})  # fmt: skip
    return records


def test_records_that_fit_have_no_fault():
    records = family()
    assert changed_inputs(records) == stale(records) == wrong_differences(records) == []


def test_an_input_that_was_changed_by_hand_is_found():
    records = family()
    records["a"]["inputs"]["measure"] = "other"
    assert changed_inputs(records) == ["a"]
    records = family()
    records["c"] = records.pop("a")
    assert changed_inputs(records) == ["c"]


def test_a_parent_that_was_run_again_or_is_gone_is_found():
    records = family()
    records["a"] = result_records.make_record(
        "retrieval", "a", {"measure": "a", "labels": ["usage"]}
    )
    assert stale(records) == [("a-b", "a")]
    del records["b"]
    assert stale(records) == [("a-b", "a"), ("a-b", "b")]


def test_a_number_that_was_not_run_again_is_found():
    records = family()
    micro = records["a"]["protocols"]["held_out"]["labels"]["articleType"]["micro"]
    micro["mAP"]["value"] = 0.50001
    assert wrong_differences(records) == ["a-b: mAP"]
