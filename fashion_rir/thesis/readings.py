"""What a record holds at a path: a number with its interval, numbers by name, texts."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fashion_rir.evaluation.intervals import Estimate
from fashion_rir.thesis.claims import Place, Test
from fashion_rir.workspace.records import Record


class NothingThereError(Exception):
    """A record holds nothing at a path."""


def measured(test: Test, records: Mapping[str, Record]) -> Estimate:
    """Our number of a test of one record."""
    ours = at(records, test.record, test.path, functools.partial(_taken, take=test.take))
    if test.of is None:
        return ours
    whole = at(records, test.record, test.of, by_name)
    return exact(ours.value / sum(part.value for part in whole.values()))


def margin(test: Test, records: Mapping[str, Record]) -> tuple[Estimate, str]:
    """Our number less what it is compared with, and how to show it."""
    ours = measured(test, records)
    if isinstance(test.than, Place):
        other = at(records, test.than.record, test.than.path, estimate)
        return less(ours, other), f"{text(ours)} against {text(other)}"
    return less(ours, exact(test.than)), text(ours)


def of_record(test: Test, records: Mapping[str, Record], name: str) -> Estimate:
    """The number of one of a test's records, less that of the model beside it."""
    ours = at(records, name, test.path, estimate)
    beside = (test.less or {}).get(name)
    if beside is None:
        return ours
    if beside == name:  # the model that the others are held against
        return exact(0)
    return less(ours, at(records, beside, test.path, estimate))


def at(records: Mapping[str, Record], name: str, path: list, read: Callable[[object], Any]) -> Any:
    """What a record holds at a path, as `read` returns it.

    Raises:
        NothingThereError: nothing that `read` can make something of.
    """
    try:
        return read(_followed(records[name], path))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NothingThereError(f"{name}: {path_text(path)}") from error


def by_name(found: object, prefix: str = "") -> dict[str, Estimate]:
    """Numbers by name, those of a table by `row / column`; a lone number by an empty name."""
    if not isinstance(found, Mapping) or "value" in found:
        return {prefix: estimate(found)}
    parts = {}
    for name, inner in found.items():
        parts |= by_name(inner, f"{prefix} / {name}" if prefix else str(name))
    return parts


def estimate(found: object) -> Estimate:
    """A number with its interval, or one that has none."""
    if isinstance(found, Mapping):
        return Estimate(*(float(found[key]) for key in ("value", "low", "high")))
    return exact(found)


def exact(number: float | str) -> Estimate:
    """A number that was counted, not sampled."""
    return Estimate(float(number), float(number), float(number))


def negative(one: Estimate) -> Estimate:
    """The number with its sign turned."""
    return Estimate(-one.value, -one.high, -one.low)


def less(ours: Estimate, other: Estimate) -> Estimate:
    """A difference, as if the two had nothing in common."""
    return Estimate(ours.value - other.value, ours.low - other.high, ours.high - other.low)


def text(one: Estimate) -> str:
    """A number as it is shown, with its interval if it has one."""
    if one.low < one.high:
        return str(one)
    return f"{one.value:.0f}" if one.value.is_integer() else f"{one.value:.4g}"


def texts(items: Iterable) -> list[str]:
    """Each as a text."""
    return [str(item) for item in items]


def path_text(path: list) -> str:
    """A path as it is shown."""
    steps = []
    for step in path:
        is_row = isinstance(step, Mapping)
        steps.append(", ".join(f"{k} {v}" for k, v in step.items()) if is_row else str(step))
    return " / ".join(steps)


def _followed(content: object, path: list) -> object:
    if not path:
        return content
    step, *rest = path
    if step == "*":
        return [_followed(row, rest) for row in content]
    if isinstance(step, Mapping):
        (row,) = [row for row in content if step.items() <= row.items()]
        return _followed(row, rest)
    return _followed(content[step], rest)


def _taken(found: object, take: str) -> Estimate:
    if take == "number":
        return estimate(found)
    if take == "count":
        return exact(len(found))
    if take == "least":
        return min(by_name(found).values(), key=lambda one: one.value)
    numbers = sorted(float(name) for name in found)
    return exact(numbers[0] if take == "first" else numbers[-1])
