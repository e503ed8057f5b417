"""side_by_side: every number stands under its run, beside its model."""

import pandas as pd
import pytest

from fashion_rir.errors import RecordError
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import side_by_side


def record(backbone: str, measure: str, value: float, label: str = "articleType") -> dict:
    model = {"model": f"{backbone}-128-pad", "backbone": backbone, "preprocessing": "pad",
             "image_size": "128"}  # fmt: skip
    scores = {"micro": {"mAP": {"value": value, "low": value, "high": value}}}
    inputs = {"profile": "quick", "data_hash": "abc", "model": model, "measure": measure}
    protocols = {"held_out": {"labels": {label: scores}}}
    name = f"{backbone}-{measure}"
    return result_records.make_record("retrieval", name, inputs, protocols=protocols)


WANTED = {name: ("articleType", "mAP", name) for name in ("cosine", "manhattan")}


def test_runs_stand_side_by_side() -> None:
    live = [record("mobilenetv2", "cosine", 0.2), record("mobilenetv2", "manhattan", 0.1)]
    full = [record("resnet50", "cosine", 0.4), record("mobilenetv2", "cosine", 0.3)]
    table = side_by_side.scores({"live": live, "full": full}, WANTED)
    assert list(table.index) == ["MobileNetV2 128 px padded", "ResNet50 128 px padded"]
    assert list(table.columns) == [("live", "cosine"), ("live", "manhattan"), ("full", "cosine"),
                                   ("full", "manhattan")]  # fmt: skip
    mobile, resnet = table.to_numpy()
    assert mobile[:3].tolist() == [0.2, 0.1, 0.3] and pd.isna(mobile[3])
    assert pd.isna(resnet[[0, 1, 3]]).all() and resnet[2] == 0.4


def test_a_label_that_a_run_does_not_have_is_left_empty() -> None:
    table = side_by_side.scores({"live": [record("resnet50", "cosine", 0.2, "gender")]}, WANTED)
    assert table.isna().all(axis=None) and len(table) == 1


def test_two_records_of_one_model_are_refused() -> None:
    twice = [record("resnet50", "cosine", 0.2), record("resnet50", "cosine", 0.3)]
    with pytest.raises(RecordError, match="two records of ResNet50 128 px padded by cosine"):
        side_by_side.scores({"live": twice}, WANTED)
