"""A parameter of a notebook that is set to a wrong value is answered by one clear sentence.

The cells run here, in this process, on a few drawn products. Every notebook is run with good values
until each parameter has had its turn; where a cell first names a parameter, a copy of the variables
goes on from there with the wrong value, so that nothing but this value can be what the sentence is
about. A new notebook is tried by itself.
"""

import ast
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import nbformat
import pytest

from fashion_rir.errors import FashionRirError, ParameterError
from fashion_rir.workspace.folders import open_workspace
from fashion_rir.workspace.parameters import KINDS, check, profile_parameters

ROOT = Path(__file__).parents[2]
# Good values that are less work than the profile quick's, where a notebook has such a parameter.
SMALL = {
    "n_queries": 60, "n_outsiders": 4, "head_epochs": 1, "tuned_epochs": 1, "tuned_sample": 120,
    "view_sample": 60, "view_epochs": 1, "view_grid": [[16, 0.1]], "n_mapped": 300, "n_varied": 200,
    "perplexities": [5, 10], "map_seeds": [20], "n_asked": 60, "n_placed": 4, "n_validation": 40,
}  # fmt: skip
WRONG = {"my_photo": "nowhere.jpg", "my_box": [9, 9, 1, 1]}
# A model that was not trained yet is said to be missing, and left out; so are trainings of hours.
NEVER_WRONG = ("trained_models", "stored", "tuned", "scratch")
MOST_SECONDS = 300
# What `open_study` reads.
OPENED = {"profile", "catalogue", "sample_size", "seed", "weights", "engine"}
# The others work until each of their parameters has had its turn: for minutes in all. Of these,
# `make torture` sets EVERY and tries all; the tests try what the first cells read.
QUICK = ("01-eda", "09-thesis-ledger", "10-storefront")
EVERY = "FASHION_RIR_EVERY_PARAMETER"


def code_cells(path: Path) -> list[tuple[bool, str]]:
    """Whether a cell holds the parameters, and its source."""
    cells = nbformat.read(path, as_version=4).cells
    return [("parameters" in cell.metadata.get("tags", []), cell.source)
            for cell in cells if cell.cell_type == "code"]  # fmt: skip


def parameters(cells: list[tuple[bool, str]]) -> dict[str, object]:
    """The literals of the cell of parameters; none where there is no such cell."""
    found = [source for is_parameters, source in cells if is_parameters]
    statements = ast.parse(found[0]).body if found else []
    return {s.targets[0].id: ast.literal_eval(s.value) for s in statements}


def wrong_values(name: str, value: object) -> dict[str, object]:
    """Values that make no sense, each wrong in one place, by the name of that place."""
    if name in NEVER_WRONG:
        return {}
    if name in WRONG:
        return {name: WRONG[name]}
    if isinstance(value, dict):
        return {place: value | {key: inner} for key in value
                for place, inner in wrong_values(f"{name}.{key}", value[key]).items()}  # fmt: skip
    if isinstance(value, list) and value and isinstance(value[0], list):
        first = dict(enumerate(value[0]))
        return {place: [list(row.values())] for place, row in wrong_values(name, first).items()}
    if isinstance(value, list):
        return {place: [inner] for place, inner in wrong_values(name, value[0]).items()}
    return {name: "nonsense" if isinstance(value, str) else -1}


def wrong_places(path: Path) -> dict[str, object]:
    """Every wrong value of a notebook's parameters."""
    good = parameters(code_cells(path))
    good |= {name: SMALL[name] for name in SMALL if name in good}
    tried = good if path.stem in QUICK or os.environ.get(EVERY) else OPENED & good.keys()
    return {place: wrong for name in sorted(tried)
            for place, wrong in wrong_values(name, good[name]).items()}  # fmt: skip


def names_in(source: str) -> set[str]:
    """The variables that a cell names, and what it takes out of them, as `scratch.epochs`."""
    nodes = list(ast.walk(ast.parse(source)))
    taken = {f"{node.value.id}.{node.slice.value}" for node in nodes
             if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
             and isinstance(node.slice, ast.Constant)}  # fmt: skip
    return taken | {node.id for node in nodes if isinstance(node, ast.Name)}


class NoWord(Exception):
    """Nothing was said in time; no TimeoutError, which as an OSError the package would answer."""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """An error after some seconds, where the system can."""

    def stop(*_: object) -> None:
        raise NoWord(f"no word after {seconds} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def answer(sources: list[str], namespace: dict[str, object], seconds: int) -> Exception | None:
    """What stops these cells, if anything does; `namespace` is changed."""
    import matplotlib.pyplot as plt

    try:
        with time_limit(seconds):
            for source in sources:
                exec(compile(source, "cell", "exec"), namespace)
    except Exception as error:
        return error
    finally:
        plt.close("all")
    return None


def answers(
    cells: list[tuple[bool, str]], wrong: dict[str, object], seconds: int
) -> dict[str, Exception | None]:
    """What the cells say of each wrong value, from the first cell that names its place.

    A place that no cell takes out of its parameter is looked for from the parameter's first cell.

    Cells without an answer of their own run with good values; what stops them is raised. A
    parameter that no cell names has no answer.
    """
    from IPython.display import display

    namespace = {"display": display, "__name__": "__main__"}
    sources = [source for _, source in cells]
    everywhere = set().union(*map(names_in, sources))
    found: dict[str, Exception | None] = {}
    for number, (is_parameters, source) in enumerate(cells):
        if not is_parameters:
            named = names_in(source)
            if "open_study(" in source:  # it reads them by their names
                named = named | OPENED
            for place in wrong:
                name = place.split(".")[0]
                if place not in found and (place if place in everywhere else name) in named:
                    changed = namespace | {name: wrong[place]}
                    found[place] = answer(sources[number:], changed, seconds)
        if len(found) == len(wrong):
            break
        if error := answer([source], namespace, seconds):
            raise error
        if is_parameters:
            namespace |= {name: SMALL[name] for name in SMALL if name in namespace}
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebooks run, beside the real records; what one has embedded, the next reads."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("notebooks", "profiles"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "reports").mkdir()
    (folder / "reports" / "full").symlink_to(ROOT / "reports" / "full")
    return folder


@pytest.fixture(scope="module")
def said(folder: Path) -> Callable:
    """What a notebook says of its wrong values."""

    @cache
    def of_notebook(path: Path) -> dict[str, Exception | None] | Exception:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("FASHION_RIR_HOME", str(folder))
            monkeypatch.delenv("FASHION_RIR_ARCHIVE", raising=False)
            monkeypatch.chdir(folder)
            try:
                return answers(code_cells(path), wrong_places(path), MOST_SECONDS)
            except Exception as error:  # kept, or each parameter would run all of it again
                return error

    return of_notebook


NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*.ipynb"))


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("path", "place"),
    [pytest.param(path, place, id=f"{path.stem}-{place}")
     for path in NOTEBOOKS for place in wrong_places(path)],
)  # fmt: skip
def test_a_wrong_value_is_answered_by_one_sentence(path, place, said):
    found = said(path)
    if isinstance(found, Exception):
        raise found
    assert place in found, "no cell names this parameter"
    error = found[place]
    assert error is not None, f"{wrong_places(path)[place]!r} was taken"
    if not isinstance(error, FashionRirError):
        raise error
    assert "\n" not in str(error)
    assert len(str(error)) < 600


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")
def test_what_is_no_sentence_or_none_at_all_is_found():
    cells = [(True, "seed, size, unused, deep = 1, 2, 3, {'a': 4}"),
             (False, "from fashion_rir.errors import ParameterError\ndone = []"),
             (False, "if seed < 0: raise ParameterError('The seed must be 0 or more.')"),
             (False, "done.append(size)\ndef share(): return 1 / (size - 5)"),
             (False, "share()\nwhile seed == 6: pass"),
             (False, "assert deep['a'] == 4")]  # fmt: skip
    said = answers(cells, {"seed": -1, "size": 5, "unused": 0, "deep.a": {"a": -1}}, 9)
    assert str(said["seed"]) == "The seed must be 0 or more."
    assert isinstance(said["size"], ZeroDivisionError)
    assert isinstance(said["deep.a"], AssertionError)
    assert "unused" not in said
    said = answers(cells, {"seed": 6, "size": 7}, 1)
    assert isinstance(said["seed"], NoWord)
    assert said["size"] is None  # it was taken
    with pytest.raises(AssertionError):
        answers([*cells, (False, "assert False")], {"unused": 0}, 9)


def test_every_place_of_a_parameter_has_a_wrong_value_of_its_own():
    assert wrong_values("engine", "keras") == {"engine": "nonsense"}
    assert wrong_values("sample_size", None) == {"sample_size": -1}
    assert wrong_values("perplexities", [5, 10]) == {"perplexities": [-1]}
    assert wrong_values("stored", {"a": "b"}) == {}
    assert wrong_values("classical", {"way": "x", "runs": ["y"]}) == {
        "classical.way": {"way": "nonsense", "runs": ["y"]},
        "classical.runs": {"way": "x", "runs": ["nonsense"]}}  # fmt: skip
    assert wrong_values("view_grid", [[16, 0.1]]) == {
        "view_grid.0": [[-1, 0.1]], "view_grid.1": [[16, -1]]}  # fmt: skip
    assert sum(len(wrong_places(path)) for path in NOTEBOOKS) > 60


def test_every_parameter_of_every_notebook_has_a_kind_that_every_profile_keeps():
    assert list(KINDS) == [path.stem for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        assert KINDS[path.stem].keys() == parameters(code_cells(path)).keys()
        for profile in ("quick", "sample", "full"):
            check(path.stem, profile_parameters(open_workspace(profile, ROOT), path.stem))


def test_every_notebook_checks_the_kinds_of_its_own_parameters_first():
    for path in NOTEBOOKS:
        sources = [source for is_parameters, source in code_cells(path) if not is_parameters]
        first = next(
            source
            for source in sources
            if "open_study(" in source or names_in(source) & KINDS[path.stem].keys()
        )
        opened = f'open_study("{path.stem}", globals())'
        checked = f'parameters.check("{path.stem}", globals())'
        assert opened in first or first.index(checked) < first.index("open_workspace(profile)")
        stored = [node.id for source in sources for node in ast.walk(ast.parse(source))
                  if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]  # fmt: skip
        assert not {*stored} & KINDS[path.stem].keys()  # else it could not be run again


@pytest.mark.parametrize(
    ("notebook", "values", "message"),
    [
        ("01-eda", {"seed": "20"}, "seed of 01-eda must be a whole number, not '20'"),
        ("01-eda", {"seed": True}, "a whole number, not True"),
        ("01-eda", {"sample_size": 0.5}, "sample_size of 01-eda must be a whole number or None"),
        ("07-t-sne", {"perplexities": 30}, "must be a list, each of it a number, not 30"),
        ("07-t-sne", {"perplexities": [30, "x"]}, r"perplexities\[1\] of .* must be a number"),
        ("07-t-sne", {"stored": {"h": 3}}, r"stored\['h'\] of 07-t-sne must be text, not 3"),
        ("05-contrastive-training", {"view_grid": [[16, "x"]]}, r"grid\[0\]\[1\] of .* a number"),
        ("05-contrastive-training", {"view_grid": [[16]]}, "row of 2: a whole number and a number"),
        ("08-beyond-the-thesis", {"scratch": 3}, "mapping of networks, image_size, sample and ep"),
        ("08-beyond-the-thesis", {"scratch": {"epoch": 1}}, "'epoch'; did you mean 'epochs'"),
        ("08-beyond-the-thesis", {"scratch": {"epochs": 1}}, "scratch of .* lacks 'networks'"),
        ("08b-better-searches", {"my_box": "9" * 99}, f"not '{'9' * 59}\\.\\.\\."),
        ("8-beyond", {}, "notebook '8-beyond'; did you mean '08-beyond-the-thesis'"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused_with_its_place(notebook, values, message):
    with pytest.raises(ParameterError, match=message):
        check(notebook, values)


def test_what_fits_is_taken_and_what_is_no_parameter_not_looked_at():
    check("07-t-sne", {"perplexities": (5, 2.5), "stored": {}, "n_queries": "of notebook 03"})
    check("05-contrastive-training", {"view_grid": [(16, 1)], "tuned_sample": None})
