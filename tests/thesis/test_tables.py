"""tables: counts by hand, all claims shown once, and the notebook holds today's verdicts."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.figures import scores
from fashion_rir.thesis import claims, ledger, tables

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return ledger.verdicts(claims.load(), ROOT / "reports" / "full" / "results")


def small_table() -> pd.DataFrame:
    rows = [("Abstract", "reproduced"), ("Section 5.2", "not testable"),
            ("Figure 5.2.1", "reproduced"), ("Table 4.2.1", "not testable")]  # fmt: skip
    return pd.DataFrame(rows, columns=["where", "verdict"]).assign(
        id=list("abcd"), claim="So.", thesis="", ours="1", note="", aside=""
    )


def test_counts_by_chapter_by_hand() -> None:
    counts = tables.by_chapter(small_table())
    assert counts.index.tolist() == ["Abstract", "Chapter 5", "Chapter 4", "all"]
    assert counts["reproduced"].tolist() == [1, 1, 0, 2]
    assert counts["not testable"].tolist() == [0, 1, 1, 2]
    assert counts["not reproduced"].tolist() == [0, 0, 0, 0]
    assert counts["all"].tolist() == [1, 2, 1, 4]


def test_what_is_no_finding_of_its_own_does_not_count() -> None:
    aside = small_table().assign(aside=["said again", "", "", "slip"])
    assert tables.by_chapter(aside).loc["all", "all"] == 2
    assert ledger.summary(aside).sum() == 2
    assert ledger.summary(aside, with_asides=True).sum() == 4


def test_every_claim_is_shown_under_one_verdict(table: pd.DataFrame) -> None:
    shown = [tables.with_verdict(table, verdict) for verdict in ledger.VERDICTS]
    assert sum(map(len, shown)) == len(table)
    assert tables.with_verdict(small_table(), "reproduced").index.tolist() == [
        "Abstract", "Figure 5.2.1",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="did you mean 'reproduced'"):
        tables.with_verdict(table, "reproducd")


def test_the_contradictions_that_must_be_caught_are(table: pd.DataFrame) -> None:
    found = tables.contradictions(table)
    assert set(found["verdict"]) == {"contradicts itself", "not reproduced"}
    swapped = found.loc["Table 6.1.1 swaps the distances and ratios of its two models", "ours"]
    assert len(swapped) == 6
    assert swapped.iloc[0] == "Table 6.1.1: 0.054785; Table 5.2.2: 0.168644"
    tested = found[found["verdict"] == "not reproduced"]["ours"].tolist()
    assert tested == ["2007", "46", "1"]  # years from, colours, hit rate of chance


def test_what_is_waited_for_most_stands_first() -> None:
    found = tables.waiting({"one": ["a"], "two": ["b", "c"], "other": ["d"]})
    assert found.index.tolist() == ["two", "one", "other"]
    assert found["claims"].tolist() == [2, 1, 1]
    assert found["such as"].tolist() == ["b", "a", "d"]
    assert tables.waiting({}).empty


def test_the_sentences_hold_the_records_numbers(table: pd.DataFrame) -> None:
    first, *rest = tables.sentences(table)
    counts = ledger.summary(table)
    assert f"{counts['reproduced']} are reproduced" in first
    assert f"{counts['not yet measured']} wait for a record" in first
    ours = table.set_index("id").loc["padding-beats-resizing-by-cosine", "ours"]
    assert any(f"**Different set-up**: {ours}" in sentence for sentence in rest)


def test_the_figure_shows_every_count(table: pd.DataFrame) -> None:
    counts = tables.by_chapter(table)
    figure, axes = scores.verdicts_by_chapter(counts, title="A title")
    drawn = sum(patch.get_width() for patch in axes.patches)
    assert drawn == (table["aside"] == "").sum()
    assert axes.get_title() == "A title" and axes.get_xlabel() == "number of claims"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(ledger.VERDICTS)


def test_notebook_09_shows_today_s_verdicts(table: pd.DataFrame) -> None:
    """Said in words what to do when a new record has changed them."""
    notebook = nbformat.read(ROOT / "notebooks" / "09-thesis-ledger.ipynb", as_version=4)
    said = "\n".join(
        output.get("data", {}).get("text/markdown", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    for sentence in tables.sentences(table):
        assert sentence in said, "stale; run: make notebooks"


def test_wider_tolerances_bring_no_claim_down(table: pd.DataFrame) -> None:
    results = ROOT / "reports" / "full" / "results"
    loaded = claims.load()
    counts = {
        factor: ledger.summary(ledger.verdicts(claims.with_tolerance(loaded, factor), results))
        for factor in (0, 1, 5)
    }
    rows = tables.by_tolerance(counts)
    assert list(rows.index) == ["0 times", "1 times", "5 times"]
    assert rows["reproduced"].is_monotonic_increasing
    assert rows.loc["1 times"].equals(ledger.summary(table).rename("1 times"))
    assert rows.sum(axis=1).nunique() == 1
    with pytest.raises(ParameterError, match="0 times or more, not -1"):
        claims.with_tolerance(loaded, -1)
