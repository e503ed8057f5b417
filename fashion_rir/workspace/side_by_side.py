"""Several runs' scores in one table: the live one, and right beside it the full run's."""

from collections.abc import Iterable, Mapping

import pandas as pd

from fashion_rir.errors import RecordError
from fashion_rir.workspace import words
from fashion_rir.workspace.records import Record


def scores(
    runs: Mapping[str, Iterable[Record]],
    wanted: Mapping[str, tuple[str, str, str]],
    *,
    protocol: str = "held_out",
    average: str = "micro",
) -> pd.DataFrame:
    """One row a model, one column a run and score.

    Args:
        runs: records of kind `retrieval` by what the run is called, such as `full run`.
        wanted: by the column's name the label, the metric and the measure, such as
            `{"colour": ("baseColour", "precision@10", "cosine")}`.
        protocol: one of `protocols.PROTOCOLS`.
        average: `micro` or `macro`.

    Returns:
        Index `model`, in words, in the order in which the runs first have them; columns (run,
        name); missing where a run has no record of the model by this measure, or no such label.

    Raises:
        RecordError: two records of a run are of the same model and measure.
    """
    cells: dict[str, dict[tuple[str, str], float]] = {}
    seen = set()
    for run, records in runs.items():
        for record in records:
            model, measure = words.in_words(record["inputs"]["model"]), record["inputs"]["measure"]
            if (run, model, measure) in seen:
                raise RecordError(
                    f"{run!r} has two records of {model} by {measure}; give one of each."
                )
            seen.add((run, model, measure))
            row = cells.setdefault(model, {})
            for name, (label, metric, asked) in wanted.items():
                if asked == measure and record.has_scores(protocol, label):
                    found = record.estimate(protocol, label, metric, average=average)
                    row[run, name] = found.value
    columns = pd.MultiIndex.from_product([runs, wanted])
    rows = [[row.get(column) for column in columns] for row in cells.values()]
    return pd.DataFrame(rows, index=pd.Index(cells, name="model"), columns=columns, dtype=float)


def shown(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """A table of scores as it is printed: rounded, and a dash where nothing was measured.

    Example:
        >>> shown(pd.DataFrame({"mAP": [0.25, None]}), 2)["mAP"].tolist()
        ['0.25', '–']
    """
    return table.map(lambda value: "–" if pd.isna(value) else f"{value:.{digits}f}")
