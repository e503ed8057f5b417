"""plots: every figure has a title, named axes, and shows the numbers it was given."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_figures import assert_labelled, legend, texts
from PIL import Image

from fashion_rir.figures import plots, style

COUNTS = pd.Series([1200, 30, 5, 1], index=["Shirts", "Ties", "Capes", "Hats"])
COUNTS.index.name = "articleType"


def test_bar_counts() -> None:
    figure, axes = plots.bar_counts(COUNTS, title="All")
    assert_labelled(axes, "All")
    assert axes.get_ylabel() == "articleType"
    assert texts(axes) == ["1,200", "30", "5", "1"]


def test_bar_counts_sums_up_what_it_leaves_out() -> None:
    figure, axes = plots.bar_counts(COUNTS, title="Two", most=2)
    assert_labelled(axes, "Two (2 more hold 6)")
    assert texts(axes) == ["1,200", "30"]


def test_heatmap_counts() -> None:
    table = pd.DataFrame([[1000, 0], [2, 3]], index=["Men", "Women"], columns=["Fall", "Summer"])
    table = table.rename_axis(index="gender", columns="season")
    figure, axes = plots.heatmap_counts(table, title="Crossed")
    assert_labelled(axes, "Crossed")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("season", "gender")
    assert texts(axes) == ["1,000", "0", "2", "3"]


def test_long_tail() -> None:
    figure, axes = plots.long_tail(COUNTS, title="Tail")
    assert_labelled(axes, "Tail")
    assert axes.lines[0].get_ydata().tolist() == [1200, 30, 5, 1]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


@pytest.fixture
def table() -> pd.DataFrame:
    """Like `tables.retrieval_table`, cut to some of its rows, so its index has gaps."""
    return pd.DataFrame(
        {
            "model": ["resnet50-pad", "chance"],
            "measure": ["cosine", "cosine"],
            "mAP": [0.5, 0.1],
            "mAP low": [0.4, 0.1],
            "mAP high": [0.7, 0.1],
        },
        index=[3, 7],
    )


def test_metric_intervals(table: pd.DataFrame) -> None:
    figure, axes = plots.metric_intervals(table, "mAP", title="Models", floors=("chance",))
    assert_labelled(axes, "Models")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["resnet50-pad · cosine", "chance · cosine"]
    assert texts(axes) == ["0.500", "0.100"]
    points = [line for line in axes.lines if line.get_marker() in ("o", "s")]
    assert [float(point.get_xdata()[0]) for point in points] == [0.5, 0.1]
    assert [point.get_marker() for point in points] == ["o", "s"]  # a floor is a square


def test_differences_mark_what_is_inside_the_noise() -> None:
    table = pd.DataFrame(
        {"comparison": ["a − b", "c − d", "e − f"], "value": [0.02, 0.01, -0.02],
         "low": [0.01, -0.01, -0.03], "high": [0.03, 0.04, -0.01]}
    )  # fmt: skip
    figure, axes = plots.differences(table, title="Pairs", xlabel="difference in mAP")
    assert_labelled(axes, "Pairs")
    assert texts(axes) == ["+0.020", "+0.010", "-0.020"]
    markers = [line.get_marker() for line in axes.lines if line.get_marker() in ("o", "s")]
    assert markers == ["o", "s", "o"]


def test_a_small_difference_outside_the_noise_is_not_written_as_zero() -> None:
    table = pd.DataFrame(
        {"comparison": ["a − b", "c − d"], "value": [0.0002, 0.0002],
         "low": [0.0001, -0.0001], "high": [0.0003, 0.0005]}
    )  # fmt: skip
    _, axes = plots.differences(table, title="Pairs", xlabel="difference in mAP")
    assert texts(axes) == ["+0.0002", "+0.000"]


@pytest.mark.parametrize("draw", [
    lambda table: plots.metric_intervals(table, "value", title="t"),
    lambda table: plots.differences(table, title="t", xlabel="x"),
])  # fmt: skip
def test_a_value_beside_its_interval_by_rounding_is_drawn(draw) -> None:
    row = {"comparison": "a − b", "model": "a", "measure": "cosine", "value": 0.1}
    ends = {"low": 0.1 + 1e-12, "high": 0.1 - 1e-12}
    draw(pd.DataFrame([row | ends | {f"value {end}": value for end, value in ends.items()}]))


def picture(colour: str) -> Image.Image:
    return Image.new("RGB", (6, 8), colour)


def test_retrieval_grid_tells_hits_from_misses_by_sign_and_colour() -> None:
    found = [picture("red")] * 6
    figure, axes = plots.retrieval_grid(
        picture("blue"), found, ["Shirts 0.1"] * 6, [True, False] * 3, title="A query"
    )
    assert figure.get_suptitle() == "A query"
    titles = [ax.get_title() for ax in axes.flat if ax.axison]
    assert titles == ["query", *["✓ Shirts 0.1", "✗ Shirts 0.1"] * 3]
    hit, miss = (axes.flat[i].spines["left"].get_edgecolor()[:3] for i in (1, 2))
    assert (hit, miss) == (style.BLUE, style.ORANGE)


def test_retrieval_grid_drops_no_match_in_silence() -> None:
    with pytest.raises(ValueError, match="shorter"):
        plots.retrieval_grid(picture("blue"), [picture("red")] * 2, ["one"], [True] * 2, title="t")


def test_photos() -> None:
    figure, axes = plots.photos([picture("red"), picture("blue")], ["a", "b"], title="Two")
    assert figure.get_suptitle() == "Two"
    assert [ax.get_title() for ax in axes.flat] == ["a", "b"]
    assert np.asarray(axes.flat[0].images[0].get_array())[0, 0].tolist() == [255, 0, 0]


def test_threshold_curve() -> None:
    curve = {"thresholds": [0.1, 0.2], "precision": [1, 0.5], "recall": [0.5, 1],
             "false_match_rate": [0, 0.3]}  # fmt: skip
    figure, axes = plots.threshold_curve(
        curve, pd.DataFrame({"threshold": [0.15, None]}), title="Curve", unit="cosine distance"
    )
    assert figure.get_suptitle() == "Curve"
    assert axes[0].get_xlabel() == "threshold (cosine distance)"
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    assert axes[0].lines[1].get_ydata().tolist() == [0.5, 1]
    assert len(axes[0].lines) == 3  # precision, recall, and the one threshold there is


def test_recall_against_speed() -> None:
    table = pd.DataFrame(
        {"index": ["exact", "hnsw", "annoy", "hnsw"], "measure": ["cosine"] * 3 + ["manhattan"],
         "recall@10": [1, 0.9, np.nan, 0.8], "times exact": [1, 90, np.nan, 30]}
    )  # fmt: skip
    figure, axes = plots.recall_against_speed(table, title="Speed")
    assert figure.get_suptitle() == "Speed"
    assert [ax.get_title() for ax in axes] == ["cosine", "manhattan"]
    assert legend(axes[0]) == ["exact", "HNSW"]
    assert axes[1].lines[0].get_xydata().tolist() == [[30, 0.8]]


def test_class_precision() -> None:
    rows = pd.DataFrame({"articleType": ["Ties", "Hats"], "precision": [1, 0.5], "recall": [0, 1]})
    figure, axes = plots.class_precision(rows, title="Classes")
    assert_labelled(axes, "Classes")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Ties", "Hats"]


def test_saved_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plots.save(plots.bar_counts(COUNTS, title="All")[0], tmp_path / "new", name)
    first, second = ((tmp_path / "new" / f"{name}.png").read_bytes() for name in "ab")
    assert first == second
    assert Image.open(tmp_path / "new" / "a.png").width > 500


def pareto_example() -> tuple[pd.DataFrame, pd.Series]:
    """Two models on the front, one behind it, one without a cost."""
    table = pd.DataFrame(
        {"ms": [1.0, 10.0, 20.0, np.nan], "mAP": [0.3, 0.6, 0.5, 0.9]},
        index=["hash", "network", "larger network", "unmeasured"],
    )
    return table, pd.Series([True, True, False, False], index=table.index)


def test_pareto_numbers_and_names_the_front() -> None:
    table, front = pareto_example()
    figure, axes = plots.pareto(table, front, title="Costs")
    assert_labelled(axes, "Costs (1 without these numbers)")
    assert texts(axes) == ["1", "2"]
    assert legend(axes) == ["1  hash", "2  network"]
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata().tolist() == [1, 10, 20]
    assert axes.lines[1].get_ydata().tolist() == [0.3, 0.6]


def test_pareto_of_two_gains_has_no_log_scale() -> None:
    table, front = pareto_example()
    figure, axes = plots.pareto(table / 20, front, title="Gains", is_cost=False)
    assert axes.get_xscale() == "linear"
    assert axes.get_xlabel() == "ms (0 to 1)"
