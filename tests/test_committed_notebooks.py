"""What the last run of the study shows is what the committed notebooks show.

`make test` runs the study first; nothing is run a second time to be compared.
"""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from fashion_rir.reporting import comparison

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
LEAST_COMPARED = 0.85  # of the cells with an output; the rest is a matter of time


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def executed(path: Path) -> Path:
    """Where the study leaves a notebook that it ran with the committed parameters."""
    cell = next(c for c in read(path).cells if "parameters" in c.metadata.get("tags", []))
    values: dict[str, object] = {}
    exec(cell.source, values)
    return ROOT / "reports" / values["profile"] / "notebooks" / path.name


def cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in read(path).cells if cell.get("outputs")]


@pytest.fixture(scope="module")
def compared() -> dict[str, dict[str, comparison.Comparison]]:
    """What differs, by notebook and cell, of those that the study has run."""
    return {
        path.stem: comparison.compare_notebooks(read(executed(path)), read(path))
        for path in NOTEBOOKS
        if executed(path).exists()
    }


@pytest.mark.parametrize(
    ("path", "cell"),
    [pytest.param(path, cell.id, id=f"{path.stem[:2]}-{cell.id}")
     for path in NOTEBOOKS for cell in cells(path)],
)  # fmt: skip
def test_the_study_shows_what_is_committed(compared, path, cell):
    if path.stem not in compared:
        pytest.skip(f"{executed(path).relative_to(ROOT)} is not there; `make study` makes it")
    assert compared[path.stem][cell].faults == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nearly_all_of_a_notebook_is_compared(path):
    shown = cells(path)
    left_out = [cell.id for cell in shown if not comparison.is_compared(cell)]
    assert len(left_out) <= (1 - LEAST_COMPARED) * len(shown), left_out
