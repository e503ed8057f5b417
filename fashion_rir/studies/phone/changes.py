"""What separates a phone photo from a catalogue photo, changed one thing at a time."""

from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

from fashion_rir.search.cut_out import CutOut

CATALOGUE_SIZE = (60, 80)  # pixels, of nearly all photos of the catalogue

DARKER = 0.5  # of the light

LAMP = (1.15, 1.0, 0.75)  # red, green and blue, as by the light of a warm lamp

AS_IT_IS = "as it is"


def changed(photo: Image.Image, found: CutOut) -> dict[str, Image.Image]:
    """A photo in all its changes, by what was changed.

    Args:
        photo: RGB and upright.
        found: what was cut out of it; where nothing was, background and frame stay.
    """
    box = _box(found.mask)
    white = _on_white(found)
    pixels = np.asarray(photo, dtype=np.float32)
    return {
        AS_IT_IS: photo,
        "background white": white,
        "framed tightly": found.photo.crop(box),
        "cut out": found.picture,
        "first made 60 x 80": photo.resize(CATALOGUE_SIZE, Image.Resampling.BOX),
        "colour cast taken out": _without_cast(pixels),
        "under a warm lamp": _picture(pixels * LAMP),
        "half as bright": _picture(pixels * DARKER),
    }


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is true."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _on_white(found: CutOut) -> Image.Image:
    soft = cv2.GaussianBlur(found.mask.astype(np.float32), (0, 0), 1)[..., None]
    return _picture(np.asarray(found.photo) * soft + 255 * (1 - soft))


def _without_cast(pixels: np.ndarray) -> Image.Image:
    """Each channel scaled so that the photo's mean is grey (Buchsbaum 1980)."""
    means = pixels.mean(axis=(0, 1))
    return _picture(pixels * (means.mean() / np.maximum(means, 1)))


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def by_change(rows: list[dict[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """Embeddings of each photo's changes, as one array for each change: (n_photos, dim)."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
