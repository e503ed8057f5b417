"""widgets: a choice in a menu redraws the picture."""

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from fashion_rir.figures import widgets


@pytest.fixture
def products() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gender": ["Men", "Men", "Women", "Women"],
            "season": ["Fall", "Fall", "Fall", "Summer"],
            "usage": ["Casual", "Sports", "Casual", "Formal"],
        }
    )


def drawn(number: float) -> plt.Figure:
    """A figure that shows a number."""
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.set_title(str(number))
    return figure


def parts(widget) -> tuple[list, object]:
    controls, picture = widget.children
    return list(controls.children), picture


def test_the_attribute_explorer_redraws_on_a_choice(products: pd.DataFrame) -> None:
    (rows, columns), picture = parts(
        widgets.attribute_explorer(products, ["gender", "season", "usage"])
    )
    assert (rows.value, columns.value) == ("gender", "season")
    seen = {picture.value}
    columns.value = "usage"
    seen.add(picture.value)
    rows.value = "usage"  # by itself: bars
    seen.add(picture.value)
    assert len(seen) == 3
    assert all(bytes(png).startswith(b"\x89PNG") for png in seen)
    assert plt.get_fignums() == []  # else the notebook would show them a second time


def test_the_static_table_holds_the_counts(products: pd.DataFrame, monkeypatch) -> None:
    axes = widgets.attribute_table(products, "gender", "season").axes[0]
    assert [text.get_text() for text in axes.texts] == ["2", "0", "1", "1"]
    monkeypatch.setattr(widgets, "SHOWN_VALUES", 1)
    axes = widgets.attribute_table(products, "usage", "usage").axes[0]
    assert [text.get_text() for text in axes.texts] == ["2"]


def test_the_query_picker_draws_the_chosen_product() -> None:
    asked = []

    def draw(product: int) -> plt.Figure:
        asked.append(product)
        return drawn(product)

    (menu,), picture = parts(widgets.query_picker({"a shirt": 7, "a tie": 9}, draw))
    first = picture.value
    menu.value = 9
    assert asked == [7, 9]
    assert picture.value != first


def test_the_threshold_slider_follows_the_menu() -> None:
    asked = []

    def draw(name: str, threshold: float) -> plt.Figure:
        asked.append((name, threshold))
        return drawn(threshold)

    settings = {"cosine": (0.2, 0.1), "manhattan": (300.0, 400.0)}
    (menu, slider), picture = parts(widgets.threshold_slider(settings, draw))
    assert (slider.min, slider.value) == (0.05, 0.1)
    assert slider.max == pytest.approx(0.3)
    menu.value = "manhattan"
    assert (slider.min, slider.max, slider.value) == (150, 600, 400)
    assert asked[0] == ("cosine", 0.1)
    assert asked[-1] == ("manhattan", 400)
    slider.value = 300
    assert asked[-1] == ("manhattan", 300)


def test_share_sliders_draw_the_chosen_query_and_shares() -> None:
    asked = []

    def draw(row: int, shares: dict[str, float]) -> plt.Figure:
        asked.append((row, shares))
        return drawn(row)

    made = widgets.share_sliders({"a shirt": 3, "a tie": 5}, {"type": 1.0, "colour": 0.2}, draw)
    (menu, kind, colour), _ = parts(made)
    menu.value = 5
    colour.value = 0.5
    assert asked == [(3, {"type": 1.0, "colour": 0.2}), (5, {"type": 1.0, "colour": 0.2}),
                     (5, {"type": 1.0, "colour": 0.5})]  # fmt: skip


def test_share_sliders_that_are_all_at_zero_draw_the_first_shares() -> None:
    asked = []

    def draw(row: int, shares: dict[str, float]) -> plt.Figure:
        asked.append(shares)
        return drawn(row)

    (_, kind), _ = parts(widgets.share_sliders({"a shirt": 3}, {"type": 1.0}, draw))
    kind.value = 0
    assert asked[-1] == {"type": 1.0}
