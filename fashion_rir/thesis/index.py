"""From each table and figure of the thesis to the notebook's cell that shows ours.

Nobody keeps a list of these places: a notebook says which figure a cell re-makes, and the notebooks
are read for it. `(Figure 5.2.11)`, `(Tables 5.2.1 and 5.2.2)` and `(Figures 4.2.1 to 4.2.8)` count,
in prose and in code; a title that a loop makes, `(Figure {number})`, counts for each number that
stands as a text in the same cell.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from fashion_rir.errors import FashionRirError
from fashion_rir.system import write_text
from fashion_rir.thesis import ledger, models
from fashion_rir.thesis.claims import NUMBERED
from fashion_rir.workspace import markdown
from fashion_rir.workspace.folders import Workspace

NUMBERED_TEXT = Path(__file__).with_name("numbered.yaml")

PAGE = "thesis.md"  # in docs/

NOTEBOOKS = "[0-9][0-9]*.ipynb"

_GROUP = re.compile(r"\((Figure|Table)s? ((?:\d[\d.]*|, | and | to |–)+|\{[^()}]+\})\)")

_NUMBER = re.compile(r"\d(?:\.\d+){1,2}")

_RANGE = re.compile(r"(\d(?:\.\d+)*)\.(\d+)(?: to |–)\1\.(\d+)")

_QUOTED = re.compile(r"""["'](\d(?:\.\d+){1,2})["']""")

_HEADING = re.compile(r"^#+\s+(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """Where a notebook shows one of the thesis' tables or figures.

    Attributes:
        notebook: its name without ending.
        position: of the cell, from 1.
        cell_id: of the cell.
        section: the heading above it.
        is_code: whether it is the cell that draws, or a sentence or heading that announces it.
    """

    notebook: str
    position: int
    cell_id: str
    section: str
    is_code: bool


def named_in(source: str) -> list[str]:
    """The thesis' tables and figures that a cell says it shows.

    Example:
        >>> named_in("## 4. Two attributes (Figures 4.2.9 and 4.2.10)")
        ['Figure 4.2.9', 'Figure 4.2.10']
        >>> named_in('for n in ("5.2.2", "5.2.3"): draw(title=f"Matches (Figure {n})")')
        ['Figure 5.2.2', 'Figure 5.2.3']
        >>> named_in("as Figure 5.2.2 has it")
        []
    """
    found = []
    for kind, inside in _GROUP.findall(source):
        if "{" in inside:
            found += [f"{kind} {number}" for number in _QUOTED.findall(source)]
        for before, first, last in _RANGE.findall(inside):
            found += [f"{kind} {before}.{n}" for n in range(int(first), int(last) + 1)]
        found += [f"{kind} {number}" for number in _NUMBER.findall(inside)]
    return [name for name in dict.fromkeys(found) if name in NUMBERED]


def find(notebooks: Iterable[Path]) -> dict[str, Cell]:
    """The first cell that shows each table and figure: one that draws, if there is any.

    Args:
        notebooks: their files, in the study's order.

    Returns:
        By names such as `Figure 5.2.11`, in the thesis' order; what no cell shows is left out.

    Raises:
        FashionRirError: a file is no notebook.
    """
    found: dict[str, Cell] = {}
    for path in notebooks:
        for cell, source in _cells(path):
            for name in named_in(source):
                if name not in found or (cell.is_code and not found[name].is_code):
                    found[name] = cell
    return {name: found[name] for name in NUMBERED if name in found}


def missing(found: Mapping[str, Cell]) -> list[str]:
    """The tables and figures of the thesis that no notebook shows."""
    return [name for name in NUMBERED if name not in found]


def shown() -> dict[str, str]:
    """What each table and figure shows, in the thesis' order."""
    return yaml.safe_load(NUMBERED_TEXT.read_text(encoding="utf-8"))


def verdicts_of(table: pd.DataFrame, name: str) -> dict[str, int]:
    """The ledger's verdicts on a table or figure, and how many claims got each.

    Args:
        table: from `ledger.verdicts`.
        name: such as `Table 5.2.1`.
    """
    counts = table.loc[table["where"] == name, "verdict"].value_counts()
    return {verdict: int(counts[verdict]) for verdict in ledger.VERDICTS if verdict in counts}


def in_short(counts: Mapping[str, int]) -> str:
    """Verdicts in a few words.

    Example:
        >>> in_short({"reproduced": 10, "contradicts itself": 1})
        '10 reproduced, 1 contradicts itself'
        >>> in_short({"not testable": 1})
        'not testable'
    """
    if sum(counts.values()) == 1:
        return next(iter(counts))
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.items())


def overview(found: Mapping[str, Cell], table: pd.DataFrame) -> pd.DataFrame:
    """All tables and figures, one a row, in the thesis' order.

    Args:
        found: from `find`.
        table: from `ledger.verdicts`.

    Returns:
        Index: names such as `Figure 5.2.11`; columns `shows`, `notebook`, `cell` (its position),
        `section` and `verdict`; no notebook, 0 and no section where none shows it.
    """
    nowhere = Cell("", 0, "", "", False)
    rows = {}
    for name, what in shown().items():
        cell = found.get(name, nowhere)
        verdict = in_short(verdicts_of(table, name))
        rows[name] = {"shows": what, "notebook": cell.notebook, "cell": cell.position,
                      "section": cell.section, "verdict": verdict}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("thesis")


def page(found: Mapping[str, Cell], table: pd.DataFrame) -> str:
    """The index as a page in Markdown, whose links hold from `docs/`.

    Args:
        found: from `find`.
        table: from `ledger.verdicts`.
    """
    rows = []
    for name, row in overview(found, table).iterrows():
        place = "not shown yet"
        if row["notebook"]:
            where = f"{row['notebook'].partition('-')[0]}, cell {row['cell']}: {row['section']}"
            place = f"[{where}](../notebooks/{row['notebook']}.ipynb)"
        rows.append([name, row["shows"], place, row["verdict"]])
    letters = models.table().reset_index()
    of_models = markdown.table(list(letters.columns), letters.to_numpy())
    return "\n".join([
        "# From the thesis to the notebooks", "",
        "Written by `fashion-rir thesis`: each numbered table and figure of the thesis' chapters 4 "
        "to 6, the cell that shows ours, and the [ledger](../reports/full/ledger.md)'s verdicts on "
        "it, by the committed records of the full run. In the study's report the same list links "
        "to the very cell.", "",
        markdown.table(["thesis", "what it shows", "ours", "verdict"], rows), "",
        "## The thesis' models", "", of_models, "",
    ])  # fmt: skip


def write(workspace: Workspace) -> Path:
    """Write `docs/thesis.md`.

    Args:
        workspace: of the profile whose ledger is asked.

    Raises:
        FashionRirError: a notebook cannot be read, or the page cannot be written.
    """
    found = find(sorted((workspace.root / "notebooks").glob(NOTEBOOKS)))
    path = workspace.root / "docs" / PAGE
    write_text(path, page(found, ledger.judged(workspace)))
    return path


def _cells(path: Path) -> list[tuple[Cell, str]]:
    """A notebook's cells and what stands in them."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found, section = [], ""
        for position, cell in enumerate(cells, start=1):
            source, is_code = "".join(cell["source"]), cell["cell_type"] == "code"
            if not is_code:
                section = (_HEADING.findall(source) or [section])[-1]
            place = Cell(path.stem, position, cell.get("id", ""), section, is_code)
            found.append((place, source))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FashionRirError(
            f"{path} is no notebook ({type(error).__name__}); restore it, or take it away."
        ) from error
    return found
