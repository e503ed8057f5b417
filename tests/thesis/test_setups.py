"""setups: which trainings came to nothing, by the records of a folder."""

from pathlib import Path

from fashion_rir.thesis import setups
from fashion_rir.workspace import records as result_records

INPUTS = {"profile": "demo", "data_hash": "x"}


def test_collapsed_runs_are_found_by_pairs_or_by_accuracy(tmp_path: Path) -> None:
    for name, alike in (("same", 0.9), ("apart", 0.1)):
        inputs = INPUTS | {"model": {"model": f"contrastive-{name}"}}
        similarity = {"median": 0.5, "above 0.95": alike}
        record = result_records.make_record(
            "spread", f"spread-{name}", inputs, similarity=similarity
        )
        result_records.write(record, tmp_path)
    trained = {"label-lost": 0.01, "label-sound": 0.7, "contrastive-hybrid": 0.01}
    for name, right in trained.items():
        accuracy = {"micro": right, "macro": right, "top5": right}
        record = result_records.make_record("training", name, INPUTS, accuracy=accuracy)
        result_records.write(record, tmp_path)
    other = result_records.make_record("label_noise", "label-noise", INPUTS, accuracy=0.01)
    result_records.write(other, tmp_path)
    found = sorted(setups.collapsed(tmp_path))
    assert found == ["contrastive-hybrid", "contrastive-same", "label-lost"]
