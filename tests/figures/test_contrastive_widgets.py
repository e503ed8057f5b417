"""contrastive_widgets: the numbers behind the pictures, and that a slider redraws them."""

import datetime
import io

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from fashion_rir.figures import contrastive_widgets as widgets
from fashion_rir.training import losses


def on_circle(angles) -> np.ndarray:
    turns = np.radians(angles)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 5.0])
def test_the_loss_of_four_angles_is_that_of_the_package(temperature: float) -> None:
    angles = (10, 50, 120, -70)
    _, found, _ = widgets.nt_xent_of_angles(angles, temperature)
    vectors = on_circle(angles)
    wanted = losses.nt_xent(vectors[[0, 2]], vectors[[1, 3]], temperature=temperature)
    assert found.mean() == pytest.approx(float(wanted), abs=1e-5)


def test_softmax_weights_and_slopes_by_hand() -> None:
    shares, found, slopes = widgets.nt_xent_of_angles((0, 90, 0, 90), 1.0)
    # Each view: its twin at a right angle (1), one in the same place (e), one at a right angle (1).
    assert shares[0].tolist() == pytest.approx(
        [0, 1 / (np.e + 2), np.e / (np.e + 2), 1 / (np.e + 2)]
    )
    assert found.tolist() == pytest.approx([np.log(np.e + 2)] * 4)
    assert np.allclose(shares.sum(axis=1), 1)
    assert slopes[0] < 0 < slopes[1]  # training turns a shirt's views towards one another


def test_turned_vectors_are_drawn_anew() -> None:
    menu, picture = widgets.nt_xent_explorer().children
    temperature, first, *_ = menu.children
    seen = {picture.value}
    temperature.value = 0.1
    seen.add(picture.value)
    first.value = 90
    seen.add(picture.value)
    assert len(seen) == 3
    assert plt.get_fignums() == []


def photo(colour: str) -> Image.Image:
    return Image.new("RGB", (40, 60), colour)


def test_a_stronger_change_and_a_photo_of_ones_own() -> None:
    said = []

    def similarity(views: np.ndarray, own: np.ndarray) -> np.ndarray:
        said.append(own[0, 0, 0].tolist())
        return np.full(len(views), 0.5)

    menu, picture = widgets.change_explorer(
        {"a": photo("red"), "b": photo("green")}, ["brightness", "hue"], similarity
    ).children
    which, change, strength, own = menu.children
    which.value = "b"
    before = picture.value
    strength.value = 0.0
    assert picture.value != before
    buffer = io.BytesIO()
    photo("blue").save(buffer, format="PNG")
    uploaded = {"name": "own.png", "type": "image/png", "size": 1, "content": buffer.getvalue()}
    own.value = (uploaded | {"last_modified": datetime.datetime(2026, 1, 1)},)
    assert said[0] == [255, 0, 0]
    assert said[-1] == [0, 0, 255]


def test_the_static_picture_says_how_similar_each_view_is() -> None:
    figure = widgets.changed_picture(
        photo("red"), "hue", 1.0, lambda views, own: np.linspace(0, 1, 5)
    )
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "as it is"
    assert titles[1:] == [f"view {n + 1}: {n / 4:.2f}" for n in range(5)]
    assert "'hue' at strength 1" in figure.get_suptitle()
