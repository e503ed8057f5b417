"""A parameter of a notebook that is set to a wrong value is answered by one clear sentence.

The cells run here, in this process, on a few drawn products, up to the sentence; what was embedded
or trained for one parameter is there for the next. A new notebook is tried by itself.
"""

import ast
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from fashion_rir.errors import FashionRirError

ROOT = Path(__file__).parents[1]
# Less work than the demo's, where the notebook has such a parameter.
SMALL = {"sample_size": 60, "resnet50_image_size": 32, "n_queries": 8, "n_outsiders": 4,
         "head_epochs": 2, "ablation_runs": ["done-right"]}  # fmt: skip
WRONG = {
    "my_photo": "nowhere.jpg",
    "my_box": [9, 9, 1, 1],
    "trained_models": None,  # a model that was not trained yet is said to be missing, and left out
    "stored": None,
}
MOST_SECONDS = 300


def code_cells(path: Path) -> list[tuple[bool, str]]:
    """Whether a cell holds the parameters, and its source; of a notebook or a draft."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return [("parameters" in cell.metadata.get("tags", []), cell.source)
                for cell in cells if cell.cell_type == "code"]  # fmt: skip
    parts = re.split(r"^# %%(.*)$", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    headed = zip(parts[::2], parts[1::2], strict=True)
    return [("parameters" in head, body) for head, body in headed if "[markdown]" not in head]


def parameters(cells: list[tuple[bool, str]]) -> dict[str, object]:
    """The literals of the cell of parameters; none where there is no such cell."""
    found = [source for is_parameters, source in cells if is_parameters]
    statements = ast.parse(found[0]).body if found else []
    return {s.targets[0].id: ast.literal_eval(s.value) for s in statements}


def wrong_value(name: str, value: object) -> object:
    """A value that makes no sense; None where there is none."""
    if name in WRONG:
        return WRONG[name]
    if isinstance(value, str):
        return "nonsense"
    if isinstance(value, list):
        return [wrong_value("", value[0])] if value else ["nonsense"]
    if isinstance(value, dict):
        return {key: wrong_value("", inner) for key, inner in value.items()}
    return -1


def wrong_values() -> list[tuple[Path, str, object]]:
    """Every notebook, every parameter, and its wrong value."""
    return [
        (path, name, wrong_value(name, value))
        for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
        for name, value in parameters(code_cells(path)).items()
        if wrong_value(name, value) is not None
    ]


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """An error after some seconds, where the system can."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"no word after {seconds} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def answer(cells: list[tuple[bool, str]], changes: dict[str, object], seconds: int) -> str:
    """What the notebook says of these parameters, as `Error: sentence`; empty if nothing."""
    import matplotlib.pyplot as plt
    from IPython.display import display

    namespace = {"display": display, "__name__": "__main__"}
    try:
        with time_limit(seconds):
            for is_parameters, source in cells:
                exec(compile(source, "cell", "exec"), namespace)
                if is_parameters:
                    namespace |= changes
    except FashionRirError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        plt.close("all")
    return ""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder of its own, with the committed records."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "profiles"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "reports").mkdir()
    (folder / "reports" / "full").symlink_to(ROOT / "reports" / "full")
    return folder


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("path", "name", "value"), wrong_values(), ids=lambda v: getattr(v, "stem", None) or repr(v)
)
def test_a_wrong_value_is_answered_by_one_sentence(path, name, value, project, monkeypatch):
    monkeypatch.setenv("FASHION_RIR_HOME", str(project))
    monkeypatch.delenv("FASHION_RIR_ARCHIVE", raising=False)
    monkeypatch.chdir(project)
    cells = code_cells(path)
    small = {key: SMALL[key] for key in SMALL if key in parameters(cells)}
    said = answer(cells, small | {name: value}, MOST_SECONDS)
    assert said, f"{name} = {value!r} was taken"
    assert "\n" not in said
    assert len(said) < 600


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")
def test_what_is_no_sentence_or_none_at_all_is_found():
    cells = [(True, "seed = 1"), (False, "from fashion_rir.errors import ParameterError"),
             (False, "if seed < 0: raise ParameterError('The seed must be 0 or more.')"),
             (False, "1 / (seed - 5)"), (False, "while seed == 6: pass")]  # fmt: skip
    assert parameters(cells) == {"seed": 1}
    assert answer(cells, {}, 9) == ""
    assert answer(cells, {"seed": -1}, 9) == "ParameterError: The seed must be 0 or more."
    with pytest.raises(ZeroDivisionError):
        answer(cells, {"seed": 5}, 9)
    with pytest.raises(TimeoutError, match="no word after 1 seconds"):
        answer(cells, {"seed": 6}, 1)


def test_every_parameter_has_a_wrong_value_of_its_own_kind():
    assert wrong_value("engine", "keras") == "nonsense"
    assert wrong_value("view_grid", [[16, 0.1]]) == [[-1]]
    assert wrong_value("tuned", {"backbone": "x", "epochs": 1}) == {
        "backbone": "nonsense", "epochs": -1}  # fmt: skip
    assert len(wrong_values()) > 40
