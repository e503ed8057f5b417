"""What all figures share: their colours, their width, how they are labelled and how they are saved.

Colours are from seaborn's colour-blind palette; what they tell apart differs by a sign too.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion_rir.system import whole_file

PALETTE = sns.color_palette("colorblind")

BLUE, ORANGE, GREEN = PALETTE[0], PALETTE[1], PALETTE[2]

GREY = "0.55"

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

WIDTH = 9.0  # inches: a notebook's width


def canvas(height: float, *, width: float = WIDTH) -> tuple[Figure, Axes]:
    """An empty figure with one axes, its sides in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")


def panels(
    height: float, columns: int, *, title: str, rows: int = 1, **options: object
) -> tuple[Figure, np.ndarray]:
    """An empty figure with axes side by side, shape (rows, columns), and a title over all."""
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained",
                                squeeze=False, **options)  # fmt: skip
    figure.suptitle(title)
    return figure, axes


def finish(axes: Axes, *, grid: str = "", **labels: object) -> tuple[Figure, Axes]:
    """Label axes, and hand them back with their figure.

    Args:
        axes: with all that it shows.
        grid: along `x`, `y` or `both`; none if empty.
        labels: such as `title`, `xlabel` and `ylabel`.
    """
    axes.set(**labels)
    if grid:
        axes.grid(axis=grid, alpha=0.3)
    sns.despine(axes.figure)
    return axes.figure, axes


def count_bars(
    axes: Axes, names: Sequence[str], counts: Sequence[int], labels: Sequence[str], *, room: float
) -> None:
    """Horizontal bars, the first above, each with its label and a share of room for it."""
    bars = axes.barh(names, counts, color=BLUE)
    axes.bar_label(bars, labels, padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=room)


def name_rows(axes: Axes, names: Sequence[str], *, room: float = 0.5) -> None:
    """One name a row, the first above, with so much room over it."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -room)


def draw_interval(
    axes: Axes, row: int, interval: tuple[float, float, float], *, is_grey: bool
) -> None:
    """A value with its interval (value, low, high) in a row; grey ones are squares."""
    value, low, high = interval
    # A value may lie beside its interval, by rounding.
    axes.errorbar(value, row, xerr=[[max(0, value - low)], [max(0, high - value)]], capsize=3,
                  fmt="s" if is_grey else "o", color=GREY if is_grey else BLUE)  # fmt: skip


def note(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[int, int], **how: object
) -> None:
    """A short text beside a place of the data, so many points away."""
    axes.annotate(text, place, textcoords="offset points", xytext=offset, **{"fontsize": 9} | how)


def legend_below(figure: Figure, *handles: object, **how: object) -> None:
    """A figure's legend, under all its axes."""
    figure.legend(*handles, loc="outside lower center", **{"fontsize": 8} | how)


def line_style(number: int) -> dict[str, object]:
    """Colour and marker of a line; the eight markers and ten colours come round again."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def save(figure: Figure, folder: Path, name: str) -> None:
    """Keep a figure as `<folder>/<name>.png`, without the time of its making.

    Raises:
        FashionRirError: the folder cannot be written.
    """
    with whole_file(folder / f"{name}.png") as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
