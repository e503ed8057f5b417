"""maps: colours go to the frequent classes, and every map says what it shows."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from PIL import Image

from fashion_rir.errors import ParameterError
from fashion_rir.figures import maps as figures_maps

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def two_colours(monkeypatch) -> None:
    """Of the classes, two get a colour."""
    monkeypatch.setattr(figures_maps, "CLASS_COLOURS", figures_maps.CLASS_COLOURS[:2])


@pytest.fixture
def values() -> pd.Series:
    return pd.Series(["Shirts"] * 5 + ["Watches"] * 3 + ["Ties"] * 2 + ["Caps", None],
                     name="articleType")  # fmt: skip


@pytest.fixture
def coordinates() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(12, 2))


def legend(figure: plt.Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def n_dots(axes: plt.Axes) -> int:
    return sum(len(dots.get_offsets()) for dots in axes.collections)


def test_a_map_has_a_dot_a_product_and_a_legend_with_counts(
    coordinates, values, two_colours
) -> None:
    heaps = coordinates + 90.0 * pd.factorize(values)[0][:, None]  # each class has its own
    figure, axes = figures_maps.label_map(heaps, values, title="A map")
    figure.canvas.draw()
    assert n_dots(axes) == 12
    assert axes.get_title() == "A map"
    assert "t-SNE 1" in axes.get_xlabel()
    assert legend(figure) == ["Shirts (5)", "Watches (3)", "other (2 classes)", "no value (1)"]
    assert [text.get_text() for text in axes.texts] == ["Shirts", "Watches"]
    assert all(dots.get_rasterized() for dots in axes.collections)


def test_names_at_the_frame_stay_inside_it() -> None:
    places = np.array([[-10.0, 0.0]] * 4 + [[0.0, 9.0]] * 4 + [[10.0, 0.0]] * 4)
    values = pd.Series(
        ["Casual Shoes"] * 4 + ["Sports Shoes"] * 4 + ["Sunglasses"] * 4, name="type"
    )
    figure, axes = figures_maps.label_map(places, values, title="Edges")
    figure.canvas.draw()
    assert len(axes.texts) == 3
    frame = axes.get_window_extent()
    for name in axes.texts:
        extent = name.get_window_extent()
        assert frame.x0 <= extent.x0 and extent.x1 <= frame.x1


def test_a_map_of_one_class_needs_no_other(coordinates) -> None:
    values = pd.Series(["Men"] * 12, name="gender")
    figure, _ = figures_maps.label_map(coordinates, values, title="One")
    assert legend(figure) == ["Men (12)"]


def test_colours_are_the_first_map_s_on_all(coordinates, values, two_colours) -> None:
    rarer = pd.Series(["Ties"] * 12, name="articleType")
    figure, axes = figures_maps.label_maps(
        {"first": (coordinates, values), "second": (coordinates, rarer)}, title="Two"
    )
    assert [ax.get_title() for ax in axes.flat] == ["first", "second"]
    assert [n_dots(ax) for ax in axes.flat] == [12, 12]
    (fill,) = {to_hex(c) for c in axes.flat[1].collections[0].get_facecolors()}
    assert fill == figures_maps.LIGHT_GREY  # 'Ties' is no class of the legend
    assert legend(figure)[:2] == ["Shirts (5)", "Watches (3)"]


def test_a_legend_of_maps_counts_the_largest_wherever_it_stands(
    coordinates, values, two_colours
) -> None:
    part = values.iloc[:4]
    maps = {"a sample": (coordinates[:4], part), "all": (coordinates, values)}
    for chosen in (maps, dict(reversed(maps.items()))):
        figure, _ = figures_maps.label_maps(chosen, title="Two")
        assert legend(figure)[:2] == ["Shirts (5)", "Watches (3)"]
        heading = figure.legends[0].get_title().get_text()
        assert heading == "articleType (on the largest map)"


def test_products_get_their_own_colours(coordinates, monkeypatch) -> None:
    monkeypatch.setattr(figures_maps, "LISTED", 3)
    values = pd.Series(["Red", "White", "Navy Blue", "no such colour"] * 3, name="baseColour")
    figure, axes = figures_maps.colour_map(coordinates, values, title="Colours")
    fills = {to_hex(colour) for colour in axes.collections[0].get_facecolors()}
    assert fills == {"#cc1f2d", "#ffffff", "#1b2a57", figures_maps.LIGHT_GREY}
    assert len(legend(figure)) == 3
    assert figure.legends[0].get_title().get_text() == "baseColour; 1 more are not listed"


def test_every_colour_of_the_catalogue_has_a_fill() -> None:
    """The names of the real catalogue, from its committed record."""
    from pathlib import Path

    from fashion_rir.workspace import records as result_records

    folder = Path(__file__).parents[2] / "reports" / "full" / "results"
    names = result_records.read(folder, "eda")["counts"]["baseColour"]
    assert set(names) == set(figures_maps.NAMED_COLOURS)


def test_survival_draws_every_map_once() -> None:
    starts = ["pca", "pca", "random"]
    table = pd.DataFrame({"perplexity": [10, 30, 30], "start": starts, "recall": [0.1, 0.2, 0.3]})
    figure, axes = figures_maps.survival(table, {"recall": "share kept"}, title="Kept")
    drawn = [tuple(xy) for line in axes[0, 0].lines for xy in line.get_xydata()]
    assert sorted(drawn) == [(10, 0.1), (30, 0.2), (30, 0.3)]
    assert axes[0, 0].get_ylabel() == "share kept"


def test_what_cannot_be_drawn_is_refused(coordinates, values) -> None:
    with pytest.raises(ParameterError, match="as many pairs of finite coordinates"):
        figures_maps.label_map(coordinates[1:], values, title="")
    coordinates[3] = np.nan
    with pytest.raises(ParameterError, match="with a gap"):
        figures_maps.colour_map(coordinates, values, title="")
    with pytest.raises(ParameterError, match="no map to draw"):
        figures_maps.label_maps({}, title="")


def test_a_few_dots_far_away_do_not_move_the_densest_heap():
    heap = np.array([[0.0, 0], [1, 0], [0.5, 0]])
    place, held = figures_maps.densest_heap(np.vstack([heap, [[90, 90], [91, 90]]]), radius=2.0)
    np.testing.assert_allclose(place, [0.5, 0])
    assert held == 3 / 5


def test_a_class_is_named_on_its_heap_and_a_scattered_one_is_not():
    generator = np.random.default_rng(0)
    heap, scattered = generator.normal(0, 0.1, (60, 2)), generator.uniform(-9, 9, (60, 2))
    stray = [[9.0, 9.0]] * 3  # of the heap's class
    values = pd.Series(["Shirts"] * 63 + ["Socks"] * 60, name="articleType")
    coordinates = np.vstack([heap, stray, scattered])
    _, axes = figures_maps.label_map(coordinates, values, title="two classes")
    named = {text.get_text(): text.xy for text in axes.texts}
    assert list(named) == ["Shirts"]
    assert np.linalg.norm(named["Shirts"]) < 1


def test_new_photos_stand_as_numbers_on_the_map_and_beside_it():
    values = pd.Series(["Shirts"] * 40, name="articleType")
    coordinates = np.random.default_rng(0).normal(size=(40, 2))
    photos = {"a shirt": Image.new("RGB", (6, 8)), "a sock": Image.new("RGB", (6, 8))}
    figure, axes = figures_maps.placed_photos(
        coordinates, values, np.array([[0.0, 0], [1, 1]]), photos, title="two photos"
    )
    assert {"1", "2"} <= {text.get_text() for text in axes.texts}
    titles = [ax.get_title() for part in figure.subfigs for ax in part.axes]
    assert [title for title in titles if title] == ["1  a shirt", "2  a sock"]
