"""The figures of several notebooks; each function returns `(figure, axes)`."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from fashion_rir.figures import style
from fashion_rir.figures.style import save as save  # `plots.save` in the notebooks

# Where the numbers of a front stand, in turn, so that neighbours do not cover each other.
PARETO_SIDES = (((0, 7), "center"), ((-7, -3), "right"), ((7, -3), "left"))

INDEXES = {"hnsw": "HNSW", "ivf": "IVF", "annoy": "Annoy", "kd_tree": "KD-tree"}

GRID_COLUMNS = 6  # pictures side by side in a retrieval grid


def bar_counts(counts: pd.Series, *, title: str, most: int | None = None) -> tuple[Figure, Axes]:
    """Products by class as horizontal bars, each with its count.

    Args:
        counts: products by class; the index' name labels the axis.
        title: of the figure.
        most: show only this many bars; the rest is summed up in the title.
    """
    shown = counts if most is None else counts.head(most)
    figure, axes = style.canvas(0.9 + 0.27 * len(shown))
    style.count_bars(axes, shown.index.astype(str), shown, [f"{n:,}" for n in shown], room=0.12)
    left = len(counts) - len(shown)
    rest = f" ({left} more hold {counts.iloc[len(shown) :].sum():,})" if left else ""
    labels = {"xlabel": "number of products", "ylabel": counts.index.name}
    return style.finish(axes, title=title + rest, **labels)


def heatmap_counts(table: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """Products by two attributes, coloured on a logarithmic scale, each cell with its count."""
    figure, axes = style.canvas(1.4 + 0.42 * len(table))
    sns.heatmap(np.log10(table + 1), annot=table, fmt=",d", cmap="Blues", cbar=False,
                linewidths=0.5, ax=axes)  # fmt: skip
    axes.set(title=title, xlabel=table.columns.name or "", ylabel=table.index.name or "")
    axes.tick_params(axis="x", rotation=30)
    axes.tick_params(axis="y", rotation=0)
    return figure, axes


def long_tail(counts: pd.Series, *, title: str) -> tuple[Figure, Axes]:
    """Products a class, logarithmic, over the classes' ranks: a geometric decay is a line."""
    figure, axes = style.canvas(3.6)
    ranks = np.arange(1, len(counts) + 1)
    axes.semilogy(ranks, counts.to_numpy(), marker=".", color=style.BLUE)
    axes.axhline(10, color=style.GREY, linestyle="--", linewidth=1)
    style.note(axes, "10 products", (1, 10), (2, 4), color="0.3", fontsize=None)
    rank = f"rank of the {counts.index.name} (1 is the most frequent)"
    return style.finish(axes, title=title, xlabel=rank, ylabel="number of products")


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
    figure, axes = style.canvas(1.1 + 0.32 * len(table))
    names = table["model"] + " · " + table["measure"]
    for row in range(len(names)):
        value, low, high = table.loc[row, [metric, f"{metric} low", f"{metric} high"]]
        is_floor = table.loc[row, "model"].startswith(tuple(floors))
        style.draw_interval(axes, row, (value, low, high), is_grey=is_floor)
        style.note(axes, f"{value:.3f}", (high, row), (6, -3))
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    right = min(1.12, table[f"{metric} high"].max() * 1.15 + 0.02)
    return style.finish(axes, title=title, xlabel=f"{metric} (0 to 1, 95 % interval over queries)",
                        ylabel="model · measure", xlim=(0, right), grid="x")  # fmt: skip


def differences(table: pd.DataFrame, *, title: str, xlabel: str) -> tuple[Figure, Axes]:
    """Paired differences with intervals; what holds zero is inside the noise.

    Args:
        table: columns `comparison`, `value`, `low`, `high`.
        title: of the figure.
        xlabel: what the difference is of.
    """
    figure, axes = style.canvas(1.2 + 0.4 * len(table))
    intervals = table[["value", "low", "high"]].itertuples(index=False)
    for row, (value, low, high) in enumerate(intervals):
        is_noise = low <= 0 <= high
        style.draw_interval(axes, row, (value, low, high), is_grey=is_noise)
        digits = 3 if abs(value) >= 0.001 or is_noise else 4
        style.note(axes, f"{value:+.{digits}f}", (value, row), (0, 8), ha="center")
    axes.axvline(0, color="black", linewidth=1)
    axes.margins(x=0.1)  # the numbers stay inside
    style.name_rows(axes, table["comparison"], room=0.7)
    return style.finish(axes, title=title, xlabel=xlabel, ylabel="comparison", grid="x")


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
    n_rows = math.ceil((len(matches) + 1) / GRID_COLUMNS)
    figure, axes = style.panels(2.1 * n_rows + 0.4, GRID_COLUMNS, rows=n_rows, title=title)
    for ax in axes.flat:
        ax.axis("off")
    thumbnail(axes.flat[0], query, "query", "black")
    found = zip(matches, captions, is_relevant, strict=True)
    for ax, (match, caption, hit) in zip(axes.flat[1:], found, strict=False):
        sign = "✓" if hit else "✗"
        thumbnail(ax, match, f"{sign} {caption}", style.BLUE if hit else style.ORANGE)
    return figure, axes


def retrieval_rows(
    lines: Sequence[tuple[Image.Image, Sequence, Sequence[str], Sequence[bool]]], *, title: str
) -> tuple[Figure, np.ndarray]:
    """Several queries, one a row, each with its matches to the right; signs as `retrieval_grid`.

    Args:
        lines: each a query, its matches, their captions, and whether they are relevant; as many
            matches in each.
        title: of the figure.
    """
    n_matches = len(lines[0][1])
    figure, axes = style.panels(2.1 * len(lines) + 0.5, n_matches + 1, rows=len(lines), title=title)
    for row, (query, matches, captions, is_relevant) in zip(axes, lines, strict=True):
        thumbnail(row[0], query, "query", "black")
        for ax, match, caption, hit in zip(row[1:], matches, captions, is_relevant, strict=True):
            sign = "✓" if hit else "✗"
            thumbnail(ax, match, f"{sign} {caption}", style.BLUE if hit else style.ORANGE)
    return figure, axes


def photos(
    pictures: Sequence[Image.Image], captions: Sequence[str], *, title: str
) -> tuple[Figure, np.ndarray]:
    """A row of pictures with captions."""
    figure, axes = style.panels(2.5, len(pictures), title=title)
    for ax, picture, caption in zip(axes.flat, pictures, captions, strict=True):
        thumbnail(ax, picture, caption, "0.8")
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
    figure, axes = style.panels(3.6, 2, title=title)
    left, right = axes[0]
    left.plot(curve["thresholds"], curve["precision"], color=style.BLUE, label="precision")
    left.plot(curve["thresholds"], curve["recall"], color=style.ORANGE, linestyle="--",
              label="recall")  # fmt: skip
    for value in thresholds["threshold"].dropna():
        left.axvline(value, color=style.GREY, linewidth=0.8)
    left.set(xlabel=f"threshold ({unit})", ylabel="share (0 to 1)", ylim=(0, 1.02))
    left.legend()
    miss_rate = 1 - np.asarray(curve["recall"])
    right.loglog(np.maximum(curve["false_match_rate"], 1e-6), np.maximum(miss_rate, 1e-3),
                 color=style.BLUE)  # fmt: skip
    right.set(xlabel="false match rate (FMR)", ylabel="false non-match rate (FNMR)")
    right.grid(alpha=0.3, which="both")
    sns.despine(figure)
    return figure, axes[0]


def recall_against_speed(table: pd.DataFrame, *, title: str) -> tuple[Figure, np.ndarray]:
    """Recall@10 of each index over how much faster than exact search it is, one panel a measure.

    Args:
        table: columns `index`, `measure`, `recall@10`, `times exact`.
        title: of the figure.
    """
    names = {"exact": "exact", "hnsw": "HNSW", "ivf": "IVF", "annoy": "Annoy",
             "kd_tree": "KD-tree"}  # fmt: skip
    shown = table.dropna(subset=["recall@10", "times exact"])
    measures = list(dict.fromkeys(shown["measure"]))
    figure, axes = style.panels(3.4, len(measures), title=title, sharey=True, sharex=True)
    for ax, measure in zip(axes[0], measures, strict=True):
        for number, (index, name) in enumerate(names.items()):
            rows = shown[(shown["measure"] == measure) & (shown["index"] == index)]
            if len(rows):
                rows = rows.sort_values("times exact")
                ax.plot(rows["times exact"], rows["recall@10"], label=name,
                        **style.line_style(number))  # fmt: skip
        style.finish(ax, title=measure, xlabel="times as fast as exact search", xscale="log",
                     grid="both")  # fmt: skip
    axes[0, 0].set_ylabel("recall@10 (0 to 1)")
    style.legend_below(figure, *axes[0, 0].get_legend_handles_labels(), ncols=len(names))
    return figure, axes[0]


def class_precision(rows: pd.DataFrame, *, title: str) -> tuple[Figure, Axes]:
    """Precision of each class at one and the same threshold, the best first.

    Args:
        rows: columns `articleType`, `precision`, `recall`.
        title: of the figure.
    """
    figure, axes = style.canvas(1.2 + 0.2 * len(rows))
    places = np.arange(len(rows))
    axes.scatter(rows["precision"], places, color=style.BLUE, marker="o", label="precision")
    axes.scatter(rows["recall"], places, color=style.ORANGE, marker="x", label="recall")
    axes.set_yticks(places, rows["articleType"], fontsize=8)
    axes.invert_yaxis()
    axes.legend()
    return style.finish(axes, title=title, xlabel="share (0 to 1)", ylabel="articleType", grid="x",
                        xlim=(-0.02, 1.02))  # fmt: skip


def pareto(
    table: pd.DataFrame, front: pd.Series, *, title: str, is_cost: bool = True
) -> tuple[Figure, Axes]:
    """Every model by two columns; those that no other beats are numbered, joined and named.

    Args:
        table: index: the models' names. Its first column is a cost, drawn on a logarithmic scale,
            or with `is_cost` false a gain; of its second, more is better. A row that lacks one of
            the numbers is counted in the title, not drawn.
        front: bool, by the table's index, from `model_table.pareto_front`.
        title: of the figure.
        is_cost: whether less of the first column is better.
    """
    x, y = table.columns
    shown = table.dropna().sort_values(x)
    best = shown[front[shown.index].to_numpy()]
    figure, axes = style.canvas(4.4 + 0.2 * len(best))
    axes.plot(shown[x], shown[y], "o", color=style.GREY, markersize=4, alpha=0.6)
    # A step ends where the next better model begins.
    steps = "steps-post" if is_cost else "steps-pre"
    axes.plot(best[x], best[y], color=style.BLUE, linewidth=1, drawstyle=steps)
    for number, (name, row) in enumerate(best.iterrows(), start=1):
        axes.plot(row[x], row[y], "D", color=style.BLUE, markersize=6, label=f"{number}  {name}")
        offset, side = PARETO_SIDES[number % len(PARETO_SIDES)]
        style.note(axes, str(number), (row[x], row[y]), offset, ha=side)
    axes.margins(y=0.1)
    n_missing = len(table) - len(shown)
    rest = f" ({n_missing} without these numbers)" if n_missing else ""
    style.legend_below(figure, handlelength=0, markerscale=0,
                       title="no other model is better in both")  # fmt: skip
    return style.finish(axes, title=title + rest, xscale="log" if is_cost else "linear",
                        xlabel=f"{x} ({'log scale' if is_cost else '0 to 1'})",
                        ylabel=f"{y} (0 to 1)", grid="both")  # fmt: skip


def thumbnail(axes: Axes, picture: Image.Image, caption: str, colour: object) -> None:
    """A picture with a caption above it, in a frame of a colour."""
    axes.imshow(picture)
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.set_title(caption, fontsize=8)
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5)
