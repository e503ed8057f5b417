"""Two runs side by side, one panel a run: the same rows, or curves on the same axes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fashion_rir.errors import ParameterError
from fashion_rir.figures import style

ROW = 0.27  # inches


def intervals(
    runs: Mapping[str, pd.DataFrame],
    *,
    title: str,
    xlabel: str,
    is_difference: bool = False,
) -> tuple[Figure, np.ndarray]:
    """A value with its interval in each row, under the headings of groups.

    Args:
        runs: by what a run is called, a table with the columns `group`, `name`, `value`, `low`,
            `high`: the same names in the same order in all runs. Groups may be called differently,
            as where a run has another network; each panel has its own headings.
        title: of the figure.
        xlabel: what the values are, with their unit or range.
        is_difference: draw a line at zero, and in grey what holds zero.

    Raises:
        ParameterError: the runs have other rows.
    """
    runs = {run: table.reset_index(drop=True) for run, table in runs.items()}
    first, *others = runs.values()
    if any(other["name"].tolist() != first["name"].tolist() for other in others):
        raise ParameterError("The runs must have the same rows in the same order to be compared.")
    groups = first["group"].tolist()
    places, headings = _places(groups)
    height = 1.1 + ROW * (places[-1] + 1)
    figure, axes = style.panels(height, len(runs), title=title, sharey=True, sharex=True)
    for ax, (run, table) in zip(axes[0], runs.items(), strict=True):
        for place, (value, low, high) in zip(
            places, table[["value", "low", "high"]].itertuples(index=False), strict=True
        ):
            is_grey = is_difference and low <= 0 <= high
            style.draw_interval(ax, place, (value, low, high), is_grey=is_grey)
            text = f"{value:+.3f}" if is_difference else f"{value:.3f}"
            text = text if round(value, 3) else "0.000"  # no sign that only rounding made
            style.note(ax, text.replace("-", "−"), (high, place), (6, -3), fontsize=8,
                       bbox={"color": "white", "pad": 0.5})  # fmt: skip
        if is_difference:
            ax.axvline(0, color="black", linewidth=1)
        for row, place in headings.items():
            ax.text(0.01, place, table["group"][row], transform=ax.get_yaxis_transform(),
                    va="center", fontsize=8.5, fontweight="bold",
                    bbox={"color": "white", "pad": 1})  # fmt: skip
        style.finish(ax, title=run, xlabel=xlabel, grid="x")
        ax.margins(x=0.18)
    axes[0, 0].set_yticks(places, first["name"])
    axes[0, 0].set_ylim(places[-1] + 0.6, -0.6)
    return figure, axes[0]


def threshold_curves(
    runs: Mapping[str, tuple[Mapping[str, Sequence[float]], pd.DataFrame]],
    *,
    title: str,
    xlabel: str,
) -> tuple[Figure, np.ndarray]:
    """Precision and recall over the threshold; wanted precisions are marked on the curve.

    Args:
        runs: by what a run is called, a curve (`thresholds`, `precision`, `recall`) and its
            calibrated thresholds (columns `threshold`, `precision`, `value`).
        title: of the figure.
        xlabel: what the threshold is of.
    """
    figure, axes = style.panels(3.6, len(runs), title=title, sharey=True)
    for ax, (run, (curve, wanted)) in zip(axes[0], runs.items(), strict=True):
        curve = pd.DataFrame({name: curve[name] for name in ("thresholds", "precision", "recall")})
        # Left of the strictest wanted threshold there are too few pairs for a share of them.
        curve = curve[curve["thresholds"] >= wanted["threshold"].min()]
        ax.plot(curve["thresholds"], curve["precision"], color=style.BLUE, label="precision")
        ax.plot(curve["thresholds"], curve["recall"], color=style.ORANGE, linestyle="--",
                label="recall")  # fmt: skip
        ax.plot(wanted["threshold"], wanted["precision"], "o", color=style.BLUE,
                label="precision that was wanted")  # fmt: skip
        for threshold, precision, value in wanted[["threshold", "precision", "value"]].to_numpy():
            style.note(ax, f"{value:g}", (threshold, precision), (7, -2))
        style.finish(ax, title=run, xlabel=xlabel, xlim=(0, None), ylim=(-0.02, 1.05), grid="both")
    axes[0, 0].set_ylabel("share (0 to 1)")
    axes[0, -1].legend(loc="center right", fontsize=8)
    return figure, axes[0]


def _places(groups: Sequence[str]) -> tuple[list[int], dict[int, int]]:
    """Where rows stand, and above each group's first row the place of its heading."""
    places: list[int] = []
    headings = {}
    for row, group in enumerate(groups):
        place = places[-1] + 1 if places else 0
        if row == 0 or group != groups[row - 1]:
            headings[row] = place
            place += 1
        places.append(place)
    return places, headings
