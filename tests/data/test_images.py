"""images: whatever is uploaded becomes uint8 RGB, or a sentence that says why not."""

import io

import numpy as np
import pytest
from drawn_catalog import photo
from PIL import Image, ImageOps

from fashion_rir.data import images
from fashion_rir.errors import ImageError, ParameterError

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def portrait() -> Image.Image:
    """60 x 80 pixels of noise: every resampling error shows."""
    values = np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_resize_fills_the_whole_square(portrait):
    batch = images.fit(portrait, 32, "resize")
    expected = portrait.resize((32, 32), Image.Resampling.BILINEAR)
    assert batch.dtype == np.uint8
    np.testing.assert_array_equal(batch, np.asarray(expected))


def test_resize_loses_the_aspect_ratio_and_pad_keeps_it():
    red = Image.new("RGB", (60, 80), RED)
    assert (images.fit(red, 32, "resize") == RED).all()
    padded = images.fit(red, 32, "pad")
    is_red = (padded == RED).all(axis=-1)
    assert is_red.all(axis=0).sum() == 24  # 32 * 60 / 80 columns
    assert (padded[~is_red] == BLACK).all()
    np.testing.assert_array_equal(np.flatnonzero(is_red[0]), np.arange(4, 28))  # centred


@pytest.mark.parametrize("size", [(60, 80), (80, 60), (64, 64), (61, 80), (2400, 1600), (7, 5)])
@pytest.mark.parametrize("side", [32, 33, 128])
def test_pad_equals_pillows_own(size, side):
    values = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    expected = ImageOps.pad(picture, (side, side), Image.Resampling.BILINEAR, color=BLACK)
    np.testing.assert_array_equal(images.fit(picture, side, "pad"), np.asarray(expected))


@pytest.mark.parametrize("size", [(1000, 1), (1, 1000)])
def test_pad_keeps_a_line_of_a_picture_too_thin_for_the_square(size):
    padded = images.fit(Image.new("RGB", size, RED), 8, "pad")
    assert (padded == RED).all(axis=-1).sum() == 8


def test_one_pixel_is_a_size_like_any_other(portrait):
    assert images.fit(portrait, 1, "resize").shape == (1, 1, 3)
    assert images.fit(portrait, 1, "pad").shape == (1, 1, 3)


def test_a_white_border_differs_from_a_black_one_in_colour_only(portrait):
    black, white = (images.fit(portrait, 40, way) for way in ("pad", "pad-white"))
    is_border = (white != black).any(axis=2)
    assert is_border.any()
    assert (white[is_border] == 255).all()
    assert (black[is_border] == 0).all()


def test_crop_keeps_the_middle_square():
    stripes = Image.new("RGB", (4, 8), WHITE)
    stripes.paste(RED, (0, 2, 4, 6))
    assert (images.fit(stripes, 4, "crop") == RED).all()
    lying = stripes.rotate(90, expand=True)
    assert (images.fit(lying, 2, "crop") == RED).all()


def test_crop_of_a_thin_picture():
    assert images.fit(Image.new("RGB", (1, 300), RED), 8, "crop").shape == (8, 8, 3)


def test_unknown_preprocessing_offers_the_nearest(portrait):
    with pytest.raises(ParameterError, match="'resise'; did you mean 'resize'"):
        images.fit(portrait, 32, "resise")


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused(portrait, size):
    with pytest.raises(ParameterError, match=f"at least 1 pixel, not {size}"):
        images.fit(portrait, size, "resize")


def test_exif_rotation_is_applied():
    upright = Image.new("RGB", (20, 10), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn 90 degrees clockwise
    assert images.decode(encoded(upright, "JPEG", exif=exif)).size == (10, 20)


def test_broken_exif_does_not_spoil_the_picture():
    data = encoded(Image.new("RGB", (20, 10), RED), "JPEG", exif=b"Exif\0\0no exif at all")
    assert images.decode(data).size == (20, 10)


def transparent(mode: str) -> bytes:
    """Left pixel red (or black) and opaque, right pixel fully transparent."""
    if mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([*RED, *BLACK])
        image.putpixel((1, 0), 1)
        return encoded(image, transparency=1)
    opaque, clear = {"RGBA": ((*RED, 255), (*BLACK, 0)), "LA": ((0, 255), (0, 0))}[mode]
    image = Image.new(mode, (2, 1), opaque)
    image.putpixel((1, 0), clear)
    return encoded(image)


@pytest.mark.parametrize(("mode", "left"), [("RGBA", RED), ("P", RED), ("LA", BLACK)])
def test_transparency_is_laid_on_white(mode, left):
    image = images.decode(transparent(mode))
    assert image.mode == "RGB"
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [left, WHITE]


def test_half_transparent_black_becomes_mid_grey():
    image = images.decode(encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128))))
    assert image.getpixel((0, 0)) == (127, 127, 127)


def test_a_transparent_colour_of_an_rgb_picture_becomes_white():
    data = encoded(Image.new("RGB", (1, 1), RED), transparency=RED)
    assert images.decode(data).getpixel((0, 0)) == WHITE


def test_greyscale_becomes_three_equal_channels():
    image = images.decode(encoded(Image.new("L", (3, 2), 77)))
    assert np.asarray(image).tolist() == [[[77] * 3] * 3] * 2


def test_black_and_white_becomes_rgb():
    assert images.decode(encoded(Image.new("1", (1, 1), 1))).getpixel((0, 0)) == WHITE


def test_cmyk_becomes_rgb():
    cyan = encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=100)
    assert np.allclose(images.decode(cyan).getpixel((4, 4)), (0, 255, 255), atol=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind):
    grey = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    image = images.decode(encoded(Image.fromarray(grey), kind))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 255, 0))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert images.decode(data).getpixel((0, 0)) == RED


def test_bytes_and_path_give_the_same_picture(tmp_path):
    path = tmp_path / "15970.jpg"
    path.write_bytes(photo(3))
    assert images.decode(path).tobytes() == images.decode(photo(3)).tobytes()


def test_an_empty_file_is_said_to_be_empty():
    with pytest.raises(ImageError, match=r"15970.jpg is empty \(0 bytes\)"):
        images.decode(b"", "15970.jpg")


def test_a_truncated_jpeg_is_refused_by_name():
    with pytest.raises(ImageError, match="15970.jpg cannot be read as a picture"):
        images.decode(photo(3)[:-400], "15970.jpg")


def test_a_text_file_called_jpg_is_refused_by_its_path(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    with pytest.raises(ImageError, match="notes.jpg cannot be read as a picture"):
        images.decode(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(ImageError, match=f"Cannot read the image .*{path.name}"):
            images.decode(path)


def test_too_many_pixels_are_refused_before_they_are_unpacked(monkeypatch):
    data = encoded(Image.new("L", (11, 10)))
    monkeypatch.setattr(images, "MAX_PIXELS", 110)
    assert images.decode(data).size == (11, 10)
    monkeypatch.setattr(images, "MAX_PIXELS", 109)
    assert images.decode(data, max_pixels=110).size == (11, 10)
    with pytest.raises(ImageError, match=r"query.png has 11 x 10 pixels; the limit is 109"):
        images.decode(data, "query.png")


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # Pillow raises at twice that
    with pytest.raises(ImageError, match="the image is too large to open safely"):
        images.decode(encoded(Image.new("L", (11, 10))))
