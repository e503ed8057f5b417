"""What nbval does not compare in the committed notebooks; the tests' own fixtures are in tests/."""

import pytest
from nbval.plugin import IPyNbCell

from fashion_rir.reporting.notebooks import NEARLY, near_outputs

exactly = IPyNbCell.compare_outputs


def compare_outputs(cell, outputs: list, reference: list, skip_compare=None) -> bool:
    """As nbval does; in a cell with the tag, but for the last digit of its numbers."""
    if NEARLY in cell.cell.metadata.get("tags", []):
        outputs = near_outputs(outputs, reference)
    return exactly(cell, outputs, reference, skip_compare)


IPyNbCell.compare_outputs = compare_outputs


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave out stderr: TensorFlow's C++ log goes there and differs between machines."""
    if collector.path.suffix == ".ipynb":
        collector.skip_compare += ("stderr",)
