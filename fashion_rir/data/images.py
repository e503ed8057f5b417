"""Pictures in, uint8 RGB arrays out: the one place that decodes and resizes.

Query and gallery both go through `decode` and `fit`, so a query can never be prepared
differently from the catalogue it is compared with.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin

from fashion_rir.data import image_colours, image_kinds, image_repair
from fashion_rir.errors import ImageError, ParameterError, unknown_name

# What is tried at all. Pillow hands some others to a program beside it (PostScript to Ghostscript).
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "BMP", "DIB", "TIFF", "JPEG2000",
           "PPM", "PSD", "ICO", "QOI", "PCX", "SGI", "TGA")  # fmt: skip

MAX_PIXELS = 50_000_000  # that are decoded; a 2400x1600 catalogue photo has 3.8 million

MAX_JPEG_PIXELS = 250_000_000  # larger ones are decoded reduced, up to here; phones make 200

MAX_SIZE = 4_096  # side of a network's input in pixels; 64 such pictures take 3 GB

DRAFT_MARGIN = 2  # at least 2 x 2 decoded pixels stand behind each one that the network sees

PAD_COLOUR = (0, 0, 0)  # the thesis pads with black

WHITE = (255, 255, 255)  # the background of the catalogue's photos


@dataclass(frozen=True)
class Decoded:
    """A picture, and what its file says of it.

    Attributes:
        image: RGB, upright, sRGB.
        size: width and height of the whole upright picture in pixels; `image` may be a fraction.
        mode: Pillow's mode of the file's own pixels.
        repair: what was wrong with the file; None if nothing was. It is read all the same.
    """

    image: Image.Image
    size: tuple[int, int]
    mode: str
    repair: str | None = None


def decode(
    data: bytes | Path,
    name: str | None = None,
    *,
    for_size: int | None = None,
    max_pixels: int | None = None,
) -> Image.Image:
    """Read one picture as RGB.

    Files of the kinds in `FORMATS` are read. The first frame is taken, the EXIF rotation is
    applied, colours with a profile of their own become sRGB, transparency is laid on white, and
    any mode that Pillow reads (grey, palette, CMYK, 16 bit) becomes RGB. Damaged metadata, and an
    end that is missing, do not cost the picture: see `image_repair`.

    Args:
        data: the file's bytes, or its path.
        name: what to call it in an error message.
        for_size: the side of the square that `fit` will make of it. A JPEG much larger than that
            is decoded at a half, a quarter or an eighth of its size, several times as fast.
        max_pixels: a larger picture is refused before it is unpacked; `MAX_PIXELS` if None. A JPEG
            of up to `MAX_JPEG_PIXELS` is decoded at a fraction of its size that is no larger.

    Returns:
        An RGB image of the picture's own size, or with `for_size` of a fraction of it, no side
        shorter than `DRAFT_MARGIN` times `for_size`.

    Raises:
        ImageError: the file is missing, empty, no picture, damaged, or larger than `max_pixels`.
    """
    return examine(data, name, for_size=for_size, max_pixels=max_pixels).image


def examine(
    data: bytes | Path,
    name: str | None = None,
    *,
    for_size: int | None = None,
    max_pixels: int | None = None,
) -> Decoded:
    """As `decode`, with the size and the mode of the file, and what had to be mended."""
    if isinstance(data, Path):
        name = name or str(data)
        try:
            data = data.read_bytes()
        except OSError as error:
            raise ImageError(f"Cannot read the image {name}: {error.strerror}.") from error
    name = name or "the image"
    if not data:
        raise ImageError(f"{name} is empty (0 bytes); replace it by a JPEG or PNG picture.")
    read = partial(_read, name=name, for_size=for_size,
                   max_pixels=MAX_PIXELS if max_pixels is None else max_pixels)  # fmt: skip
    try:
        return read(data)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to open safely; scale it down first.") from error
    except Exception as error:  # Pillow raises many types for damaged files
        try:
            mended = image_repair.repaired(data, _open)
            if mended is not None:
                return read(mended[0], repair=mended[1])
            reason = image_kinds.named_kind(data, _known_formats())
        except ImageError:
            raise
        except image_repair.Beyond as beyond:
            reason = str(beyond)
        except Exception:  # mended in vain
            reason = None
        reason = f"{type(error).__name__}; {reason}" if reason else type(error).__name__
        raise ImageError(
            f"{name} cannot be read as a picture; give a whole JPEG, PNG or other "
            f"picture file ({reason})."
        ) from error


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height in pixels once the EXIF rotation is applied, read from the header alone."""
    if image.format == "TIFF":  # Pillow has turned it already
        return image.size
    return image.size[::-1] if _TURNS.get(_orientation(image)) in _LYING else image.size


def _read(
    data: bytes, name: str, for_size: int | None, max_pixels: int, repair: str | None = None
) -> Decoded:
    with _open(data) as image:
        mode, size = image.mode, upright_size(image)
        n_times = _reduction(image, name, for_size, max_pixels)
        if n_times > 1:
            image.draft(None, (image.width // n_times, image.height // n_times))
        image.load()
        turn = _TURNS.get(_orientation(image))
        found = _to_rgb(image if turn is None else image.transpose(turn), _profile(image))
        if repair is None and image_repair.is_cut(data, image.format or ""):
            repair = "its end mark is missing"
        return Decoded(found, size if n_times > 1 else found.size, mode, repair)


def _open(data: bytes) -> Image.Image:
    """A picture whose pixels are not unpacked yet."""
    if data.startswith(b"\xff\xd8\xff"):  # `Image.open` would count the pixels of the whole
        return JpegImagePlugin.jpeg_factory(io.BytesIO(data))
    if image_kinds.is_heif(data):
        _add_heif()
    return Image.open(io.BytesIO(data), formats=_known_formats())


def _reduction(image: Image.Image, name: str, for_size: int | None, max_pixels: int) -> int:
    """By how many times a side is decoded smaller: 1, or for a JPEG 2, 4 or 8."""
    n_pixels, is_jpeg = image.width * image.height, image.format in ("JPEG", "MPO")
    most = MAX_JPEG_PIXELS if is_jpeg else max_pixels
    if image.format == "HEIF":  # photos of phones, which nothing can decode reduced
        most = max(max_pixels, MAX_PIXELS)
    if n_pixels > most:
        raise ImageError(
            f"{name} has {image.width} x {image.height} pixels; the limit is {most:,}. Scale it "
            "down first."
        )
    if not is_jpeg:
        return 1
    wanted = 1 if for_size is None else min(image.size) // (DRAFT_MARGIN * for_size)
    return next((n for n in (1, 2, 4) if 2 * n > wanted and n_pixels <= n * n * max_pixels), 8)


def _orientation(image: Image.Image) -> int:
    """As EXIF or XMP state it, 1 to 8, even if they are damaged elsewhere."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow raises many types for damaged EXIF
        value = None
    if value is None and image.info.get("exif"):
        value = image_repair.stated_orientation(image.info["exif"])
    return value if isinstance(value, int) else 1


def _profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else None


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


@cache
def _add_heif() -> None:
    """Let Pillow read HEIC, where the library is there."""
    try:
        import pillow_heif
    except ImportError:
        return  # then the error names the kind, and the way out
    pillow_heif.register_heif_opener()


def _to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode.startswith("I"):  # 16 and 32 bit grey: convert() would clip, not scale
        grey = np.asarray(image, dtype=np.int64)
        image = Image.fromarray((grey.clip(0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        colours = image.convert("L" if image.mode in ("L", "LA") else "RGB")
        image = image.convert("RGBA")
        converted = image_colours.to_srgb(colours, profile)
        if converted is not None:
            converted.putalpha(image.getchannel("A"))
            image = converted
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image_colours.to_srgb(image, profile) or image.convert("RGB")


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_LYING = (_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8])
