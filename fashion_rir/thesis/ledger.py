"""Every claim of the thesis, what was measured, and the verdict, which is computed.

The claims are those of `claims`. A tested one says where our number stands, and the rule by which
the two are compared. A number may have a 95 % interval; a count has none, its interval is the
number itself. A verdict is `not reproduced` unless the rule says more:

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

All records of a claim must be about the same products (one data hash): a smaller gallery changes
every score. Where a claim compares models that saw different ones, `less` takes off what another
model reaches on the same products, and `across` says why the rest may be compared.

A claim whose record is not there, or holds nothing at the path, is `not yet measured`.
"""

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_rir.errors import RecordError
from fashion_rir.evaluation.intervals import Estimate
from fashion_rir.system import write_text
from fashion_rir.thesis.claims import Claim, Place, Test, listed, load, needed_records
from fashion_rir.workspace import markdown, words
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED = "reproduced", "same direction", "not reproduced"

CONTRADICTS, NOT_TESTABLE, NOT_MEASURED = "contradicts itself", "not testable", "not yet measured"

VERDICTS = (REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED, CONTRADICTS, NOT_TESTABLE, NOT_MEASURED)

FILES = ("ledger.md", "ledger.json")

DEMO = (
    "**This is the demo profile: drawn products and random weights. Its verdicts mean nothing; "
    "they show how a ledger is made.**"
)


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


def verdict(claim: Claim, records: Mapping[str, Mapping]) -> Finding:
    """Judge one claim by the rules above.

    Args:
        claim: from `claims.load`.
        records: result records by name.

    Returns:
        The verdict, and what it rests on.

    Raises:
        RecordError: its records are of different products, and it does not say why they may be.
    """
    if claim.contradiction:
        said = "; ".join(f"{place}: {words}" for place, words in claim.contradiction.items())
        return Finding(CONTRADICTS, said)
    if claim.test is None:
        return Finding(NOT_TESTABLE)
    absent = tuple(name for name in needed_records(claim) if name not in records)
    if absent:
        return Finding(NOT_MEASURED, missing=absent)
    _require_same_products(claim, records)
    try:
        return JUDGES[claim.test.rule](claim, records)
    except _NothingThereError as error:
        return Finding(NOT_MEASURED, missing=(str(error),))


def verdicts(claims: Iterable[Claim], folder: Path) -> pd.DataFrame:
    """All claims with their verdicts.

    Args:
        claims: from `claims.load`.
        folder: a profile's results; a record that is not there is named, not asked for.

    Returns:
        One row a claim, all text: `id`, `where`, `kind`, `claim`, `thesis`, `record`, `metric`,
        `ours`, `verdict`, `note`.

    Raises:
        RecordError: a record is damaged or of another schema version, two are of different
            profiles, or see `verdict`.
    """
    claims = list(claims)
    records = _read(claims, folder)
    rows = []
    for claim in claims:
        finding = verdict(claim, records)
        sample = "" if finding.verdict == NOT_MEASURED else _sample(claim, records)
        rows.append(_row(claim, finding, sample))
    return pd.DataFrame(rows)


def coverage(claims: Iterable[Claim], folder: Path) -> dict[str, list[str]]:
    """What is still to be measured.

    Args:
        claims: from `claims.load`.
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


def summary(table: pd.DataFrame) -> pd.Series:
    """How many claims of a table from `verdicts` got each verdict, in the order of `VERDICTS`."""
    counts = table["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return counts.astype("int64").rename("claims")


def texts(table: pd.DataFrame, profile: str) -> dict[str, str]:
    """The ledger for readers (Markdown) and for programs (JSON).

    Args:
        table: from `verdicts`.
        profile: whose records were asked; the demo's ledger says that it means nothing.

    Returns:
        What each of `FILES` holds; the same table gives the same text.
    """
    content = {
        "profile": profile,
        **({"note": DEMO.strip("*")} if profile == "demo" else {}),
        "summary": summary(table).to_dict(),
        "claims": table.to_dict("records"),
    }
    return {
        "ledger.md": _markdown(table, profile),
        "ledger.json": json.dumps(content, indent=1, ensure_ascii=False) + "\n",
    }


def write(workspace: Workspace, table: pd.DataFrame | None = None) -> list[Path]:
    """Write the ledger of a profile to `reports/<profile>/`.

    Args:
        workspace: of the profile.
        table: from `verdicts`; made from the profile's records if None.

    Returns:
        The two files; nothing of an earlier ledger stays.

    Raises:
        RecordError: the folder cannot be written, or see `verdicts`.
    """
    if table is None:
        table = verdicts(load(), workspace.results)
    folder = workspace.results.parent
    for name, text in texts(table, workspace.profile).items():
        write_text(folder / name, text, RecordError)
    return [folder / name for name in FILES]


def chapter(where: str) -> str:
    """The chapter that a claim stands in, by where it stands.

    Example:
        >>> chapter("Table 5.2.1"), chapter("Abstract")
        ('Chapter 5', 'Abstract')
    """
    number = re.search(r"\d", where)
    return f"Chapter {number.group()}" if number else where


class _NothingThereError(Exception):
    """A record holds nothing at a path."""


def _require_same_products(claim: Claim, records: Mapping) -> None:
    """All records of a claim are of one catalogue, or those that `less` pairs are."""
    test, names = claim.test, needed_records(claim)
    pairs = [(name, test.less[name]) for name in names if name in (test.less or {})]
    try:
        for group in pairs if test.across else [*pairs, names]:
            result_records.require_same([records[name] for name in group], ["data_hash"])
    except RecordError as error:
        raise RecordError(f"The ledger's entry {claim.id!r} cannot be judged. {error}") from error


def _number(claim: Claim, records: Mapping) -> Finding:
    test, thesis = claim.test, claim.thesis_value
    ours = _measured(test, records)
    is_near = abs(ours.value - thesis) <= test.tolerance * abs(thesis)
    ranked = [_of_record(test, records, name).value for name in test.ranking or []]
    descends = len(ranked) > 1 and all(a > b for a, b in itertools.pairwise(ranked))
    return Finding(_graded(is_near or ours.low <= thesis <= ours.high, descends), _text(ours))


def _same(claim: Claim, records: Mapping) -> Finding:
    ours = _at(records, claim.test.record, claim.test.path, _texts)
    return Finding(_graded(ours == _texts(claim.thesis_value), False), ", ".join(ours))


def _above(claim: Claim, records: Mapping, *, sign: int = 1) -> Finding:
    margin, text = _margin(claim.test, records)
    margin, limit = margin if sign > 0 else _negative(margin), -(claim.test.tolerance or 0)
    return Finding(_graded(margin.low > limit, margin.value > limit), text)


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
    text = _ranking(top, ours, " > ")
    return Finding(_graded(top == claimed and is_clear, in_order), text)


def _largest(claim: Claim, records: Mapping, *, sign: int = 1) -> Finding:
    claimed, ours = _compared(claim, records)
    turned = {name: one if sign > 0 else _negative(one) for name, one in ours.items()}
    first = _ranked(turned)[: len(claimed) + 1]
    return Finding(_lead(claimed, turned), _ranking(first, ours, " > " if sign > 0 else " < "))


JUDGES = {
    "number": _number,
    "same": _same,
    "above": _above,
    "below": functools.partial(_above, sign=-1),
    "near": _near,
    "order": _order,
    "largest": _largest,
    "smallest": functools.partial(_largest, sign=-1),
}


def _lead(claimed: list[str], ours: Mapping[str, Estimate]) -> str:
    """The verdict on names that are said to be the largest."""
    ranked = _ranked(ours)
    top, rest = ranked[: len(claimed)], ranked[len(claimed) :]
    is_clear = not rest or min(ours[n].low for n in top) > max(ours[n].high for n in rest)
    return _graded(set(top) == set(claimed) and is_clear, ranked[0] in claimed)


def _ranked(ours: Mapping[str, Estimate]) -> list[str]:
    """Names, the largest number first."""
    return sorted(ours, key=lambda name: (-ours[name].value, name))


def _ranking(names: Iterable[str], ours: Mapping[str, Estimate], sign: str) -> str:
    return sign.join(f"{name} {_text(ours[name])}" for name in names)


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
    if isinstance(test.than, Place):
        other = _at(records, test.than.record, test.than.path, _estimate)
        text = f"{_text(ours)} against {_text(other)}"
    else:
        other, text = _exact(test.than), _text(ours)
    return _less(ours, other), text


def _compared(claim: Claim, records: Mapping) -> tuple[list[str], dict[str, Estimate]]:
    """The claimed names, and our numbers by name."""
    test = claim.test
    if isinstance(test.record, str):
        return _texts(claim.thesis_value), _at(records, test.record, test.path, _by_name)
    named = _in_words(records, test.record)
    ours = {shown: _of_record(test, records, name)
            for shown, name in zip(named, test.record, strict=True)}  # fmt: skip
    return named if test.rule == "order" else named[:1], ours


def _in_words(records: Mapping, names: list[str]) -> list[str]:
    """What the models of records are called, and by which measure; else the records' names."""
    inputs = [records[name]["inputs"] for name in names]
    if not all("model" in one for one in inputs):
        return names
    named = words.distinct([one["model"] for one in inputs], with_seed=False)
    measures = [one.get("measure") for one in inputs]
    if len({*measures} - {None}) > 1:
        named = [f"{name}, {measure}" for name, measure in zip(named, measures, strict=True)]
    return [f"{name}:" for name in named] if len({*named}) == len(names) else names


def _of_record(test: Test, records: Mapping, name: str) -> Estimate:
    """One record's number, less that of the model beside it."""
    ours = _at(records, name, test.path, _estimate)
    beside = (test.less or {}).get(name)
    if beside is None:
        return ours
    if beside == name:  # the model that the others are held against
        return _exact(0)
    return _less(ours, _at(records, beside, test.path, _estimate))


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


def _negative(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low)


def _less(ours: Estimate, other: Estimate) -> Estimate:
    """A difference, as if the two had nothing in common."""
    return Estimate(ours.value - other.value, ours.low - other.high, ours.high - other.low)


def _exact(number: float | str) -> Estimate:
    return Estimate(float(number), float(number), float(number))


def _read(claims: list[Claim], folder: Path) -> dict[str, dict]:
    """The records that are there, by name."""
    names = dict.fromkeys(name for claim in claims for name in needed_records(claim))
    there = [name for name in names if result_records.is_there(folder, name)]
    records = {name: result_records.read(folder, name) for name in there}
    result_records.require_same(records.values(), ["profile"])
    return records


def _sample(claim: Claim, records: Mapping) -> str:
    """On how many products a claim was measured, where these are not all."""
    sizes = {name: record["inputs"].get("n_products") for name, record in records.items()}
    known = {sizes.get(name) for name in needed_records(claim)} - {None}
    if not known or known == {max(size for size in sizes.values() if size)}:
        return ""
    return f"Measured on {' and '.join(f'{size:,}' for size in sorted(known))} products."


def _row(claim: Claim, finding: Finding, sample: str) -> dict[str, str]:
    missing = f"Still missing: {', '.join(finding.missing)}." if finding.missing else ""
    thesis = [] if claim.thesis_value is None else listed(claim.thesis_value)
    across = claim.test.across if claim.test else ""
    return {
        "id": claim.id,
        "where": claim.where,
        "kind": claim.kind,
        "claim": claim.claim,
        "thesis": f"{', '.join(str(value) for value in thesis)} {claim.unit}".strip(),
        "record": ", ".join(listed(claim.test.record)) if claim.test else "",
        "metric": _path_text(claim.test.path) if claim.test else "",
        "ours": finding.ours,
        "verdict": finding.verdict,
        "note": " ".join(
            text for text in (missing, claim.reason, claim.note, across, sample) if text
        ),
    }


def _markdown(table: pd.DataFrame, profile: str) -> str:
    counts = [*summary(table).items(), ("all", len(table))]
    lines = [f"# The thesis, claim by claim: profile {profile}", ""]
    lines += [DEMO, ""] if profile == "demo" else []
    lines += [f"Written by `fashion-rir ledger --profile {profile}` from the profile's records; "
              "how a verdict is found stands in `fashion_rir/thesis/ledger.py`.", "",
              markdown.table(["verdict", "claims"], counts)]  # fmt: skip
    shown = ["where", "claim", "thesis", "ours", "verdict", "record", "metric", "note"]
    for heading, rows in table.groupby(table["where"].map(chapter), sort=False):
        lines += ["", f"## {heading}", "", markdown.table(shown, rows[shown].to_numpy())]
    return "\n".join(lines) + "\n"


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


def _texts(items: Iterable) -> list[str]:
    return [str(item) for item in items]
