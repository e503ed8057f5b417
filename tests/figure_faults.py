"""What a reader would stumble over in a drawn figure: texts cut off, or written over each other."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

from matplotlib.axis import Axis
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 1.5  # pixels: rounding, and the margin around a text
LEAST_OVERLAP = 0.15  # of the smaller of two texts


def faults(figure: Figure) -> list[str]:
    """Texts that reach out of a figure, and pairs of texts that cover each other.

    Args:
        figure: drawn at its own size.

    Returns:
        A sentence each; none if the figure can be read.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    shown = [(text, text.get_window_extent(renderer)) for text in _texts(figure)]
    whole = Bbox.from_bounds(0, 0, *canvas.get_width_height())
    found = [f"{text.get_text()!r} is cut off" for text, box in shown if not _is_in(box, whole)]
    pairs = itertools.combinations(shown, 2)
    found += [
        f"{one.get_text()!r} is written over {other.get_text()!r}"
        for (one, box), (other, other_box) in pairs
        if _overlap(box, other_box) > LEAST_OVERLAP
    ]
    return found


def watch(path: str | Path) -> None:
    """Write the faults of every figure that this process shows or saves into a file.

    Args:
        path: gets a line of JSON for each figure with faults: its title and what they are.
    """
    show: Callable = FigureCanvasBase.print_figure

    def watched(canvas: FigureCanvasBase, *arguments: object, **options: object) -> object:
        shown = show(canvas, *arguments, **options)
        if found := faults(canvas.figure):
            titles = [canvas.figure.get_suptitle(), *(ax.get_title() for ax in canvas.figure.axes)]
            line = json.dumps({"figure": " ".join(filter(None, titles))[:80], "faults": found})
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        return shown

    FigureCanvasBase.print_figure = watched


def _texts(figure: Figure) -> list[Text]:
    """All texts that are seen; of the labels of ticks, those inside their axis' range."""
    found = [*figure.texts, *(text for one in figure.legends for text in one.get_texts())]
    for axes in figure.axes:
        if axes.get_legend():
            found += axes.get_legend().get_texts()
        found += [*axes.texts, axes.title]
        if axes.axison:
            found += [axes.xaxis.label, axes.yaxis.label, *_tick_labels(axes.xaxis),
                      *_tick_labels(axes.yaxis)]  # fmt: skip
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def _tick_labels(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    pairs = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
    return [label for spot, label in pairs if low - room <= spot <= high + room]


def _is_in(box: Bbox, whole: Bbox) -> bool:
    return (box.x0 >= whole.x0 - SLACK and box.y0 >= whole.y0 - SLACK
            and box.x1 <= whole.x1 + SLACK and box.y1 <= whole.y1 + SLACK)  # fmt: skip


def _overlap(one: Bbox, other: Bbox) -> float:
    """The share of the smaller box that the other covers."""
    common = Bbox.intersection(one, other)
    least = min(one.width * one.height, other.width * other.height)
    return 0.0 if common is None or least == 0 else common.width * common.height / least
