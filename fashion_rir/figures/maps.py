"""Maps by t-SNE as pictures: one, or several side by side, coloured by a label.

The axes of such a map have no unit, and neither the size of a heap nor the gap between two says
anything: they carry no ticks. Frequent classes are named on the map too, so that colour is not
the only way to tell them apart.
"""

import math
from collections.abc import Mapping, Sequence

import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from scipy.spatial import cKDTree

from fashion_rir.errors import ParameterError
from fashion_rir.figures import style

OTHER, MISSING = "other", "no value"

LIGHT_GREY, PALE_GREY = "#b8b8b8", "#e4e4e4"

# The palette's eighth colour is a grey, which stands for 'other' here.
CLASS_COLOURS = [colour for number, colour in enumerate(style.PALETTE) if number != 7]

INK = 1.3e5  # points squared of ink that a panel of `style.WIDTH` bears

LISTED = 24  # colour names in a legend

LEAST_ROOM = 0.07  # of a map's side, around a number that stands for a photo
NAME_SPOTS = (-0.08, -0.04, 0.0, 0.04, 0.08)  # of a map's side, from the middle of a type's name
MOST_MOVES = 100

PHOTO_COLUMNS = 2  # of the photos beside a map

NAMED_FROM = 0.5  # share of a figure's width that a map must take to have its classes named

HEAP_RADIUS = 0.04  # of a map's side: what lies around a dot is its heap

LEAST_HEAP = 0.15  # share of a class that its densest heap must hold, or the class is not named

LEAST_PURE = 1 / 3  # share of its class among the products of a heap, likewise

NAME_REACH = (0.16, 0.05)  # shares of a panel's width and height that a name takes

NAME_MARGIN = NAME_REACH[0] / 2  # nearer to the frame than this, a name is not centred

# The catalogue's colour names as fills; what has no colour of its own is a grey-violet.
NAMED_COLOURS = {
    "Beige": "#e8d9b5", "Black": "#111111", "Blue": "#2f5fd0", "Bronze": "#a97142",
    "Brown": "#7a4a21", "Burgundy": "#7b1230", "Charcoal": "#3f444a", "Coffee Brown": "#4b3221",
    "Copper": "#b87333", "Cream": "#fff4cf", "Fluorescent Green": "#5dfc0a", "Gold": "#d4a829",
    "Green": "#2e8b3d", "Grey": "#8c8c8c", "Grey Melange": "#a9a9ac", "Khaki": "#b5a36a",
    "Lavender": "#c3a6e0", "Lime Green": "#8fd400", "Magenta": "#d6238f", "Maroon": "#6e0f22",
    "Mauve": "#b98aa6", "Metallic": "#9aa3ab", "Multi": "#9b7fb5", "Mushroom Brown": "#a08873",
    "Mustard": "#d9a521", "Navy Blue": "#1b2a57", "Nude": "#e3bc9a", "Off White": "#f7f3e8",
    "Olive": "#6b6b2a", "Orange": "#f07f1a", "Peach": "#fbc2a1", "Pink": "#f48bb4",
    "Purple": "#6d3a9c", "Red": "#cc1f2d", "Rose": "#e0607e", "Rust": "#a8431b",
    "Sea Green": "#2f9c82", "Silver": "#c0c4c8", "Skin": "#efc7a5", "Steel": "#71797e",
    "Tan": "#c69c6d", "Taupe": "#8b7d6b", "Teal": "#147d7e", "Turquoise Blue": "#26b9c9",
    "White": "#ffffff", "Yellow": "#f7d51d",
}  # fmt: skip


def label_map(coordinates: np.ndarray, values: pd.Series, *, title: str) -> tuple[Figure, Axes]:
    """One map, a dot a product, coloured by its label.

    The most frequent classes have a colour of their own, and are named at the middle of their
    products; the rest is `other`.

    Args:
        coordinates: shape (n_products, 2).
        values: the label of each product, None where there is none; its name heads the legend.
        title: of the figure.

    Raises:
        ParameterError: not one finite coordinate pair for each label.
    """
    _check(coordinates, values)
    colours = colours_of(values)
    figure, axes = style.canvas(0.72 * style.WIDTH)
    _draw(axes, coordinates, values, colours, 0.75)
    axes.set(title=title)
    figure.legend(handles=_handles(values, colours), loc="outside right upper", fontsize=9,
                  title=str(values.name))  # fmt: skip
    return figure, axes


def label_maps(
    maps: Mapping[str, tuple[np.ndarray, pd.Series]], *, title: str, columns: int = 2
) -> tuple[Figure, np.ndarray]:
    """Small multiples: several maps with the same colours for the same classes.

    Args:
        maps: by what stands above each, coordinates and labels, as for `label_map`. The classes
            with a colour, and the counts beside them, are those of the largest map.
        title: of the figure.
        columns: panels side by side.

    Raises:
        ParameterError: no map, or see `label_map`.
    """
    if not maps:
        raise ParameterError("There is no map to draw; give one at least.")
    for coordinates, values in maps.values():
        _check(coordinates, values)
    largest = max((values for _, values in maps.values()), key=len)
    colours = colours_of(largest)
    rows = math.ceil(len(maps) / columns)
    figure, axes = style.panels(0.95 * style.WIDTH / columns * rows + 1, columns, rows=rows,
                                title=title)  # fmt: skip
    for ax in axes.flat[len(maps) :]:
        ax.axis("off")
    for ax, (name, (coordinates, values)) in zip(axes.flat, maps.items(), strict=False):
        _draw(ax, coordinates, values, colours, 1 / columns)
        ax.set_title(name, fontsize=10)
    is_alike = all(len(values) == len(largest) for _, values in maps.values())
    heading = str(largest.name) if is_alike else f"{largest.name} (on the largest map)"
    style.legend_below(figure, handles=_handles(largest, colours), ncols=5, title=heading)
    return figure, axes


def colour_map(coordinates: np.ndarray, values: pd.Series, *, title: str) -> tuple[Figure, Axes]:
    """One map whose dots have the products' own colours.

    Args:
        coordinates: shape (n_products, 2).
        values: colour names as the catalogue has them.
        title: of the figure.

    Raises:
        ParameterError: see `label_map`.
    """
    _check(coordinates, values)
    figure, axes = style.canvas(0.78 * style.WIDTH)
    axes.set_facecolor("#d6dbe0")  # white products must be seen
    _frame(axes, coordinates)
    fills = values.map(NAMED_COLOURS).fillna(LIGHT_GREY)
    order = np.random.default_rng(0).permutation(len(values))  # no colour lies on top of all
    _scatter(axes, coordinates[order], fills.to_numpy()[order], **_dots(len(values), 0.75))
    axes.set(title=title)
    frequent = values.value_counts()
    handles = [_dot(f"{name} ({count:,})", NAMED_COLOURS.get(name, LIGHT_GREY), edge="0.4")
               for name, count in frequent.head(LISTED).items()]  # fmt: skip
    left = len(frequent) - LISTED
    heading = f"{values.name}; {left} more are not listed" if left > 0 else str(values.name)
    style.legend_below(figure, handles=handles, ncols=5, title=heading)
    return figure, axes


def placed_photos(
    coordinates: np.ndarray, values: pd.Series, placed: np.ndarray,
    shown: Mapping[str, Image.Image], *, title: str,
) -> tuple[Figure, Axes]:  # fmt: skip
    """New photos on a map, as numbers, beside the photos themselves.

    Args:
        coordinates, values: as for `label_map`.
        placed: of the photos, shape (n_photos, 2).
        shown: the photos by what to call them, in the same order.
        title: of the figure.

    Raises:
        ParameterError: see `label_map`.
    """
    _check(coordinates, values)
    colours = colours_of(values)
    n_rows = math.ceil(len(shown) / PHOTO_COLUMNS)
    figure = plt.figure(figsize=(style.WIDTH, 0.72 * style.WIDTH), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[2, 1])
    axes = left.subplots()
    _draw(axes, coordinates, values, colours, 0.6)
    side = np.ptp(coordinates, axis=0).max()
    # A name is wide: it is kept clear of along its line.
    names = [np.add(text.get_position(), (along * side, 0.0))
             for text in axes.texts for along in NAME_SPOTS]  # fmt: skip
    aside = _apart(placed, np.reshape(names, (-1, 2)), room=LEAST_ROOM * side)
    for number, (place, at) in enumerate(zip(placed, aside, strict=True), start=1):
        axes.annotate(str(number), place, at, ha="center", va="center", fontsize=8, weight="bold",
                      bbox={"boxstyle": "circle,pad=0.2", "fc": "white"},
                      arrowprops={"arrowstyle": "-", "color": "0.3"})  # fmt: skip
    panels = right.subplots(n_rows, PHOTO_COLUMNS, squeeze=False)
    for ax in panels.flat:
        ax.axis("off")
    for number, (ax, (name, picture)) in enumerate(
        zip(panels.flat, shown.items(), strict=False), start=1
    ):
        ax.imshow(picture)
        ax.set_title(f"{number}  {name}", fontsize=8)
    figure.suptitle(title)
    return figure, axes


def _apart(places: np.ndarray, fixed: np.ndarray, *, room: float) -> np.ndarray:
    """Places moved until none is nearer than `room` to another, or to one of the fixed ones."""
    moved = np.array(places, dtype=float)
    for _ in range(MOST_MOVES):
        gaps = moved[:, None] - np.vstack([moved, fixed])
        far = np.linalg.norm(gaps, axis=2)
        np.fill_diagonal(far, np.inf)
        near = np.argwhere(far < room)
        if not len(near):
            break
        for one, other in near:
            way = gaps[one, other] / far[one, other] if far[one, other] else np.array([0.0, 1.0])
            moved[one] += way * (room - far[one, other]) * 0.6
    return moved


def survival(
    table: pd.DataFrame, columns: Mapping[str, str], *, title: str
) -> tuple[Figure, np.ndarray]:
    """What each map keeps over its perplexity, a dot a seed, one panel a number.

    Args:
        table: from `maps.survival_table`, of one model.
        columns: columns of it, and what to call them.
        title: of the figure.
    """
    figure, axes = style.panels(3.2, len(columns), title=title)
    ticks = sorted(table["perplexity"].unique())
    markers = dict(zip(sorted(table["start"].unique()), "os", strict=False))
    for ax, (column, name) in zip(axes.flat, columns.items(), strict=True):
        for number, (start, rows) in enumerate(table.groupby("start")):
            ax.plot(rows["perplexity"], rows[column], markers[start], color=style.PALETTE[number],
                    alpha=0.8, label=f"start: {start}")  # fmt: skip
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.set(xlabel="perplexity (log scale)", ylabel=name)
        ax.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    return figure, axes


def colours_of(values: pd.Series) -> dict[str, object]:
    """A colour for each of the most frequent classes, the most frequent first."""
    return dict(zip(values.value_counts().index, CLASS_COLOURS, strict=False))


def densest_heap(coordinates: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """The heap that holds most of a class: a few dots far away do not move it.

    Args:
        coordinates: of the class' products, shape (n, 2), n of 1 or more.
        radius: of a heap, in the map's units.

    Returns:
        The mean of the products within the radius of the one that has most of them around it,
        shape (2,), and the share of the class that they are, above 0 and up to 1.

    Example:
        >>> place, held = densest_heap(np.array([[0, 0], [1, 0], [0.5, 0], [9, 9]]), 1.0)
        >>> place.tolist(), held
        ([0.5, 0.0], 0.75)
    """
    tree = cKDTree(coordinates)
    n_around = tree.query_ball_point(coordinates, radius, return_length=True)
    fullest = tree.query_ball_point(coordinates[n_around.argmax()], radius)
    return coordinates[fullest].mean(axis=0), len(fullest) / len(coordinates)


def _draw(
    axes: Axes,
    coordinates: np.ndarray,
    values: pd.Series,
    colours: Mapping[str, object],
    share: float,
) -> None:
    """The dots of a map in axes that take a share of a figure's width; rare classes below."""
    _frame(axes, coordinates)
    is_named = values.isin(list(colours)).to_numpy()
    rest = np.where(values.isna(), PALE_GREY, LIGHT_GREY)
    dots = _dots(len(values), share)
    _scatter(axes, coordinates[~is_named], rest[~is_named], **dots)
    order = np.random.default_rng(0).permutation(np.flatnonzero(is_named))
    _scatter(axes, coordinates[order], [colours[value] for value in values.to_numpy()[order]],
             **dots)  # fmt: skip
    if share >= NAMED_FROM:
        _name_classes(axes, coordinates, values, colours, share)


def _frame(axes: Axes, coordinates: np.ndarray) -> None:
    """A square around the whole map, so that panels are alike."""
    middle = (coordinates.max(axis=0) + coordinates.min(axis=0)) / 2
    half = max(np.ptp(coordinates, axis=0).max() * 0.52, 1e-9)
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half),
             aspect="equal")  # fmt: skip


def _name_classes(
    axes: Axes,
    coordinates: np.ndarray,
    values: pd.Series,
    colours: Mapping[str, object],
    share: float,
) -> None:
    """Each class' name on its densest heap; one that would cover another's is left out.

    So is that of a class without a heap of its own: a name would say that it has one.
    """
    left, right = axes.get_xlim()
    everyone, radius = cKDTree(coordinates), HEAP_RADIUS * (right - left)
    reach = np.array(NAME_REACH) * (right - left) / share
    taken: list[np.ndarray] = []
    for name in colours:
        of_class = coordinates[(values == name).to_numpy()]
        if not len(of_class):
            continue
        place, held = densest_heap(of_class, radius)
        around = values.iloc[everyone.query_ball_point(place, radius)]
        is_heap = held >= LEAST_HEAP and (around == name).mean() >= LEAST_PURE
        if not is_heap or any((np.abs(place - other) <= reach).all() for other in taken):
            continue
        taken.append(place)
        across = (place[0] - left) / (right - left)
        is_inside = NAME_MARGIN <= across <= 1 - NAME_MARGIN
        side = "center" if is_inside else "left" if across < 0.5 else "right"
        label = axes.annotate(name, place, ha=side, va="center", fontsize=8, zorder=5)
        label.set_path_effects([effects.withStroke(linewidth=2.5, foreground="white")])


def _dots(n_products: int, share: float) -> dict[str, float]:
    """Size and alpha of a map's dots, in axes that take a share of a figure's width."""
    size = float(np.clip(INK * share**2 / n_products, 1.0, 16))
    return {"s": size, "alpha": 0.9 if n_products < 5_000 else 0.6}


def _scatter(axes: Axes, coordinates: np.ndarray, fills: Sequence, **dots: float) -> None:
    axes.scatter(*coordinates.T, c=fills, linewidths=0, rasterized=True, **dots)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel("t-SNE 1 (no unit)", fontsize=8)
    axes.set_ylabel("t-SNE 2 (no unit)", fontsize=8)


def _handles(values: pd.Series, colours: Mapping[str, object]) -> list[Line2D]:
    counts = values.value_counts()
    shown = {f"{name} ({counts.get(name, 0):,})": colour for name, colour in colours.items()}
    n_rest = len(counts) - sum(name in counts for name in colours)
    if n_rest > 0:
        shown[f"{OTHER} ({n_rest} classes)"] = LIGHT_GREY
    if values.isna().any():
        shown[f"{MISSING} ({values.isna().sum():,})"] = PALE_GREY
    return [_dot(name, colour) for name, colour in shown.items()]


def _dot(name: str, colour: object, *, edge: object = None) -> Line2D:
    """A dot of the legend."""
    return Line2D([], [], linestyle="", marker="o", color=colour, label=name,
                  markeredgecolor=edge)  # fmt: skip


def _check(coordinates: np.ndarray, values: pd.Series) -> None:
    is_table = np.shape(coordinates) == (len(values), 2)
    if not is_table or not np.isfinite(coordinates).all():
        raise ParameterError(
            f"A map of {len(values)} products needs as many pairs of finite coordinates, not an "
            f"array of shape {np.shape(coordinates)}{'' if not is_table else ' with a gap'}."
        )
