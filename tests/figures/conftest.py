"""Figures are drawn without a screen, looked at, and closed behind each test."""

import matplotlib

matplotlib.use("Agg")

from collections.abc import Iterator

import pytest
from figure_faults import faults
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def readable_figures() -> Iterator[None]:
    """Whatever a test draws can be read: no text is cut off or covers another."""
    plt.close("all")  # those of other rooms' tests
    yield
    found = [fault for number in plt.get_fignums() for fault in faults(plt.figure(number))]
    plt.close("all")
    assert found == []
