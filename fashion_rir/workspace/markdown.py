"""Tables in Markdown, for the pages that are committed."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table.

    Args:
        head: the columns' names.
        rows: one cell a column; a bar in a cell is escaped.

    Example:
        >>> table(["what", "count"], [("a|b", 3)])
        ['| what | count |', '|---|---|', '| a\\\\|b | 3 |']
    """
    lines = [[str(cell).replace("|", r"\|") for cell in row] for row in rows]
    return [
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
        *(f"| {' | '.join(line)} |" for line in lines),
    ]
