"""The tables of an HTML output as rows of texts, without what is measured in time."""

import re
from html.parser import HTMLParser

Row = list[str]

# Headings of columns that tell of time, or of how this machine compares.
TIME = re.compile(
    r"(?<![a-zA-Z'’])(?:s|ms|seconds|minutes|a second|times exact|relative)(?![a-zA-Z])"
)


def rows_of(html: str) -> list[Row]:
    """The text of an HTML output: a row for each row of its tables, and one for each text between.

    Columns that tell of time are left out; a heading that spans rows stands in each of them.

    Example:
        >>> rows_of("<table><tr><th></th><th>seconds</th><th>mAP</th></tr>"
        ...         "<tr><th>pad</th><td>3.5</td><td>0.62</td></tr></table>")
        [['', 'mAP'], ['pad', '0.62']]
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.rows


class _Reader(HTMLParser):
    """Collects the rows of an HTML text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._row: Row | None = None
        self._spans: dict[int, tuple[int, str]] = {}  # by column: rows left, text
        self._rowspan, self._cell = 1, None
        self._timed: set[int] = set()
        self._is_hidden = False

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in ("style", "script"):
            self._is_hidden = True
        elif tag == "table":
            self._spans, self._timed = {}, set()
        elif tag == "tr":
            self._row, self._headings = [], 0
        elif tag in ("th", "td") and self._row is not None:
            self._fill()
            self._cell, self._rowspan = "", int(dict(attrs).get("rowspan") or 1)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._is_hidden = False
        elif tag in ("th", "td") and self._cell is not None:
            text = " ".join(self._cell.split())
            column = len(self._row)
            if self._rowspan > 1:
                self._spans[column] = (self._rowspan - 1, text)
            if tag == "th" and column > 0 and TIME.search(text):
                self._timed.add(column)
            self._row.append(text)
            self._cell = None
        elif tag == "tr" and self._row is not None:
            self._fill()
            self.rows.append([c for i, c in enumerate(self._row) if i not in self._timed])
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._is_hidden:
            return
        if self._cell is not None:
            self._cell += data
        elif self._row is None and data.strip():
            self.rows.append([" ".join(data.split())])

    def _fill(self) -> None:
        """Put what spans from a row above into this one."""
        while (column := len(self._row)) in self._spans:
            left, text = self._spans.pop(column)
            if left > 1:
                self._spans[column] = (left - 1, text)
            self._row.append(text)
