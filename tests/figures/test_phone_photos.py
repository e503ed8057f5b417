import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

from fashion_rir.figures import phone_photos

KINDS = list(phone_photos.RELEVANCE)
FLOOR = dict.fromkeys(KINDS, 0.1)
CEILING = {"articleType": 0.975, "baseColour": 0.875}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_each_way_has_a_point_in_each_panel_between_its_lines():
    columns = pd.MultiIndex.from_product([KINDS, ["value", "low", "high"]])
    table = pd.DataFrame([[0.5, 0.4, 0.6] * 3, [0.7, 0.6, 0.8] * 3], ["whole", "cut"], columns)
    _, axes = phone_photos.between_floor_and_ceiling(table, FLOOR, CEILING, title="ways")
    assert [label.get_text() for label in axes.flat[0].get_yticklabels()] == ["whole", "cut"]
    for ax, n_bounds in zip(axes.flat, (1, 2, 2), strict=True):
        assert sorted(text.get_text() for text in ax.texts) == ["0.50", "0.70"]
        upright = [line for line in ax.lines if len(set(line.get_xdata())) == 1
                   and line.get_linestyle() != "-" and len(line.get_xdata()) == 2]  # fmt: skip
        assert len(upright) == n_bounds


def test_a_curve_stands_in_each_panel():
    table = pd.DataFrame({kind: [0.4, 0.8] for kind in KINDS}, index=[0, 1000])
    _, axes = phone_photos.by_photos({"live": table}, FLOOR, CEILING, title="curve")
    for ax in axes.flat:
        assert ax.lines[0].get_ydata().tolist() == [0.4, 0.8]
        assert ax.get_title().startswith("by ")


def test_matches_are_told_by_a_sign_too():
    picture = Image.new("RGB", (6, 8))
    cards = [(picture, "Shirts", True), (picture, "Tops", False)]
    _, axes = phone_photos.search_row(picture, picture, cards, title="one search")
    titles = [ax.get_title() for ax in axes.flat]
    assert titles == ["photo", "cut out", "✓ Shirts", "✗ Tops"]
