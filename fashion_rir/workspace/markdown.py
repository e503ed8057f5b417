"""Tables in Markdown, for the pages that are committed."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table's lines, joined.

    Args:
        head: the columns' names.
        rows: one cell a column; a bar in a cell is escaped.

    Example:
        >>> print(table(["what", "count"], [("sleeves|none", 3)]))
        | what | count |
        |---|---|
        | sleeves\\|none | 3 |
    """
    cells = [[str(cell).replace("|", r"\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(line)} |" for line in (head, *cells)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])
