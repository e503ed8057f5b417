"""Figures are drawn without a screen, and closed behind each test."""

import matplotlib

matplotlib.use("Agg")

from collections.abc import Iterator

import pytest
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")
