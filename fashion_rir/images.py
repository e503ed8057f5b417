"""Pictures in, uint8 RGB arrays out: the one place that decodes and resizes.

Query and gallery both go through `decode` and `fit`, so a query can never be prepared
differently from the catalogue it is compared with.
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from fashion_rir.errors import ImageError, ParameterError, unknown_name

# What is tried at all. Pillow hands some others to a program beside it (PostScript to Ghostscript).
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM", "TGA")
MAX_PIXELS = 50_000_000  # a 2400x1600 catalogue photo has 3.8 million
MAX_SIZE = 4_096  # side of a network's input in pixels; 64 such pictures take 3 GB
DRAFT_MARGIN = 2  # at least 2 x 2 decoded pixels stand behind each one that the network sees
PAD_COLOUR = (0, 0, 0)  # the thesis pads with black
WHITE = (255, 255, 255)  # the background of the catalogue's photos


def decode(
    data: bytes | Path,
    name: str | None = None,
    *,
    for_size: int | None = None,
    max_pixels: int | None = None,
) -> Image.Image:
    """Read one picture as RGB.

    Files of the kinds in `FORMATS` are read. The first frame is taken, the EXIF rotation is
    applied, transparency is laid on white, and any mode that Pillow reads (grey, palette, CMYK,
    16 bit) becomes RGB.

    Args:
        data: the file's bytes, or its path.
        name: what to call it in an error message.
        for_size: the side of the square that `fit` will make of it. A JPEG much larger than that
            is decoded at a half, a quarter or an eighth of its size, several times as fast.
        max_pixels: a larger picture is refused before it is unpacked; `MAX_PIXELS` if None.

    Returns:
        An RGB image of the picture's own size, or with `for_size` of a fraction of it, no side
        shorter than `DRAFT_MARGIN` times `for_size`.

    Raises:
        ImageError: the file is missing, empty, no picture, damaged, or larger than `max_pixels`.
    """
    if isinstance(data, Path):
        name = name or str(data)
        try:
            data = data.read_bytes()
        except OSError as error:
            raise ImageError(f"Cannot read the image {name}: {error.strerror}.") from error
    name = name or "the image"
    max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
    if not data:
        raise ImageError(f"{name} is empty (0 bytes); replace it by a JPEG or PNG picture.")
    try:
        with Image.open(io.BytesIO(data), formats=_known_formats()) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(
                    f"{name} has {image.width} x {image.height} pixels; the limit is "
                    f"{max_pixels:,}. Scale it down first."
                )
            if for_size is not None:  # ignored by all but JPEG
                image.draft(None, (DRAFT_MARGIN * for_size, DRAFT_MARGIN * for_size))
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to open safely; scale it down first.") from error
    except Exception as error:  # Pillow raises many types for damaged files
        raise ImageError(
            f"{name} cannot be read as a picture; give a whole JPEG, PNG or other "
            f"picture file ({type(error).__name__})."
        ) from error


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height in pixels once the EXIF rotation is applied, read from the header alone."""
    is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return image.size[::-1] if is_turned else image.size


def resize(image: Image.Image, size: int) -> Image.Image:
    """Stretch to a square of `size` pixels, bilinear; the aspect ratio is lost."""
    return image.resize((size, size), Image.Resampling.BILINEAR)


def pad(image: Image.Image, size: int, colour: tuple[int, int, int] = PAD_COLOUR) -> Image.Image:
    """Fit into a square of `size` pixels with borders of one colour; the aspect ratio is kept."""
    longest = max(image.size)
    # At least one pixel: the short side of a very thin picture would round to none.
    width, height = (max(1, round(side / longest * size)) for side in image.size)
    square = Image.new("RGB", (size, size), colour)
    fitted = image.resize((width, height), Image.Resampling.BILINEAR)
    square.paste(fitted, (round((size - width) / 2), round((size - height) / 2)))
    return square


def crop(image: Image.Image, size: int) -> Image.Image:
    """Cut out the square in the middle and scale it to `size` pixels; what is outside is lost."""
    shortest = min(image.size)
    left, top = ((side - shortest) // 2 for side in image.size)
    return resize(image.crop((left, top, left + shortest, top + shortest)), size)


PREPROCESSING: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    "resize": resize,
    "pad": pad,
    "pad-white": partial(pad, colour=WHITE),
    "crop": crop,
}


def fit(image: Image.Image, size: int, preprocessing: str) -> np.ndarray:
    """Bring a picture to the network's square input.

    Args:
        image: an RGB picture from `decode`.
        size: side of the square in pixels, at least 1.
        preprocessing: key in `PREPROCESSING`.

    Returns:
        uint8, shape (size, size, 3), values 0 to 255, RGB.

    Raises:
        ParameterError: unknown preprocessing, or a size below 1.
    """
    if preprocessing not in PREPROCESSING:
        raise unknown_name("preprocessing", preprocessing, PREPROCESSING)
    if size < 1:
        raise ParameterError(f"The image size must be at least 1 pixel, not {size}.")
    return np.asarray(PREPROCESSING[preprocessing](image, size), dtype=np.uint8)


def _known_formats() -> list[str]:
    """Those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 and 32 bit grey: convert() would clip, not scale
        grey = np.asarray(image, dtype=np.int64)
        return Image.fromarray((grey.clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
