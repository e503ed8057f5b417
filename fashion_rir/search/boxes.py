"""A photo with several products: split it into boxes, search box by box.

`split` is a plain foreground segmentation, no learned detector: what differs from the colour of
the photo's border is a product. It needs a plain, even background and products that stand apart.
It cannot part products that touch or lie on each other, it takes furniture, floors and hard
shadows for products, and it misses what has the background's colour. Two earrings with a clear
gap come as two boxes, a person with all that she wears as one. Composed photos have the plainest
of backgrounds: how well `split` does on them is the best that can be hoped for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import cv2
import numpy as np
from PIL import Image

from fashion_rir.errors import ParameterError

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside

Search = Callable[[Image.Image], Sequence[int]]  # from a picture to product ids, best first

N_PICTURES_RANGE = (2, 4)  # of a composed photo

LEAST_CELL = 16  # pixels of its shorter side, for each picture of a composed photo

WHITE = 240  # from here on in all three channels, a catalogue picture's margin is empty

SCALE_RANGE = (0.6, 1.0)  # of a picture, as a share of the largest that fits into its cell

GAP = 0.03  # around each cell, as a share of the photo's shorter side

BORDER = 0.02  # width of the border that shows the background, of the photo's shorter side

LEAST_DIFFERENCE = 16  # from the background, in the channel where it is largest (0 to 255)

NOISE_FACTOR = 4  # or this many times the border's median difference, where that is more

CLOSING = 0.03  # holes up to this wide are closed, as a share of the photo's shorter side

LEAST_AREA = 0.002  # of the photo: a smaller box is dirt

PHOTO_SIZE = (240, 240)  # width, height of the photos of `study`

CUTOFF = 5  # results that a shopper looks at


def compose(
    pictures: Sequence[Image.Image], *, size: tuple[int, int], seed: int
) -> tuple[Image.Image, list[Box]]:
    """Lay catalogue pictures onto one white photo, side by side or in a grid.

    White margins are cut off first, so that a box is as tight as a shopper would draw it. Each
    picture gets a random scale and a random place in its own cell; they never overlap.

    Args:
        pictures: two to four RGB pictures.
        size: width and height of the photo in pixels; a cell of it needs at least 16 a side.
        seed: of layout, scales and places.

    Returns:
        The photo, and each picture's box, in the order of `pictures`.

    Raises:
        ParameterError: too few or too many pictures, one that is no RGB or all white, or a photo
            that is too small.
    """
    least, most = N_PICTURES_RANGE
    if not least <= len(pictures) <= most:
        raise ParameterError(
            f"A photo is composed of {least} to {most} pictures, not of {len(pictures)}."
        )
    products = [_without_margin(picture, number) for number, picture in enumerate(pictures)]
    generator = np.random.default_rng(seed)
    cells = _cells(len(products), size, generator)
    photo = Image.new("RGB", size, "white")
    boxes = []
    for product, cell in zip(products, cells, strict=True):
        box = _place(product.size, cell, generator)
        left, top, right, bottom = box
        shown = product.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        photo.paste(shown, (left, top))
        boxes.append(box)
    return photo, boxes


def split(photo: Image.Image, *, most: int = 6) -> list[Box]:
    """Find what differs from the background, whose colour is the border's median.

    Differences above a threshold are closed to whole shapes; connected shapes become boxes;
    boxes that overlap are merged; small ones are dropped.

    Args:
        photo: RGB, on a plain background (see the module's limits).
        most: how many boxes at most, at least 1.

    Returns:
        The boxes, the largest first; the whole photo's if it is blank.

    Raises:
        ParameterError: the photo is no RGB picture, or `most` is below 1.
    """
    if most < 1:
        raise ParameterError(f"`most` must be at least 1 box, not {most}.")
    pixels = np.asarray(_require_rgb(photo, "The photo"))
    shapes = cv2.connectedComponentsWithStats(_foreground(pixels), connectivity=8)[2]
    shapes = shapes[1:].tolist()  # the first one is the background
    merged = _merged([(x, y, x + width, y + height) for x, y, width, height, _ in shapes])
    kept = [box for box in merged if _area(box) >= LEAST_AREA * photo.width * photo.height]
    return sorted(kept, key=_area, reverse=True)[:most] or [(0, 0, photo.width, photo.height)]


def crop(photo: Image.Image, box: Box, *, margin: float = 0.05) -> Image.Image:
    """Cut a box out of a photo, with a little of what is around it.

    Args:
        photo: RGB.
        box: left, top, right and bottom in pixels, inside the photo.
        margin: added on each side, as a share of the box's width or height, 0 to 1; it ends at
            the photo's edge.

    Returns:
        The cut-out.

    Raises:
        ParameterError: the box is empty or not inside the photo, or the margin out of range.
    """
    if not 0 <= margin <= 1:
        raise ParameterError(f"The margin must be 0 to 1 of the box, not {margin}.")
    left, top, right, bottom = _checked(box)
    if left < 0 or top < 0 or right > photo.width or bottom > photo.height:
        raise ParameterError(
            f"The box {box} is not inside the photo of {photo.width} x {photo.height} pixels; "
            "clip it to the photo."
        )
    across, down = round(margin * (right - left)), round(margin * (bottom - top))
    return photo.crop(
        (
            max(0, left - across),
            max(0, top - down),
            min(photo.width, right + across),
            min(photo.height, bottom + down),
        )
    )


def intersection_over_union(first: Box, second: Box) -> float:
    """Area that two boxes share over the area that they cover together, in [0, 1].

    Raises:
        ParameterError: a box is empty.

    Example:
        >>> intersection_over_union((0, 0, 2, 2), (1, 0, 3, 2))  # 2 of 6 pixels
        0.3333333333333333
    """
    first, second = _checked(first), _checked(second)
    shared = _shared_area(first, second)
    return shared / (_area(first) + _area(second) - shared)


@dataclass(frozen=True)
class BoxMatches:
    """Which found box belongs to which true one.

    Attributes:
        pairs: positions (found, true), the best match first; each position occurs once.
        n_found: boxes found.
        n_true: true boxes, at least 1.
    """

    pairs: list[tuple[int, int]]
    n_found: int
    n_true: int

    @property
    def recall(self) -> float:
        """Share of the true boxes that are found, in [0, 1]."""
        return len(self.pairs) / self.n_true

    @property
    def precision(self) -> float:
        """Share of the found boxes that are right, in [0, 1]; 0 where nothing is found."""
        return len(self.pairs) / self.n_found if self.n_found else 0.0


def match_boxes(found: Sequence[Box], true: Sequence[Box], *, least: float = 0.5) -> BoxMatches:
    """Pair found and true boxes, those with the largest intersection over union first.

    Args:
        found: by a detector.
        true: at least one.
        least: intersection over union that a pair needs, above 0, at most 1.

    Returns:
        The pairs, with recall and precision.

    Raises:
        ParameterError: no true box, an empty box, or `least` out of range.
    """
    if len(true) == 0:
        raise ParameterError("There is no true box to be found; give at least 1.")
    if not 0 < least <= 1:
        raise ParameterError(f"`least` must be above 0 and at most 1, not {least}.")
    overlaps = [
        (intersection_over_union(f, t), place, wanted)
        for place, f in enumerate(found)
        for wanted, t in enumerate(true)
    ]
    pairs = []
    for overlap, place, wanted in sorted(overlaps, key=lambda one: -one[0]):
        is_free = all(place != p and wanted != w for p, w in pairs)
        if overlap >= least and is_free:
            pairs.append((place, wanted))
    return BoxMatches(pairs, len(found), len(true))


def composed(
    catalog_pictures: Mapping[int, Image.Image], *, n_photos: int, per_photo: int, seed: int
) -> Iterator[tuple[Image.Image, dict[int, Box]]]:
    """Photos of several products each, drawn at random.

    Args:
        catalog_pictures: RGB pictures by product id. Only those that are drawn are looked up, so a
            mapping that reads them from disk will do.
        n_photos: how many to compose, at least 1.
        per_photo: different products in each, 2 to 4.
        seed: of the products and the layouts.

    Yields:
        The photo, and the box of each of its products.

    Raises:
        ParameterError: a number is out of range.
    """
    least, most = N_PICTURES_RANGE
    if n_photos < 1 or not least <= per_photo <= min(most, len(catalog_pictures)):
        raise ParameterError(
            f"Ask for at least 1 photo of {least} to {most} different products (out of the "
            f"{len(catalog_pictures)} there are), not for {n_photos} photos of {per_photo}."
        )
    generator = np.random.default_rng(seed)
    known = list(catalog_pictures)
    for _ in range(n_photos):
        ids = [known[row] for row in generator.choice(len(known), per_photo, replace=False)]
        pictures = [catalog_pictures[product] for product in ids]
        photo, boxes = compose(pictures, size=PHOTO_SIZE, seed=int(generator.integers(2**32)))
        yield photo, dict(zip(ids, boxes, strict=True))


def study(
    photos: Iterable[tuple[Image.Image, Mapping[int, Box]]],
    labels: Mapping[int, str],
    search: Search,
) -> dict[str, float]:
    """Is it better to search a composed photo object by object than as a whole?

    A true product is hit if a product of its class is among the first 5 results. Those are of
    the whole photo; or of its own box, as a reader would crop it; or of the box that `split`
    found for it (a product that it missed is not hit). The photo's own products are taken out of
    every ranking first: they are held out.

    Args:
        photos: from `composed`.
        labels: class, such as the articleType, by product id, of every product that can be found,
            and of those in the photos.
        search: from a picture to product ids, the best first; at least 5 beside the photo's own.

    Returns:
        `n_photos`, `per_photo` and `n_products` (true products in all); the shares of them that
        are hit, `hit_rate_whole_photo`, `hit_rate_true_boxes` and `hit_rate_detected_boxes`; and
        over all photos `detection_recall` and `detection_precision`.

    Raises:
        ParameterError: a product has no label, or the search returns too few products.
    """
    counts = [_count_hits(photo, true, labels, search) for photo, true in photos]
    total = {what: sum(count[what] for count in counts) for what in counts[0]}
    n_products = total["products"]
    ways = ("whole_photo", "true_boxes", "detected_boxes")
    return {
        "n_photos": len(counts),
        "per_photo": counts[0]["products"],
        "n_products": n_products,
        **{f"hit_rate_{way}": total[way] / n_products for way in ways},
        "detection_recall": total["right"] / n_products,
        "detection_precision": total["right"] / total["found"],
    }


def _count_hits(
    photo: Image.Image, true: Mapping[int, Box], labels: Mapping[int, str], search: Search
) -> dict[str, int]:
    """Hits by each of the three ways, and the right and the found boxes, in one photo."""
    unlabelled = [one for one in true if not isinstance(labels.get(one), str)]
    if unlabelled:
        raise ParameterError(
            f"Product {unlabelled[0]} has no label, so nothing can be right for it; leave it out."
        )

    def n_hit(picture: Image.Image, wanted: Sequence[int]) -> int:
        ranking = [product for product in search(picture) if product not in true][:CUTOFF]
        if len(ranking) < CUTOFF:
            raise ParameterError(
                f"The search returned {len(ranking)} products beside the photo's own; it must "
                f"return at least {CUTOFF + len(true)} in all."
            )
        unknown = [product for product in ranking if product not in labels]
        if unknown:
            raise ParameterError(
                f"The search returned product {unknown[0]}, which `labels` does not know; give "
                "the class of every product that can be found."
            )
        found = {labels[product] for product in ranking}
        return sum(labels[product] in found for product in wanted)

    ids = list(true)
    boxes = split(photo)
    matches = match_boxes(boxes, list(true.values()))
    return {
        "products": len(ids),
        "whole_photo": n_hit(photo, ids),
        "true_boxes": sum(n_hit(crop(photo, true[product]), [product]) for product in ids),
        "detected_boxes": sum(n_hit(crop(photo, boxes[f]), [ids[t]]) for f, t in matches.pairs),
        "right": len(matches.pairs),
        "found": len(boxes),
    }


def _without_margin(picture: Image.Image, number: int) -> Image.Image:
    """The picture down to the rows and columns that are not all white."""
    pixels = np.asarray(_require_rgb(picture, f"Picture {number}"))
    is_inked = pixels.min(axis=2) < WHITE
    if not is_inked.any():
        raise ParameterError(f"Picture {number} is all white and shows no product; leave it out.")
    rows, columns = np.flatnonzero(is_inked.any(axis=1)), np.flatnonzero(is_inked.any(axis=0))
    return picture.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


def _cells(n_cells: int, size: tuple[int, int], generator: np.random.Generator) -> list[Box]:
    """The parts of the photo that the pictures are laid into, less a gap around each."""
    n_columns = int(generator.choice([2, n_cells]))  # a grid, or all side by side
    n_rows = -(-n_cells // n_columns)
    gap = max(1, round(GAP * min(size)))
    if min(size[0] // n_cells, size[1] // 2) - 2 * gap < LEAST_CELL:  # whatever the layout
        raise ParameterError(
            f"A photo of {size[0]} x {size[1]} pixels is too small for {n_cells} pictures; make "
            f"it {2 * LEAST_CELL * n_cells} pixels wide and high."
        )
    width, height = size[0] // n_columns, size[1] // n_rows
    cells = []
    for place in generator.permutation(n_rows * n_columns)[:n_cells].tolist():
        left, top = place % n_columns * width, place // n_columns * height
        cells.append((left + gap, top + gap, left + width - gap, top + height - gap))
    return cells


def _place(size: tuple[int, int], cell: Box, generator: np.random.Generator) -> Box:
    """A box of the picture's aspect ratio at a random place and scale inside the cell."""
    left, top, right, bottom = cell
    scale = min((right - left) / size[0], (bottom - top) / size[1])
    scale *= generator.uniform(*SCALE_RANGE)
    width, height = (max(1, int(scale * side)) for side in size)
    left = int(generator.integers(left, right - width, endpoint=True))
    top = int(generator.integers(top, bottom - height, endpoint=True))
    return left, top, left + width, top + height


def _foreground(pixels: np.ndarray) -> np.ndarray:
    """1 where a pixel differs from the background, closed to whole shapes: uint8, (h, w)."""
    shorter = min(pixels.shape[:2])
    is_border = np.ones(pixels.shape[:2], dtype=bool)
    thickness = max(1, round(BORDER * shorter))
    is_border[thickness:-thickness, thickness:-thickness] = False
    background = np.median(pixels[is_border], axis=0)
    difference = np.abs(pixels - background.astype(np.float32)).max(axis=2)
    noise = float(np.median(difference[is_border]))
    differs = difference > max(LEAST_DIFFERENCE, NOISE_FACTOR * noise)
    side = 2 * round(CLOSING * shorter / 2) + 1
    return cv2.morphologyEx(
        differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)
    )


def _merged(boxes: list[Box]) -> list[Box]:
    """Boxes that overlap become one that holds both, until none do."""
    merged: list[Box] = []
    for box in boxes:
        while overlapping := [other for other in merged if _shared_area(box, other)]:
            for other in overlapping:
                merged.remove(other)
                box = _around(box, other)
        merged.append(box)
    return merged


def _around(first: Box, second: Box) -> Box:
    """The smallest box that holds both."""
    return (*map(min, first[:2], second[:2]), *map(max, first[2:], second[2:]))


def _shared_area(first: Box, second: Box) -> int:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0, width) * max(0, height)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _checked(box: Box) -> Box:
    """Whole numbers with something inside."""
    if len(box) != 4 or not all(isinstance(side, Real) and np.isfinite(side) for side in box):
        raise ParameterError(
            f"A box holds four finite numbers (left, top, right, bottom), not {tuple(box)}."
        )
    left, top, right, bottom = (round(float(side)) for side in box)
    if right <= left or bottom <= top:
        raise ParameterError(
            f"The box {tuple(box)} is empty; right must exceed left, and bottom top."
        )
    return left, top, right, bottom


def _require_rgb(picture: Image.Image, what: str) -> Image.Image:
    if picture.mode != "RGB":
        raise ParameterError(
            f"{what} has the mode {picture.mode}, not RGB; read it by `images.decode`."
        )
    return picture
