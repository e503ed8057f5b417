"""Make the notebooks as they are committed: executed as they stand, then tidied.

A committed notebook holds what a reader sees, and nothing that changes from run to run:
no log, no timestamp, no widget state.
"""

import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from fashion_rir.errors import FashionRirError
from fashion_rir.system import whole_file

# A GPU rounds differently; logs and progress bars are no result.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1"}

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

WIDGET = "application/vnd.jupyter.widget-view+json"

WIDGET_NOTE = "Here stand menus when a kernel is running."


def execute_and_clean(path: Path) -> list[str]:
    """Execute a notebook in its own folder, tidy it, and write it back whole or not at all.

    Args:
        path: the notebook.

    Returns:
        What its cells wrote to stderr; it is not kept in the notebook.

    Raises:
        FashionRirError: a cell failed, or the kernel died; the notebook stays as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    _execute(notebook, path)
    messages = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if _is_stderr(output)
    ]
    with whole_file(path) as partial:
        nbformat.write(clean(notebook), partial)
    return messages


def clean(notebook: NotebookNode) -> NotebookNode:
    """A notebook without what changes from run to run; sources, ids and tags stay.

    Args:
        notebook: executed; it is left as it is.

    Returns:
        A copy: no stderr, no progress bar, a sentence in the place of each other widget, no
        metadata but the tags of the cells and the name of the kernel.
    """
    tidy = nbformat.from_dict({**notebook, "metadata": METADATA})
    for cell in tidy.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            kept = [o for o in cell.outputs if not (_is_stderr(o) or _is_progress(o))]
            cell.outputs = [_without_widget(output) for output in kept]
    return tidy


def _execute(notebook: NotebookNode, path: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        # What is committed is what everyone sees: without the real catalogue's photos.
        own = {name: value for name, value in os.environ.items() if name != "FASHION_RIR_ARCHIVE"}
        client.execute(env=own | ENVIRONMENT)
    except CellExecutionError as error:
        failed = [cell.id for cell in notebook.cells if _has_failed(cell)]
        raise FashionRirError(
            f"{path.name} stopped in cell {failed[0]}: {error.ename}: {error.evalue} Mend it and "
            "run it again; the file stayed as it was."
        ) from error
    except DeadKernelError as error:
        raise FashionRirError(
            f"The kernel of {path.name} died (out of memory?); close other programs and run it "
            "again."
        ) from error


def _has_failed(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _is_stderr(output: NotebookNode) -> bool:
    return output.output_type == "stream" and output.name == "stderr"


def _is_progress(output: NotebookNode) -> bool:
    """A progress bar of tqdm, which is a widget too."""
    data = output.get("data", {})
    return WIDGET in data and "%|" in data.get("text/plain", "")


def _without_widget(output: NotebookNode) -> NotebookNode:
    if WIDGET in output.get("data", {}):
        output.data = nbformat.from_dict({"text/plain": WIDGET_NOTE})
    return output
