"""What a reader can play with in notebooks 06, 06b and 09; each has a static picture beside it.

The picture is made by the same function, so that whoever reads without a kernel misses nothing but
the turning of the knobs.
"""

import html
from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fashion_rir.errors import unknown_name
from fashion_rir.evaluation import metrics
from fashion_rir.figures import style
from fashion_rir.figures.widgets import redrawn as redrawn
from fashion_rir.thesis import ledger

N_RANKS = 10  # of the ranking that is clicked

MOST_CLAIMS = 15  # that the ledger's browser lists


def average_precision_steps(is_hit: Sequence[bool]) -> Figure:
    """How average precision is made: the precision at each hit, and their mean so far.

    Args:
        is_hit: of each rank of the ranking, the best first; every hit is one of the relevant.
    """
    hits = np.asarray(is_hit, dtype=bool)
    places = np.arange(1, len(hits) + 1)
    precision = np.cumsum(hits) / places
    figure, axes = style.canvas(3.2)
    axes.bar(places, precision, color=["0.9" if not hit else style.BLUE for hit in hits], width=0.8)
    for place, value, hit in zip(places, precision, hits, strict=True):
        text = f"{hits[:place].sum()}/{place}" if hit else "✗"
        style.note(axes, text, (place, value), (0, 4), ha="center")
    value = metrics.average_precision(places[hits]) if hits.any() else 0.0
    axes.axhline(value, color=style.ORANGE, label=f"average precision {value:.3f}")
    style.legend_below(figure)
    style.finish(axes, title="Precision at each rank; average precision is the mean of the blue",
                 xlabel="rank", ylabel="precision so far (0 to 1)", xticks=places,
                 ylim=(0, 1.12))  # fmt: skip
    return figure


def clickable_hits(is_hit: Sequence[bool]) -> ipywidgets.Widget:
    """A ranking whose places can be clicked to be hits or misses, and what that makes of AP.

    Args:
        is_hit: of each rank at first; ten of them fit.
    """
    ranks = [
        ipywidgets.ToggleButton(value=bool(hit), description=str(rank), layout={"width": "3rem"})
        for rank, hit in enumerate(is_hit, start=1)
    ]
    return redrawn(ranks, lambda: average_precision_steps([button.value for button in ranks]))


def reading_curves(table: pd.DataFrame, *, targets: dict[str, float], title: str) -> Figure:
    """mAP over the size of the gallery, one line a model, beside reported numbers.

    Args:
        table: from `gallery_readings.chosen`: index `size`, a column for each model.
        targets: reported mAPs by what to call them; horizontal lines.
        title: of the figure.
    """
    figure, axes = style.canvas(3.8)
    for number, (name, values) in enumerate(table.items()):
        axes.plot(table.index, values, label=name, **style.line_style(number))
    for (name, value), dashes in zip(targets.items(), ("-", "--", ":"), strict=False):
        axes.axhline(
            value, color="0.3", linewidth=1, linestyle=dashes, label=f"{name}: {value:.3f}"
        )
    axes.set_xscale("log")
    axes.set_xticks(table.index, [f"{size:,}" for size in table.index])
    axes.minorticks_off()
    style.legend_below(figure, ncols=3)
    style.finish(axes, title=title, xlabel="products in the gallery (log scale)",
                 ylabel="mAP (0 to 1)", ylim=(0, 1.04), grid="both")  # fmt: skip
    return figure


def reading_menus(
    options: dict[str, Sequence], draw: Callable[..., Figure], **start: object
) -> ipywidgets.Widget:
    """A menu for each part of a reading, and the picture of the reading that is chosen.

    Args:
        options: by part, such as `label`, what can be chosen.
        draw: takes one value a part, by name, and makes the figure.
        start: what is chosen at first, by part; the first option where it is not said.
    """
    menus = {
        part: ipywidgets.Dropdown(options=list(values), value=start.get(part, values[0]),
                                  description=part.replace("_", " "))
        for part, values in options.items()
    }  # fmt: skip
    return redrawn(list(menus.values()),
                   lambda: draw(**{part: menu.value for part, menu in menus.items()}))  # fmt: skip


def ledger_browser(
    judged: Callable[[float], pd.DataFrame], factors: Sequence[float], *, start: str
) -> ipywidgets.Widget:
    """A filter by verdict and a slider of the tolerances, and the claims that are left.

    Args:
        judged: makes the ledger with all tolerances taken so many times.
        factors: that the slider stops at; 1 is one of them.
        start: the verdict that is shown at first.

    Raises:
        ParameterError: no such verdict.
    """
    if start not in ledger.VERDICTS:
        raise unknown_name("verdict", start, ledger.VERDICTS)
    slider = ipywidgets.SelectionSlider(
        options=[(f"{factor:g} times", factor) for factor in factors], value=1,
        description="tolerance", continuous_update=False,
    )  # fmt: skip
    menu = ipywidgets.Dropdown(options=list(ledger.VERDICTS), value=start, description="verdict")
    listing = ipywidgets.HTML()

    def rewrite(_: object = None) -> None:
        listing.value = claim_list(judged(slider.value), menu.value)

    for control in (slider, menu):
        control.observe(rewrite, names="value")
    rewrite()
    return ipywidgets.VBox([ipywidgets.HBox([menu, slider]), listing])


def claim_list(table: pd.DataFrame, verdict: str) -> str:
    """The first claims of a verdict, and how many there are, as HTML.

    Args:
        table: from `ledger.verdicts`.
        verdict: one of `ledger.VERDICTS`.
    """
    found = table[(table["verdict"] == verdict) & (table["aside"] == "")]
    items = [
        f"<li>{html.escape(row['where'])}: {html.escape(row['claim'])}"
        + (f" <em>{html.escape(row['ours'])}</em>" if row["ours"] else "") + "</li>"
        for row in found.head(MOST_CLAIMS).to_dict("records")
    ]  # fmt: skip
    more = f"<p>and {len(found) - MOST_CLAIMS} more</p>" if len(found) > MOST_CLAIMS else ""
    return f"<p>{len(found)} claims: {verdict}</p><ul>{''.join(items)}</ul>{more}"
