"""The large edition of the data set, 2400 x 1600 pixels a photo, through the same functions."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_catalog import product_row, write_styles, zip_folder
from PIL import Image, ImageDraw, ImageFilter

from fashion_rir import errors
from fashion_rir.data import catalog, images

# What decoding at a fraction may change in a picture of the network's size, of 255 grey levels:
# the mean over all pixels, and the one pixel in a thousand that differs most.
MEAN_TOLERANCE, WORST_TOLERANCE = 0.5, 8
WIDTH, HEIGHT = 1600, 2400


def large_photo(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """A JPEG like a shop's: a coloured shape with stripes and a soft texture, on white."""
    width, height = size
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    colour = (40 + number * 53 % 180, 40 + number * 97 % 180, 40 + number * 29 % 180)
    draw.ellipse((width // 8, height // 8, width * 7 // 8, height * 7 // 8), fill=colour)
    for stripe in range(height // 4, height * 3 // 4, height // 20):
        draw.line((width // 4, stripe, width * 3 // 4, stripe + number * 9), (20, 20, 40), 12)
    noise = np.random.default_rng(number).normal(0, 12, (height // 4, width // 4))
    texture = Image.fromarray((128 + noise).clip(0, 255).astype(np.uint8)).resize(size)
    shaded = Image.blend(image, texture.convert("RGB"), 0.15).filter(ImageFilter.GaussianBlur(1))
    buffer = io.BytesIO()
    shaded.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    return [large_photo(number) for number in range(3)]


@pytest.fixture(scope="module")
def large_edition(tmp_path_factory: pytest.TempPathFactory, photos: list[bytes]) -> Path:
    """Kaggle's layout of the large edition."""
    folder = tmp_path_factory.mktemp("large") / "fashion-dataset"
    write_styles(folder, [product_row(2001 + i) for i in range(len(photos))])
    for name in ("images", "styles"):
        (folder / name).mkdir()
    for number, data in enumerate(photos, start=2001):
        (folder / "images" / f"{number}.jpg").write_bytes(data)
        about = {"notification": {}, "data": {"id": number, "price": 999}}
        (folder / "styles" / f"{number}.json").write_text(json.dumps(about))
    (folder / "images.csv").write_text("filename,link\n2001.jpg,undefined\n")
    return folder


@pytest.mark.parametrize("form", ["folder", "folder above", "archive"])
def test_the_large_edition_is_read_like_the_small_one(large_edition, tmp_path, form):
    path = {
        "folder": large_edition,
        "folder above": large_edition.parent,
        "archive": tmp_path / "large.zip",
    }[form]
    if form == "archive":
        zip_folder(large_edition.parent, path)
    found = catalog.load(path)
    assert found.products["id"].tolist() == [2001, 2002, 2003]
    assert set(found.products["width"]) == {WIDTH}
    assert set(found.products["height"]) == {HEIGHT}
    assert found.counts["photos of another size than 60x80"] == 3
    assert found.left_out.empty


@pytest.mark.parametrize("preprocessing", ["resize", "pad", "crop"])
@pytest.mark.parametrize("size", [128, 224])
def test_decoding_at_a_fraction_gives_the_network_nearly_the_same_picture(
    photos, size, preprocessing
):
    for data in photos:
        full = images.fit(images.decode(data), size, preprocessing).astype(float)
        reduced = images.fit(images.decode(data, for_size=size), size, preprocessing)
        difference = np.abs(full - reduced)
        assert difference.any()  # the fraction was taken
        assert difference.mean() < MEAN_TOLERANCE
        assert np.quantile(difference, 0.999) < WORST_TOLERANCE


@pytest.mark.parametrize(("size", "expected"), [(128, (400, 600)), (224, (800, 1200)),
                                                (600, (1600, 2400))])  # fmt: skip
def test_no_side_is_decoded_shorter_than_twice_what_the_network_takes(photos, size, expected):
    assert images.decode(photos[0], for_size=size).size == expected


def test_decoding_at_a_fraction_takes_less_time(photos):
    def seconds(for_size: int | None) -> float:
        start = time.process_time()
        images.decode(photos[0], for_size=for_size)
        return time.process_time() - start

    assert min(seconds(128) for _ in range(5)) < min(seconds(None) for _ in range(5))


def test_a_turned_photo_is_turned_at_a_fraction_too_and_its_size_is_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    buffer = io.BytesIO()
    Image.open(io.BytesIO(large_photo(1, (1200, 800)))).save(buffer, "JPEG", exif=exif)
    assert images.decode(buffer.getvalue(), for_size=64).size == (200, 300)
    with Image.open(buffer) as image:
        assert images.upright_size(image) == (800, 1200)


def test_a_photo_of_the_small_edition_is_decoded_whole():
    data = large_photo(1, (60, 80))
    whole, asked = images.decode(data), images.decode(data, for_size=128)
    np.testing.assert_array_equal(np.asarray(whole), np.asarray(asked))


def test_a_large_photo_that_breaks_off_is_no_picture(photos):
    with pytest.raises(errors.ImageError, match="cannot be read as a picture"):
        images.decode(photos[0][: len(photos[0]) // 2], for_size=128)
