"""The figures of notebook 06; each function returns `(figure, axes)`."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion_rir.figures import style
from fashion_rir.thesis import ledger

ROW_NAME, COLUMN_NAME = 36, 20  # most letters of a model's name, before it is broken

ALL_COLUMNS = 70  # letters that fit side by side under a figure

VERDICT_COLOURS = dict(zip(
    ledger.VERDICTS,
    (style.GREEN, style.PALETTE[9], style.PALETTE[8], style.PALETTE[5], style.ORANGE,
     style.PALETTE[4], "0.75", "0.92"),
    strict=True,
))  # fmt: skip

PROTOCOLS = {"thesis": "query in its own gallery", "held_out": "query taken out"}


def between_bounds(
    table: pd.DataFrame,
    metric: str,
    *,
    floors: Mapping[str, float],
    ceilings: Mapping[str, float],
    title: str,
) -> tuple[Figure, Axes]:
    """Each model's score with its interval, among what knows nothing and what knows all.

    Args:
        table: from `tables.retrieval_table`, without floors and ceilings.
        metric: a metric's column in it.
        floors: scores by name; grey squares.
        ceilings: likewise; green diamonds.
        title: of the figure.
    """
    rows = [
        *((name, value, "D", style.GREEN) for name, value in ceilings.items()),
        *((name, value, "o", style.BLUE)
          for name, value in zip(table["model"], table[metric], strict=True)),
        *((name, value, "s", style.GREY) for name, value in floors.items()),
    ]  # fmt: skip
    rows.sort(key=lambda row: -row[1])
    names = [textwrap.fill(name, ROW_NAME) for name, *_ in rows]
    figure, axes = style.canvas(1.2 + (0.32 if not any("\n" in one for one in names) else 0.4)
                                * len(rows))  # fmt: skip
    bounds = table.set_index("model")[[f"{metric} low", f"{metric} high"]]
    for place, (name, value, marker, colour) in enumerate(rows):
        low, high = bounds.loc[name] if marker == "o" else (value, value)
        error = [[max(value - low, 0)], [max(high - value, 0)]]
        axes.errorbar(value, place, xerr=error, fmt=marker, color=colour, capsize=3)
        style.note(axes, f"{value:.3f}", (high, place), (7, -3))
    style.name_rows(axes, names, room=0.7)
    axes.tick_params(axis="y", labelsize=8)
    kinds = {"ceiling": ("D", style.GREEN), "model": ("o", style.BLUE),
             "floor": ("s", style.GREY)}  # fmt: skip
    for kind, (marker, colour) in kinds.items():
        axes.plot([], [], marker, color=colour, label=kind)
    axes.legend(fontsize=8, loc="lower right")
    return style.finish(axes, title=title, xlabel=f"{metric} (0 to 1, 95 % interval over queries)",
                        ylabel="model", xlim=(0, 1.12), grid="x")  # fmt: skip


def thesis_bars(table: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """Figure 5.2.10 beside ours: the thesis' mAP, and ours under its protocol and held out.

    Args:
        table: from `protocols.thesis_table`; a missing number leaves a gap.
        title: of the figure.
    """
    columns = {"mAP, thesis": ("in the thesis", style.GREY),
               "mAP, its protocol": ("ours, by its protocol", style.ORANGE),
               "mAP, held out": ("ours, held out", style.BLUE)}  # fmt: skip
    figure, axes = style.canvas(3.8)
    places = np.arange(len(table))
    for number, (column, (name, colour)) in enumerate(columns.items()):
        heights = table[column].to_numpy(float) if column in table else np.full(len(table), np.nan)
        bars = axes.bar(places + 0.27 * (number - 1), heights, 0.25, color=colour, label=name)
        labels = ["" if np.isnan(height) else f"{height:.2f}" for height in heights]
        axes.bar_label(bars, labels, fontsize=8)
    axes.set_xticks(places, table.index)
    style.legend_below(figure, ncols=3)
    return style.finish(axes, title=title, xlabel="model of the thesis",
                        ylabel="mAP by articleType (0 to 1)", ylim=(0, 1.04))  # fmt: skip


def difference_matrix(
    difference: pd.DataFrame, is_noise: pd.DataFrame, *, title: str, what: str
) -> tuple[Figure, Axes]:
    """Row less column; what is inside the noise says so.

    Args:
        difference: from `scoring.matrix_tables`.
        is_noise: likewise.
        title: of the figure.
        what: the difference is of, such as `held-out mAP`.
    """
    figure, axes = style.canvas(2.2 + 0.55 * len(difference))
    text = difference.map("{:+.3f}".format)
    widths = (ROW_NAME, min(COLUMN_NAME, ALL_COLUMNS // len(difference)))
    rows, columns = ([textwrap.fill(name, width) for name in difference] for width in widths)
    limit = float(difference.abs().to_numpy().max()) or 1.0
    sns.heatmap(difference.mask(is_noise), annot=text, fmt="", cmap="PuOr_r", vmin=-limit,
                vmax=limit, linewidths=0.5, annot_kws={"fontsize": 8},
                xticklabels=columns, yticklabels=rows,
                cbar_kws={"label": f"difference in {what}"}, ax=axes)  # fmt: skip
    for row, column in zip(*np.nonzero(is_noise.to_numpy()), strict=True):
        if row != column:
            axes.text(column + 0.5, row + 0.5, "noise", ha="center", va="center", fontsize=8,
                      color="0.3")  # fmt: skip
    axes.set(title=title, xlabel="subtracted", ylabel="model")
    axes.tick_params(rotation=0, labelsize=8)
    return figure, axes


def single_queries(shares: Mapping[str, Mapping[str, float]], *, title: str) -> tuple[Figure, Axes]:
    """What one sample photo may find: shares of queries by their hits among the first ten.

    Args:
        shares: by model, the share of queries by number of hits, `0` to `10`.
        title: of the figure.
    """
    figure, axes = style.canvas(3.6)
    width = 0.8 / len(shares)
    for number, (name, of_hits) in enumerate(shares.items()):
        places = np.arange(11) + width * (number - (len(shares) - 1) / 2)
        heights = [100 * of_hits[str(hits)] for hits in range(11)]
        axes.bar(places, heights, width, color=style.PALETTE[number], label=name, edgecolor="white")
    style.legend_below(figure, ncols=2)
    return style.finish(axes, title=title, xlabel="hits among the first ten matches of one query",
                        ylabel="share of queries (%)", xticks=range(11))  # fmt: skip


def by_protocol(tables: Mapping[str, pd.DataFrame], *, title: str) -> tuple[Figure, np.ndarray]:
    """What each model scores under one protocol after another, a panel for each metric.

    Args:
        tables: by metric, one row a model, one column a protocol, the mildest first.
        title: of the figure.
    """
    figure, axes = style.panels(3.6, len(tables), title=title)
    for ax, (metric, table) in zip(axes.flat, tables.items(), strict=True):
        for number, (name, values) in enumerate(table.iterrows()):
            ax.plot(values.to_numpy(), label=name if ax is axes.flat[0] else None,
                    **style.line_style(number))  # fmt: skip
        ticks = [textwrap.fill(protocol, 12) for protocol in table]
        ax.set_xticks(range(len(ticks)), ticks, fontsize=8)
        ax.set_xlim(-0.4, len(ticks) - 0.6)
        style.finish(ax, xlabel="protocol", ylabel=f"{metric} (0 to 1)", ylim=(0, 1.04), grid="y")
    style.legend_below(figure, ncols=2)
    return figure, axes


def classes_by_size(tables: Mapping[str, pd.DataFrame], *, title: str) -> tuple[Figure, Axes]:
    """mAP of each class over its number of products: rare classes are found badly.

    Args:
        tables: by model, columns `class`, `queries`, `mAP`.
        title: of the figure.
    """
    figure, axes = style.canvas(4.2)
    for number, (name, table) in enumerate(tables.items()):
        axes.scatter(table["queries"], table["mAP"], s=16, alpha=0.7, label=name,
                     **style.line_style(number))  # fmt: skip
    style.legend_below(figure, ncols=3)
    return style.finish(axes, title=title, xlabel="products of the class (log scale)", xscale="log",
                        ylabel="mAP of the class (0 to 1)", ylim=(-0.02, 1.02),
                        grid="both")  # fmt: skip


def grid_strip(cells: pd.DataFrame, *, target: float, title: str) -> tuple[Figure, Axes]:
    """Every protocol, label and cut-off as a point on the scale of the mAP.

    Args:
        cells: from `protocol_grid.closest`.
        target: the reported mAP; a vertical line.
        title: of the figure.
    """
    labels = list(dict.fromkeys(cells.sort_values("label")["label"]))
    figure, axes = style.canvas(1.6 + 0.45 * len(labels))
    styles = {"thesis": (style.ORANGE, "^", 0.12), "held_out": (style.BLUE, "o", -0.12)}
    for protocol, (colour, marker, offset) in styles.items():
        chosen = cells[cells["protocol"] == protocol]
        places = [labels.index(label) + offset for label in chosen["label"]]
        axes.scatter(chosen["mAP"], places, color=colour, marker=marker, s=18, alpha=0.6,
                     label=PROTOCOLS[protocol])  # fmt: skip
    axes.axvline(target, color="black", linewidth=1, label=f"reported: {target:.3f}")
    axes.set_yticks(range(len(labels)), labels)
    style.legend_below(figure, ncols=3)
    return style.finish(axes, title=title, ylabel="relevant by", xlim=(-0.02, 1.02), grid="x",
                        xlabel="mAP (0 to 1); one point a cut-off, normalisation and "
                        "average")  # fmt: skip


def verdicts_by_chapter(
    counts: pd.DataFrame, *, title: str, ylabel: str = "where the claim stands"
) -> tuple[Figure, Axes]:
    """Claims of each chapter by verdict, as bars side by side, each part with its number.

    Args:
        counts: from `tables.by_chapter` or `tables.by_tolerance`; the row and the column `all` are
            left out.
        title: of the figure.
        ylabel: what the rows are.
    """
    shown = counts.drop(index="all", columns="all", errors="ignore")
    figure, axes = style.canvas(1.6 + 0.5 * len(shown))
    left = np.zeros(len(shown))
    for verdict, numbers in shown.items():
        bars = axes.barh(shown.index, numbers, left=left, label=verdict, edgecolor="white",
                         color=VERDICT_COLOURS[verdict])  # fmt: skip
        axes.bar_label(bars, [n or "" for n in numbers], label_type="center", fontsize=9)
        left += numbers.to_numpy()
    axes.invert_yaxis()
    style.legend_below(figure, ncols=4, fontsize=9)
    return style.finish(axes, title=title, xlabel="number of claims", ylabel=ylabel)
