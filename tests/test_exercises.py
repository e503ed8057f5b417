"""The exercises of the notebooks: a cell to write in behind each, and solutions that run.

Each notebook has its solutions in `notebooks/solutions/`, in a notebook of their own that opens the
study by itself. They run in the folder of the study that `test_committed_notebooks` has run, so
that what the study has made is there.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import study_runs
from test_notebooks import output_faults, parameters, prose

from fashion_rir.reporting.notebooks import clean

FOLDER = study_runs.SOLUTIONS
every_notebook = pytest.mark.parametrize("path", study_runs.NOTEBOOKS, ids=lambda path: path.stem)


def exercises(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells behind the heading of the exercises."""
    headings = ["## Exercises" in cell.source.splitlines() for cell in notebook.cells]
    return notebook.cells[headings.index(True) :]


def is_to_write_in(cell: nbformat.NotebookNode) -> bool:
    """Whether a code cell holds nothing but a comment."""
    return cell.cell_type == "code" and not ast.parse(cell.source).body and not cell.outputs


@every_notebook
def test_a_notebook_has_exercises_with_cells_to_write_in(path: Path) -> None:
    cells = exercises(study_runs.read(path))
    assert sum(map(is_to_write_in, cells)) >= 2
    assert all(is_to_write_in(cell) for cell in cells if cell.cell_type == "code")


@every_notebook
def test_the_solutions_are_there_executed_and_open_the_same_study(path: Path) -> None:
    solutions, notebook = study_runs.read(FOLDER / path.name), study_runs.read(path)
    assert output_faults(solutions) == []
    assert parameters(solutions).items() <= parameters(notebook).items()
    n_solutions = len(re.findall(r"^## \d", prose(solutions), re.MULTILINE))
    assert n_solutions == sum(map(is_to_write_in, exercises(notebook)))


def test_there_are_no_other_solutions() -> None:
    assert sorted(FOLDER.glob("*")) == [FOLDER / path.name for path in study_runs.NOTEBOOKS]


def test_a_cell_to_write_in_is_told_from_one_that_holds_a_solution() -> None:
    empty, full = (nbformat.v4.new_code_cell(text) for text in ("# your answer", "1 + 1"))
    assert is_to_write_in(empty) and not is_to_write_in(full)
    assert clean(nbformat.v4.new_notebook(cells=[empty])).cells[0].outputs == []
