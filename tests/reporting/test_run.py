"""run: notebooks get the profile's parameters, and one that fails is named with its cell."""

import os
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fashion_rir.errors import FashionRirError, ParameterError
from fashion_rir.reporting import report, run
from fashion_rir.reporting.notebooks import METADATA, WIDGET_NOTE
from fashion_rir.workspace.folders import Workspace

PARAMETERS = 'profile = "quick"\nseed = 1'
PROFILE = """
notebooks:
  01-good: {seed: 77}
  02-fails: {}
  03-never: {}
"""
GOOD = [
    'print(f"the seed of {profile} is {seed}")',
    "from PIL import Image\nImage.new('RGB', (4, 4), 'red')",
    "from IPython.display import display\n"
    "display({'application/vnd.jupyter.widget-view+json': {'model_id': '5'}}, raw=True)",
]
FAILS = ["1 + 1", "raise ValueError('two\\nlines')"]


def write_notebook(path: Path, sources: list[str]) -> None:
    cells = [new_markdown_cell("# A title with $x^2$"),
             new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
             *(new_code_cell(source) for source in sources)]  # fmt: skip
    nbformat.write(new_notebook(cells=cells, metadata=METADATA), path)


def write_project(root: Path) -> Workspace:
    (root / "notebooks").mkdir(parents=True)
    (root / "profiles").mkdir()
    (root / "profiles" / "quick.yaml").write_text(PROFILE, encoding="utf-8")
    write_notebook(root / "notebooks" / "01-good.ipynb", GOOD)
    write_notebook(root / "notebooks" / "02-fails.ipynb", FAILS)
    write_notebook(root / "notebooks" / "03-never.ipynb", [])
    (root / "notebooks" / "scratch.ipynb").write_text("not numbered, so not of the study")
    return Workspace(root, "quick")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return write_project(tmp_path)


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str, list[str]]:
    """A study whose second notebook fails: its workspace, the error, and the progress lines."""
    workspace = write_project(tmp_path_factory.mktemp("project"))
    lines: list[str] = []
    with pytest.raises(FashionRirError) as caught:
        run.run(workspace, run.notebooks(workspace), say=lines.append)
    return workspace, str(caught.value), lines


def test_a_notebook_that_fails_is_named_with_its_cell(broken_off) -> None:
    workspace, message, lines = broken_off
    output = report.folder(workspace) / "notebooks" / "02-fails.ipynb"
    # Cell 4: behind the parameters, the profile's parameters and 1 + 1.
    assert message == (
        "02-fails.ipynb stopped in cell 4: ValueError: two lines. Mend it and go on with "
        f"`fashion-rir study --profile quick --from 02`; the output is in {output}."
    )
    assert lines[0] == "[1/3] 01-good ..."
    assert lines[1].startswith("[1/3] 01-good done in ")
    assert lines[2:] == ["[2/3] 02-fails ..."]
    index = report.folder(workspace) / "index.html"
    assert "02-fails: it stopped before its end" in index.read_text(encoding="utf-8")


def test_a_long_notebook_says_now_and_then_how_far_it_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SECONDS_BETWEEN_LINES", 0.05)
    source = "import time\ntime.sleep(1)"
    write_notebook(workspace.root / "notebooks" / "03-never.ipynb", [source, source])
    lines: list[str] = []
    run.run(workspace, run.choose(workspace, only="03"), say=lines.append)
    said = [line.removeprefix("[1/1] 03-never: ") for line in lines[1:-1]]
    assert "3 of 5 cells" in said  # title, parameters, those of the profile; then the first sleeps
    assert lines[-1].startswith("[1/1] 03-never done in ")


def test_what_ran_before_is_kept_with_the_profile_s_parameters(broken_off) -> None:
    executed = report.folder(broken_off[0]) / "notebooks"
    notebooks = sorted(path.name for path in executed.glob("*.ipynb"))
    assert notebooks == ["01-good.ipynb", "02-fails.ipynb"]
    assert "the seed of quick is 77" in (executed / "01-good.ipynb").read_text(encoding="utf-8")
    source = broken_off[0].root / "notebooks" / "01-good.ipynb"
    assert "seed = 77" in (executed / "01-good.ipynb").read_text(encoding="utf-8")
    assert "seed = 77" not in source.read_text(encoding="utf-8")


def test_a_page_of_the_report_needs_no_network(broken_off) -> None:
    index = report.write(broken_off[0])
    assert 'href="notebooks/01-good.html"' in index.read_text(encoding="utf-8")
    page = (index.parent / "notebooks" / "01-good.html").read_text(encoding="utf-8")
    assert "the seed of quick is 77" in page
    assert "data:image/png;base64," in page
    assert WIDGET_NOTE in page
    assert "<title>01-good</title>" in page
    for trace in ("https://cdn", "unpkg", "require.js", "require.min.js", "mathjax", "mermaid.esm"):
        assert trace not in page
    for fetched in ("<script", "<link", "@import", "url(http", "url('http", 'src="http'):
        assert fetched not in page


@pytest.mark.parametrize("name", ["{group} study", "{}", "{0} } {", "50% #1 [a] käthe"])
def test_the_project_may_lie_in_any_folder(tmp_path: Path, name: str) -> None:
    workspace = write_project(tmp_path / name)
    index = run.run(workspace, run.choose(workspace, only="01"), say=lambda line: None)
    executed = index.parent / "notebooks" / "01-good.ipynb"
    assert "the seed of quick is 77" in executed.read_text(encoding="utf-8")
    assert executed.is_relative_to(tmp_path / name)


def test_what_is_logged_goes_to_a_file_beside_the_notebook(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    def execute(*_: object, **__: object) -> None:
        os.write(2, b"a line from C++\n")

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    run.run(workspace, run.choose(workspace, only="03"), say=lambda line: None)
    log = report.folder(workspace) / "notebooks" / "03-never.log"
    assert log.read_text(encoding="utf-8") == "a line from C++\n"
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_a_kernel_that_dies_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise DeadKernelError("Kernel died")

    monkeypatch.setattr(papermill, "execute_notebook", die)
    with pytest.raises(FashionRirError, match=r"kernel of 03-never\.ipynb died .* --from 03"):
        run.run(workspace, run.choose(workspace, only="03"))


def test_a_full_disk_does_not_hide_which_notebook_failed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write", full)
    with pytest.raises(FashionRirError, match=r"02-fails\.ipynb stopped in cell 4"):
        run.run(workspace, run.choose(workspace, only="02"))


def test_a_notebook_whose_kernel_died_is_not_shown_as_complete(tmp_path: Path) -> None:
    workspace = write_project(tmp_path)
    sources = ["1 + 1", "import os; os._exit(1)", "2 + 2"]
    write_notebook(workspace.root / "notebooks" / "03-never.ipynb", sources)
    with pytest.raises(FashionRirError, match="died"):
        run.run(workspace, run.choose(workspace, only="03"))
    index = (report.folder(workspace) / "index.html").read_text(encoding="utf-8")
    assert "03-never: it stopped before its end" in index


def test_a_parameter_that_a_notebook_does_not_have_is_refused(workspace: Workspace) -> None:
    profile = workspace.root / "profiles" / "quick.yaml"
    profile.write_text("notebooks:\n  01-good: {sed: 77}", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"01-good\.ipynb 'sed'; did you mean 'seed'"):
        run.run(workspace, run.choose(workspace, only="01"))


@pytest.mark.parametrize(
    ("given", "message"),
    [("profile: [quick]", "09-thesis-ledger must be text"), ("sed: 1", "did you mean 'seed'")],
)
def test_parameters_are_checked_before_the_first_notebook_runs(
    workspace: Workspace, given: str, message: str
) -> None:
    write_notebook(workspace.root / "notebooks" / "09-thesis-ledger.ipynb", [])
    profile = workspace.root / "profiles" / "quick.yaml"
    profile.write_text(f"{PROFILE}  09-thesis-ledger: {{{given}}}\n", encoding="utf-8")
    said: list[str] = []
    with pytest.raises(ParameterError, match=message):
        run.run(workspace, run.notebooks(workspace), say=said.append)
    assert said == []


def test_only_numbered_notebooks_are_the_study_s(workspace: Workspace) -> None:
    names = [path.stem for path in run.notebooks(workspace)]
    assert names == ["01-good", "02-fails", "03-never"]
    assert run.choose(workspace) == run.notebooks(workspace)


def test_choose_by_number_or_name(workspace: Workspace) -> None:
    every = run.notebooks(workspace)
    assert run.choose(workspace, first="02") == every[1:]
    assert run.choose(workspace, only="03-never") == every[2:]
    assert run.choose(workspace, only="01-good.ipynb") == every[:1]
    with pytest.raises(ParameterError, match="notebook '03-nevr'; did you mean '03-never'"):
        run.choose(workspace, only="03-nevr")
