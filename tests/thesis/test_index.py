"""index: what a notebook says that it shows is found; of the thesis' figures none is missing."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fashion_rir.errors import FashionRirError
from fashion_rir.thesis import index, ledger
from fashion_rir.thesis.claims import NUMBERED

ROOT = Path(__file__).parents[2]

# The figures of notebooks that are not rewritten yet: take a name out as soon as it is shown.
AWAITED: set[str] = set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("## Bars (Figure 5.2.10)", ["Figure 5.2.10"]),
        ("(Table 5.2.2), and (Figure 4.2.1)", ["Table 5.2.2", "Figure 4.2.1"]),
        ("(Table 4.2.1 and Figure 4.2.9, counted again)", []),  # an aside, no title
        ("(Figures 4.2.1 to 4.2.3)", ["Figure 4.2.1", "Figure 4.2.2", "Figure 4.2.3"]),
        ("(Tables 5.2.1 and 6.1.1)", ["Table 5.2.1", "Table 6.1.1"]),
        ("(as in Figure 6.2)", []),
        ("as Figure 5.2.10 has it (see section 2)", []),
        ("(Figure 9.9.9)", []),  # the thesis has none
        ('for n in ["6.1", "6.2"]: title = f"Asked (Figure {n})"', ["Figure 6.1", "Figure 6.2"]),
        ('title = f"Asked (Figure {n})"', []),  # the number stands nowhere
    ],
)
def test_what_a_cell_says_it_shows_is_found(source: str, found: list[str]) -> None:
    assert index.named_in(source) == found


def write(folder: Path, name: str, *cells: nbformat.NotebookNode) -> Path:
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def test_a_cell_that_draws_comes_before_the_sentence_that_announces_it(tmp_path: Path) -> None:
    first = write(tmp_path, "05-one", new_markdown_cell("# Title\n## 2. Bars (Figure 5.2.10)"))
    second = write(
        tmp_path, "06-two", new_markdown_cell("## 3. The score"),
        new_code_cell("1"), new_code_cell('"(Figure 5.2.10)"', id="abc"),
        new_code_cell('"again (Figure 5.2.10)"'),
    )  # fmt: skip
    assert index.find([first])["Figure 5.2.10"].section == "2. Bars (Figure 5.2.10)"
    found = index.find([first, second])
    assert found == {"Figure 5.2.10": index.Cell("06-two", 3, "abc", "3. The score", True)}
    assert len(index.missing(found)) == len(NUMBERED) - 1


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    path = tmp_path / "01-bad.ipynb"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(FashionRirError, match="01-bad.ipynb is no notebook"):
        index.find([path])


def test_verdicts_of_a_table_are_counted() -> None:
    table = pd.DataFrame({
        "where": ["Table 5.2.1", "Table 5.2.1", "Figure 6.1"],
        "verdict": [ledger.REPRODUCED, ledger.NOT_REPRODUCED, ledger.NOT_TESTABLE],
    })  # fmt: skip
    assert index.verdicts_of(table, "Table 5.2.1") == {"reproduced": 1, "not reproduced": 1}
    found = {"Figure 6.1": index.Cell("02-run", 9, "abc", "Grids", True)}
    rows = index.overview(found, table)
    assert list(rows.index) == list(index.shown()) and len(rows) == 45
    assert rows.loc["Figure 6.1", "verdict"] == "not testable"
    assert rows.loc["Figure 6.1", "cell"] == 9 and rows.loc["Figure 6.2", "notebook"] == ""
    page = index.page(found, table)
    assert "[02, cell 9: Grids](../notebooks/02-run.ipynb) | not testable |" in page
    assert "| Table 5.2.1 |" in page and "not shown yet" in page


def test_each_table_and_figure_is_described() -> None:
    assert sorted(index.shown()) == sorted(NUMBERED)
    assert len(set(index.shown().values())) == len(NUMBERED)


def test_every_table_and_figure_of_the_thesis_is_shown_in_a_notebook() -> None:
    found = index.find(sorted((ROOT / "notebooks").glob(index.NOTEBOOKS)))
    assert set(index.missing(found)) == AWAITED


def test_the_committed_page_is_that_of_the_committed_notebooks(tmp_path: Path) -> None:
    found = index.find(sorted((ROOT / "notebooks").glob(index.NOTEBOOKS)))
    table = ledger.verdicts(ledger.load(), ROOT / "reports" / "full" / "results")
    committed = (ROOT / "docs" / index.PAGE).read_text(encoding="utf-8")
    assert committed == index.page(found, table), "write it again: fashion-rir thesis"
