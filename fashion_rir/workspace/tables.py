"""Tables that are made of records."""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from fashion_rir.errors import RecordError
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import words
from fashion_rir.workspace.records import Record


def in_words(records: Iterable[Record]) -> list[Record]:
    """The same records, whose models are called in words, two different ones never the same.

    Args:
        records: of any kind that describes one model; their own names stay.
    """
    records = list(records)
    models = [record["inputs"]["model"] for record in records]
    named = words.distinct(models, with_seed=False)
    return [
        Record(record | {"inputs": record["inputs"] | {"model": model | {"model": name}}})
        for record, model, name in zip(records, models, named, strict=True)
    ]


def retrieval_table(
    records: Iterable[Record], *, protocol: str, label: str, metrics: Iterable[str],
    average: str = "micro", letter: Callable[[Mapping, str], str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """One row a model and measure, one column a metric.

    Args:
        records: of kind `retrieval`.
        protocol: one of `protocols.PROTOCOLS`.
        label: what makes a product relevant, such as `articleType`, or `graded`.
        metrics: some of `protocols.metrics_of(label)`.
        average: `micro` or `macro`.
        letter: from a model's description and the measure to what the thesis calls the experiment,
            such as `thesis.numbers.thesis_letter`; without it there is no column `thesis`.

    Returns:
        Columns `model`, `measure`, `thesis` (its letter there), `weights`, `queries` (that were
        asked), and for each metric its value, `<metric> low` and `<metric> high`; the best by the
        first metric comes first.

    Raises:
        RecordError: a record lacks the protocol, the label or a metric.
    """
    metrics = list(metrics)
    rows = []
    for record in records:
        model, measure = record["inputs"]["model"], record["inputs"]["measure"]
        row = {
            "model": model["model"],
            "measure": measure,
            **({"thesis": letter(model, measure)} if letter else {}),
            "weights": model["weights"],
            "queries": record["inputs"]["n_queries"],
        }
        for metric in metrics:
            found = record.estimate(protocol, label, metric, average=average)
            row |= {metric: found.value, f"{metric} low": found.low, f"{metric} high": found.high}
        rows.append(row)
    table = pd.DataFrame(rows).sort_values(
        [metrics[0], "model", "measure"], ascending=[False, True, True]
    )
    return table.reset_index(drop=True)


def seed_table(
    groups: Mapping[str, Iterable[Record]], *, protocol: str,
    metrics: Iterable[tuple[str, str]], average: str = "micro",
) -> pd.DataFrame:  # fmt: skip
    """One row a trained model: means over the seeds that it was trained with.

    Args:
        groups: by the name to be shown, one record of kind `retrieval` for each seed.
        protocol: one of `protocols.PROTOCOLS`.
        metrics: pairs of a label (or `graded`) and a metric, such as `("articleType", "mAP")`.
        average: `micro` or `macro`.

    Returns:
        Columns `model`, `seeds` (how many), `dim`, `weights`, and for each pair `<label> <metric>`,
        the mean over the seeds, and `<label> <metric> spread`, their standard deviation (with
        n - 1; missing where there is one seed only). Rows are in the order of `groups`.

    Raises:
        RecordError: a group is empty or holds a record twice, a record lacks what is asked, or
            two are of different profiles or catalogues.
    """
    metrics = list(metrics)
    groups = {name: list(records) for name, records in groups.items()}
    result_records.require_same([record for records in groups.values() for record in records])
    rows = []
    for name, records in groups.items():
        _require_seeds(name, records)
        models = [record["inputs"]["model"] for record in records]
        row = {
            "model": name,
            "seeds": len(records),
            "dim": int(models[0]["embedding_dim"]),
            "weights": ", ".join(dict.fromkeys(model["weights"] for model in models)),
        }
        for label, metric in metrics:
            estimates = [one.estimate(protocol, label, metric, average=average) for one in records]
            values = pd.Series([estimate.value for estimate in estimates])
            row |= {f"{label} {metric}": values.mean(), f"{label} {metric} spread": values.std()}
        rows.append(row)
    return pd.DataFrame(rows)


def comparison_table(
    records: Iterable[Mapping], metric: str, called: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row a paired comparison.

    Args:
        records: of kind `comparison`.
        metric: one that was compared, such as `mAP`, or `nDCG@10` for the label `graded`.
        called: what to call the compared records, by their names; those names if None.

    Returns:
        Columns `comparison`, `value`, `low`, `high`, `outside the noise` (the interval does not
        hold 0).
    """
    rows = []
    for record in records:
        sides = [record["inputs"][side] for side in ("first", "second")]
        name = " − ".join((called or {}).get(side, side) for side in sides)
        found = record["differences"][metric]
        is_clear = not found["low"] <= 0 <= found["high"]
        rows.append({"comparison": name, **found, "outside the noise": is_clear})
    return pd.DataFrame(rows, columns=["comparison", "value", "low", "high", "outside the noise"])


def shown(table: pd.DataFrame, digits: int) -> pd.DataFrame:
    """A table as it is printed: rounded, and no minus before a zero, which only rounding made.

    Args:
        table: any.
        digits: behind the point.

    Example:
        >>> shown(pd.DataFrame({"what": ["a"], "value": [-0.001]}), 2)["value"].tolist()
        [0.0]
    """
    numbers = table.select_dtypes("floating").round(digits) + 0.0
    return table.assign(**{column: numbers[column] for column in numbers})


def trained_weights(names: Iterable[str]) -> list[str]:
    """The weights that a training left, out of those that records name.

    Random weights, and the k-means of a vocabulary of visual words, are none.

    Example:
        >>> trained_weights(["a-imagenet+none-seed20", "k-means", "none", "seed20"])
        ['a-imagenet']
    """
    every = {one for joined in names for one in str(joined).split("+")}
    return sorted(one for one in every if not one.startswith(("none", "seed", "k-means")))


def _require_seeds(name: str, records: list[Mapping]) -> None:
    if not records:
        raise RecordError(f"{name!r} has no record, so there is no mean; give one for each seed.")
    names = [record["name"] for record in records]
    if len(set(names)) < len(names):
        raise RecordError(
            f"{name!r} holds the same record twice ({', '.join(names)}); give one for each seed."
        )
