"""Cut the garment out of a shopper's photo and show it as the catalogue shows its products.

GrabCut (Rother, Kolmogorov & Blake 2004) parts a photo by two mixtures of colours: the photo's
border is taken for background, all else may be garment. What is left stands on white, in the
middle of a frame of the catalogue's shape. It needs no training and no label.

A photo is never refused for what it shows: where nothing can be cut out, the whole photo is
searched, and `CutOut.note` says why. A small hole in the mask costs little, a lost photo all.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from fashion_rir.errors import ParameterError

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside

WORKING_SIZE = 112  # longest side of what GrabCut sees, in pixels; 160 takes twice as long

KEPT_SIZE = 512  # longest side of what is cut from, in pixels: twice what a network sees

LEAST_SIZE = 32  # pixels of the shorter side; a smaller photo is searched as a whole

BORDER = 0.03  # of each side: surely background

N_ITERATIONS = 3

LEAST_SHARE, MOST_SHARE = 0.04, 0.90  # of the photo that a garment covers

LEAST_CONTRAST = 7.0  # CIE Lab difference of the garment's colours from those around it

LEAST_PART = 0.15  # of the largest part's area: a smaller one is dirt

OWN_PART = 0.5  # of the largest part's area: from here on it may be a garment of its own

MOST_SCATTER = 0.5  # of the mask that may lie in dirt

LEAST_HOLE = 0.02  # of the photo: a smaller hole in the garment is closed

FRAME = (3, 4)  # width to height of the catalogue's photos

MARGIN = 0.06  # of the frame, left empty on each side

WHITE = 240  # from here on in all three channels, a pixel is a catalogue picture's ground

BAR_SHARE = 0.7  # of a row that has the bar's colour, for the row to belong to a bar

BAR_DIFFERENCE = 12  # from the bar's colour, in the channel where it is largest (0 to 255)


@dataclass(frozen=True)
class CutOut:
    """What of a photo is searched.

    Attributes:
        picture: RGB; the garment on white, or the whole photo without its bars.
        photo: RGB: the photo without its bars, at most `KEPT_SIZE` pixels long.
        mask: bool, shape (height, width) of `photo`: the garment; all of it if nothing was cut.
        is_cut: whether `picture` is a cut-out.
        note: one sentence on what was done otherwise than usual; empty if nothing was.
    """

    picture: Image.Image
    photo: Image.Image
    mask: np.ndarray
    is_cut: bool
    note: str = ""

    @property
    def share(self) -> float:
        """How much of the photo is searched, in [0, 1]."""
        return float(self.mask.mean())


def cut_out(photo: Image.Image) -> CutOut:
    """Cut out what lies in the middle of a photo.

    Args:
        photo: RGB and upright, from `images.decode`.

    Returns:
        The cut-out, or the whole photo and the reason.

    Raises:
        ParameterError: the photo is no RGB picture.

    Example:
        >>> wall = Image.new("RGB", (60, 80), (210, 205, 190))
        >>> found = cut_out(wall)
        >>> found.is_cut, found.picture.size
        (False, (60, 80))
    """
    if photo.mode != "RGB":
        raise ParameterError(f"A photo to cut out of is RGB, not {photo.mode}; convert it first.")
    if min(photo.size) < LEAST_SIZE:
        return _whole(photo, f"The photo has only {photo.width} x {photo.height} pixels")
    photo = without_bars(_smaller(photo, KEPT_SIZE))
    pixels = np.asarray(photo)
    if is_on_white(pixels):
        return _whole(photo, "The photo's ground is white already")
    small = np.asarray(_smaller(photo, WORKING_SIZE))
    mask, reason = _garment(small)
    if reason:
        return _whole(photo, reason)
    n_own = _n_parts(mask)
    soft = cv2.resize(mask.astype(np.float32), photo.size, interpolation=cv2.INTER_LINEAR)
    note = (
        f"{n_own} parts stand apart in the photo and are searched together; cut the photo down "
        "to one of them to search it alone."
        if n_own > 2  # a pair of shoes has two
        else ""
    )
    return CutOut(framed(pixels, soft), photo, soft > 0.5, True, note)


def framed(pixels: np.ndarray, soft_mask: np.ndarray) -> Image.Image:
    """A garment on white, in the middle of a frame of the catalogue's shape.

    Args:
        pixels: uint8, shape (height, width, 3), RGB.
        soft_mask: float32, shape (height, width), 0 to 1; above 0.5 somewhere.

    Returns:
        RGB; the garment has the size it had.
    """
    alpha = np.clip((soft_mask - 0.3) / 0.4, 0, 1)[..., None]
    on_white = (pixels * alpha + 255 * (1 - alpha)).astype(np.uint8)
    rows, columns = (
        np.flatnonzero((soft_mask > 0.5).any(1)),
        np.flatnonzero((soft_mask > 0.5).any(0)),
    )
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    across, down = right - left, bottom - top
    unit = max(across / FRAME[0], down / FRAME[1]) / (1 - 2 * MARGIN)
    width, height = max(round(FRAME[0] * unit), across), max(round(FRAME[1] * unit), down)
    frame = Image.new("RGB", (int(width), int(height)), "white")
    garment = Image.fromarray(on_white[top:bottom, left:right])
    frame.paste(garment, (int((width - across) // 2), int((height - down) // 2)))
    return frame


def without_bars(photo: Image.Image) -> Image.Image:
    """Cut off what a screenshot has above, below or beside the picture: bars of one colour.

    A row belongs to a bar while most of it has the colour of the photo's edge. Bars are cut only
    where they end at once, in a row that has little of that colour, so that plain ground around
    a garment stays. A status bar's signs and clock do not end a bar.

    Args:
        photo: RGB.

    Returns:
        The photo, or the part of it inside the bars.
    """
    pixels = np.asarray(photo)
    top, bottom = _bar(pixels), _bar(pixels[::-1])
    sideways = pixels.swapaxes(0, 1)
    left, right = _bar(sideways), _bar(sideways[::-1])
    box = (left, top, photo.width - right, photo.height - bottom)
    if box[2] - box[0] < LEAST_SIZE or box[3] - box[1] < LEAST_SIZE:
        return photo
    return photo if box == (0, 0, *photo.size) else photo.crop(box)


def is_on_white(pixels: np.ndarray) -> bool:
    """Whether nine tenths of a picture's border are white, as in the catalogue.

    Args:
        pixels: uint8, shape (height, width, 3), RGB.
    """
    is_white = pixels.min(axis=2) >= WHITE
    border = np.concatenate([is_white[0], is_white[-1], is_white[:, 0], is_white[:, -1]])
    return bool(border.mean() >= 0.9)


def _garment(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """The garment's mask, bool; or the reason why there is none, as the beginning of a sentence."""
    height, width = pixels.shape[:2]
    labels = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    down, across = max(2, round(BORDER * height)), max(2, round(BORDER * width))
    labels[:down] = labels[-down:] = cv2.GC_BGD
    labels[:, :across] = labels[:, -across:] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut begins with k-means
    try:
        cv2.grabCut(
            np.ascontiguousarray(pixels[..., ::-1]), labels, None, np.zeros((1, 65)),
            np.zeros((1, 65)), N_ITERATIONS, cv2.GC_INIT_WITH_MASK,
        )  # fmt: skip
    except cv2.error:  # fewer colours than a mixture has parts
        return labels > 0, "The photo has hardly any colours to tell apart"
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = _largest_parts(found)
    if mask.mean() < LEAST_SHARE:
        return mask, "Nothing in the photo stands out from what is around it"
    if mask.sum() < (1 - MOST_SCATTER) * found.sum():
        return mask, "The photo falls into many small pieces"
    if mask.mean() > MOST_SHARE:
        return mask, "The garment fills the photo"
    if _contrast(pixels, mask) < LEAST_CONTRAST:
        return mask, "Nothing in the photo stands out from what is around it"
    return mask, ""


def _largest_parts(found: np.ndarray) -> np.ndarray:
    """The mask without its small parts, its small holes closed; bool."""
    _, parts, about, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    areas = about[1:, cv2.CC_STAT_AREA]
    if len(areas) == 0:
        return found > 0
    mask = np.isin(parts, 1 + np.flatnonzero(areas >= LEAST_PART * areas.max()))
    _, holes, about, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    is_small = about[:, cv2.CC_STAT_AREA] < LEAST_HOLE * mask.size
    outside = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    is_small[outside] = False
    return mask | (is_small[holes] & ~mask)


def _n_parts(mask: np.ndarray) -> int:
    """How many parts of a mask are large enough to be garments of their own."""
    about = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    areas = about[1:, cv2.CC_STAT_AREA]
    return int((areas >= OWN_PART * areas.max()).sum())


def _contrast(pixels: np.ndarray, mask: np.ndarray) -> float:
    """How far, in CIE Lab, the garment's outline differs from the ground beside it."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    kernel = np.ones((7, 7), np.uint8)
    solid = mask.astype(np.uint8)
    inner = (solid > 0) & (cv2.erode(solid, kernel) == 0)
    outer = (cv2.dilate(solid, kernel) > 0) & (solid == 0)
    if not inner.any() or not outer.any():
        return 0.0
    blurred = [cv2.blur(part.astype(np.float32), (15, 15)) for part in (inner, outer)]
    means = [
        cv2.blur(lab * part[..., None], (15, 15)) / np.maximum(b, 1e-6)[..., None]
        for part, b in zip((inner, outer), blurred, strict=True)
    ]
    edge = inner & (blurred[1] > 0.02)
    return float(np.median(np.linalg.norm(means[0] - means[1], axis=2)[edge])) if edge.any() else 0


def _bar(pixels: np.ndarray) -> int:
    """How many rows at the top are a bar; 0 if there is none."""
    colour = np.median(pixels[0], axis=0)
    is_like = (np.abs(pixels - colour).max(axis=2) <= BAR_DIFFERENCE).mean(axis=1)
    n_rows = int(np.argmax(np.append(is_like, 0) < BAR_SHARE))
    ends_at_once = n_rows < len(pixels) and is_like[n_rows : n_rows + 3].mean() < 1 - BAR_SHARE
    return n_rows if ends_at_once else 0


def _whole(photo: Image.Image, reason: str) -> CutOut:
    mask = np.ones((photo.height, photo.width), dtype=bool)
    return CutOut(photo, photo, mask, False, f"{reason}, so the whole photo is searched.")


def _smaller(photo: Image.Image, longest: int) -> Image.Image:
    """The photo, at most so many pixels long; it is never made larger."""
    factor = longest / max(photo.size)
    if factor >= 1:
        return photo
    size = tuple(max(1, round(side * factor)) for side in photo.size)
    return photo.resize(size, Image.Resampling.BOX if factor < 0.5 else Image.Resampling.BILINEAR)
