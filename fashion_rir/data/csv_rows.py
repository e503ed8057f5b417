"""Rows of a CSV file as people and programs write it, with what had to be mended.

Read as meant: UTF-8 with rows of Windows-1252 among them (one name pasted from elsewhere), UTF-16,
semicolons or tabs instead of commas, Excel's line `sep=;`, quotes inside a field. Refused, since
rows could be lost: a quote that is never closed.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from fashion_rir.errors import CatalogError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16",
         b"\xfe\xff": "utf-16"}  # the longer ones first  # fmt: skip

HEAD = 2000  # bytes in which UTF-16 without a mark is looked for

LONGEST_FIELD = 2**26  # characters; the module csv refuses more than 131,072 by itself

Repairs = list[tuple[str, str, str]]


def read_rows(
    data: bytes, path: Path, key: str | None, table: str = "styles.csv"
) -> tuple[list[list[str]], Repairs]:
    """All rows, the header first.

    Args:
        data: the file's bytes.
        path: of the file, or of the archive that holds it, for an error.
        key: the name of a column that must be there; tells what stands between the fields. None
            if no name is known: then it is what cuts the first line into the most fields.
        table: what the file is called in errors and repairs.

    Returns:
        The fields of each row, and where, what and why of each repair.

    Raises:
        CatalogError: a quote that is never closed.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    text, repairs = _decoded(data, key, table)
    delimiter, text = _delimiter(text, key)
    if delimiter != ",":
        repairs.append((table, "file", f"{DELIMITERS[delimiter]} instead of commas"))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        return list(reader), repairs
    except csv.Error as error:
        fault = CatalogError(
            f"{path}: {table} cannot be read as CSV at line {reader.line_num} ({error}); mend "
            "the quotes there."
        )
        try:
            found = list(_line_by_line(text, delimiter, repairs, table))
        except csv.Error:
            raise fault from error
        return found, repairs


def _decoded(data: bytes, key: str | None, table: str) -> tuple[str, Repairs]:
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), None)
    encoding = encoding or _unmarked(data, key)
    if encoding:
        text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
        return text, [(table, "file", f"read as {encoding.upper()}")]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    lines, repairs = data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), []
    for number, line in enumerate(lines):
        try:
            lines[number] = line.decode()
        except UnicodeDecodeError:
            lines[number] = line.decode("cp1252", errors="replace")
            reason = "no UTF-8, read as Windows-1252"
            if "\ufffd" in lines[number]:
                reason += ", with characters that it lacks"
            repairs.append((f"{table} line {number + 1}", "row", reason))
    return "\n".join(lines), repairs


def _unmarked(data: bytes, key: str | None) -> str | None:
    """UTF-16 without a mark, by the zeros beside its ASCII letters."""
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = data[first:HEAD:2]
        if (key or "").encode(encoding) in data[:HEAD] and zeros.count(0) > len(zeros) // 2:
            return encoding
    return None


def _delimiter(text: str, key: str | None) -> tuple[str, str]:
    """What stands between the fields, and the text without a line that only says so."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    if first.startswith("sep=") and first[4:5] in DELIMITERS:
        return first[4], rest
    if key is None:
        return max(DELIMITERS, key=lambda one: (first.count(one), text[:HEAD].count(one))), text
    for delimiter in DELIMITERS:
        fields = first.replace('"', "").split(delimiter)
        if len(fields) > 1 and key in [field.strip() for field in fields]:
            return delimiter, text
    return ",", text


def _line_by_line(text: str, delimiter: str, repairs: Repairs, table: str) -> Iterator[list[str]]:
    """Rows where each is a line of its own; quotes that belong to a field stay in it.

    Raises:
        csv.Error: a quote that is not closed on its line, or has swallowed some of its fields.
    """
    n_fields = 0
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = next(csv.reader([line], strict=True, delimiter=delimiter), [])
        except csv.Error:
            row = next(csv.reader([line], delimiter=delimiter), [])
            if line.count('"') % 2 or len(row) < n_fields:
                raise
            repairs.append((f"{table} line {number}", "row", "quotes inside a field"))
        n_fields = n_fields or len(row)
        yield row
