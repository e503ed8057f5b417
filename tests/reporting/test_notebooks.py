"""notebooks: what is executed and what is tidied away."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fashion_rir.errors import FashionRirError
from fashion_rir.reporting import notebooks
from fashion_rir.reporting.notebooks import METADATA, WIDGET, WIDGET_NOTE


def written(folder: Path, *sources: str) -> Path:
    """A notebook of these code cells, with the ids c0, c1, ..."""
    cells = [new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    path = folder / "01-small.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_clean_keeps_sources_ids_tags_counts_and_results():
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=3)
    cell = new_code_cell("1 + 1", id="sum", execution_count=3, outputs=[result],
                         metadata={"tags": ["parameters"]})  # fmt: skip
    notebook = new_notebook(cells=[new_markdown_cell("# Title", id="title"), cell])
    assert notebooks.clean(notebook).cells == notebook.cells


def test_clean_drops_logs_times_and_widget_state():
    log = new_output("stream", name="stderr", text="W0000 no GPU")
    shown = new_output("stream", name="stdout", text="seven")
    cell = new_code_cell("f()", outputs=[log, shown],
                         metadata={"execution": {"iopub.status.busy": "12:00"}})  # fmt: skip
    metadata = {"papermill": {"duration": 1.5}, "widgets": {},
                "language_info": {"name": "python", "version": "3.11.7"}}  # fmt: skip
    tidy = notebooks.clean(new_notebook(cells=[cell], metadata=metadata))
    assert tidy.metadata == METADATA
    assert tidy.cells[0].metadata == {}
    assert tidy.cells[0].outputs == [shown]
    assert cell.outputs == [log, shown]


def test_clean_puts_a_sentence_in_the_place_of_a_widget():
    widget = new_output("display_data", {WIDGET: {"model_id": "5"}, "text/plain": "VBox(...)"})
    notebook = new_notebook(cells=[new_code_cell("menu", outputs=[widget])])
    (output,) = notebooks.clean(notebook).cells[0].outputs
    assert output.data == {"text/plain": WIDGET_NOTE}


def test_a_notebook_is_executed_in_its_own_folder_and_tidied(tmp_path):
    (tmp_path / "beside.txt").write_text("seven")
    path = written(
        tmp_path, "import sys\nopen('beside.txt').read()", "print('no', file=sys.stderr)"
    )
    assert notebooks.execute_and_clean(path) == ["no\n"]
    notebook = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert notebook.cells[0].outputs[0].data == {"text/plain": "'seven'"}
    assert notebook.cells[1].outputs == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["01-small.ipynb", "beside.txt"]


def test_a_notebook_that_fails_stays_as_it_was_and_names_the_cell(tmp_path):
    path = written(tmp_path, "1 + 1", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(FashionRirError, match="01-small.ipynb stopped in cell c1: ZeroDivision"):
        notebooks.execute_and_clean(path)
    assert path.read_bytes() == before


def test_clean_drops_progress_bars():
    bar = new_output(
        "display_data",
        {WIDGET: {"model_id": "1"}, "text/plain": "embedding:   0%|          | 0/600 [00:00<?]"},
    )
    notebook = new_notebook(cells=[new_code_cell("run()", outputs=[bar])])
    assert notebooks.clean(notebook).cells[0].outputs == []
