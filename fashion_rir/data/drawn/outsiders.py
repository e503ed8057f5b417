"""Pictures of nothing that a fashion shop sells, drawn: what 'no match' is tested with."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from fashion_rir.errors import ParameterError

SIZE = (60, 80)  # width, height in pixels, like a catalogue photo


def outsider_pictures(n_pictures: int, *, seed: int) -> list[Image.Image]:
    """Landscapes, pages of text, checkerboards, gradients, and noise, in turn.

    Args:
        n_pictures: how many, at least 1.
        seed: of everything random in them.

    Returns:
        RGB pictures of 60x80 pixels.

    Raises:
        ParameterError: fewer than one.
    """
    if n_pictures < 1:
        raise ParameterError(f"Ask for at least 1 picture, not {n_pictures}.")
    generator = np.random.default_rng(seed)
    return [_KINDS[number % len(_KINDS)](generator) for number in range(n_pictures)]


def _landscape(generator: np.random.Generator) -> Image.Image:
    sky, hill, ground = (tuple(int(v) for v in c) for c in generator.integers(40, 230, (3, 3)))
    picture = Image.new("RGB", SIZE, sky)
    draw = ImageDraw.Draw(picture)
    horizon = int(generator.integers(30, 55))
    for _ in range(3):
        left, peak = int(generator.integers(-20, 40)), int(generator.integers(10, horizon))
        draw.polygon([(left, horizon), (left + 20, peak), (left + 45, horizon)], fill=hill)
    draw.rectangle((0, horizon, 60, 80), fill=ground)
    x, y = int(generator.integers(8, 52)), int(generator.integers(6, 20))
    draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(250, 220, 80))
    return picture


def _page(generator: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    for y in range(6, 76, 5):
        x = 5
        while x < 50:
            width = int(generator.integers(3, 11))
            draw.line((x, y, min(x + width, 55), y), fill=(40, 40, 40), width=2)
            x += width + 3
    return picture


def _checkerboard(generator: np.random.Generator) -> Image.Image:
    side = int(generator.integers(3, 12))
    rows, columns = np.indices((80, 60)) // side
    colours = generator.integers(0, 256, (2, 3)).astype(np.uint8)
    return Image.fromarray(colours[(rows + columns) % 2])


def _gradient(generator: np.random.Generator) -> Image.Image:
    corners = generator.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    return Image.fromarray(corners).resize(SIZE, Image.Resampling.BILINEAR)


def _noise(generator: np.random.Generator) -> Image.Image:
    coarse = generator.integers(0, 256, (20, 15, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize(SIZE, Image.Resampling.NEAREST)


_KINDS: tuple[Callable[[np.random.Generator], Image.Image], ...] = (
    _landscape,
    _page,
    _checkerboard,
    _gradient,
    _noise,
)
