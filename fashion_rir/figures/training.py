"""The figures of training and of what it costs; each function returns `(figure, axes)`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion_rir.errors import ParameterError
from fashion_rir.figures import style


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
        ax.set(xlabel="epoch", ylabel=what, xlim=(0.5, longest + 0.5))
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    sns.despine(figure)
    return figure, axes


def reliability(tables: Mapping[str, pd.DataFrame], *, title: str) -> tuple[Figure, Axes]:
    """Accuracy over confidence; on the diagonal a classifier is as sure as it is right.

    Args:
        tables: from `classification.calibration`, by the model's name.
        title: of the figure.
    """
    figure, axes = style.canvas(4.2, width=style.WIDTH * 0.6)
    axes.plot([0, 1], [0, 1], color=style.GREY, linestyle=":", label="as sure as right")
    for number, (name, table) in enumerate(tables.items()):
        axes.plot(table["confidence"], table["accuracy"], label=name, **style.line_style(number))
    axes.legend()
    return style.finish(axes, title=title, xlabel="confidence (mean of the bin, 0 to 1)",
                        ylabel="accuracy (share of the bin, 0 to 1)", grid="both")  # fmt: skip


def confused_pairs(pairs: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """How many products of one class were taken for another.

    Args:
        pairs: from `classification.confused_pairs`.
        title: of the figure.
    """
    figure, axes = style.canvas(0.9 + 0.27 * len(pairs))
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
