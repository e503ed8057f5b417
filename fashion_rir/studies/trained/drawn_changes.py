"""A known answer: two drawn shapes in two colours, and what each change of a picture leaves.

A change of the hue must leave the shape and take the colour; what a network sees of that can be
counted, since nothing else differs between the drawings.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from fashion_rir.data.drawn.drawing import draw
from fashion_rir.data.drawn.sketch import WHITE, Look
from fashion_rir.embedding.embed import Embedder
from fashion_rir.training import augmentation

SHAPES = ("Tshirts", "Dresses")

COLOURS = {"red": (200, 40, 45), "blue": (45, 70, 190)}

N_VIEWS = 25  # of each drawing


def drawings(*, seed: int) -> dict[tuple[str, str], Image.Image]:
    """Two shapes in two colours, by both; the same shape is drawn alike in either colour."""
    return {
        (shape, name): draw(shape, Look(colour, WHITE, "plain", "Women", False),
                            np.random.default_rng(seed))
        for shape in SHAPES for name, colour in COLOURS.items()
    }  # fmt: skip


def kept(network: Embedder, changes: Sequence[str], *, seed: int) -> pd.DataFrame:
    """How often a changed drawing is still nearest to the one that it was.

    Args:
        network: embeds the drawings.
        changes: keys in `augmentation.AUGMENTATIONS`.
        seed: of drawings and changes.

    Returns:
        Index: the change. `shape kept`: share of views nearer to their own drawing than to the
        other shape in the same colour; `colour kept`: than to the same shape in the other colour.
        0.5 is guessing.
    """
    shown = drawings(seed=seed)
    side = (network.image_size, network.image_size)
    clean = {key: np.asarray(picture.resize(side)) for key, picture in shown.items()}
    own = dict(zip(clean, _unit(network, np.stack(list(clean.values()))), strict=True))
    rows = []
    for change in changes:
        wins = {"shape kept": [], "colour kept": []}
        for (shape, colour), picture in clean.items():
            views = augmentation.changed(picture, change, 1.0, n_views=N_VIEWS, seed=seed)
            found = _unit(network, views)
            others = {"shape kept": (_other(SHAPES, shape), colour),
                      "colour kept": (shape, _other(tuple(COLOURS), colour))}  # fmt: skip
            for what, other in others.items():
                wins[what].append(found @ own[shape, colour] > found @ own[other])
        rows.append({what: float(np.mean(each)) for what, each in wins.items()})
    return pd.DataFrame(rows, index=pd.Index(changes, name="change"))


def _other(both: tuple[str, ...], one: str) -> str:
    return both[1 - both.index(one)]


def _unit(network: Embedder, pictures: np.ndarray) -> np.ndarray:
    vectors = network.embed(pictures)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
