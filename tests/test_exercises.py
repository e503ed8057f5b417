"""The solutions of the notebooks' exercises.

Of every notebook, each solution in Python is read: it must compile, and every name, attribute and
call of the package in it must exist and take what it is given. The solutions of `RUN` are run
besides, behind the notebook's own cells on the demo profile; those of the others would take
minutes. Solutions in words are not tested.
"""

import ast
import builtins
import importlib
import inspect
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]-*.ipynb"))
RUN = ("01-eda", "09-thesis-ledger")
PACKAGE = "fashion_rir"
GIVEN = {*dir(builtins), "display"}  # what a notebook knows without being told
_FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


def code_of(path: Path) -> str:
    """All code cells, without IPython's own commands."""
    cells = nbformat.read(path, as_version=4).cells
    return _MAGIC.sub("", "\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def solutions_of(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return [code for folded in _FOLDED.findall(text) for code in _CODE.findall(folded)]


SOLUTIONS = [
    pytest.param(path, code, id=f"{path.stem}-{number}")
    for path in NOTEBOOKS
    for number, code in enumerate(solutions_of(path), start=1)
]


def imported(tree: ast.AST) -> dict[str, object]:
    """What a piece of code imports from the package, by name; None for what does not exist."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == PACKAGE:
            for alias in node.names:
                found[alias.asname or alias.name] = resolve(node.module, alias.name)
    return found


def resolve(module: str, name: str) -> object:
    try:
        return importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name, None)


def bound(tree: ast.AST) -> set[str]:
    """Every name that a piece of code gives a value to, anywhere."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def faults_of(solution: str, before: str) -> list[str]:
    """What a solution asks for that neither it nor the notebook's cells nor the package has."""
    tree, cells = ast.parse(solution), ast.parse(before)
    known = GIVEN | bound(tree) | bound(cells)
    used = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    faults = [f"unknown name {name}" for name in used if name not in known]
    ours = imported(cells) | imported(tree)
    faults += [f"not in the package: {name}" for name, what in imported(tree).items()
               if what is None]  # fmt: skip
    for node in ast.walk(tree):
        if is_of(node, ours) and not hasattr(ours[node.value.id], node.attr):
            faults.append(f"{node.value.id} has no {node.attr}")
        if isinstance(node, ast.Call) and (called := target(node.func, ours)) is not None:
            faults += call_faults(node, called)
    return faults


def is_of(node: ast.AST, ours: dict[str, object]) -> bool:
    """Whether a node is an attribute of one of the package's modules."""
    is_attribute = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return is_attribute and inspect.ismodule(ours.get(node.value.id))


def target(node: ast.AST, ours: dict[str, object]) -> object | None:
    """The package's function or class that is called, if it is one."""
    if isinstance(node, ast.Name):
        found = ours.get(node.id)
    elif is_of(node, ours):
        found = getattr(ours[node.value.id], node.attr, None)
    else:
        return None
    return found if callable(found) else None


def call_faults(node: ast.Call, called: object) -> list[str]:
    """Whether a function takes the arguments that it is given."""
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return []
    if any(keyword.arg is None for keyword in node.keywords):
        return []
    given = {keyword.arg: None for keyword in node.keywords}
    try:
        inspect.signature(called).bind(*[None] * len(node.args), **given)
    except TypeError as error:
        return [f"{ast.unparse(node.func)}: {error}"]
    return []


def test_the_folded_code_is_found() -> None:
    """None is missed by another name of the language, and what is to be run is there."""
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        assert text.count("```py") == text.count("```python"), path.name
    assert set(RUN) <= {param.values[0].stem for param in SOLUTIONS}


@pytest.mark.parametrize(("path", "solution"), SOLUTIONS)
def test_a_solution_asks_for_nothing_that_is_not_there(path: Path, solution: str) -> None:
    assert faults_of(solution, code_of(path)) == []


@pytest.mark.parametrize("name", RUN)
def test_solutions_run_behind_their_notebook(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = [path for path in NOTEBOOKS if path.stem == name]
    monkeypatch.chdir(path.parent)
    monkeypatch.setitem(plt.rcParams, "figure.max_open_warning", 0)
    space = {"display": print, "__name__": "__main__"}
    exec(compile(code_of(path), path.name, "exec"), space)
    for number, solution in enumerate(solutions_of(path), start=1):
        exec(compile(solution, f"{name}, solution {number}", "exec"), space)
    plt.close("all")
    if name == "09-thesis-ledger":
        assert space["mine"].verdict == "reproduced"
        assert space["verdicts"] == {0.02: "not reproduced", 0.03: "not reproduced",
                                     0.04: "not reproduced", 0.05: "not reproduced",
                                     0.06: "reproduced"}  # fmt: skip
        assert space["shares"].index[0] == "Chapter 3"


@pytest.mark.parametrize(
    ("solution", "fault"),
    [
        ("print(nothing)", "unknown name nothing"),
        ("splits.no_such()", "splits has no no_such"),
        ("from fashion_rir.data.splits import no_such", "not in the package: no_such"),
        ("splits.is_test_product(1, seed=2, sead=2)", "splits.is_test_product: .*'sead'"),
        ("splits.is_test_product()", "splits.is_test_product: missing .*'products'"),
    ],
)
def test_faults_are_found(solution: str, fault: str) -> None:
    (found,) = faults_of(solution, "from fashion_rir.data import splits")
    assert re.match(fault, found)
    assert faults_of("x = 1\nprint(x, y, splits.is_test_product(y, seed=x))",
                     "from fashion_rir.data import splits\ny = 2") == []  # fmt: skip
