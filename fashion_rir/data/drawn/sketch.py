"""The canvas of the drawn catalogue: outlines, patterns and colours.

Everything is polygons and lines with whole-number coordinates on a canvas of four times the
photo's size, so that the same generator gives the same picture on every machine. A curve is
a polygon whose corners are cut off one to three times (Chaikin's algorithm).

x counts from the canvas's middle, -120 to 120; y from its top, 0 to 320.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw

SUPERSAMPLING = 4

SIZE = (240, 320)  # width, height of the canvas; a photo has 60 x 80 pixels

MIDDLE_X, MIDDLE_Y = SIZE[0] // 2, SIZE[1] // 2

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

Points = list[tuple[int, int]]

Vary = Callable[[int, int], int]  # a random whole number, both ends included

PAPER, WHITE, BLACK, GREY = (255, 255, 255), (246, 246, 244), (40, 40, 44), (150, 152, 156)

SILVER, GOLD, TAN, SHADOW = (196, 199, 204), (205, 168, 76), (190, 146, 98), (232, 232, 232)


@dataclass(frozen=True)
class Look:
    """What a photo shows of a product besides its type.

    Attributes:
        colour: of the product.
        accent: of the pattern and of small parts.
        pattern: a name in `PATTERNS`.
        gender: Men, Women, Boys, Girls or Unisex; decides cut and size.
        is_warm: made for the cold seasons: long sleeves.
    """

    colour: Colour
    accent: Colour
    pattern: str
    gender: str
    is_warm: bool

    @property
    def is_fitted(self) -> bool:
        """Cut for women and girls."""
        return self.gender in ("Women", "Girls")

    @property
    def is_small(self) -> bool:
        """Cut for children."""
        return self.gender in ("Boys", "Girls")


class Sketch:
    """A white canvas that puts all parts of one product into the same random pose.

    Args:
        look: colours, pattern and cut.
        generator: of pose, pattern and whatever a drawing varies.
    """

    def __init__(self, look: Look, generator: np.random.Generator) -> None:
        self.look = look
        self._generator = generator
        self._image = Image.new("RGB", SIZE, PAPER)
        self._pen = ImageDraw.Draw(self._image)
        self._height = self.vary(78, 86) if look.is_small else self.vary(93, 104)  # percent
        self._width = self._height + self.vary(-4, 4)  # percent
        self._lean = self.vary(-3, 3)  # percent
        self._shift = (self.vary(-4, 4), self.vary(-6, 6))
        self._fabric = self._weave()

    @property
    def picture(self) -> Image.Image:
        """What was drawn, RGB, 240 x 320 pixels."""
        return self._image

    def photo(self) -> Image.Image:
        """The finished picture, RGB, 60 x 80 pixels."""
        return self._image.reduce(SUPERSAMPLING)

    def vary(self, low: int, high: int) -> int:
        """A random whole number, both ends included."""
        return int(self._generator.integers(low, high + 1))

    def part(self, outline: Points, paint: Colour | None = None, *, rounds: int = 2) -> None:
        """Fill a closed outline.

        Args:
            outline: the corners in order; one that is given twice stays sharp.
            paint: a colour, or None for the product's own fabric.
            rounds: how often the corners are cut, 0 to 3.
        """
        placed = self._placed(_cut_corners(outline, rounds))
        if paint:
            self._pen.polygon(placed, fill=paint)
        else:
            mask = Image.new("L", SIZE)
            ImageDraw.Draw(mask).polygon(placed, fill=255)
            self._image.paste(self._fabric, mask=mask)
        self._pen.line([*placed, placed[0]], fill=edge(paint or self.look.colour), width=3)

    def pair(self, outline: Points, paint: Colour | None = None, *, rounds: int = 2) -> None:
        """Fill the mirror image of an outline on the left, then the outline itself."""
        self.part([(-x, y) for x, y in outline], paint, rounds=rounds)
        self.part(outline, paint, rounds=rounds)

    def line(self, points: Points, paint: Colour | None = None, *, width: int = 3) -> None:
        """Draw an open line: a seam or fold of the fabric, or one of another colour."""
        self._pen.line(self._placed(points), fill=paint or edge(self.look.colour), width=width)

    def line_pair(self, points: Points, paint: Colour | None = None, *, width: int = 3) -> None:
        """Draw a line and its mirror image."""
        self.line([(-x, y) for x, y in points], paint, width=width)
        self.line(points, paint, width=width)

    def shadow(self, ground: int, half_width: int) -> None:
        """Lay a shadow on the floor; called before the parts that stand on it."""
        self._pen.polygon(self._placed(_cut_corners(oval(0, ground, half_width, 9), 2)), SHADOW)

    def _placed(self, points: Points) -> Points:
        return [
            (
                MIDDLE_X + (x * self._width + (y - MIDDLE_Y) * self._lean) // 100 + self._shift[0],
                MIDDLE_Y + (y - MIDDLE_Y) * self._height // 100 + self._shift[1],
            )
            for x, y in points
        ]

    def _weave(self) -> Image.Image:
        """The product's colour and pattern, lit from the left."""
        fabric = Image.new("RGB", SIZE, self.look.colour)
        PATTERNS[self.look.pattern](ImageDraw.Draw(fabric), self.look.accent, self.vary)
        light = 255 - np.abs(np.arange(SIZE[0]) - 95) * 50 // 145
        row = Image.fromarray(light.astype(np.uint8)[np.newaxis])
        light = row.resize(SIZE, Image.Resampling.NEAREST).convert("RGB")
        return ImageChops.multiply(fabric, light)


def mirrored(half: Points) -> Points:
    """A closed outline from its right half, listed from top to bottom."""
    return half + [(-x, y) for x, y in reversed(half) if x]


def oval(x: int, y: int, half_width: int, half_height: int) -> Points:
    """An octagon; with its corners cut twice it looks like an ellipse."""
    near_x, near_y = half_width * 45 // 100, half_height * 45 // 100
    corner = [(near_x, -half_height), (half_width, -near_y)]
    right = corner + [(dx, -dy) for dx, dy in reversed(corner)]
    return [(x + dx, y + dy) for dx, dy in mirrored(right)]


def edge(colour: Colour) -> Colour:
    """The colour of outlines and seams: darker, but lighter where the product is near black."""
    if sum(colour) < 200:
        return mixed(colour, WHITE, 28)
    return mixed(colour, (0, 0, 0), 42)


def mixed(colour: Colour, other: Colour, percent: int) -> Colour:
    """`percent` of the other colour, and the rest of the first."""
    red, green, blue = (
        (a * (100 - percent) + b * percent) // 100 for a, b in zip(colour, other, strict=True)
    )
    return red, green, blue


def _cut_corners(outline: Points, rounds: int) -> Points:
    """Chaikin's algorithm: every side keeps its middle half."""
    for _ in range(rounds):
        outline = [
            ((start * x0 + end * x1) // 4, (start * y0 + end * y1) // 4)
            for (x0, y0), (x1, y1) in zip(outline, outline[1:] + outline[:1], strict=True)
            for start, end in ((3, 1), (1, 3))
        ]
    return outline


def _plain(pen: ImageDraw.ImageDraw, accent: Colour, vary: Vary) -> None:
    """Nothing is drawn."""


def _stripes(pen: ImageDraw.ImageDraw, accent: Colour, vary: Vary) -> None:
    period = vary(22, 44)
    width = period * vary(25, 50) // 100
    rise = (0, 0, SIZE[1], SIZE[1] // 2)[vary(0, 3)]
    is_upright = rise == 0 and vary(0, 2) == 0
    for start in range(-rise, SIZE[1], period):
        end = start + rise
        if is_upright:
            pen.rectangle((start, 0, start + width, SIZE[1]), fill=accent)
        else:
            band = [(0, start), (SIZE[0], end), (SIZE[0], end + width), (0, start + width)]
            pen.polygon(band, fill=accent)


def _checks(pen: ImageDraw.ImageDraw, accent: Colour, vary: Vary) -> None:
    period, width = vary(26, 44), vary(5, 9)
    for start in range(vary(-period, 0), SIZE[1], period):
        pen.rectangle((start, 0, start + width, SIZE[1]), fill=accent)
        pen.rectangle((0, start, SIZE[0], start + width), fill=accent)


def _dots(pen: ImageDraw.ImageDraw, accent: Colour, vary: Vary) -> None:
    period = vary(22, 34)
    radius = period * vary(20, 30) // 100
    for row, y in enumerate(range(0, SIZE[1], period)):
        for x in range(row % 2 * period // 2, SIZE[0], period):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=accent)


def _logo(pen: ImageDraw.ImageDraw, accent: Colour, vary: Vary) -> None:
    x, y, size = MIDDLE_X, vary(122, 136), vary(18, 30)
    shape = vary(0, 3)
    if shape == 0:
        pen.ellipse((x - size, y - size, x + size, y + size), outline=accent, width=9)
    elif shape == 1:
        pen.polygon([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], fill=accent)
    elif shape == 2:
        pen.polygon([(x, y - size), (x + size, y + size), (x - size, y + size)], fill=accent)
    else:
        peaks = [(x + step * size // 2, y + step % 2 * size) for step in range(-3, 4)]
        pen.line(peaks, fill=accent, width=9)


PATTERNS: dict[str, Callable[[ImageDraw.ImageDraw, Colour, Vary], None]] = {
    "plain": _plain,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "logo": _logo,
}
