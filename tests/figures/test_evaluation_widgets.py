"""evaluation_widgets: what is chosen is drawn, and the picture says what is by hand right."""

import pandas as pd
import pytest
from drawn_figures import legend, texts
from matplotlib import pyplot as plt

from fashion_rir.errors import ParameterError
from fashion_rir.figures import evaluation_widgets as widgets
from fashion_rir.thesis import ledger

HITS = [rank in (1, 3, 9) for rank in range(1, 11)]


def test_average_precision_is_the_mean_of_the_precisions_at_the_hits() -> None:
    axes = widgets.average_precision_steps(HITS).axes[0]
    assert [text for text in texts(axes) if text != "✗"] == ["1/1", "2/3", "3/9"]
    assert legend(axes) == [f"average precision {(1 + 2 / 3 + 3 / 9) / 3:.3f}"]
    assert legend(widgets.average_precision_steps([False] * 3).axes[0]) == [
        "average precision 0.000"
    ]


def test_a_rank_that_is_clicked_becomes_a_hit() -> None:
    ranks, picture = widgets.clickable_hits(HITS).children
    before = picture.value
    ranks.children[1].value = True
    assert picture.value != before and bytes(picture.value).startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def test_readings_are_drawn_beside_reported_numbers() -> None:
    table = pd.DataFrame({"a network": [0.6, 0.4], "chance": [0.3, 0.05]}, index=[50, 44072])
    figure = widgets.reading_curves(table, targets={"padded": 0.708}, title="Some readings")
    axes = figure.axes[0]
    assert legend(axes) == ["a network", "chance", "padded: 0.708"]
    assert axes.get_title() == "Some readings"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["50", "44,072"]


def test_each_menu_is_a_part_of_the_reading() -> None:
    asked = []

    def draw(**reading: object) -> plt.Figure:
        asked.append(reading)
        return plt.subplots(figsize=(1, 1))[0]

    options = {"label": ["articleType", "gender"], "cutoff": [5, "all"]}
    menus, _ = widgets.reading_menus(options, draw, cutoff="all").children
    menus.children[0].value = "gender"
    assert asked == [
        {"label": "articleType", "cutoff": "all"},
        {"label": "gender", "cutoff": "all"},
    ]


TABLE = pd.DataFrame({
    "where": ["Table 5.2.1", "Section 6.1"], "claim": ["It is 1 < 2.", "Padding is better."],
    "ours": ["1", ""], "verdict": [ledger.REPRODUCED, ledger.NOT_REPRODUCED], "aside": ["", ""],
})  # fmt: skip


def test_the_ledger_is_filtered_by_verdict_and_judged_by_tolerance() -> None:
    factors = []

    def judged(factor: float) -> pd.DataFrame:
        factors.append(factor)
        return TABLE if factor < 2 else TABLE.assign(verdict=ledger.REPRODUCED)

    controls, listing = widgets.ledger_browser(
        judged, (0.5, 1, 2), start=ledger.NOT_REPRODUCED
    ).children
    assert "Padding is better." in listing.value and "1 &lt; 2" not in listing.value
    controls.children[1].value = 2
    assert listing.value.startswith("<p>0 claims")
    controls.children[0].value = ledger.REPRODUCED
    assert listing.value.startswith("<p>2 claims: reproduced") and "1 &lt; 2" in listing.value
    assert factors == [1, 2, 2]


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ParameterError, match="Unknown verdict 'reprodced'.*'reproduced'"):
        widgets.ledger_browser(lambda factor: TABLE, (1,), start="reprodced")


def test_a_long_list_of_claims_is_cut_and_says_so() -> None:
    many = pd.concat([TABLE.iloc[:1]] * 20)
    listing = widgets.claim_list(many, ledger.REPRODUCED)
    assert listing.count("<li>") == widgets.MOST_CLAIMS and "and 5 more" in listing
