"""Menus and sliders around a search; each has a static picture beside it in its notebook."""

from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from fashion_rir.figures.widgets import redrawn

WIDE = {"width": "20rem"}


def two_models(
    queries: Mapping[str, int], models: Sequence[str], draw: Callable[[int, str, str], Figure]
) -> ipywidgets.Widget:
    """A menu of queries, two menus of models, and what both find.

    Args:
        queries: product id by what the menu shows.
        models: what the menus call the models, two at least; the first two are chosen at first.
        draw: makes the figure of a product id and two models.
    """
    query, left, right = menus = [
        ipywidgets.Dropdown(options=options, description=name, layout=WIDE)
        for name, options in (
            ("query", list(queries.items())),
            ("model", list(models)),
            ("against", list(models)),
        )
    ]
    left.value, right.value = models[:2]
    return redrawn(menus, lambda: draw(query.value, left.value, right.value))


def precision_slider(
    queries: Mapping[str, int],
    curve: Mapping[str, Sequence[float]],
    draw: Callable[[int, tuple[float, str]], Figure],
) -> ipywidgets.Widget:
    """A menu of queries and a slider of wanted precision, and the matches under the threshold.

    Args:
        queries: product id by what the menu shows.
        curve: a calibration's `thresholds`, `precision` and `recall`, strictest first.
        draw: makes the figure of a product id, and of a threshold and what it promises.
    """
    query = ipywidgets.Dropdown(options=list(queries.items()), description="query", layout=WIDE)
    slider = ipywidgets.FloatSlider(min=0.1, max=0.95, step=0.05, value=0.5, layout=WIDE,
                                    continuous_update=False, description="precision")  # fmt: skip
    return redrawn([query, slider], lambda: draw(query.value, at_precision(curve, slider.value)))


def at_precision(curve: Mapping[str, Sequence[float]], wanted: float) -> tuple[float, str]:
    """The loosest threshold of a curve that keeps a precision, and what it promises in words.

    Args:
        curve: as for `precision_slider`.
        wanted: precision, 0 to 1.

    Returns:
        The threshold and a sentence; where none keeps it, the threshold of the best precision.

    Example:
        >>> curve = {"thresholds": [1, 2, 3], "precision": [1, 0.6, 0.5], "recall": [0.1, 0.3, 1]}
        >>> at_precision(curve, 0.6)
        (2, 'precision wanted 0.60, kept 0.60: threshold 2.000, recall 0.30')
    """
    precision = np.asarray(curve["precision"])
    kept = np.flatnonzero(precision >= wanted)
    point = int(kept[-1]) if len(kept) else int(precision.argmax())
    value = curve["thresholds"][point]
    return value, (
        f"precision wanted {wanted:.2f}, kept {precision[point]:.2f}: threshold {value:.3f}, "
        f"recall {curve['recall'][point]:.2f}"
    )
