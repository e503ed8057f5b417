"""The figures of notebook 11; each function returns `(figure, axes)`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from fashion_rir.figures import style
from fashion_rir.figures.plots import thumbnail

ORDER = ("value", "low", "high")

# What makes a product relevant, and how it is called.
RELEVANCE = {"group": "group of types", "articleType": "type", "baseColour": "colour"}


def between_floor_and_ceiling(
    estimates: pd.DataFrame,
    floor: Mapping[str, float],
    ceiling: Mapping[str, float],
    *,
    title: str,
) -> tuple[Figure, np.ndarray]:
    """Precision of several ways to search, a panel for each kind of relevance.

    Args:
        estimates: index: the ways, shown from top to bottom; columns: two levels, the kinds of
            `RELEVANCE` and `value`, `low`, `high`.
        floor: precision of products drawn at random; a grey line.
        ceiling: agreement of two who label the same photo, where it is known; a green line.
        title: of the figure.
    """
    figure, axes = style.panels(1.6 + 0.34 * len(estimates), 3, title=title, sharey=True)
    for ax, (kind, name) in zip(axes.flat, RELEVANCE.items(), strict=True):
        for row, (value, low, high) in enumerate(estimates[kind][list(ORDER)].to_numpy()):
            style.draw_interval(ax, row, (value, low, high), is_grey=False)
            style.note(ax, f"{value:.2f}", (value, row), (0, 6), ha="center")
        ax.axvline(floor[kind], color=style.GREY, linestyle="--")
        if kind in ceiling:
            ax.axvline(ceiling[kind], color=style.GREEN, linestyle="-.")
        label = f"precision@10 by {name}\n(0 to 1, 95 % interval)"
        style.finish(ax, xlabel=label, xlim=(0, 1.05), grid="x")
    style.name_rows(axes.flat[0], list(estimates.index), room=0.7)
    return figure, axes


def by_photos(
    tables: Mapping[str, pd.DataFrame],
    floor: Mapping[str, float],
    ceiling: Mapping[str, float],
    *,
    title: str,
) -> tuple[Figure, np.ndarray]:
    """Precision over the number of labelled photos, a panel for each kind of relevance.

    Args:
        tables: by name; index: the number of photos; columns: the kinds of `RELEVANCE`.
        floor: as for `between_floor_and_ceiling`.
        ceiling: likewise.
        title: of the figure.
    """
    figure, axes = style.panels(3.6, 3, title=title, sharey=True)
    for ax, (kind, name) in zip(axes.flat, RELEVANCE.items(), strict=True):
        for number, (label, table) in enumerate(tables.items()):
            how = style.line_style(number) | {"linestyle": "-"}
            ax.plot(table.index, table[kind], label=label if kind == "group" else None, **how)
        ax.axhline(floor[kind], color=style.GREY, linestyle="--")
        if kind in ceiling:
            ax.axhline(ceiling[kind], color=style.GREEN, linestyle="-.")
        ax.set_xscale("symlog", linthresh=100)
        ax.set_xticks([0, 100, 1000], ["0", "100", "1,000"])
        style.finish(ax, title=f"by {name}", xlabel="phone photos trained on", ylim=(0, 1),
                     xlim=(-15, 4000))  # fmt: skip
    axes.flat[0].set_ylabel("precision@10 (0 to 1)")
    style.legend_below(figure)
    return figure, axes


def search_row(
    photo: Image.Image,
    cut: Image.Image,
    cards: Sequence[tuple[Image.Image, str, bool]],
    *,
    title: str,
) -> tuple[Figure, np.ndarray]:
    """A photo, what was cut out of it, and the first products found.

    Args:
        photo: as it was taken.
        cut: what is searched.
        cards: of each product its picture, its caption, and whether it is relevant.
        title: of the figure.
    """
    figure, axes = style.panels(2.5, 2 + len(cards), title=title)
    for ax in axes.flat:
        ax.axis("off")
    thumbnail(axes.flat[0], photo, "photo", "black")
    thumbnail(axes.flat[1], cut, "cut out", "black")
    for ax, (picture, caption, hit) in zip(axes.flat[2:], cards, strict=True):
        sign, colour = ("✓", style.BLUE) if hit else ("✗", style.ORANGE)
        thumbnail(ax, picture, f"{sign} {caption}", colour)
    return figure, axes
