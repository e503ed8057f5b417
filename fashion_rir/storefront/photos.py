"""The photo of a visitor: unpacked, cropped, and shown. It stays in the memory of his process."""

import io

from PIL import Image

from fashion_rir.data import images
from fashion_rir.errors import ImageError

MAX_UPLOAD_BYTES = 8_000_000  # Jupyter's web socket takes messages of up to 10 MiB

MAX_UPLOAD_PIXELS = 30_000_000  # `images` takes larger photos of phones

KEPT_SIDE = 2048  # pixels: a larger upload is scaled down, by the page or once it is unpacked

SENT_WHOLE_BYTES = 2_000_000  # a larger photo is scaled down by the page before it is sent

SHOWN_SIDE = 480  # pixels: of the preview


def decode_upload(data: bytes, name: str) -> Image.Image:
    """An uploaded file as a picture: by its content, whatever it is called; its first frame.

    Args:
        data: the file's bytes.
        name: what the visitor calls it.

    Raises:
        ImageError: empty, too large, no picture, or damaged.
    """
    if len(data) > MAX_UPLOAD_BYTES:
        raise ImageError(
            f"{name} has {len(data) / 1e6:.1f} MB; the limit is {MAX_UPLOAD_BYTES / 1e6:.0f} MB. "
            "Scale it down first."
        )
    photo = images.decode(data, name, for_size=KEPT_SIDE // images.DRAFT_MARGIN,
                          max_pixels=MAX_UPLOAD_PIXELS)  # fmt: skip
    photo.thumbnail((KEPT_SIDE, KEPT_SIDE))
    return photo


def crop(photo: Image.Image, box: tuple[float, float, float, float] | None) -> Image.Image:
    """The part of a photo inside a box, `messages.Box`; at least a pixel, all of it if None."""
    if box is None:
        return photo
    shares = zip(box, photo.size * 2, strict=True)
    left, top, right, bottom = (round(share * side) for share, side in shares)
    return photo.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def preview(photo: Image.Image) -> bytes:
    """A photo as a JPEG to be shown on the page."""
    shown = photo.copy()
    shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return as_jpeg(shown, quality=88)


def as_jpeg(image: Image.Image, *, quality: int) -> bytes:
    """A picture as the bytes of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
