"""Every claim of the thesis, what was measured, and the verdict, which is computed.

The claims stand in `thesis_claims.yaml`. Each has either a `contradiction` (places of the thesis
that disagree), or a `reason` why nothing can be measured, or a `test`: where our number stands,
and the rule by which the two are compared. A number may have a 95 % interval; a count has none,
its interval is the number itself. A verdict is `not reproduced` unless the rule says more:

number: reproduced if the thesis' number is in our interval, or within the relative tolerance;
    same direction if the records of `ranking` descend as they do in the thesis.
same: reproduced if it is the same list.
above, below: reproduced if the whole interval of our number less `than` is above (below) 0; same
    direction if the number is. `than` is 0 if not given: so is a paired difference tested. With a
    tolerance it may fall short of 0 by that much: 'comes near, or better'.
near: reproduced if that whole interval is within the tolerance of 0, to either side; same
    direction if the number is.
order: reproduced if the claimed names come first, in that order, and no two neighbours' intervals
    touch; same direction if they stand in that order, but others between, or intervals touch.
largest, smallest: reproduced if the claimed names, in any order, are ahead of all others with no
    interval touching; same direction if one of them leads.

The last three compare parts of one record (the names are the thesis' value), or several records
(given in the claimed order; for `largest` and `smallest` the first is the claimed one). Records
are compared as if they had nothing in common, which is stricter than a paired difference.

A claim whose record is not there, or holds nothing at the path, is `not yet measured`.
"""

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fashion_rir import results
from fashion_rir.errors import ParameterError, RecordError, unknown_name
from fashion_rir.intervals import Estimate
from fashion_rir.whole_files import write_text

CLAIMS = Path(__file__).with_name("thesis_claims.yaml")
KINDS = ("table", "figure", "sentence")
REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED = "reproduced", "same direction", "not reproduced"
CONTRADICTS, NOT_TESTABLE, NOT_MEASURED = "contradicts itself", "not testable", "not yet measured"
VERDICTS = (REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED, CONTRADICTS, NOT_TESTABLE, NOT_MEASURED)
TAKES = ("number", "count", "first", "last", "least")
RANKED_RULES = ("order", "largest", "smallest")
# What the thesis numbers in chapters 4 to 6: each needs an entry.
NUMBERED = (
    *(f"Table {number}" for number in ("4.2.1", "5.2.1", "5.2.2", "6.1.1")),
    *(f"Figure 4.2.{number}" for number in range(1, 11)),
    *(f"Figure 4.3.{number}" for number in range(1, 10)),
    *(f"Figure 5.2.{number}" for number in range(1, 19)),
    *(f"Figure 6.{number}" for number in range(1, 5)),
)
_WHERE = re.compile(r"Abstract|Section [3-6]\.\d+( [a-i])?|(Table|Figure) [3-6](\.\d+){1,2}")


@dataclass(frozen=True)
class Test:
    """How a claim is tested.

    Attributes:
        record: a record's name; for a rule in `RANKED_RULES` also a list of names.
        path: steps into the record: a key, a mapping (the one row of a list that holds it), or
            `*` (each row of a list).
        rule: one of `RULES`.
        take: what is taken there, one of `TAKES`: the number, how many names there are, the first
            or the last name as a number, or the least of the numbers.
        of: path to the whole that the number is taken as a share of.
        than: what it is compared with: a number, or a mapping of `record` and `path`.
        tolerance: for `number` a share of the thesis' number (0 for counts); else absolute.
        ranking: for `number`, records in the thesis' order, the largest first.
    """

    record: str | list[str]
    path: list
    rule: str
    take: str = "number"
    of: list | None = None
    than: float | dict = 0
    tolerance: float | None = None
    ranking: list[str] | None = None


@dataclass(frozen=True)
class Claim:
    """One entry of the ledger.

    Attributes:
        id: short and unique.
        where: `Abstract`, or a section, table or figure with its number.
        kind: one of `KINDS`.
        claim: what the thesis says there, in our own words.
        thesis_value: its number, numbers or names; None if it gives none.
        unit: of the number.
        test: how it is tested; or else
        contradiction: what the thesis says, by place; or else
        reason: why it cannot be tested.
        note: what else a reader should know.
    """

    id: str
    where: str
    kind: str
    claim: str
    thesis_value: float | str | list | None = None
    unit: str = ""
    test: Test | None = None
    contradiction: dict | None = None
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What came of a claim.

    Attributes:
        verdict: one of `VERDICTS`.
        ours: what was measured, with its interval; of a contradiction, what stands where.
        missing: records, or `record: path`, that hold nothing yet.
    """

    verdict: str
    ours: str = ""
    missing: tuple[str, ...] = ()


def load(path: Path = CLAIMS) -> list[Claim]:
    """The claims, checked.

    Args:
        path: a YAML file, a list of entries with the fields of `Claim`.

    Returns:
        One claim an entry, in the file's order.

    Raises:
        ParameterError: the file cannot be read, or an entry is at fault; names its id.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(
            f"{path} cannot be read as YAML ({type(error).__name__}); mend it."
        ) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ParameterError(f"{path} must hold a list of entries, each with named fields.")
    claims = [_claim(entry) for entry in entries]
    by_id = {claim.id: claim for claim in claims}
    for claim in claims:
        if by_id[claim.id] is not claim:
            raise ParameterError(f"The ledger's entry {claim.id!r} stands there twice; rename one.")
    return claims


def verdict(claim: Claim, records: Mapping[str, Mapping]) -> Finding:
    """Judge one claim by the rules above.

    Args:
        claim: from `load`.
        records: result records by name.

    Returns:
        The verdict, and what it rests on.
    """
    if claim.contradiction:
        said = "; ".join(f"{place}: {words}" for place, words in claim.contradiction.items())
        return Finding(CONTRADICTS, said)
    if claim.test is None:
        return Finding(NOT_TESTABLE)
    absent = tuple(name for name in needed_records(claim) if name not in records)
    if absent:
        return Finding(NOT_MEASURED, missing=absent)
    try:
        return RULES[claim.test.rule](claim, records)
    except _NothingThereError as error:
        return Finding(NOT_MEASURED, missing=(str(error),))


def verdicts(claims: Iterable[Claim], folder: Path) -> pd.DataFrame:
    """All claims with their verdicts.

    Args:
        claims: from `load`.
        folder: a profile's results; a record that is not there is named, not asked for.

    Returns:
        One row a claim, all text: `id`, `where`, `kind`, `claim`, `thesis`, `record`, `metric`,
        `ours`, `verdict`, `note`.

    Raises:
        RecordError: a record is damaged, or two are of different profiles or catalogues.
    """
    claims = list(claims)
    records = _read(claims, folder)
    return pd.DataFrame([_row(claim, verdict(claim, records)) for claim in claims])


def coverage(claims: Iterable[Claim], folder: Path) -> dict[str, list[str]]:
    """What is still to be measured.

    Args:
        claims: from `load`.
        folder: a profile's results.

    Returns:
        By missing record (or `record: path`) the ids of the claims that wait for it; empty once
        all is measured.

    Raises:
        RecordError: as for `verdicts`.
    """
    claims = list(claims)
    records = _read(claims, folder)
    waiting: dict[str, list[str]] = {}
    for claim in claims:
        for name in verdict(claim, records).missing:
            waiting.setdefault(name, []).append(claim.id)
    return dict(sorted(waiting.items()))


def uncovered(claims: Iterable[Claim]) -> list[str]:
    """The tables and figures of `NUMBERED` that no claim is about."""
    covered = {claim.where for claim in claims}
    return [name for name in NUMBERED if name not in covered]


def needed_records(claim: Claim) -> list[str]:
    """The records that a claim is tested with, each once."""
    if claim.test is None:
        return []
    names = [*_listed(claim.test.record), *(claim.test.ranking or [])]
    if isinstance(claim.test.than, Mapping):
        names.append(claim.test.than["record"])
    return list(dict.fromkeys(names))


def summary(table: pd.DataFrame) -> pd.Series:
    """How many claims of a table from `verdicts` got each verdict, in the order of `VERDICTS`."""
    counts = table["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return counts.astype("int64").rename("claims")


def write(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the ledger for readers (`ledger.md`) and for programs (`ledger.json`).

    Args:
        table: from `verdicts`.
        folder: of a profile's report.

    Returns:
        The two files; the same table gives the same bytes.

    Raises:
        RecordError: the folder cannot be written.
    """
    content = {"summary": summary(table).to_dict(), "claims": table.to_dict("records")}
    texts = {
        "ledger.md": _markdown(table),
        "ledger.json": json.dumps(content, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        write_text(folder / name, text, RecordError)
    return [folder / name for name in texts]


class _NothingThereError(Exception):
    """A record holds nothing at a path."""


def _number(claim: Claim, records: Mapping) -> Finding:
    test, thesis = claim.test, claim.thesis_value
    ours = _measured(test, records)
    is_near = abs(ours.value - thesis) <= test.tolerance * abs(thesis)
    ranked = [_at(records, name, test.path, _estimate).value for name in test.ranking or []]
    descends = len(ranked) > 1 and all(a > b for a, b in itertools.pairwise(ranked))
    return Finding(_graded(is_near or ours.low <= thesis <= ours.high, descends), _text(ours))


def _same(claim: Claim, records: Mapping) -> Finding:
    ours = _at(records, claim.test.record, claim.test.path, _texts)
    return Finding(_graded(ours == _texts(claim.thesis_value), False), ", ".join(ours))


def _above(claim: Claim, records: Mapping) -> Finding:
    margin, text = _margin(claim.test, records)
    limit = -(claim.test.tolerance or 0)
    return Finding(_graded(margin.low > limit, margin.value > limit), text)


def _below(claim: Claim, records: Mapping) -> Finding:
    margin, text = _margin(claim.test, records)
    limit = claim.test.tolerance or 0
    return Finding(_graded(margin.high < limit, margin.value < limit), text)


def _near(claim: Claim, records: Mapping) -> Finding:
    margin, text = _margin(claim.test, records)
    limit = claim.test.tolerance
    is_within = -limit <= margin.low and margin.high <= limit
    return Finding(_graded(is_within, abs(margin.value) <= limit), text)


def _order(claim: Claim, records: Mapping) -> Finding:
    claimed, ours = _compared(claim, records)
    ranked = _ranked(ours)
    top = ranked[: len(claimed)]
    is_clear = all(ours[a].low > ours[b].high for a, b in itertools.pairwise(top))
    in_order = [name for name in ranked if name in claimed] == claimed
    text = " > ".join(f"{name} {_text(ours[name])}" for name in top)
    return Finding(_graded(top == claimed and is_clear, in_order), text)


def _largest(claim: Claim, records: Mapping) -> Finding:
    claimed, ours = _compared(claim, records)
    text = " > ".join(f"{name} {_text(ours[name])}" for name in _ranked(ours)[: len(claimed) + 1])
    return Finding(_lead(claimed, ours), text)


def _smallest(claim: Claim, records: Mapping) -> Finding:
    claimed, ours = _compared(claim, records)
    turned = {name: Estimate(-e.value, -e.high, -e.low) for name, e in ours.items()}
    names = _ranked(turned)[: len(claimed) + 1]
    text = " < ".join(f"{name} {_text(ours[name])}" for name in names)
    return Finding(_lead(claimed, turned), text)


# fmt: off
RULES = {"number": _number, "same": _same, "above": _above, "below": _below, "near": _near,
         "order": _order, "largest": _largest, "smallest": _smallest}
# fmt: on


def _lead(claimed: list[str], ours: Mapping[str, Estimate]) -> str:
    """The verdict on names that are said to be the largest."""
    ranked = _ranked(ours)
    top, rest = ranked[: len(claimed)], ranked[len(claimed) :]
    is_clear = not rest or min(ours[n].low for n in top) > max(ours[n].high for n in rest)
    return _graded(set(top) == set(claimed) and is_clear, ranked[0] in claimed)


def _ranked(ours: Mapping[str, Estimate]) -> list[str]:
    """Names, the largest number first."""
    return sorted(ours, key=lambda name: (-ours[name].value, name))


def _graded(is_reproduced: bool, is_same_direction: bool) -> str:
    if is_reproduced:
        return REPRODUCED
    return SAME_DIRECTION if is_same_direction else NOT_REPRODUCED


def _measured(test: Test, records: Mapping) -> Estimate:
    """Our number."""
    ours = _at(records, test.record, test.path, functools.partial(_taken, take=test.take))
    if test.of is None:
        return ours
    whole = _at(records, test.record, test.of, _by_name)
    return _exact(ours.value / sum(part.value for part in whole.values()))


def _margin(test: Test, records: Mapping) -> tuple[Estimate, str]:
    """Our number less what it is compared with, and how to show it."""
    ours = _measured(test, records)
    if isinstance(test.than, Mapping):
        other = _at(records, test.than["record"], test.than["path"], _estimate)
        text = f"{_text(ours)} against {_text(other)}"
    else:
        other, text = _exact(test.than), _text(ours)
    low, high = ours.low - other.high, ours.high - other.low
    return Estimate(ours.value - other.value, low, high), text


def _compared(claim: Claim, records: Mapping) -> tuple[list[str], dict[str, Estimate]]:
    """The claimed names, and our numbers by name."""
    test = claim.test
    if isinstance(test.record, str):
        return _texts(claim.thesis_value), _at(records, test.record, test.path, _by_name)
    ours = {name: _at(records, name, test.path, _estimate) for name in test.record}
    return test.record if test.rule == "order" else test.record[:1], ours


def _at(records: Mapping, name: str, path: list, read: Callable[[object], Any]) -> Any:
    """What a record holds at a path, as `read` returns it."""
    try:
        return read(_followed(records[name], path))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _NothingThereError(f"{name}: {_path_text(path)}") from error


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
        return _estimate(found)
    if take == "count":
        return _exact(len(found))
    if take == "least":
        return min(_by_name(found).values(), key=lambda estimate: estimate.value)
    numbers = sorted(float(name) for name in found)
    return _exact(numbers[0] if take == "first" else numbers[-1])


def _by_name(found: object, prefix: str = "") -> dict[str, Estimate]:
    """Numbers by name, those of a table by `row / column`; a lone number by an empty name."""
    if not isinstance(found, Mapping) or "value" in found:
        return {prefix: _estimate(found)}
    parts = {}
    for name, inner in found.items():
        parts |= _by_name(inner, f"{prefix} / {name}" if prefix else str(name))
    return parts


def _estimate(found: object) -> Estimate:
    if isinstance(found, Mapping):
        return Estimate(*(float(found[key]) for key in ("value", "low", "high")))
    return _exact(found)


def _exact(number: float | str) -> Estimate:
    return Estimate(float(number), float(number), float(number))


def _read(claims: list[Claim], folder: Path) -> dict[str, dict]:
    """The records that are there, by name."""
    names = dict.fromkeys(name for claim in claims for name in needed_records(claim))
    there = [name for name in names if (folder / f"{name}.json").exists()]
    return dict(zip(there, results.read_named(folder, there), strict=True))


def _row(claim: Claim, finding: Finding) -> dict[str, str]:
    missing = f"Still missing: {', '.join(finding.missing)}." if finding.missing else ""
    thesis = [] if claim.thesis_value is None else _listed(claim.thesis_value)
    return {
        "id": claim.id,
        "where": claim.where,
        "kind": claim.kind,
        "claim": claim.claim,
        "thesis": f"{', '.join(str(value) for value in thesis)} {claim.unit}".strip(),
        "record": ", ".join(_listed(claim.test.record)) if claim.test else "",
        "metric": _path_text(claim.test.path) if claim.test else "",
        "ours": finding.ours,
        "verdict": finding.verdict,
        "note": " ".join(text for text in (missing, claim.reason, claim.note) if text),
    }


def _markdown(table: pd.DataFrame) -> str:
    lines = ["# The thesis, claim by claim", "", "| verdict | claims |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in summary(table).items()]
    lines.append(f"| all | {len(table)} |")
    shown = ["where", "claim", "thesis", "ours", "verdict", "record", "metric", "note"]
    for chapter, rows in itertools.groupby(table.to_dict("records"), _chapter):
        lines += ["", f"## {chapter}", "", f"| {' | '.join(shown)} |", "|---" * len(shown) + "|"]
        for row in rows:
            cells = [row[column].replace("|", r"\|") for column in shown]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _chapter(row: Mapping[str, str]) -> str:
    number = re.search(r"\d", row["where"])
    return f"Chapter {number.group()}" if number else row["where"]


def _text(estimate: Estimate) -> str:
    if estimate.low < estimate.high:
        return str(estimate)
    return f"{estimate.value:.0f}" if estimate.value.is_integer() else f"{estimate.value:.4g}"


def _path_text(path: list) -> str:
    steps = []
    for step in path:
        is_row = isinstance(step, Mapping)
        steps.append(", ".join(f"{k} {v}" for k, v in step.items()) if is_row else str(step))
    return " / ".join(steps)


def _listed(one_or_more: object) -> list:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _texts(items: Iterable) -> list[str]:
    return [str(item) for item in items]


def _claim(entry: Mapping) -> Claim:
    try:
        return _checked(entry)
    except ParameterError as error:
        name = entry.get("id", "without an id")
        raise ParameterError(f"The ledger's entry {name!r} is at fault. {error}") from error


def _checked(entry: Mapping) -> Claim:
    _check_fields(entry, Claim, needed=("id", "where", "kind", "claim"))
    if entry["kind"] not in KINDS:
        raise unknown_name("kind", entry["kind"], KINDS)
    if not _WHERE.fullmatch(str(entry["where"])):
        raise ParameterError(f"It stands at {entry['where']!r}, no place such as 'Table 5.2.1'.")
    given = [key for key in ("test", "contradiction", "reason") if entry.get(key)]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise ParameterError(f"It needs a test, a contradiction or a reason, and has {found}.")
    content = entry[given[0]]
    if given == ["reason"]:
        return Claim(**entry)
    if not isinstance(content, Mapping):
        raise ParameterError(f"Its {given[0]} must have named fields, not {content!r}.")
    if given == ["contradiction"]:
        if len({str(words) for words in content.values()}) < 2:
            raise ParameterError("Its contradiction needs two places that say different things.")
        return Claim(**entry)
    _check_fields(content, Test, needed=("record", "path", "rule"))
    claim = Claim(**{**entry, "test": Test(**content)})
    _check_test(claim.test, claim.thesis_value)
    return claim


def _check_fields(found: Mapping, kind: type, *, needed: Iterable[str]) -> None:
    known = [field.name for field in fields(kind)]
    for key in found:
        if key not in known:
            raise unknown_name("field", key, known)
    for key in needed:
        if not found.get(key):
            raise ParameterError(f"It lacks the field {key!r}.")


def _check_test(test: Test, thesis_value: object) -> None:
    if test.rule not in RULES:
        raise unknown_name("rule", test.rule, RULES)
    if test.take not in TAKES:
        raise unknown_name("take", test.take, TAKES)
    if not isinstance(test.path, list):
        raise ParameterError(f"Its path must be a list of steps, not {test.path!r}.")
    several = isinstance(test.record, list)
    if several and test.rule not in RANKED_RULES:
        raise ParameterError(f"Its rule {test.rule!r} cannot compare several records.")
    if test.rule == "number" and not _is_number(thesis_value):
        raise ParameterError(f"Its rule needs a number as thesis_value, not {thesis_value!r}.")
    needs_names = test.rule == "same" or (test.rule in RANKED_RULES and not several)
    if needs_names and not isinstance(thesis_value, list):
        raise ParameterError(f"Its rule needs a list as thesis_value, not {thesis_value!r}.")
    if test.rule in ("number", "near") and not (_is_number(test.tolerance) and test.tolerance >= 0):
        raise ParameterError(f"Its rule needs a tolerance of at least 0, not {test.tolerance!r}.")
    is_place = isinstance(test.than, Mapping) and set(test.than) == {"record", "path"}
    if not is_place and not _is_number(test.than):
        raise ParameterError(f"Its 'than' must be a number, or record and path, not {test.than!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
