"""nbval compares notebooks as the study's own tests do, whose fixtures are in tests/."""

from nbformat import NotebookNode
from nbval.plugin import IPyNbCell
from notebook_comparison import compare


def compare_outputs(item: IPyNbCell, outputs: list, reference: list, skip_compare=None) -> bool:
    """By the study's own rules, whichever way a notebook was run."""
    found = compare(NotebookNode({**item.cell, "outputs": outputs}),
                    NotebookNode({**item.cell, "outputs": reference}))  # fmt: skip
    item.comparison_traceback = [f"{fault}\n" for fault in found.faults]
    return not found.faults


IPyNbCell.compare_outputs = compare_outputs
