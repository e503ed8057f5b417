import numpy as np
from PIL import Image, ImageDraw

from fashion_rir.search.cut_out import cut_out
from fashion_rir.studies.phone import changes


def red_on_green() -> Image.Image:
    photo = Image.new("RGB", (120, 160), (110, 170, 110))
    ImageDraw.Draw(photo).rectangle((30, 40, 90, 120), fill=(200, 20, 20))
    return photo


def test_each_change_changes_one_thing():
    photo = red_on_green()
    found = changes.changed(photo, cut_out(photo))
    assert found[changes.AS_IT_IS] is photo
    white = found["background white"]
    assert white.size == photo.size and white.getpixel((5, 5)) == (255, 255, 255)
    assert np.abs(np.array(white.getpixel((60, 80))) - (200, 20, 20)).max() < 8
    tight = found["framed tightly"]
    assert abs(tight.width - 61) <= 4 and abs(tight.height - 81) <= 4
    assert found["first made 60 x 80"].size == (60, 80)
    assert found["half as bright"].getpixel((60, 80)) == (100, 10, 10)
    assert found["under a warm lamp"].getpixel((5, 5)) == (126, 170, 82)
    means = np.asarray(found["colour cast taken out"], dtype=float).mean(axis=(0, 1))
    assert np.ptp(means) < 3


def test_a_photo_of_nothing_keeps_its_frame_and_ground():
    wall = Image.new("RGB", (60, 80), (210, 205, 190))
    found = changes.changed(wall, cut_out(wall))
    assert found["framed tightly"].size == (60, 80)
    assert found["background white"].getpixel((30, 40)) == (210, 205, 190)
    assert all(one.mode == "RGB" for one in found.values())


def test_changes_of_several_photos_stand_together():
    rows = [
        {"a": np.array([1, 2]), "b": np.array([3, 4])},
        {"a": np.array([5, 6]), "b": np.zeros(2)},
    ]
    assert changes.by_change(rows)["a"].tolist() == [[1, 2], [5, 6]]
