"""Hold an executed notebook against the committed one, number by number.

Words, whole numbers, and which rows a table has must be the same. A number with decimals may
differ by the tolerance, since processors add in different orders; by that it may also change its
place in a sorted table. What is measured in time differs from run to run and is left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from shown_tables import Row, rows_of

from fashion_rir.reporting.notebooks import clean

# How far apart two numbers may be, beyond rounding, absolute up to 1 and relative above. Under four
# arithmetics the scores of heads trained on the same stored embeddings lay 0.00005 apart at most.
TOLERANCE = 0.002

# By cell, where more was measured: a network that is trained end to end for an epoch from random
# weights ranks by rounding. `python -m arithmetics --all --write` runs four arithmetics and writes
# twice the largest difference of each cell here.
WIDER_PATH = Path(__file__).parent / "tolerances.json"
WIDER: dict[str, float] = json.loads(WIDER_PATH.read_text(encoding="utf-8"))

KINDS = ("text/html", "text/markdown", "text/plain")  # the first that is there is compared

DECIMAL = re.compile(r"(?<![\w.])-?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)(?![\w]|\.\d)")

# What is no content: an address in memory, and a picture's size, which follows its rows.
PASSING = re.compile(r"0x[0-9a-f]{6,16}|(?<=Figure size )\d+x\d+")

TIMED = "nbval-ignore-output"  # tag of a cell whose output is a matter of time alone


@dataclass(frozen=True)
class Near:
    """Two numbers that stand in the same place.

    Attributes:
        found: as it is now.
        committed: as it was.
        digit: the unit of the last decimal shown.
    """

    found: float
    committed: float
    digit: float

    @property
    def distance(self) -> float:
        """How far apart they are beyond what rounding does, relative if the number is above 1."""
        beyond = abs(self.found - self.committed) - 1.001 * self.digit
        return max(beyond, 0.0) / max(1.0, abs(self.committed))


@dataclass
class Comparison:
    """What differs between two outputs.

    Attributes:
        tolerance: how far two numbers may be apart.
        faults: one sentence each; empty if the outputs are the same but for the tolerance.
        numbers: all pairs of numbers with decimals.
    """

    tolerance: float = TOLERANCE
    faults: list[str] = field(default_factory=list)
    numbers: list[Near] = field(default_factory=list)

    def text(self, found: str, committed: str) -> None:
        """Take two texts in."""
        if not _is_alike(found, committed):
            self.faults.append(f"{_short(found)} instead of {_short(committed)}")
            return
        for pair in _pairs(found, committed):
            self.numbers.append(pair)
            if pair.distance > self.tolerance:
                self.faults.append(f"{pair.found} instead of {pair.committed} in {_short(found)}")

    def table(self, found: list[Row], committed: list[Row]) -> None:
        """Take two tables in; columns and rows that changed places are held against their own."""
        found = _columns_in_order_of(found, committed)
        if len(found) != len(committed):
            self.faults.append(f"{len(found)} rows instead of {len(committed)}")
            return
        for one, other in zip(
            _in_order_of(found, committed, self.tolerance), committed, strict=True
        ):
            if len(one) != len(other):
                self.faults.append(f"{len(one)} columns instead of {len(other)}")
                return
            for cell, before in zip(one, other, strict=True):
                self.text(cell, before)


def compare(found: NotebookNode, committed: NotebookNode) -> Comparison:
    """Compare the outputs of one code cell.

    Args:
        found: the cell as it is now.
        committed: the same cell as it was; if it is tagged as a matter of time, all passes.

    Returns:
        What differs.
    """
    comparison = Comparison(WIDER.get(committed.id, TOLERANCE))
    if TIMED in committed.metadata.get("tags", []):
        return comparison
    now, before = _outputs(found), _outputs(committed)
    if [kind for kind, _ in now] != [kind for kind, _ in before]:
        comparison.faults.append(
            f"{[kind for kind, _ in now]} instead of {[kind for kind, _ in before]}"
        )
        return comparison
    for (kind, one), (_, other) in zip(now, before, strict=True):
        if kind == "text/html":
            comparison.table(rows_of(one), rows_of(other))
        else:
            comparison.text(_untimed(one), _untimed(other))
    return comparison


def compare_notebooks(found: NotebookNode, committed: NotebookNode) -> dict[str, Comparison]:
    """Compare all code cells that have an output.

    Args:
        found: the notebook as it is now; cells that the committed one has not are left out.
        committed: the notebook as it was.

    Returns:
        What differs, by the cells' ids.
    """
    now = {cell.id: cell for cell in found.cells}
    compared = {}
    for cell in committed.cells:
        if cell.cell_type == "code" and cell.outputs:
            if cell.id in now and now[cell.id].source == cell.source:
                compared[cell.id] = compare(now[cell.id], cell)
            else:
                compared[cell.id] = Comparison(0.0, ["the cell was changed behind the run"])
    return compared


def is_compared(cell: NotebookNode) -> bool:
    """Whether the output of a cell is held against the committed one; a picture must be there."""
    return bool(cell.outputs) and TIMED not in cell.metadata.get("tags", [])


def _outputs(cell: NotebookNode) -> list[tuple[str, str]]:
    """Kind and content of a cell's outputs as a reader sees them: the richest form, once."""
    tidy = clean(NotebookNode(nbformat=4, nbformat_minor=5, metadata={}, cells=[cell]))
    found: list[tuple[str, str]] = []
    for output in tidy.cells[0].outputs:
        if output.output_type == "stream":
            if found and found[-1][0] == output.name:  # how a stream is cut is chance
                found[-1] = (output.name, found[-1][1] + output.text)
            else:
                found.append((output.name, output.text))
        elif output.output_type == "error":
            found.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            kind = next(kind for kind in KINDS if kind in output.data)
            found.append((kind, output.data[kind]))
    return found


def _columns_in_order_of(found: list[Row], committed: list[Row]) -> list[Row]:
    """The columns, put in the order of the committed ones where both have the same headings.

    A table of a record has them in the alphabet's order if the record was read, not just made.
    """
    if not found or not committed or sorted(found[0]) != sorted(committed[0]):
        return found
    if len(set(found[0])) < len(found[0]) or len({len(row) for row in found}) > 1:
        return found
    places = [found[0].index(heading) for heading in committed[0]]
    return [[row[place] for place in places] for row in found]


def _in_order_of(found: list[Row], committed: list[Row], tolerance: float) -> list[Row]:
    """The rows, put in the order of the committed ones where both hold the same.

    Only rows whose numbers are near may have changed places: in a table that is sorted by a
    column, the column reads the same, but for the tolerance, whatever row stands where.
    """
    keys, wanted = [_key(row) for row in found], [_key(row) for row in committed]
    if keys == wanted or sorted(keys) != sorted(wanted):
        return found
    if not any(_is_column_near(found, committed, c, tolerance) for c in range(len(committed[-1]))):
        return found
    places = {}
    for position, key in enumerate(keys):
        places.setdefault(key, []).append(position)
    sorted_rows = [found[places[key].pop(0)] for key in wanted]
    # A table's own numbering stays where it is.
    return [
        [other[0], *row[1:]] if _is_number(row[0]) else row
        for row, other in zip(sorted_rows, committed, strict=True)
    ]


def _key(row: Row) -> tuple[str, ...]:
    """What names a row: its cells but for decimals and the table's numbering."""
    cells = row[1:] if row and _is_number(row[0]) else row
    return tuple(DECIMAL.sub("#", cell) for cell in cells)


def _is_column_near(found: list[Row], committed: list[Row], column: int, tolerance: float) -> bool:
    """Whether a column has decimals, and they are near in each place."""
    cells = [(one[column], other[column]) for one, other in zip(found, committed, strict=True)
             if column < min(len(one), len(other))]  # fmt: skip
    pairs = [pair for one, other in cells if _is_alike(one, other) for pair in _pairs(one, other)]
    return len(pairs) > 1 and all(pair.distance <= tolerance for pair in pairs)


def _pairs(found: str, committed: str) -> Iterator[Near]:
    for one, other in zip(DECIMAL.findall(found), DECIMAL.findall(committed), strict=True):
        digits = min(_n_decimals(one), _n_decimals(other))
        yield Near(float(one), float(other), 10.0**-digits)


def _n_decimals(number: str) -> int:
    mantissa, _, exponent = number.partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def _is_alike(found: str, committed: str) -> bool:
    """Whether two texts are the same but for decimals, blanks and what is no content."""
    return _words(found) == _words(committed)


def _words(text: str) -> list[str]:
    return DECIMAL.sub(" # ", PASSING.sub("", text)).split()


def _untimed(text: str) -> str:
    """A text without the numbers that a word of time follows."""
    return re.sub(rf"{DECIMAL.pattern}(?= ?(?:s|ms|seconds?|minutes?)\b)", "TIME", text)


def _is_number(text: str) -> bool:
    return text.isdigit()


def _short(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= 200 else f"{words[:197]}...")
