"""Run the notebooks of a profile in order, and make the report."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fashion_rir.errors import FashionRirError, unknown_name
from fashion_rir.reporting import report
from fashion_rir.system import standard_error_to
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.parameters import profile_parameters


def notebooks(workspace: Workspace) -> list[Path]:
    """The study's notebooks, in order."""
    return sorted((workspace.root / "notebooks").glob("[0-9][0-9]-*.ipynb"))


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
        say: takes one progress line a notebook.

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
        say(f"[{position}/{len(chosen)}] {notebook.stem} ...")
        # What kernels and TensorFlow's C++ code log goes to a file, not between our lines.
        with standard_error_to(executed / f"{notebook.stem}.log"):
            try:
                _execute(workspace, notebook, executed / notebook.name, parameters[notebook])
            except FashionRirError:
                with suppress(FashionRirError, OSError):  # the error of the notebook says more
                    report.write(workspace)  # else it would show an earlier run's end
                raise
        say(f"[{position}/{len(chosen)}] {notebook.stem} done in "
            f"{time.perf_counter() - start:.0f} s")  # fmt: skip
    return report.write(workspace)


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
        if name in (notebook.stem, notebook.stem[:2], notebook.name):
            return position
    raise unknown_name("notebook", name, [notebook.stem for notebook in every])
