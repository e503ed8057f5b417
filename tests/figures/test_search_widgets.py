"""search_widgets: a choice is drawn with what was chosen."""

import pytest
from matplotlib import pyplot as plt

from fashion_rir.figures import search_widgets

CURVE = {"thresholds": [0.1, 0.2, 0.3], "precision": [0.9, 0.5, 0.7], "recall": [0.1, 0.4, 0.8]}


def test_two_models_are_drawn_for_the_chosen_query() -> None:
    asked = []

    def draw(*chosen: object) -> plt.Figure:
        asked.append(chosen)
        return plt.figure(figsize=(1, 1))

    box = search_widgets.two_models({"a shirt": 7, "a tie": 9}, ["one", "two", "three"], draw)
    query, left, right = box.children[0].children
    query.value, right.value = 9, "three"
    left.value = "two"
    assert asked == [(7, "one", "two"), (9, "one", "two"), (9, "one", "three"),
                     (9, "two", "three")]  # fmt: skip
    assert plt.get_fignums() == []


def test_the_precision_slider_finds_the_threshold() -> None:
    asked = []

    def draw(query: int, promised: tuple[float, str]) -> plt.Figure:
        asked.append((query, promised[0]))
        return plt.figure(figsize=(1, 1))

    box = search_widgets.precision_slider({"a shirt": 7, "a tie": 9}, CURVE, draw)
    query, slider = box.children[0].children
    slider.value = 0.8
    query.value = 9
    assert asked == [(7, 0.3), (7, 0.1), (9, 0.1)]


@pytest.mark.parametrize(
    ("wanted", "threshold"), [(0.9, 0.1), (0.75, 0.1), (0.7, 0.3), (0.4, 0.3), (0.95, 0.1)]
)
def test_the_loosest_threshold_that_keeps_a_precision(wanted: float, threshold: float) -> None:
    assert search_widgets.at_precision(CURVE, wanted)[0] == threshold


def test_what_a_threshold_promises_is_said() -> None:
    said = search_widgets.at_precision(CURVE, 0.6)[1]
    assert said == "precision wanted 0.60, kept 0.70: threshold 0.300, recall 0.80"
