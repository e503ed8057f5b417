"""The figures of training and of what it costs; each function returns `(figure, axes)`."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion_rir.errors import ParameterError
from fashion_rir.figures import style

FEWEST = 20  # products of a bin whose accuracy is drawn


def learning_curves(
    curves: Mapping[str, pd.DataFrame],
    *,
    title: str,
    metric: str = "accuracy",
    metric_range: str = "0 to 1",
) -> tuple[Figure, np.ndarray]:
    """Loss and a metric by epoch, one colour a run; validation dashed.

    Args:
        curves: from `fit.fit`, by the run's name: columns `loss`, the metric, and perhaps
            `val_loss` and `val_<metric>`. Stages follow one another.
        title: of the figure.
        metric: the second axes' column.
        metric_range: said behind its name.

    Raises:
        ParameterError: no curve.
    """
    if not curves:
        raise ParameterError("There is no training whose curve could be shown; give one at least.")
    figure, axes = style.panels(3.6, 2, title=title)
    axes = axes[0]
    for number, (name, curve) in enumerate(curves.items()):
        look = style.line_style(number)
        epochs = np.arange(1, len(curve) + 1)
        for ax, column in zip(axes, ("loss", metric), strict=True):
            if column in curve:
                ax.plot(epochs, curve[column], label=name, markersize=5, **look)
            if f"val_{column}" in curve:
                ax.plot(epochs, curve[f"val_{column}"], linestyle="--", fillstyle="none",
                        markersize=5, label=f"{name}, validation", **look)  # fmt: skip
    longest = max(map(len, curves.values()))
    for ax, what in zip(axes, ("loss", f"{metric} ({metric_range})"), strict=True):
        ax.set(xlabel="epoch", ylabel=textwrap.fill(what, 30), xlim=(0.5, longest + 0.5))
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.grid(alpha=0.3)
    style.legend_below(figure, *axes[0].get_legend_handles_labels(), ncols=2)
    sns.despine(figure)
    return figure, axes


def reliability(tables: Mapping[str, pd.DataFrame], *, title: str) -> tuple[Figure, np.ndarray]:
    """Accuracy over confidence, and how many products each point stands for.

    On the diagonal a classifier is as sure as it is right. A bin of fewer than `FEWEST` products is
    counted, and not drawn above: its accuracy is chance.

    Args:
        tables: from `classification.calibration`, by the model's name.
        title: of the figure.
    """
    figure, axes = plt.subplots(2, 1, figsize=(style.WIDTH * 0.6, 5.2), layout="constrained",
                                sharex=True, height_ratios=(3, 1))  # fmt: skip
    figure.suptitle(title)
    axes[0].plot([0, 1], [0, 1], color=style.GREY, linestyle=":", label="as sure as right")
    for number, (name, table) in enumerate(tables.items()):
        look, full = style.line_style(number), table[table["products"] >= FEWEST]
        axes[0].plot(full["confidence"], full["accuracy"], label=name, **look)
        axes[1].plot(table["confidence"], table["products"], **look)
    axes[0].set_ylabel("accuracy\n(share of the bin, 0 to 1)")
    axes[1].set(xlabel=f"confidence (mean of the bin, 0 to 1; above: bins of {FEWEST} and more)",
                ylabel="products\n(log scale)", yscale="log", xlim=(-0.02, 1.02))  # fmt: skip
    for ax in axes:
        ax.grid(alpha=0.3)
    axes[0].legend(loc="lower right", fontsize=8)
    sns.despine(figure)
    return figure, axes


def confused_pairs(pairs: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """How many products of one class were taken for another.

    Args:
        pairs: from `classification.confused_pairs`.
        title: of the figure.
    """
    figure, axes = style.canvas(max(2.4, 0.9 + 0.27 * len(pairs)))
    names = pairs["true"] + " → " + pairs["predicted"]
    shares = zip(pairs["products"], pairs["share"], strict=True)
    labels = [f"{number:,} ({share:.0%})" for number, share in shares]
    style.count_bars(axes, names, pairs["products"], labels, room=0.15)
    return style.finish(axes, title=title, xlabel="test products (share of the true class)",
                        ylabel="true → predicted class")  # fmt: skip


def metric_by_model(
    table: pd.DataFrame, columns: Sequence[str], *, title: str, xlabel: str, ylabel: str = "model"
) -> tuple[Figure, Axes]:
    """Several metrics of each model on one line; one sign and colour a metric.

    Args:
        table: index: the models' names, shown from top to bottom; a column `<metric> spread`
            beside a metric is drawn as its error bar.
        columns: the metrics.
        title: of the figure.
        xlabel: what the metrics are, with their range.
        ylabel: what the rows are.
    """
    figure, axes = style.canvas(1.4 + 0.36 * len(table))
    places = np.arange(len(table))
    for number, column in enumerate(columns):
        spread = table.get(f"{column} spread")
        error = None if spread is None else spread.fillna(0)
        axes.errorbar(table[column], places, xerr=error, linestyle="none", capsize=3, label=column,
                      **style.line_style(number))  # fmt: skip
    style.name_rows(axes, table.index)
    style.legend_below(figure, ncols=min(5, len(columns)))
    return style.finish(axes, title=title, xlabel=xlabel, ylabel=ylabel, grid="both")


def metrics_beside(
    table: pd.DataFrame, measures: Mapping[str, Sequence[str]], *, title: str, ylabel: str = "model"
) -> tuple[Figure, np.ndarray]:
    """Several measures of each model, those of a kind on one axis, the axes side by side.

    Args:
        table: index: the models' names, shown from top to bottom; a missing number is not drawn.
        measures: by what an axis shows, with its range, the columns on it.
        title: of the figure.
        ylabel: what the rows are.
    """
    figure, axes = style.panels(1.5 + 0.36 * len(table), len(measures), title=title, sharey=True)
    places, number = np.arange(len(table)), 0
    for ax, (xlabel, columns) in zip(axes[0], measures.items(), strict=True):
        for column in columns:
            ax.plot(table[column], places, linestyle="none", label=column,
                    **style.line_style(number))  # fmt: skip
            number += 1
        ax.grid(alpha=0.3)
        ax.set_xlabel(textwrap.fill(xlabel, 34))
    style.name_rows(axes[0, 0], table.index)
    axes[0, 0].set_ylabel(ylabel)
    handles = [line for ax in axes[0] for line in ax.get_lines()]
    style.legend_below(figure, handles=handles, ncols=5)
    sns.despine(figure)
    return figure, axes[0]


def precision_by_share(table: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """What each label's share among the matches becomes as one part of an embedding grows.

    Args:
        table: index: the part's share, 0 and up, named; one column a label, 0 to 1.
        title: of the figure.
    """
    figure, axes = style.canvas(3.4)
    places = np.arange(len(table))
    for number, (label, values) in enumerate(table.items()):
        axes.plot(places, values, label=label, **style.line_style(number))
    axes.set_xticks(places, [f"{share:g}" for share in table.index])
    axes.legend()
    return style.finish(axes, title=title, xlabel=f"{table.index.name} (0 to 1, not to scale)",
                        ylabel="precision@10 (0 to 1)", ylim=(0, 1), grid="both")  # fmt: skip


def metric_by_setting(
    table: pd.DataFrame,
    settings: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    before: Mapping[str, float],
) -> tuple[Figure, np.ndarray]:
    """Several metrics over one setting of a training at a time, on logarithmic scales.

    Args:
        table: one row a training. Beside each setting, the others are those of most rows.
        settings: columns, one axes for each, such as `batch size`.
        columns: the metrics, 0 to 1.
        title: of the figure.
        before: the metrics before training, drawn as dotted lines.
    """
    figure, axes = style.panels(3.8, len(settings), title=title, sharey=True)
    axes = axes[0]
    usual = table[list(settings)].mode().iloc[0]
    for ax, setting in zip(axes, settings, strict=True):
        others = [other for other in settings if other != setting]
        shown = table[(table[others] == usual[others]).all(axis=1)].sort_values(setting)
        for number, column in enumerate(columns):
            look = style.line_style(number)
            ax.plot(shown[setting], shown[column], label=column, markersize=5, **look)
            ax.axhline(before[column], color=look["color"], linestyle=":", linewidth=1)
        fixed = ", ".join(f"{other} {usual[other]:g}" for other in others)
        ax.set_xscale("log")
        ax.set_xticks(shown[setting], [f"{value:g}" for value in shown[setting]])
        ax.minorticks_off()
        ax.set(xlabel=f"{setting} ({fixed}; log scale)")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("held-out precision@10 (0 to 1)")
    style.legend_below(figure, *axes[0].get_legend_handles_labels(), ncols=len(columns),
                       title="dotted: before training")  # fmt: skip
    sns.despine(figure)
    return figure, axes
