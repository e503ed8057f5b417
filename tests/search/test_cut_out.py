import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from fashion_rir.errors import ParameterError
from fashion_rir.search.cut_out import FRAME, cut_out, framed, without_bars

GREEN, RED, BROWN = (30, 150, 60), (200, 30, 30), (120, 85, 55)


def photo_of(*boxes, size=(180, 240), ground=BROWN, colour=RED, noise=6):
    """A rough floor with things of one colour lying on it."""
    picture = Image.new("RGB", size, ground)
    for box in boxes:
        ImageDraw.Draw(picture).rounded_rectangle(box, 8, fill=colour)
    grain = np.random.default_rng(0).normal(0, noise, (*size[::-1], 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def shares_of(found, box):
    """How much of a box the mask covers, and how much of the mask lies in the box."""
    inside = np.zeros_like(found.mask)
    left, top, right, bottom = box
    inside[top:bottom, left:right] = True
    both = (inside & found.mask).sum()
    return both / inside.sum(), both / found.mask.sum()


def test_a_garment_on_a_floor_is_cut_out_whole():
    box = (50, 60, 130, 190)
    found = cut_out(photo_of(box))
    assert found.is_cut and not found.note
    covered, exact = shares_of(found, box)
    assert covered > 0.9 and exact > 0.9


def test_a_cut_out_stands_on_white_in_the_catalogues_frame():
    picture = cut_out(photo_of((50, 60, 130, 190))).picture
    assert picture.width / picture.height == pytest.approx(FRAME[0] / FRAME[1], abs=0.02)
    pixels = np.asarray(picture).astype(int)
    assert (pixels[:3] == 255).all() and (pixels[:, :3] == 255).all()
    middle = pixels[picture.height // 2, picture.width // 2]
    assert np.abs(middle - RED).max() < 30


def test_what_was_cut_out_has_the_colours_that_it_had():
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    mask = np.zeros((4, 4), np.float32)
    mask[1:3, 1:3] = 1
    picture = np.asarray(framed(pixels, mask)).reshape(-1, 3).tolist()
    kept = [colour for colour in picture if colour != [255, 255, 255]]
    assert kept == pixels[1:3, 1:3].reshape(-1, 3).tolist()


def test_the_same_photo_is_cut_the_same_twice():
    photo = photo_of((50, 60, 130, 190))
    assert (cut_out(photo).mask == cut_out(photo).mask).all()


@pytest.mark.parametrize(
    "photo, word",
    [
        (Image.new("RGB", (180, 240), (210, 205, 190)), ""),
        (photo_of(noise=4), ""),
        (photo_of(noise=60).filter(ImageFilter.GaussianBlur(4)), ""),
        (Image.new("RGB", (20, 20), RED), "20 x 20"),
        (Image.new("RGB", (4000, 20), RED), "4000 x 20"),
    ],
    ids=["plain wall", "grained wall", "blurred carpet", "20 pixels", "a thin strip"],
)  # fmt: skip
def test_a_photo_of_nothing_is_searched_as_a_whole_and_says_so(photo, word):
    found = cut_out(photo)
    assert not found.is_cut
    assert found.note.endswith("the whole photo is searched.") and word in found.note
    assert found.picture.size == found.photo.size and found.share == 1


def test_a_garment_that_fills_the_photo_stays_searchable():
    found = cut_out(photo_of((-20, -20, 220, 280)))
    assert not found.is_cut and found.note


def test_a_product_on_white_is_searched_as_it_is():
    photo = Image.new("RGB", (60, 80), "white")
    photo.paste(RED, (15, 10, 45, 70))
    found = cut_out(photo)
    assert not found.is_cut and "white" in found.note
    assert found.picture.tobytes() == photo.tobytes()


def test_a_pair_is_searched_together_without_a_word():
    found = cut_out(photo_of((20, 60, 80, 190), (100, 60, 160, 190)))
    assert found.is_cut and not found.note
    assert (
        min(shares_of(found, (20, 60, 80, 190))[0], shares_of(found, (100, 60, 160, 190))[0]) > 0.9
    )


def test_several_garments_are_searched_together_and_counted():
    boxes = [(15, 30, 75, 110), (105, 30, 165, 110), (15, 130, 75, 210), (105, 130, 165, 210)]
    found = cut_out(photo_of(*boxes))
    assert found.is_cut and found.note.startswith("4 parts")


def test_the_bars_of_a_screenshot_go_and_plain_ground_stays():
    inside = photo_of((50, 60, 130, 190))
    screenshot = Image.new("RGB", (180, 360), "black")
    screenshot.paste(inside, (0, 60))
    ImageDraw.Draw(screenshot).text((10, 10), "12:30", fill="white")
    assert without_bars(screenshot).tobytes() == inside.tobytes()
    assert cut_out(screenshot).is_cut
    plain = photo_of((50, 60, 130, 190), noise=0)
    assert without_bars(plain).size == plain.size


def test_a_large_photo_is_cut_as_a_small_one_is():
    box = (50, 60, 130, 190)
    large = photo_of(box).resize((3600, 4800))
    found = cut_out(large)
    assert found.is_cut and max(found.photo.size) <= 512
    assert found.share == pytest.approx(cut_out(photo_of(box)).share, abs=0.02)


def test_only_rgb_is_taken():
    with pytest.raises(ParameterError, match="RGB"):
        cut_out(Image.new("L", (60, 80)))
