"""What the study shows in a fresh folder is what the committed notebooks show.

The study runs once, by its own command, and its notebooks are held against the committed ones.
"""

import os
import sys
from pathlib import Path

import notebook_comparison as comparison
import pytest
import study_runs
from study_runs import NOTEBOOKS, read

from fashion_rir.reporting.notebooks import execute_and_clean

FAULTS = "figure-faults.jsonl"  # of texts that are cut off or cover each other

LEAST_COMPARED = 0.85  # of the cells with an output; the rest is a matter of time


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder in which the study has run; each of its lines of progress is shown at once.

    It runs as in an environment of `requirements-study.lock`, with no package of the extras.
    """
    folder = tmp_path_factory.mktemp("study")
    blocked = tmp_path_factory.mktemp("blocked")
    names = dict.fromkeys(study_runs.modules_of_extras())
    (blocked / "sitecustomize.py").write_text(f"import sys\nsys.modules.update({names})\n")
    path = os.pathsep.join([str(blocked), os.environ["PYTHONPATH"]])
    startup = folder / "ipython" / "profile_default" / "startup"  # run by each notebook's kernel
    startup.mkdir(parents=True)
    file = str(folder / FAULTS)
    watched = f"import figure_faults\nfigure_faults.watch({file!r})"
    (startup / "figures.py").write_text(watched, encoding="utf-8")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    said = []
    with (
        capture.global_and_fixture_disabled(),
        study_runs.start(
            folder, environment={"PYTHONPATH": path, "IPYTHONDIR": str(folder / "ipython")}
        ) as process,
    ):
        for line in process.stdout:
            said.append(line)
            print(line, end="", file=sys.stderr, flush=True)
    assert process.returncode == 0, "".join(said[-3:])
    return folder


@pytest.fixture(scope="module")
def compared(study: Path) -> dict[str, dict[str, comparison.Comparison]]:
    """What differs, by notebook and cell."""
    return {
        path.stem: comparison.compare_notebooks(read(study_runs.executed(study, path)), read(path))
        for path in NOTEBOOKS
    }


@pytest.mark.study
@pytest.mark.parametrize(
    ("path", "cell"),
    [pytest.param(path, cell.id, id=f"{path.stem[:2]}-{cell.id}")
     for path in NOTEBOOKS for cell in read(path).cells if cell.get("outputs")],
)  # fmt: skip
def test_the_study_shows_what_is_committed(compared, path, cell):
    assert compared[path.stem][cell].faults == []


@pytest.mark.study
def test_every_figure_of_the_study_can_be_read(study):
    found = study / FAULTS
    assert (found.read_text(encoding="utf-8").splitlines() if found.exists() else []) == []


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_solutions_show_what_is_committed(study, path, monkeypatch):
    committed = study_runs.SOLUTIONS / path.name
    found = study / committed.name
    found.write_bytes(committed.read_bytes())
    monkeypatch.setenv("FASHION_RIR_HOME", str(study))
    execute_and_clean(found)
    compared = comparison.compare_notebooks(read(found), read(committed))
    assert {cell: one.faults for cell, one in compared.items() if one.faults} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nearly_all_of_a_notebook_is_compared(path):
    shown = [cell for cell in read(path).cells if cell.get("outputs")]
    left_out = [cell.id for cell in shown if not comparison.is_compared(cell)]
    assert len(left_out) <= (1 - LEAST_COMPARED) * len(shown), left_out
