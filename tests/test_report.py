"""report: the index says what is there, and what is missing."""

from pathlib import Path

import pytest

from fashion_rir import report, results
from fashion_rir.workspace import Workspace


def write_record(workspace: Workspace, model: str, mean_ap: float, protocol: str = "held_out"):
    estimates = {
        metric: {"value": mean_ap, "low": mean_ap, "high": mean_ap}
        for metric in report.HEADLINE_METRICS
    }
    about = {"model": model, "backbone": model, "preprocessing": "resize", "weights": "<none>"}
    inputs = {"profile": workspace.profile, "data_hash": "abc", "n_queries": 9, "model": about,
              "measure": "cosine"}  # fmt: skip
    protocols = {protocol: {"labels": {"articleType": {"micro": estimates}}}}
    record = results.make_record("retrieval", f"{model}-cosine", inputs, protocols=protocols)
    results.write(record, workspace.results)


def page(workspace: Workspace) -> str:
    index = report.write(workspace)
    assert index == workspace.root / "reports" / workspace.profile / "index.html"
    return index.read_text(encoding="utf-8")


def test_without_a_record_the_index_says_what_is_missing(tmp_path: Path) -> None:
    found = page(Workspace(tmp_path, "full"))
    assert "Not there yet: There is no retrieval record in" in found
    assert "run the notebooks first" in found


def test_the_best_model_stands_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    write_record(workspace, "vgg16", 0.25)
    write_record(workspace, "resnet50", 0.5)
    found = page(workspace)
    assert found.index("<td>resnet50</td>") < found.index("<td>vgg16</td>")
    assert found.count("<td>0.500</td>") == len(report.HEADLINE_METRICS)
    assert "&lt;none&gt;" in found
    assert "Not there yet" not in found


def test_records_of_another_protocol_are_not_enough(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    write_record(workspace, "vgg16", 0.25, protocol="thesis")
    assert "Not there yet: The record vgg16-cosine has nothing on" in page(workspace)


@pytest.mark.parametrize(("profile", "warns"), [("demo", True), ("sample", False)])
def test_the_demo_s_numbers_are_said_to_carry_no_meaning(
    tmp_path: Path, profile: str, warns: bool
) -> None:
    found = page(Workspace(tmp_path, profile))
    assert ("they carry no meaning" in found) == warns
    assert f"profile {profile}</title>" in found


def test_the_index_needs_no_network(tmp_path: Path) -> None:
    found = page(Workspace(tmp_path, "demo"))
    assert "http" not in found
    assert "<script" not in found
