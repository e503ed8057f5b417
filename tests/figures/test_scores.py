"""scores: every figure has a title, labelled axes, and what it was given."""

import numpy as np
import pandas as pd
from drawn_figures import assert_labelled, legend, texts

from fashion_rir.figures import scores


def drawn(figure, axes) -> str:
    """All texts of a labelled figure."""
    figure.canvas.draw()
    assert_labelled(axes, "t")
    return " ".join([*texts(axes), *legend(axes)])


def test_scores_stand_between_floors_and_ceilings() -> None:
    table = pd.DataFrame({"model": ["a", "b"], "mAP": [0.5, 0.4], "mAP low": [0.4, 0.3],
                          "mAP high": [0.6, 0.5]})  # fmt: skip
    bounds = {"floors": {"chance": 0.1}, "ceilings": {"photo oracle": 0.99}}
    figure, axes = scores.between_bounds(table, "mAP", **bounds, title="t")
    text = drawn(figure, axes)
    assert "0.500" in text and "0.100" in text and "0.990" in text
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["photo oracle", "a", "b", "chance"]  # the best above
    assert {"floor", "model", "ceiling"} <= set(text.split())


def test_missing_models_leave_a_gap() -> None:
    table = pd.DataFrame({"mAP, thesis": [0.3, 0.7], "mAP, held out": [np.nan, 0.4]},
                         index=["scratch", "padded"])  # fmt: skip
    figure, axes = scores.thesis_bars(table, title="t")
    assert "0.70" in drawn(figure, axes) and "nan" not in drawn(figure, axes)


def test_noise_says_so() -> None:
    difference = pd.DataFrame([[0, 0.1], [-0.1, 0]], index=list("ab"), columns=list("ab"))
    is_noise = pd.DataFrame([[True, False], [False, True]], index=list("ab"), columns=list("ab"))
    text = drawn(*scores.difference_matrix(difference, is_noise, title="t", what="mAP"))
    assert "+0.100" in text and "-0.100" in text and "noise" not in text
    everything = scores.difference_matrix(difference * 0, is_noise | True, title="t",
                                                    what="mAP")  # fmt: skip
    assert drawn(*everything).count("noise") == 2


def test_single_queries_classes_and_grid() -> None:
    shares = {str(hits): 1 / 11 for hits in range(11)}
    drawn(*scores.single_queries({"a": shares, "b": shares}, title="t"))
    table = pd.DataFrame({"class": ["x", "y"], "queries": [2, 200], "mAP": [0.1, 0.8]})
    drawn(*scores.classes_by_size({"a": table}, title="t"))
    cells = pd.DataFrame({"protocol": ["thesis", "held_out"], "label": ["gender", "season"],
                          "mAP": [0.7, 0.3]})  # fmt: skip
    text = drawn(*scores.grid_strip(cells, target=0.708, title="t"))
    assert "reported: 0.708" in text and "query in its own gallery" in text


def test_each_metric_has_a_panel_of_protocols() -> None:
    table = pd.DataFrame({"query inside": [0.9, 0.8], "held out": [0.5, 0.4]}, index=["a", "b"])
    figure, axes = scores.by_protocol({"mAP": table, "hit rate@1": table}, title="t")
    assert [ax.get_ylabel() for ax in axes.flat] == ["mAP (0 to 1)", "hit rate@1 (0 to 1)"]
    assert [label.get_text() for label in axes[0, 0].get_xticklabels()] == [
        "query inside", "held out"]  # fmt: skip
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
