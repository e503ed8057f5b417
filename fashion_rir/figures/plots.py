"""Every figure of the study; each function returns `(figure, axes)`.

Colours are from seaborn's colour-blind palette; hits and misses differ by a sign too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from fashion_rir.system import whole_file

PALETTE = sns.color_palette("colorblind")

BLUE, ORANGE, GREEN = PALETTE[0], PALETTE[1], PALETTE[2]

GREY = "0.55"

WIDTH = 9.0  # inches: a notebook's width


def bar_counts(counts: pd.Series, *, title: str, most: int | None = None) -> tuple[Figure, Axes]:
    """Products by class as horizontal bars, each with its count.

    Args:
        counts: products by class; the index' name labels the axis.
        title: of the figure.
        most: show only this many bars; the rest is summed up in the title.
    """
    shown = counts if most is None else counts.head(most)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.27 * len(shown)), layout="constrained")
    bars = axes.barh(shown.index.astype(str), shown.to_numpy(), color=BLUE)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    left = len(counts) - len(shown)
    rest = f" ({left} more hold {counts.iloc[len(shown) :].sum():,})" if left else ""
    axes.set(title=title + rest, xlabel="number of products", ylabel=counts.index.name)
    sns.despine(figure)
    return figure, axes


def heatmap_counts(table: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """Products by two attributes, coloured on a logarithmic scale, each cell with its count."""
    height = 1.4 + 0.42 * len(table)
    figure, axes = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    sns.heatmap(np.log10(table + 1), annot=table, fmt=",d", cmap="Blues", cbar=False,
                linewidths=0.5, ax=axes)  # fmt: skip
    axes.set(title=title, xlabel=table.columns.name or "", ylabel=table.index.name or "")
    axes.tick_params(axis="x", rotation=30)
    axes.tick_params(axis="y", rotation=0)
    return figure, axes


def long_tail(counts: pd.Series, *, title: str) -> tuple[Figure, Axes]:
    """Products a class over the classes' ranks, on logarithmic scales."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    ranks = np.arange(1, len(counts) + 1)
    axes.loglog(ranks, counts.to_numpy(), marker=".", color=BLUE)
    axes.axhline(10, color=GREY, linestyle="--", linewidth=1)
    axes.annotate("10 products", (1, 10), textcoords="offset points", xytext=(2, 4), color="0.3")
    axes.set(
        title=title,
        xlabel=f"rank of the {counts.index.name} (1 is the most frequent)",
        ylabel="number of products",
    )
    sns.despine(figure)
    return figure, axes


def metric_intervals(
    table: pd.DataFrame, metric: str, *, title: str, floors: Sequence[str] = ()
) -> tuple[Figure, Axes]:
    """One point with its 95 % interval for each model and measure.

    Args:
        table: from `tables.retrieval_table`.
        metric: a metric's column in it.
        title: of the figure.
        floors: models that are floors; drawn in grey.
    """
    table = table.reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(WIDTH, 1.1 + 0.32 * len(table)), layout="constrained")
    names = table["model"] + " · " + table["measure"]
    for row in range(len(names)):
        value, low, high = table.loc[row, [metric, f"{metric} low", f"{metric} high"]]
        is_floor = any(table.loc[row, "model"].startswith(floor) for floor in floors)
        axes.errorbar(
            value, row, xerr=[[max(0, value - low)], [max(0, high - value)]],
            fmt="s" if is_floor else "o", color=GREY if is_floor else BLUE, capsize=3,
        )  # fmt: skip
        axes.annotate(f"{value:.3f}", (high, row), textcoords="offset points", xytext=(6, -3),
                      fontsize=9)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=f"{metric} (0 to 1, 95 % interval over queries)",
             ylabel="model · measure")  # fmt: skip
    axes.set_xlim(0, min(1.12, table[f"{metric} high"].max() * 1.15 + 0.02))
    axes.grid(axis="x", alpha=0.3)
    sns.despine(figure)
    return figure, axes


def differences(table: pd.DataFrame, *, title: str, xlabel: str) -> tuple[Figure, Axes]:
    """Paired differences with intervals; what holds zero is inside the noise.

    Args:
        table: columns `comparison`, `value`, `low`, `high`.
        title: of the figure.
        xlabel: what the difference is of.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.2 + 0.4 * len(table)), layout="constrained")
    for row, (value, low, high) in enumerate(
        table[["value", "low", "high"]].itertuples(index=False)
    ):
        is_noise = low <= 0 <= high
        axes.errorbar(
            value, row, xerr=[[max(0, value - low)], [max(0, high - value)]], capsize=3,
            fmt="s" if is_noise else "o", color=GREY if is_noise else BLUE,
        )  # fmt: skip
        digits = 3 if abs(value) >= 0.001 or is_noise else 4
        axes.annotate(f"{value:+.{digits}f}", (value, row), textcoords="offset points",
                      xytext=(0, 8), ha="center", fontsize=9)  # fmt: skip
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(table)), table["comparison"])
    axes.set_ylim(len(table) - 0.5, -0.7)
    axes.set(title=title, xlabel=xlabel, ylabel="comparison")
    axes.grid(axis="x", alpha=0.3)
    sns.despine(figure)
    return figure, axes


def retrieval_grid(
    query: Image.Image,
    matches: Sequence[Image.Image],
    captions: Sequence[str],
    is_relevant: Sequence[bool],
    *,
    title: str,
) -> tuple[Figure, np.ndarray]:
    """A query and its matches; hits have a tick and a blue frame, misses a cross and an orange.

    Args:
        query: the picture asked with.
        matches: the pictures found, closest first.
        captions: one line a match, such as its type and distance.
        is_relevant: whether each match is of the query's class.
        title: of the figure.
    """
    n_columns = 6
    n_rows = -(-(len(matches) + 1) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(WIDTH, 2.1 * n_rows + 0.4),
                                layout="constrained", squeeze=False)  # fmt: skip
    for ax in axes.flat:
        ax.axis("off")
    _thumbnail(axes.flat[0], query, "query", "black")
    found = zip(matches, captions, is_relevant, strict=True)
    for ax, (match, caption, hit) in zip(axes.flat[1:], found, strict=False):
        sign = "✓" if hit else "✗"
        _thumbnail(ax, match, f"{sign} {caption}", BLUE if hit else ORANGE)
    figure.suptitle(title)
    return figure, axes


def photos(
    pictures: Sequence[Image.Image], captions: Sequence[str], *, title: str
) -> tuple[Figure, np.ndarray]:
    """A row of pictures with captions."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(WIDTH, 2.5), layout="constrained",
                                squeeze=False)  # fmt: skip
    for ax, picture, caption in zip(axes.flat, pictures, captions, strict=True):
        _thumbnail(ax, picture, caption, "0.8")
    figure.suptitle(title)
    return figure, axes


def threshold_curve(
    curve: Mapping[str, Sequence[float]], thresholds: pd.DataFrame, *, title: str, unit: str
) -> tuple[Figure, np.ndarray]:
    """Precision and recall against the threshold, and the two error rates against each other.

    Args:
        curve: `thresholds`, `precision`, `recall`, `false_match_rate`.
        thresholds: calibrated ones, with a column `threshold`; drawn as vertical lines.
        title: of the figure.
        unit: what the threshold is of, such as `cosine distance`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained")
    left.plot(curve["thresholds"], curve["precision"], color=BLUE, label="precision")
    left.plot(curve["thresholds"], curve["recall"], color=ORANGE, linestyle="--", label="recall")
    for value in thresholds["threshold"].dropna():
        left.axvline(value, color=GREY, linewidth=0.8)
    left.set(xlabel=f"threshold ({unit})", ylabel="share (0 to 1)", ylim=(0, 1.02))
    left.legend()
    miss_rate = 1 - np.asarray(curve["recall"])
    right.loglog(np.maximum(curve["false_match_rate"], 1e-6), np.maximum(miss_rate, 1e-3),
                 color=BLUE)  # fmt: skip
    right.set(xlabel="false match rate (FMR)", ylabel="false non-match rate (FNMR)")
    right.grid(alpha=0.3, which="both")
    figure.suptitle(title)
    sns.despine(figure)
    return figure, np.array([left, right])


def recall_against_speed(table: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """Recall@10 of each index over its queries a second, one line an index and measure.

    Args:
        table: columns `index`, `measure`, `recall@10`, `queries a second`.
        title: of the figure.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.2), layout="constrained")
    colours = dict(zip(("exact", "hnsw", "ivf", "annoy", "kd_tree"), PALETTE, strict=False))
    markers = {"cosine": "o", "euclidean": "s", "manhattan": "^"}
    for (index, measure), rows in table.dropna(subset="recall@10").groupby(["index", "measure"]):
        rows = rows.sort_values("queries a second")
        axes.plot(rows["queries a second"], rows["recall@10"], color=colours[index],
                  marker=markers[measure], label=f"{index} · {measure}")  # fmt: skip
    axes.set_xscale("log")
    axes.set(title=title, xlabel="queries a second, one at a time (log scale)",
             ylabel="recall@10 against exact search (0 to 1)")  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)
    sns.despine(figure)
    return figure, axes


def class_precision(rows: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """Precision of each class at one and the same threshold, the best first.

    Args:
        rows: columns `articleType`, `precision`, `recall`.
        title: of the figure.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.2 + 0.2 * len(rows)), layout="constrained")
    places = np.arange(len(rows))
    axes.scatter(rows["precision"], places, color=BLUE, marker="o", label="precision")
    axes.scatter(rows["recall"], places, color=ORANGE, marker="x", label="recall")
    axes.set_yticks(places, rows["articleType"], fontsize=8)
    axes.invert_yaxis()
    axes.set(title=title, xlabel="share (0 to 1)", ylabel="articleType", xlim=(-0.02, 1.02))
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    sns.despine(figure)
    return figure, axes


def pareto(
    table: pd.DataFrame, front: pd.Series, x: str, y: str, *, title: str, is_cost: bool = True
) -> tuple[Figure, Axes]:
    """Every model by two columns; those that no other beats are numbered, joined and named.

    Args:
        table: index: the models' names. A row that lacks one of the numbers is counted in the
            title, not drawn.
        front: bool, by the table's index, from `model_table.pareto_front`.
        x: a column: a cost, drawn on a logarithmic scale, or with `is_cost` false another gain.
        y: a column of which more is better.
        title: of the figure.
        is_cost: whether less of `x` is better.
    """
    shown = table.dropna(subset=[x, y]).sort_values(x)
    best = shown[front[shown.index].to_numpy()]
    figure, axes = plt.subplots(figsize=(WIDTH, 4.4 + 0.2 * len(best)), layout="constrained")
    axes.plot(shown[x], shown[y], "o", color=GREY, markersize=4, alpha=0.6)
    # A step ends where the next better model begins.
    steps = "steps-post" if is_cost else "steps-pre"
    axes.plot(best[x], best[y], color=BLUE, linewidth=1, drawstyle=steps)
    for number, (name, row) in enumerate(best.iterrows(), start=1):
        axes.plot(row[x], row[y], "D", color=BLUE, markersize=6, label=f"{number}  {name}")
        axes.annotate(str(number), (row[x], row[y]), textcoords="offset points", xytext=(-3, 7),
                      ha="right", fontsize=9)  # fmt: skip
    if is_cost:
        axes.set_xscale("log")
    n_missing = len(table) - len(shown)
    rest = f" ({n_missing} without these numbers)" if n_missing else ""
    axes.set(title=title + rest, xlabel=f"{x} (log scale)" if is_cost else f"{x} (0 to 1)",
             ylabel=f"{y} (0 to 1)")  # fmt: skip
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", handlelength=0, markerscale=0,
                  title="no other model is better in both")  # fmt: skip
    sns.despine(figure)
    return figure, axes


def save(figure: Figure, folder: Path, name: str) -> None:
    """Keep a figure as `<folder>/<name>.png`, without the time of its making.

    Raises:
        FashionRirError: the folder cannot be written.
    """
    with whole_file(folder / f"{name}.png") as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})


def _thumbnail(axes: Axes, picture: Image.Image, caption: str, colour: object) -> None:
    axes.imshow(picture)
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.set_title(caption, fontsize=8)
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5)
