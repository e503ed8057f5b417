"""beside: the same rows in both panels, or none."""

import pandas as pd
import pytest
from drawn_figures import legend, texts

from fashion_rir.errors import ParameterError
from fashion_rir.figures import beside, style

COLUMNS = ("group", "name", "value", "low", "high")
LIVE = pd.DataFrame([("MobileNetV2", "padded", -0.04, -0.05, -0.03),
                     ("Lite0", "padded", 0.02, -0.01, 0.05)], columns=COLUMNS)  # fmt: skip
FULL = pd.DataFrame([("MobileNetV2", "padded", 0.5, 0.4, 0.6),
                     ("ResNet50", "padded", 0.2, 0.1, 0.3)], columns=COLUMNS)  # fmt: skip


def test_rows_stand_under_the_groups_of_their_panel() -> None:
    figure, axes = beside.intervals({"live": LIVE, "full": FULL}, title="All", xlabel="mAP")
    assert figure.get_suptitle() == "All"
    assert [ax.get_title() for ax in axes] == ["live", "full"]
    assert axes[0].get_yticks().tolist() == [1, 3]
    assert texts(axes[0]) == ["−0.040", "0.020", "MobileNetV2", "Lite0"]
    assert texts(axes[1])[2:] == ["MobileNetV2", "ResNet50"]
    bottom, top = axes[0].get_ylim()
    assert bottom > top  # the first row is above


def test_a_difference_that_holds_zero_is_grey() -> None:
    _, axes = beside.intervals({"live": LIVE}, title="", xlabel="", is_difference=True)
    points = [container.lines[0] for container in axes[0].containers]
    assert [line.get_color() == style.GREY for line in points] == [False, True]
    assert texts(axes[0])[:2] == ["−0.040", "+0.020"]


def test_runs_of_other_rows_are_refused() -> None:
    with pytest.raises(ParameterError, match="same rows"):
        beside.intervals({"live": LIVE, "full": FULL.iloc[::-1].assign(name=["x", "y"])},
                         title="", xlabel="")  # fmt: skip


def test_curves_of_runs_mark_what_was_wanted() -> None:
    curve = {"thresholds": [0.0, 0.1, 0.5], "precision": [0.0, 0.9, 0.5], "recall": [0, 0.1, 0.6]}
    wanted = pd.DataFrame({"threshold": [0.5, 0.1], "precision": [0.5, 0.9], "value": [0.45, 0.9]})
    figure, axes = beside.threshold_curves(
        {"live": (curve, wanted), "full": (curve, wanted.head(1))}, title="All", xlabel="distance"
    )
    assert figure.get_suptitle() == "All"
    assert [ax.get_xlabel() for ax in axes] == ["distance"] * 2
    assert axes[0].lines[1].get_ydata().tolist() == [0.1, 0.6]  # from the strictest wanted one on
    assert (texts(axes[0]), texts(axes[1])) == (["0.45", "0.9"], ["0.45"])
    assert legend(axes[1]) == ["precision", "recall", "precision that was wanted"]
