"""The thesis' three trained networks as drawings: boxes from left to right, numbers below them.

Each function returns `(figure, axes)`.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch

from fashion_rir.figures import style

BOX_WIDTH, BOX_HEIGHT, STEP = 1.5, 0.9, 2.0

PRETRAINED, RANDOM, DATA, LOSS = style.PALETTE[9], style.PALETTE[1], "0.92", style.PALETTE[4]

Box = tuple[str, str, object]  # what stands in it, what stands below, its colour


def label_tuned(network: str, *, n_classes: int, title: str) -> tuple[Figure, Axes]:
    """Model g: a pretrained network, pooling, a dense layer (the embedding), the classes.

    Args:
        network: in words.
        n_classes: that the softmax tells apart.
        title: of the figure.
    """
    boxes: list[Box] = [
        ("photo", "3 colours, 0 to 255", DATA),
        (network, "pretrained, learns on", PRETRAINED),
        ("average\npooling", "one number a channel", DATA),
        ("dense, ReLU", "512 numbers:\nthe embedding", RANDOM),
        ("dropout,\nsoftmax", f"{n_classes} types", RANDOM),
        ("cross-\nentropy", "how unlikely\nis the true type?", LOSS),
    ]
    figure, axes = _paper(len(boxes), 1, title)
    _row(axes, boxes, 0.0)
    return _named(figure, axes)


def contrastive(network: str, *, is_pretrained: bool, title: str) -> tuple[Figure, Axes]:
    """Models h and i: two views of one photo, one shared network, a projection, the loss.

    Args:
        network: in words.
        is_pretrained: model h; else model i, from random weights and without the hidden layer.
        title: of the figure.
    """
    colour = PRETRAINED if is_pretrained else RANDOM
    begins = "pretrained" if is_pretrained else "random weights"
    hidden: list[Box] = [("dense, ReLU", "512 numbers", RANDOM)] if is_pretrained else []
    views = [
        [("view 1", "flip, turn, zoom", DATA), (network, begins, colour),
         ("average\npooling", "", DATA), *hidden, ("dense", "128 numbers", RANDOM)],
        [("view 2", "drawn anew", DATA), (network, "the same weights", colour),
         ("average\npooling", "", DATA), *hidden, ("dense", "128 numbers", RANDOM)],
    ]  # fmt: skip
    n_boxes = len(views[0]) + 2
    figure, axes = _paper(n_boxes, 2, title)
    heights = (1.0, -1.0)
    _row(axes, [("photo", "", DATA)], 0.0)
    for boxes, height in zip(views, heights, strict=True):
        _row(axes, boxes, height, first=1)
        _arrow(axes, (BOX_WIDTH, 0.0), (STEP, height))
        _arrow(axes, ((n_boxes - 2) * STEP + BOX_WIDTH, height), ((n_boxes - 1) * STEP, 0.0))
    _row(axes, [("NT-Xent", "which of the batch\nis my twin?", LOSS)], 0.0, first=n_boxes - 1)
    return _named(figure, axes)


def _paper(n_boxes: int, n_rows: int, title: str) -> tuple[Figure, Axes]:
    figure, axes = style.canvas(1.8 if n_rows == 1 else 3.3)
    height = 0.75 if n_rows == 1 else 1.7
    right = (n_boxes - 1) * STEP + BOX_WIDTH
    axes.set(xlim=(-0.1, right + 0.1), ylim=(-height - 0.2, height - 0.15), title=title)
    axes.axis("off")
    return figure, axes


def _row(axes: Axes, boxes: Sequence[Box], height: float, *, first: int = 0) -> None:
    """Boxes with arrows between them, the first at the given place."""
    for place, (inside, below, colour) in enumerate(boxes, start=first):
        left = place * STEP
        axes.add_patch(FancyBboxPatch((left, height - BOX_HEIGHT / 2), BOX_WIDTH, BOX_HEIGHT,
                                      boxstyle="round,pad=0,rounding_size=0.12", facecolor=colour,
                                      edgecolor="0.3", alpha=0.55))  # fmt: skip
        axes.text(left + BOX_WIDTH / 2, height, inside, ha="center", va="center", fontsize=8)
        axes.text(left + BOX_WIDTH / 2, height - BOX_HEIGHT / 2 - 0.06, below, ha="center",
                  va="top", fontsize=7, color="0.25")  # fmt: skip
        if place > first:
            _arrow(axes, (left - STEP + BOX_WIDTH, height), (left, height))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color="0.3",
                                   shrinkA=1, shrinkB=1))  # fmt: skip


def _named(figure: Figure, axes: Axes) -> tuple[Figure, Axes]:
    """With a legend of the three kinds of boxes."""
    kinds = {"begins pretrained": PRETRAINED, "begins with random weights": RANDOM,
             "has no weights": DATA, "loss": LOSS}  # fmt: skip
    handles = [Patch(facecolor=colour, edgecolor="0.3", alpha=0.55, label=name)
               for name, colour in kinds.items()]  # fmt: skip
    style.legend_below(figure, handles=handles, ncols=4)
    return figure, axes
