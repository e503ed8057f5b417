"""Searches as pictures: one row a search, the query before its matches."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from IPython.display import Image as Shown
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from fashion_rir.figures import style

ROW_HEIGHT = 1.55  # inches: a row of pictures with captions

LEAST_COLUMNS = 9  # a row of fewer pictures has them no larger

MOST_PIXELS = 120  # of a picture's longer side, so that a notebook stays small


@dataclass(frozen=True)
class Search:
    """What a search found for one query.

    Attributes:
        query: the picture asked with.
        said: what stands over it, such as its type.
        matches: the pictures found, closest first.
        captions: one a match, such as its type and distance; of one line or two.
        is_relevant: whether each match is of the query's class.
    """

    query: Image.Image
    said: str
    matches: Sequence[Image.Image]
    captions: Sequence[str]
    is_relevant: Sequence[bool]

    @property
    def in_short(self) -> str:
        """How many of the matches are relevant."""
        return f"{sum(map(bool, self.is_relevant))} of {len(self.is_relevant)} match"


def rows(searches: Mapping[str, Search], *, title: str = "") -> tuple[Figure, np.ndarray]:
    """One row a search; hits have a tick and a blue frame, misses a cross and an orange.

    Args:
        searches: by what stands over the row, such as the model; how many match is added.
        title: of the figure.
    """
    n_columns = max(LEAST_COLUMNS, 1 + max(len(one.matches) for one in searches.values()))
    height = ROW_HEIGHT * len(searches) + 0.35 * bool(title)
    figure = plt.figure(figsize=(style.WIDTH, height), layout="constrained")
    if title:
        figure.suptitle(title)
    bands = np.atleast_1d(figure.subfigures(len(searches), 1))
    axes = np.empty((len(searches), n_columns), dtype=object)
    for row, (band, (name, one)) in enumerate(zip(bands, searches.items(), strict=True)):
        band.suptitle(f"{name}: {one.in_short}", x=0.01, ha="left", fontsize=9)
        axes[row] = band.subplots(1, n_columns, squeeze=False)[0]
        for ax in axes[row]:
            ax.axis("off")
        thumbnail(axes[row, 0], one.query, one.said, "black")
        found = zip(one.matches, one.captions, one.is_relevant, strict=True)
        for ax, (match, caption, hit) in zip(axes[row, 1:], found, strict=False):
            colour = style.BLUE if hit else style.ORANGE
            thumbnail(ax, match, f"{'✓' if hit else '✗'} {caption}", colour)
    return figure, axes


def thumbnail(axes: Axes, picture: Image.Image, caption: str, colour: object) -> None:
    """A picture in a frame under its caption, without axes."""
    small = picture.copy()
    small.thumbnail((MOST_PIXELS, MOST_PIXELS))
    axes.imshow(small)
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.set_title(caption, fontsize=6.5, pad=2)
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2)


def as_photo(figure: Figure, *, quality: int = 85) -> Shown:
    """A figure of photos as a JPEG, a quarter of a PNG's size, so that a notebook stays small.

    Args:
        figure: it is closed, so that a notebook does not show it a second time.
        quality: of the JPEG, 1 to 95.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=100, pil_kwargs={"quality": quality})
    plt.close(figure)
    return Shown(buffer.getvalue(), format="jpeg")
