"""The committed notebooks: executed, tidy, and of one form; how the study chooses among them."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import typer
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from shown_tables import rows_of
from typer.testing import CliRunner

from fashion_rir import command_line
from fashion_rir.errors import ParameterError
from fashion_rir.reporting import run
from fashion_rir.reporting.notebooks import WIDGET
from fashion_rir.thesis import claims
from fashion_rir.workspace.folders import open_workspace
from fashion_rir.workspace.parameters import profile_parameters

ROOT = Path(__file__).parents[1]
QUICK = open_workspace("quick", ROOT)
NOTEBOOKS = run.notebooks(QUICK)
SECTIONS = ("## Takeaways", "## Limits", "## Exercises")
MOST_LINES = 20  # of a code cell, blank lines not counted
MOST_CELLS = 45
MOST_IN_A_ROW = 3  # code cells without a sentence between them
MOST_WORDS = 400  # of the takeaways
MOST_NAMES = 8  # imported from the package
MOST_ROWS, MOST_COLUMNS = 12, 8  # of a table, its headings and its index not counted
# What the study's code calls a network; a reader is told in words.
MACHINE_NAME = re.compile(r"\b(?:mobilenetv2|resnet50|efficientnetlite\d)\b")
HANDED_ON = re.compile(r"\(workspace, |\bseed=seed\b")  # what a study carries
MOST_BYTES = 2_000_000
# Any absolute path, whatever machine it is of; no end of an HTML tag and no part of a web address.
LOCAL_PATH = re.compile(r"file:/|(?<![\w.:/<])/(?:tmp\b|[\w.-]+/)|\b[A-Z]:\\")

_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)  # IPython's own

DECIMAL = re.compile(r"(?<![\w.])\d+\.\d{3,}(?!\d)")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def parameters(notebook: NotebookNode) -> dict[str, object]:
    """The names and values of the one cell that papermill replaces; literals only."""
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(cell.source).body
    }


def form_faults(notebook: NotebookNode, number: str) -> list[str]:
    """Where a notebook departs from the form that all have."""
    faults = []
    if not notebook.cells[0].source.startswith(f"# {number} · "):
        faults.append("title")
    lines = prose(notebook).splitlines()
    faults += [section for section in SECTIONS if lines.count(section) != 1]
    faults += [f"{c.id} is long" for c in code_cells(notebook) if n_lines(c) > MOST_LINES]
    faults += [f"{c.id} hands on" for c in code_cells(notebook) if HANDED_ON.search(c.source)]
    if len(notebook.cells) > MOST_CELLS:
        faults.append(f"{len(notebook.cells)} cells")
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    if "c" * (MOST_IN_A_ROW + 1) in kinds:
        faults.append(f"{MOST_IN_A_ROW + 1} code cells in a row")
    if (n_words := len(takeaways(notebook).split())) > MOST_WORDS:
        faults.append(f"{n_words} words of takeaways")
    if len(names := imported(notebook)) > MOST_NAMES:
        faults.append(f"imports {len(names)} names of the package")
    return faults


def imported(notebook: NotebookNode) -> set[str]:
    """The names that a notebook imports from the package."""
    trees = [ast.parse(_MAGIC.sub("", cell.source)) for cell in code_cells(notebook)]
    return {
        alias.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("fashion_rir")
        for alias in node.names
    }


def takeaways(notebook: NotebookNode) -> str:
    return prose(notebook).partition("## Takeaways")[2].partition("## Limits")[0]


def n_lines(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def output_faults(notebook: NotebookNode) -> list[str]:
    """What must not be in the outputs, or is missing there."""
    faults = ["widget state"] if "widgets" in notebook.metadata else []
    for cell in code_cells(notebook):
        if cell.execution_count is None:
            faults.append(f"{cell.id}: not executed")
        if set(cell.metadata) - {"tags"}:
            faults.append(f"{cell.id}: metadata")
        for output in cell.outputs:
            faults += [f"{cell.id}: {what}" for what in faults_of(output)]
    return faults


def faults_of(output: NotebookNode) -> list[str]:
    data = output.get("data", {})
    faults = ["error"] if output.output_type == "error" else []
    faults += ["stderr"] if output.get("name") == "stderr" else []
    faults += ["widget"] if WIDGET in data else []
    # A picture's base64 may hold "/tmp" by chance: only what is read as text counts.
    texts = [output.get("text", ""), *(str(data[kind]) for kind in data if "image" not in kind)]
    faults += [found for text in texts for found in LOCAL_PATH.findall(text)]
    faults += sorted({found for text in texts for found in MACHINE_NAME.findall(text)})
    return faults + [fault for fault in [table_fault(data.get("text/html", ""))] if fault]


def table_fault(html: str) -> str:
    """Of a table that is too large to be read in a notebook."""
    rows = rows_of(html) if html.count("<table") == 1 else []
    n_heads = html.partition("</thead>")[0].count("<tr") if "</thead>" in html else 0
    n_rows, n_columns = len(rows) - n_heads, max(map(len, rows), default=0) - 1
    if n_rows <= MOST_ROWS and n_columns <= MOST_COLUMNS:
        return ""
    return f"a table of {n_rows} rows and {n_columns} columns"


def unshown_numbers(notebook: NotebookNode) -> list[str]:
    """Numbers of three decimals and more in the takeaways that no output shows, rounded as there.
    The thesis' own numbers are in its claims.
    """
    shown = re.findall(r"\d+\.\d+", " ".join(
        f"{output.get('text', '')} {output.get('data', {}).get('text/plain', '')}"
        for cell in code_cells(notebook) for output in cell.outputs
    ))  # fmt: skip
    of_thesis = [
        abs(value)
        for claim in claims.load()
        for value in np.atleast_1d(np.array(claim.thesis_value, dtype=object))
        if isinstance(value, float)
    ]
    known = np.array([*map(float, shown), *of_thesis])
    return [
        number
        for number in DECIMAL.findall(takeaways(notebook))
        if not (abs(known - float(number)) <= 0.501 * 10.0 ** -len(number.partition(".")[2])).any()
    ]


def test_there_are_notebooks_numbered_without_gaps():
    files = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert files == [path.name for path in NOTEBOOKS]
    numbers = [re.match(r"(\d\d)b?-", path.name)[1] for path in NOTEBOOKS]
    assert list(dict.fromkeys(numbers)) == [f"{n:02d}" for n in range(1, len({*numbers}) + 1)]


@every_notebook
def test_the_readme_links_every_notebook(path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"| [{path.stem}](notebooks/{path.name}) |" in readme


@every_notebook
def test_a_notebook_has_the_form_of_all(path):
    assert form_faults(read(path), path.stem.partition("-")[0]) == []


@every_notebook
def test_a_notebook_is_executed_and_tidy(path):
    assert output_faults(read(path)) == []
    assert path.stat().st_size < MOST_BYTES


@every_notebook
def test_takeaways_hold_no_number_that_is_not_shown(path):
    assert unshown_numbers(read(path)) == []


def test_a_number_that_nothing_shows_is_found():
    shown = new_output("stream", name="stdout", text="0.12345 and 7.5")
    told = new_markdown_cell(
        "## Takeaways\n0.123, 0.1234, -0.123, 0.124, 7.5 and 0.708\n## Limits 0.9"
    )
    assert unshown_numbers(new_notebook(cells=[new_code_cell("2", outputs=[shown]), told])) == [
        "0.124"]  # fmt: skip


@every_notebook
def test_the_parameters_of_a_notebook_are_those_of_the_quick_profile(path):
    assert parameters(read(path)) == profile_parameters(QUICK, path.stem)


@every_notebook
@pytest.mark.parametrize("profile", ["sample", "full"])
def test_every_profile_names_the_same_parameters(path, profile):
    named = profile_parameters(open_workspace(profile, ROOT), path.stem)
    assert sorted(named) == sorted(profile_parameters(QUICK, path.stem))


def faultless_notebook() -> NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell("# 04 · A title"),
            new_code_cell("seed = 20  # of all", id="a", execution_count=1,
                          metadata={"tags": ["parameters"]}),
            new_code_cell("1 + 1", id="b", execution_count=2,
                          outputs=[new_output("execute_result", {"text/plain": "2"})]),
            new_markdown_cell("\n".join(SECTIONS)),
            new_markdown_cell("1. How?"),
        ]
    )  # fmt: skip


def test_a_faultless_notebook_has_no_faults():
    notebook = faultless_notebook()
    assert form_faults(notebook, "04") == output_faults(notebook) == []
    assert parameters(notebook) == {"seed": 20}


def test_faults_of_form_are_found():
    notebook = faultless_notebook()
    notebook.cells[0].source = "# 4. A title"
    notebook.cells[2].source = "1\n" * 21
    notebook.cells[3].source = "\n".join(SECTIONS).replace("## Limits", "## Limitations")
    notebook.cells[4].source = "word " * 400  # behind the takeaways, as Limits is not there
    notebook.cells[1].source = "seed = f(seed=seed)"
    many = ", ".join(f"n{number}" for number in range(9))
    notebook.cells += [new_code_cell(f"from fashion_rir import {many}", id="c")] * 41
    assert form_faults(notebook, "04") == [
        "title", "## Limits", "b is long", "a hands on", "46 cells", "4 code cells in a row",
        "404 words of takeaways", "imports 9 names of the package"]  # fmt: skip


def test_a_table_that_is_too_large_is_found():
    row = "<tr><th>1</th><td>2</td></tr>"
    assert table_fault(f"<table><thead><tr><th></th></tr></thead>{row * 12}</table>") == ""
    assert "13 rows" in table_fault(f"<table><thead><tr><th></th></tr></thead>{row * 13}</table>")
    wide = "<tr><th>1</th>" + "<td>2</td>" * 9 + "</tr>"
    assert "9 columns" in table_fault(f"<table>{wide}</table>")


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (new_output("stream", name="stderr", text="UserWarning"), "b: stderr"),
        (new_output("stream", name="stdout", text="in /srv/photos/x.csv"), "b: /srv/"),
        (new_output("stream", name="stdout", text="see file:///opt/x"), "b: file:/"),
        (new_output("stream", name="stdout", text="'/srv/data'"), "b: /srv/"),
        (new_output("display_data", {"text/html": r"<td>C:\data</td>"}), "b: C:\\"),
        (new_output("stream", name="stdout", text="by resnet50-96"), "b: resnet50"),
        (new_output("display_data", {WIDGET: {"model_id": "5"}}), "b: widget"),
        (new_output("error", ename="ValueError", evalue="no", traceback=[]), "b: error"),
    ],
)
def test_faults_of_output_are_found(output, fault):
    notebook = faultless_notebook()
    notebook.cells[2].outputs.append(output)
    assert output_faults(notebook) == [fault]


def test_a_path_in_the_code_of_a_picture_is_no_fault():
    notebook = faultless_notebook()
    notebook.cells[2].outputs.append(new_output("display_data", {"image/png": "iVBO/tmp/x"}))
    assert output_faults(notebook) == []


def test_a_notebook_that_was_not_executed_or_not_tidied_is_found():
    notebook = faultless_notebook()
    notebook.metadata["widgets"] = {}
    notebook.cells[1].execution_count = None
    notebook.cells[2].metadata["papermill"] = {"duration": 1.5}
    assert output_faults(notebook) == ["widget state", "a: not executed", "b: metadata"]


def test_a_parameter_that_is_computed_is_refused():
    notebook = faultless_notebook()
    notebook.cells[1].source = "seed = 4 * 5"
    with pytest.raises(ValueError, match="malformed"):
        parameters(notebook)


@pytest.mark.parametrize("name", ["02", "02-pretrained-baselines", "02-pretrained-baselines.ipynb"])
def test_study_chooses_a_notebook_by_number_or_name(name):
    (chosen,) = run.choose(QUICK, only=name)
    assert chosen.stem == "02-pretrained-baselines"
    assert run.choose(QUICK, first=name) == NOTEBOOKS[1:]


def test_study_takes_all_notebooks_by_default():
    assert run.choose(QUICK) == NOTEBOOKS


@pytest.mark.parametrize(
    ("name", "nearest"), [("02-pretraind-baseline", "02-pretrained-baselines"), ("99", "")]
)
def test_study_refuses_an_unknown_notebook_with_the_nearest(name, nearest):
    with pytest.raises(ParameterError, match=f"Unknown notebook '{name}'; did you .*'{nearest}"):
        run.choose(QUICK, only=name)


def command_names(group: object, names: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words that call each command, through all groups."""
    if not hasattr(group, "commands"):
        return [names]
    return [
        found
        for name, command in group.commands.items()
        for found in command_names(command, (*names, name))
    ]


@pytest.mark.parametrize(
    "names", command_names(typer.main.get_command(command_line.app)), ids=" ".join
)
def test_the_help_of_every_command_holds_an_example(names):
    answer = CliRunner().invoke(command_line.app, [*names, "--help"])
    assert answer.exit_code == 0
    assert f"Example: fashion-rir {' '.join(names)}" in " ".join(answer.output.split())


def run_command(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "fashion_rir", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_the_command_line_says_what_it_can_do():
    answer = run_command("--help")
    assert answer.returncode == 0
    for name in ("study", "data", "embed", "search", "evaluate"):
        assert name in answer.stdout


def test_a_misspelt_profile_is_answered_in_one_sentence():
    answer = run_command("study", "--profile", "qiuck")
    assert answer.returncode == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("Error: Unknown profile 'qiuck'; did you mean 'quick'?")
