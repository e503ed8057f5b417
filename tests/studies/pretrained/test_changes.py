"""changes: a comparison is named by what differs and grouped by what stays."""

from pathlib import Path

import pytest

from fashion_rir.studies.pretrained import changes
from fashion_rir.workspace import records as result_records

INPUTS = {"profile": "quick", "data_hash": "abc"}


def keep(folder: Path, name: str, backbone: str, how: str, measure: str, **more: str) -> None:
    model = {"backbone": backbone, "preprocessing": how, **more}
    inputs = INPUTS | {"model": model, "measure": measure}
    result_records.write(result_records.make_record("retrieval", name, inputs), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keep(tmp_path, "plain", "mobilenetv2", "resize", "cosine")
    keep(tmp_path, "padded", "mobilenetv2", "pad", "cosine")
    keep(tmp_path, "far", "mobilenetv2", "resize", "euclidean")
    keep(tmp_path, "unit", "mobilenetv2", "resize", "euclidean", transform="l2")
    keep(tmp_path, "other", "resnet50", "pad", "cosine")
    keep(tmp_path, "power", "mobilenetv2", "resize", "cosine", transform="power")
    return tmp_path


@pytest.mark.parametrize(
    ("first", "second", "group", "name"),
    [
        ("padded", "plain", "MobileNetV2", "padded − resized, cosine"),
        ("far", "plain", "MobileNetV2, resized", "Euclidean − cosine"),
        ("unit", "plain", "MobileNetV2, resized", "length 1 Euclidean − raw cosine"),
        ("power", "plain", "MobileNetV2, resized", "power-normalised − raw, cosine"),
        ("other", "plain", "ResNet50 − MobileNetV2", "padded − resized, cosine"),
        ("other", "padded", "ResNet50 − MobileNetV2", "both padded, cosine"),
    ],
)
def test_what_a_comparison_is_called(folder, first, second, group, name) -> None:
    found = {"mAP": {"value": 0.1, "low": 0.0, "high": 0.2}}
    comparison = {"inputs": {"first": first, "second": second}, "differences": found}
    (row,) = changes.table(folder, [comparison]).to_dict("records")
    assert row == {"group": group, "name": name, "value": 0.1, "low": 0.0, "high": 0.2}


def test_groups_stand_together_and_keep_their_order(folder) -> None:
    found = {"mAP": {"value": 0.1, "low": 0.0, "high": 0.2}}
    pairs = [("padded", "plain"), ("other", "plain"), ("far", "plain"), ("plain", "padded")]
    comparisons = [{"inputs": {"first": one, "second": two}, "differences": found}
                   for one, two in pairs]  # fmt: skip
    table = changes.table(folder, comparisons)
    assert table["group"].tolist() == [
        "MobileNetV2", "MobileNetV2", "ResNet50 − MobileNetV2", "MobileNetV2, resized"
    ]  # fmt: skip
    assert table["name"].tolist()[:2] == ["padded − resized, cosine", "resized − padded, cosine"]


def test_what_is_subtracted_can_be_left_to_the_title(folder) -> None:
    found = {"mAP": {"value": 0.1, "low": 0.0, "high": 0.2}}
    comparisons = [{"inputs": {"first": one, "second": "plain"}, "differences": found}
                   for one in ("far", "unit", "power")]  # fmt: skip
    table = changes.table(folder, comparisons, with_second=False)
    assert set(table["group"]) == {"MobileNetV2, resized"}
    assert table["name"].tolist() == [
        "Euclidean", "length 1, Euclidean", "power-normalised, cosine"
    ]  # fmt: skip
