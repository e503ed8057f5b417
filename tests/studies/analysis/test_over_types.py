"""over_types: an interval over types is wider than one over queries, and a difference is paired."""

import pytest

from fashion_rir.errors import RecordError
from fashion_rir.studies.analysis import over_types
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace


@pytest.fixture
def study(tmp_path) -> Study:
    """Two models on three types; the second is 0.1 better by each of them."""
    workspace = Workspace(tmp_path, "demo")
    for name, more in (("plain", 0.0), ("better", 0.1)):
        classes = [
            {"class": kind, "queries": n, **dict.fromkeys(over_types.CLASS_METRICS, score + more)}
            for kind, n, score in (("Socks", 10, 0.2), ("Ties", 30, 0.4), ("Shirts", 60, 0.8))
        ]
        inputs = {"profile": "demo", "data_hash": "x", "n_products": 100, "name": name}
        record = result_records.make_record(
            "full-ranking", f"full-ranking-{name}", inputs,
            labels={"articleType": {"classes": classes}},
        )  # fmt: skip
        result_records.write(record, workspace.results)
    return Study(workspace, seed=0)


def test_means_and_intervals_by_hand(study: Study) -> None:
    record = over_types.measure(study, ["plain", "better"])
    found = record["models"]["plain"]["mAP"]
    assert found["value"] == pytest.approx(0.1 * 0.2 + 0.3 * 0.4 + 0.6 * 0.8)
    assert found["low"] < 0.4 and found["high"] == pytest.approx(0.8)  # all three may be Shirts
    gain = record["differences"]["better less plain"]["mAP"]
    assert gain == pytest.approx({"value": 0.1, "low": 0.1, "high": 0.1})


def test_a_record_that_is_not_there_is_named(study: Study) -> None:
    with pytest.raises(RecordError, match="full-ranking-other"):
        over_types.measure(study, ["plain", "other"])
