"""The README's numbers are those of the committed records."""

from pathlib import Path

import pytest

from fashion_rir import readme
from fashion_rir.errors import RecordError
from fashion_rir.workspace import Workspace

ROOT = Path(__file__).parent.parent


def test_readme_shows_the_committed_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.results_section(Workspace(ROOT, "full"))
    assert readme.refreshed(text, section) == text, "stale; run: python -m fashion_rir.readme"


def test_section_has_a_row_for_every_experiment():
    section = readme.results_section(Workspace(ROOT, "full"))
    assert section.count("\n| ") == 1 + 15  # the head, 4 networks x 3 measures, 3 floors
    assert "resnet50-v1.5-pqf-imagenet" in section


def test_refreshed_replaces_only_what_is_between_the_markers():
    text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter"
    assert readme.refreshed(text, "new") == f"before\n{readme.BEGIN}\nnew\n{readme.END}\nafter"


def test_lost_markers_are_named():
    with pytest.raises(RecordError, match="markers"):
        readme.refreshed("no markers", "new")


def test_missing_record_is_named(tmp_path):
    with pytest.raises(RecordError, match="mobilenetv2-128-resize-cosine"):
        readme.results_section(Workspace(tmp_path, "full"))
