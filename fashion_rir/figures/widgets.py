"""What a reader can click on in the notebooks; each has a static picture beside it."""

import io
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from fashion_rir.figures import plots

SHOWN_VALUES = 12  # of an attribute, the most frequent


def attribute_explorer(products: pd.DataFrame, columns: Sequence[str]) -> ipywidgets.Widget:
    """Two menus and the table of products by both attributes.

    Args:
        products: a catalogue's table.
        columns: the attributes to choose from.
    """
    rows = ipywidgets.Dropdown(options=list(columns), value=columns[0], description="rows")
    across = ipywidgets.Dropdown(options=list(columns), value=columns[1], description="columns")

    def draw(_: object = None) -> Figure:
        return attribute_table(products, rows.value, across.value)

    return redrawn([rows, across], draw)


def attribute_table(products: pd.DataFrame, row: str, column: str) -> Figure:
    """The static picture of `attribute_explorer`: the most frequent values of two attributes."""
    rows, columns = (products[name].value_counts().head(SHOWN_VALUES) for name in (row, column))
    if row == column:
        return plots.bar_counts(rows, title=f"Products by {row}")[0]
    table = pd.crosstab(products[row], products[column])
    table = table.reindex(index=rows.index, columns=columns.index, fill_value=0)
    return plots.heatmap_counts(table, title=f"Products by {row} and {column}")[0]


def share_sliders(
    queries: Mapping[str, int],
    shares: Mapping[str, float],
    draw: Callable[[int, dict[str, float]], Figure],
) -> ipywidgets.Widget:
    """A menu of queries, a slider for the share of each part, and the matches.

    Args:
        queries: rows by what the menu shows.
        shares: to begin with, 0 to 1, by part.
        draw: makes the figure of a row and its shares; all of them 0 is never asked for.
    """
    menu = ipywidgets.Dropdown(options=list(queries.items()), description="query")
    sliders = {
        part: ipywidgets.FloatSlider(share, min=0, max=1, step=0.01, description=part,
                                     continuous_update=False)
        for part, share in shares.items()
    }  # fmt: skip

    def redraw() -> Figure:
        chosen = {part: slider.value for part, slider in sliders.items()}
        return draw(menu.value, chosen if any(chosen.values()) else dict(shares))

    return redrawn([menu, *sliders.values()], redraw)


def query_picker(names: dict[str, int], draw: Callable[[int], Figure]) -> ipywidgets.Widget:
    """A menu of products and the retrieval grid of the chosen one.

    Args:
        names: product id by what the menu shows.
        draw: makes the figure of a product id.
    """
    menu = ipywidgets.Dropdown(options=list(names.items()), description="query",
                               layout={"width": "30rem"})  # fmt: skip
    return redrawn([menu], lambda: draw(menu.value))


def threshold_slider(
    settings: dict[str, tuple[float, ...]], draw: Callable[[str, float], Figure]
) -> ipywidgets.Widget:
    """A menu of models and measures, a threshold slider, and the matches at or under it.

    Args:
        settings: by the menu's entry the thresholds that the thesis tried; the slider runs from
            half of the smallest to one and a half of the largest.
        draw: makes the figure of an entry and a threshold.
    """
    first = next(iter(settings))
    menu = ipywidgets.Dropdown(options=list(settings), description="model",
                               layout={"width": "30rem"})  # fmt: skip
    slider = ipywidgets.FloatSlider(description="threshold", continuous_update=False,
                                    readout_format=".3g", layout={"width": "30rem"})  # fmt: skip

    def rescale(_: object = None) -> None:
        values = settings[menu.value]
        low, high = min(values) / 2, max(values) * 1.5
        slider.min, slider.max = 0, high  # never min above max on the way
        slider.min, slider.step, slider.value = low, (high - low) / 200, values[-1]

    menu.value = first
    rescale()
    menu.observe(rescale, names="value")
    return redrawn([menu, slider], lambda: draw(menu.value, slider.value))


def redrawn(controls: list[ipywidgets.Widget], draw: Callable[[], Figure]) -> ipywidgets.Widget:
    """The controls above a picture that is drawn again when one of them changes."""
    picture = ipywidgets.Image(format="png", layout={"max_width": "100%"})

    def redraw(_: object = None) -> None:
        figure = draw()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100)
        plt.close(figure)  # so that the notebook does not show it a second time
        picture.value = buffer.getvalue()

    for control in controls:
        control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([ipywidgets.HBox(controls), picture])
