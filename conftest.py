"""What nbval does not compare in the committed notebooks; the tests' own fixtures are in tests/."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave out stderr: TensorFlow's C++ log goes there and differs between machines."""
    if collector.path.suffix == ".ipynb":
        collector.skip_compare += ("stderr",)
