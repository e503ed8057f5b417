"""docs/trust.md says what the record of the last `make torture` says, losses first."""

import copy
import json
from pathlib import Path

import pytest
from torture import page

DOCS = Path(__file__).parents[1] / "docs"
RECORD = {
    "inputs": {"seed": 1},
    "made_by": {"commit": "abc"},
    "timings": {"minutes": 2.5},
    "kills": [{"name": "embedding", "kills": 7, "runs": 3, "losses": []},
              {"name": "study step", "kills": 5, "runs": 2, "losses": []}],
    "disks": [{"name": "record", "losses": []}],
    "processes": [{"name": "pair 1", "losses": []}],
    "fuzzing": [{"name": "table", "runs": 1200, "losses": []}],
    "study": [{"name": "the quick study on jax", "records": 30, "tolerance": 1e-5, "losses": []}],
    "cases": {"passed": 141, "losses": []},
    "drawn": {"passed": 14, "losses": []},
    "alone": {"passed": 10, "losses": []},
}  # fmt: skip


def test_the_page_counts_what_the_record_holds():
    text = page.text(RECORD)
    assert "12 kills, 1 writers on a full and a read-only disk, 141 hostile files, 1,200" in text
    assert "**Losses: 0.** (2.5 minutes, commit abc, seed 1.)" in text
    assert "| embedding | 7 | 3 | 0 |" in text
    assert "| the quick study on jax | 30 | 1e-05 | 0 |" in text


def test_a_loss_is_named_at_the_top():
    record = copy.deepcopy(RECORD)
    record["kills"][1]["losses"] = ["a row is doubled"]
    record["cases"]["losses"] = ["FAILED one"]
    record["alone"] = {"passed": 9, "losses": ["notebook 03: no"]}
    losses = page.losses(record)
    assert losses == ["study step: a row is doubled", "FAILED one", "notebook 03: no"]
    text = page.text(record)
    assert "**Losses: 3.**" in text
    assert "is the same: 9 checks held, 1 did not." in text
    assert text.index("- study step: a row is doubled") < text.index("## Kills")


def test_what_was_left_out_is_said():
    text = page.text(RECORD | {"disks": [], "fuzzing": []})
    assert "Skipped: mounting needs the rights of root." in text
    assert "fuzzing of the readers: skipped: atheris is not installed" in text
    text = page.text(RECORD | {"drawn": {"passed": 12, "skipped": 2, "losses": []}})
    assert "12 checks held, 0 did not. 2 were skipped." in text
    text = page.text({key: None if key in page.PARTS else RECORD[key] for key in RECORD})
    assert text.lower().count("not run this time.") == len(page.PARTS)


@pytest.mark.skipif(not (DOCS / "trust.json").exists(), reason="make torture was not run yet")
def test_the_committed_page_is_that_of_the_committed_record():
    record = json.loads((DOCS / "trust.json").read_text(encoding="utf-8"))
    assert (DOCS / "trust.md").read_text(encoding="utf-8") == page.text(record)
    assert sum(part["kills"] for part in record["kills"]) >= 50
    assert page.losses(record) == []
