"""training: every figure has a title, named axes and a legend, and shows its numbers."""

import numpy as np
import pandas as pd
import pytest
from drawn_figures import assert_labelled, legend, texts

from fashion_rir.errors import ParameterError
from fashion_rir.figures import style, training


def drawn(axes) -> dict[str, tuple[list, list]]:
    """The numbers of each line by its name in the legend."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines
    }


def calibration_table(
    confidence: list[float], accuracy: list[float], products: int | list[int] = 500
) -> pd.DataFrame:
    return pd.DataFrame({"confidence": confidence, "accuracy": accuracy, "products": products})


def test_learning_curves() -> None:
    validated = pd.DataFrame(
        {"loss": [2.0, 1.0, 0.5], "accuracy": [0.1, 0.4, 0.6],
         "val_loss": [2.5, 1.5, 1.6], "val_accuracy": [0.1, 0.3, 0.2]},
        index=[0, 1, 0],  # two stages, one behind the other
    )  # fmt: skip
    plain = pd.DataFrame({"loss": [3.0, 2.0], "accuracy": [0.2, 0.3]})
    figure, axes = training.learning_curves({"a": validated, "b": plain}, title="Curves")
    assert figure.get_suptitle() == "Curves"
    assert [ax.get_xlabel() for ax in axes] == ["epoch", "epoch"]
    assert [ax.get_ylabel() for ax in axes] == ["loss", "accuracy (0 to 1)"]
    assert legend(axes[0]) == ["a", "a, validation", "b"]
    assert drawn(axes[0]) == {
        "a": ([1, 2, 3], [2.0, 1.0, 0.5]),
        "a, validation": ([1, 2, 3], [2.5, 1.5, 1.6]),
        "b": ([1, 2], [3.0, 2.0]),
    }
    assert drawn(axes[1])["a"][1] == [0.1, 0.4, 0.6]
    assert drawn(axes[1])["a, validation"][1] == [0.1, 0.3, 0.2]
    own, validation, other = axes[0].lines
    assert (own.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert own.get_color() == validation.get_color() != other.get_color()


def test_no_curve_is_refused() -> None:
    with pytest.raises(ParameterError, match="no training whose curve"):
        training.learning_curves({}, title="Curves")


def test_learning_curves_of_another_metric() -> None:
    curve = pd.DataFrame({"loss": [2.0, 1.0], "hits": [0.1, 0.4], "accuracy": [0.9, 0.9]})
    _, axes = training.learning_curves({"a": curve}, title="Curves", metric="hits")
    assert axes[1].get_ylabel() == "hits (0 to 1)"
    assert drawn(axes[1])["a"][1] == [0.1, 0.4]
    _, axes = training.learning_curves(
        {"a": curve}, title="Curves", metric="hits", metric_range="1 is all"
    )
    assert axes[1].get_ylabel() == "hits (1 is all)"


def test_one_epoch_has_one_tick() -> None:
    curve = pd.DataFrame({"loss": [2.0], "accuracy": [0.5]})
    _, axes = training.learning_curves({"a": curve}, title="Curves")
    low, high = axes[0].get_xlim()
    assert [tick for tick in axes[0].get_xticks() if low <= tick <= high] == [1.0]


def test_a_curve_without_the_metric_shows_its_loss() -> None:
    _, axes = training.learning_curves({"a": pd.DataFrame({"loss": [2.0]})}, title="Curves")
    assert legend(axes[0]) == ["a"]
    assert len(axes[1].lines) == 0


def test_reliability() -> None:
    tables = {"head": calibration_table([0.2, 0.9], [0.1, 0.8]),
              "network": calibration_table([0.5], [0.5])}  # fmt: skip
    figure, axes = training.reliability(tables, title="As sure as right?")
    assert figure.get_suptitle() == "As sure as right?"
    assert legend(axes[0]) == ["as sure as right", "head", "network"]
    assert drawn(axes[0]) == {
        "as sure as right": ([0, 1], [0, 1]),
        "head": ([0.2, 0.9], [0.1, 0.8]),
        "network": ([0.5], [0.5]),
    }


def test_a_bin_of_few_products_is_counted_and_its_accuracy_not_drawn() -> None:
    table = calibration_table([0.1, 0.5, 0.9], [1.0, 0.5, 0.9], [1, 40, 900])
    _, axes = training.reliability({"head": table}, title="Sure?")
    assert drawn(axes[0])["head"] == ([0.5, 0.9], [0.5, 0.9])
    (counts,) = axes[1].lines
    assert list(counts.get_ydata()) == [1, 40, 900]


def test_confused_pairs() -> None:
    pairs = pd.DataFrame(
        {"true": ["Tops", "Shirts"], "predicted": ["Tshirts", "Tops"], "products": [1200, 3],
         "share": [0.25, 0.125]}
    )  # fmt: skip
    _, axes = training.confused_pairs(pairs, title="Confused")
    assert_labelled(axes, "Confused")
    assert [bar.get_width() for bar in axes.patches] == [1200, 3]
    assert texts(axes) == ["1,200 (25%)", "3 (12%)"]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Tops → Tshirts", "Shirts → Tops"]
    assert axes.yaxis_inverted()  # the most frequent stands above


def test_metric_by_model() -> None:
    table = pd.DataFrame(
        {"mAP": [0.5, 0.8], "mAP spread": [0.1, np.nan], "precision@10": [0.3, 0.2]},
        index=["probe", "head"],
    )
    _, axes = training.metric_by_model(
        table, ["mAP", "precision@10"], title="Models", xlabel="held out (0 to 1)"
    )
    assert_labelled(axes, "Models")
    assert axes.get_xlabel() == "held out (0 to 1)"
    assert axes.get_ylabel() == "model"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["probe", "head"]
    assert legend(axes) == ["mAP", "precision@10"]
    points = [bars.lines[0] for bars in axes.containers]
    assert [point.get_xdata().tolist() for point in points] == [[0.5, 0.8], [0.3, 0.2]]
    assert [point.get_ydata().tolist() for point in points] == [[0, 1], [0, 1]]
    assert [point.get_linestyle() for point in points] == ["None", "None"]
    assert points[0].get_marker() != points[1].get_marker()
    assert [bars.has_xerr for bars in axes.containers] == [True, False]
    (bars,) = axes.containers[0].lines[2]
    ends = [segment[:, 0].tolist() for segment in bars.get_segments()]
    assert ends == [pytest.approx([0.4, 0.6]), pytest.approx([0.8, 0.8])]  # no spread: no bar
    low, high = axes.get_ylim()
    assert low > high  # the first model stands above


def test_more_models_than_markers_and_colours() -> None:
    n_models = len(style.PALETTE) + 1
    assert n_models > len(style.MARKERS)
    names = [f"model {number}" for number in range(n_models)]
    tables = {name: calibration_table([0.5], [0.5]) for name in names}
    _, axes = training.reliability(tables, title="Many")
    assert legend(axes[0])[1:] == names
    curves = {name: pd.DataFrame({"loss": [1.0]}) for name in names}
    _, axes = training.learning_curves(curves, title="Many")
    assert legend(axes[0]) == names
    table = pd.DataFrame([[0.5] * n_models], columns=names, index=["head"])
    _, axes = training.metric_by_model(table, names, title="Many", xlabel="x")
    assert legend(axes) == names


def test_metric_by_setting_holds_the_other_settings_fixed() -> None:
    table = pd.DataFrame(
        [(16, 0.1, 0.4), (128, 0.1, 0.5), (1024, 0.1, 0.6), (128, 0.5, 0.3)],
        columns=["batch size", "temperature", "type"],
    )
    figure, axes = training.metric_by_setting(
        table, ["batch size", "temperature"], ["type"], title="Settings", before={"type": 0.45}
    )
    assert figure.get_suptitle() == "Settings"
    assert [ax.get_xlabel() for ax in axes] == [
        "batch size (temperature 0.1; log scale)", "temperature (batch size 128; log scale)",
    ]  # fmt: skip
    assert axes[0].get_ylabel()
    assert drawn(axes[0])["type"] == ([16, 128, 1024], [0.4, 0.5, 0.6])
    assert drawn(axes[1])["type"] == ([0.1, 0.5], [0.5, 0.3])
    assert list(axes[0].lines[1].get_ydata()) == [0.45, 0.45]
    assert legend(axes[0]) == ["type"]


def test_measures_of_two_kinds_have_an_axis_each() -> None:
    table = pd.DataFrame({"mAP": [0.5, np.nan], "similarity": [0.1, 0.9]}, index=["before", "h"])
    figure, axes = training.metrics_beside(
        table, {"found (0 to 1)": ["mAP"], "alike (-1 to 1)": ["similarity"]}, title="Both"
    )
    assert figure.get_suptitle() == "Both"
    assert [ax.get_xlabel() for ax in axes] == ["found (0 to 1)", "alike (-1 to 1)"]
    assert [list(ax.lines[0].get_xdata()) for ax in axes] == [
        pytest.approx([0.5, np.nan], nan_ok=True), [0.1, 0.9],
    ]  # fmt: skip
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["before", "h"]
    assert legend(axes[0]) == ["mAP", "similarity"]
    assert axes[0].lines[0].get_marker() != axes[1].lines[0].get_marker()


def test_precision_by_share_has_a_line_a_label_and_names_the_part() -> None:
    table = pd.DataFrame({"type": [0.8, 0.7], "colour": [0.3, 0.5]}, index=[0, 0.5])
    figure, axes = training.precision_by_share(table.rename_axis("colour's share"), title="Shares")
    assert [line.get_label() for line in axes.lines] == ["type", "colour"]
    assert axes.lines[1].get_ydata().tolist() == [0.3, 0.5]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.5"]
    assert axes.get_xlabel().startswith("colour's share")
