"""The table of a catalogue of one's own: CSV, Excel or Parquet, read as texts.

Every value stays the text that was meant: `007` keeps its zeros, `15970.0` of a spreadsheet is
`15970`, and an Excel cell that is shown as `00123` is `00123`.
"""

import datetime
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from fashion_rir.data.csv_rows import Repairs, read_rows
from fashion_rir.errors import CatalogError

CSV_ENDINGS = (".csv", ".tsv", ".txt")

EXCEL_ENDINGS = (".xlsx", ".xlsm")

ENDINGS = (*CSV_ENDINGS, *EXCEL_ENDINGS, ".parquet")


@dataclass(frozen=True)
class OwnTable:
    """A table as it was found.

    Attributes:
        path: of the file.
        header: names of the columns.
        rows: their texts, each as long as the header; an empty text is a missing value.
        numbers: of each row in the file, the header being row 1.
        faults: where, what and why of the rows that were left out.
        repairs: the same of what was read although something was wrong with it.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    numbers: list[int]
    faults: Repairs = field(default_factory=list)
    repairs: Repairs = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        """The texts of one column."""
        place = self.header.index(name)
        return [row[place] for row in self.rows]


def read_table(path: Path) -> OwnTable:
    """Read a table.

    Args:
        path: of a file with one of `ENDINGS`; the first row names the columns.

    Raises:
        CatalogError: nothing there, none of the known kinds, damaged, or without any row.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        hint = "save it as .xlsx in Excel first" if ending == ".xls" else "give another file"
        raise CatalogError(f"{path} is none of {', '.join(ENDINGS)}; {hint}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"Cannot read the table {path}: {error.strerror}.") from error
    repairs: Repairs = []
    if ending in CSV_ENDINGS:
        records, repairs = read_rows(data, path, None, path.name)
    elif ending in EXCEL_ENDINGS:
        records = _excel_rows(path)
    else:
        records = _parquet_rows(path)
    return _laid_out(path, records, repairs)


def _laid_out(path: Path, records: list[list[str]], repairs: Repairs) -> OwnTable:
    """Header and rows; rows of another length are left out, empty ones passed over."""
    filled = [(number, [text.strip() for text in record])
              for number, record in enumerate(records, start=1)]  # fmt: skip
    filled = [(number, record) for number, record in filled if any(record)]
    if len(filled) < 2:
        raise CatalogError(
            f"{path} holds no product: its first row must name the columns, and each further row "
            "is a product."
        )
    header = _without_end(filled[0][1])
    table = OwnTable(path, header, [], [], [], repairs)
    for number, record in filled[1:]:
        record = _without_end(record)
        if len(record) > len(header):
            reason = f"{len(record)} fields instead of {len(header)}"
            table.faults.append((f"{path.name} row {number}", "row", reason))
            continue
        table.rows.append(record + [""] * (len(header) - len(record)))
        table.numbers.append(number)
    return table


def _without_end(record: list[str]) -> list[str]:
    """The texts up to the last one that is not empty."""
    n_filled = max((place for place, text in enumerate(record, start=1) if text), default=0)
    return record[:n_filled]


def _excel_rows(path: Path) -> list[list[str]]:
    """The rows of the first sheet that has any."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        for sheet in book.worksheets:
            rows = [[_cell_text(cell) for cell in row] for row in sheet.iter_rows()]
            if any(map(any, rows)):
                return rows
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, IndexError,
            SyntaxError, zipfile.BadZipFile) as error:  # fmt: skip
        raise CatalogError(
            f"{path} cannot be read as an Excel file ({type(error).__name__}: damaged, or locked "
            "by a password); open it in Excel and save it again, or save it as CSV."
        ) from error
    return []


def _cell_text(cell: object) -> str:
    """A cell as it is shown, as far as the digits of an id go."""
    value = cell.value
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    if is_whole and re.fullmatch("0+", str(cell.number_format or "")):
        return f"{value:.0f}".zfill(len(cell.number_format))
    return text_of(value)


def _parquet_rows(path: Path) -> list[list[str]]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        names = [column.name for column in file.schema_arrow
                 if not pyarrow.types.is_nested(column.type)
                 and not pyarrow.types.is_binary(column.type)]  # fmt: skip
        table = file.read(columns=names).to_pydict()
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise CatalogError(
            f"{path} cannot be read as Parquet ({type(error).__name__}); write it again."
        ) from error
    rows = zip(*(table[name] for name in names), strict=True)
    return [names, *([text_of(value) for value in row] for row in rows)]


def text_of(value: object) -> str:
    """A value of a spreadsheet or of Parquet as text.

    Example:
        >>> [text_of(value) for value in (15970.0, "007", None, float("nan"), 2.5)]
        ['15970', '007', '', '', '2.5']
    """
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)
