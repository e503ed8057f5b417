"""Run the notebooks of a profile in order, and make the report."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fashion_rir.errors import FashionRirError, unknown_name
from fashion_rir.reporting import report
from fashion_rir.system import standard_error_to, usable_cores
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.parameters import profile_parameters

SECONDS_BETWEEN_LINES = 30  # of progress, while a notebook runs

# What libraries of numbers read when they are imported. A container may give a process fewer cores
# than the machine has, which they do not see.
THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def notebooks(workspace: Workspace) -> list[Path]:
    """The study's notebooks, in order."""
    return sorted((workspace.root / "notebooks").glob("[0-9][0-9]*.ipynb"))


def choose(
    workspace: Workspace, *, first: str | None = None, only: str | None = None
) -> list[Path]:
    """Some of the notebooks.

    Args:
        workspace: of the project.
        first: number (or name) of the notebook to begin with.
        only: number (or name) of the single notebook to run.

    Raises:
        ParameterError: no such notebook.
    """
    every = notebooks(workspace)
    if only is not None:
        return [every[_position(every, only)]]
    return every if first is None else every[_position(every, first) :]


def run(workspace: Workspace, chosen: list[Path], *, say: Callable[[str], None] = print) -> Path:
    """Run notebooks by papermill with the profile's parameters, then write the report.

    Args:
        workspace: of the profile.
        chosen: from `choose`.
        say: takes the lines of progress: where a notebook begins and ends, and twice a minute how
            many of its cells are done.

    Returns:
        The report's index page.

    Raises:
        FashionRirError: a notebook failed; names it, the cell and the error. What ran before is
            kept and in the report, and `--from` goes on there.
        ParameterError: the profile gives one of the notebooks a parameter that it does not have, or
            of the wrong kind; said before the first is run.
    """
    parameters = {notebook: _parameters(workspace, notebook) for notebook in chosen}
    executed = report.folder(workspace) / "notebooks"
    executed.mkdir(parents=True, exist_ok=True)
    for position, notebook in enumerate(chosen, start=1):
        start = time.perf_counter()
        name, output = f"[{position}/{len(chosen)}] {notebook.stem}", executed / notebook.name
        say(f"{name} ...")
        # What kernels and TensorFlow's C++ code log goes to a file, not between our lines.
        log = standard_error_to(executed / f"{notebook.stem}.log")
        with log, _progress(output, lambda said, name=name: say(f"{name}: {said}")):
            try:
                _execute(workspace, notebook, output, parameters[notebook])
            except FashionRirError:
                with suppress(FashionRirError, OSError):  # the error of the notebook says more
                    report.write(workspace)  # else it would show an earlier run's end
                raise
        say(f"{name} done in {time.perf_counter() - start:.0f} s")
    return report.write(workspace)


@contextmanager
def _progress(output: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say now and then how many cells of a notebook are done, as papermill writes it down."""
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(SECONDS_BETWEEN_LINES):
            with suppress(OSError, ValueError):  # it is being written
                cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
                states = [cell["metadata"].get("papermill", {}).get("status") for cell in cells]
                say(f"{states.count('completed')} of {len(cells)} cells")

    with suppress(OSError):
        output.unlink()  # of an earlier run
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_done.set()
        watcher.join()


def _parameters(workspace: Workspace, notebook: Path) -> dict[str, object]:
    import papermill

    parameters = profile_parameters(workspace, notebook.stem)
    known = papermill.inspect_notebook(_for_papermill(notebook))
    for name in parameters:
        if name not in known:
            raise unknown_name(f"parameter of {notebook.name}", name, known)
    return parameters


def _for_papermill(path: Path) -> str:
    """A path as papermill takes it: what stands in braces would be a parameter's value."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _execute(
    workspace: Workspace, notebook: Path, output: Path, parameters: dict[str, object]
) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for variable in THREADS:
        os.environ.setdefault(variable, str(usable_cores()))
    import papermill
    from nbclient.exceptions import DeadKernelError

    number = notebook.stem[:2]
    go_on = f"go on with `fashion-rir study --profile {workspace.profile} --from {number}`"
    try:
        papermill.execute_notebook(
            _for_papermill(notebook),
            _for_papermill(output),
            parameters=parameters,
            cwd=str(notebook.parent),
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],  # no warnings between our lines
        )
    except papermill.PapermillExecutionError as error:
        reason = " ".join(str(error.evalue).split()).rstrip(".")
        raise FashionRirError(
            f"{notebook.name} stopped in cell {error.exec_count}: {error.ename}: {reason}. Mend it "
            f"and {go_on}; the output is in {output}."
        ) from error
    except DeadKernelError as error:
        raise FashionRirError(
            f"The kernel of {notebook.name} died (out of memory?); close other programs, or take "
            f"a smaller profile, and {go_on}."
        ) from error


def _position(every: list[Path], name: str) -> int:
    for position, notebook in enumerate(every):
        if name in (notebook.stem, notebook.stem.partition("-")[0], notebook.name):
            return position
    raise unknown_name("notebook", name, [notebook.stem for notebook in every])
