"""How a claim is judged by records: the rules, and what may stand between a number and a verdict.

A number may have a 95 % interval; a count has none, its interval is the number itself. Each rule
says what the numbers say as they stand, and how sure that is: `p`, the chance of so clear a
difference if there were none, made of the interval (as if normal) of the weakest comparison
that the verdict rests on.

number, near: reproduced if ours is within the tolerance of the thesis' number (of `than`). With a
    tolerance of 0 it must be the same. `number` is in the same direction if the records of
    `ranking` descend as they do in the thesis.
same: reproduced if it is the same list.
above, below: reproduced if our number less `than` is above (below) 0; with a tolerance it may
    fall short of 0 by that much: 'comes near, or better'.
order: reproduced if the claimed names come first, in that order; same direction if they stand in
    that order, but others between.
largest, smallest: reproduced if the claimed names, in any order, are ahead of all others; same
    direction if one of them leads.

The last three compare parts of one record (the names are the thesis' value), or several records
(given in the claimed order; for `largest` and `smallest` the first is the claimed one). Records
are compared as if they had nothing in common, which is stricter than a paired difference.

What the numbers say is the verdict, but for this, in that order:

inconclusive: a run behind it came to nothing (`setups.collapsed`); or the compared runs differ in
    more than what is claimed (`doubt`); or p is 0.05 or more, be it for or against the claim, also
    by the interval over types where there is one (`also`); or other runs (`choices`), which differ
    in what the thesis leaves open, say something else, or lie to either side of its number.
different set-up: it was not found, by runs that differ from the thesis' set-up (`setups`), and
    nothing says why that cannot matter (`anywhere`). What was found in another set-up stands.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fashion_rir.errors import RecordError
from fashion_rir.evaluation.intervals import Estimate
from fashion_rir.thesis import readings, setups
from fashion_rir.thesis.claims import Claim, listed, needed_records
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import words
from fashion_rir.workspace.records import Record

REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED = "reproduced", "same direction", "not reproduced"

INCONCLUSIVE, DIFFERENT_SETUP = "inconclusive", "different set-up"

CONTRADICTS, NOT_TESTABLE, NOT_MEASURED = "contradicts itself", "not testable", "not yet measured"

VERDICTS = (REPRODUCED, SAME_DIRECTION, INCONCLUSIVE, DIFFERENT_SETUP, NOT_REPRODUCED, CONTRADICTS,
            NOT_TESTABLE, NOT_MEASURED)  # fmt: skip

ALPHA = 0.05

_Z = 1.959964  # half of a normal 95 % interval, in standard errors


@dataclass(frozen=True)
class Finding:
    """What came of a claim.

    Attributes:
        verdict: one of `VERDICTS`.
        ours: what was measured, with its interval; of a contradiction, what stands where.
        missing: records, or `record: path`, that hold nothing yet.
        p: how sure it is, see above; None where nothing was sampled.
        note: why it is inconclusive, or in what the set-up differs.
    """

    verdict: str
    ours: str = ""
    missing: tuple[str, ...] = ()
    p: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a claim is judged by.

    Attributes:
        records: by name; also those that comparisons were made of.
        n_all: products of the whole catalogue.
        collapsed: from `setups.collapsed`.
    """

    records: Mapping[str, Record]
    n_all: int = 0
    collapsed: Mapping[str, list[str]] | None = None


def verdict(claim: Claim, evidence: Evidence | Mapping[str, Record]) -> Finding:
    """Judge one claim by the rules above.

    Args:
        claim: from `claims.load`.
        evidence: or only the records by name; then none is held to be of a sample or collapsed.

    Returns:
        The verdict, and what it rests on.

    Raises:
        RecordError: its records are of different products, and it does not say why they may be.
    """
    if not isinstance(evidence, Evidence):
        evidence = Evidence(evidence)
    if claim.contradiction:
        said = "; ".join(f"{place}: {words}" for place, words in claim.contradiction.items())
        return Finding(CONTRADICTS, said)
    if claim.test is None:
        return Finding(NOT_TESTABLE)
    absent = tuple(name for name in needed_records(claim) if name not in evidence.records)
    if absent:
        return Finding(NOT_MEASURED, missing=absent)
    _require_same_products(claim, evidence.records)
    try:
        found = JUDGES[claim.test.rule](claim, evidence.records)
        found = _also(claim, evidence.records, found)
        found = _among_choices(claim, evidence.records, found)
    except readings.NothingThereError as error:
        return Finding(NOT_MEASURED, missing=(str(error),))
    return _in_its_setup(claim, evidence, weighed(found))


def weighed(found: Finding, *, p: float | None = None) -> Finding:
    """A finding that may be chance is inconclusive.

    Args:
        found: what the numbers say.
        p: after a correction for the number of comparisons; its own if None.
    """
    p = found.p if p is None else p
    if p is None or p < ALPHA or found.verdict == INCONCLUSIVE:
        return found
    return replace(found, verdict=INCONCLUSIVE, note="Inside the noise.")


def holm(chances: Mapping[str, float]) -> dict[str, float]:
    """Chances after Holm's correction (1979): of one false finding among all, whatever they share.

    Args:
        chances: p by name.

    Example:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
        {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    corrected, largest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(chances.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(chances) - rank)))
        corrected[name] = largest
    return corrected


def _also(claim: Claim, records: Mapping[str, Record], found: Finding) -> Finding:
    """No surer than by the other interval of the same number."""
    place = claim.test.also
    if place is None:
        return found
    test = replace(claim.test, record=place.record, path=place.path, also=None)
    other = JUDGES[test.rule](replace(claim, test=test), records)
    return replace(found, ours=f"{found.ours}; over types {other.ours}",
                   p=_weakest([found.p, other.p]))  # fmt: skip


def _among_choices(claim: Claim, records: Mapping[str, Record], found: Finding) -> Finding:
    """Inconclusive, if what the thesis leaves open decides."""
    test = claim.test
    there = [place for place in test.choices or [] if place.record in records]
    if not there:
        return found
    tests = [replace(test, record=place.record, path=place.path, ranking=None, less=None,
                     choices=None)
             for place in there]  # fmt: skip
    others = [JUDGES[test.rule](replace(claim, test=other), records) for other in tests]
    ours = [readings.measured(one, records).value for one in (test, *tests)]
    low, high = min(ours), max(ours)
    is_between = test.rule == "number" and low <= claim.thesis_value <= high
    is_agreed = {one.verdict for one in others} <= {found.verdict}
    if is_agreed and (found.verdict == REPRODUCED or not is_between):
        return found
    note = f"What the thesis leaves open decides: over our choices it is {low:.3f} to {high:.3f}."
    return replace(found, verdict=INCONCLUSIVE, note=note)


def _in_its_setup(claim: Claim, evidence: Evidence, found: Finding) -> Finding:
    also = claim.test.also  # of the same runs, and maybe of others
    names = [name for name in needed_records(claim) if not also or name != also.record]
    models = [model for name in names
              for model in setups.models_of(evidence.records[name], evidence.records)]  # fmt: skip
    broken = {str(model.get("model", "")) for model in models} & {*(evidence.collapsed or {})}
    for name in sorted(broken):
        signs = " and ".join(evidence.collapsed[name])
        note = f"The run {name} came to nothing, so nothing is said of its method: {signs}."
        return replace(found, verdict=INCONCLUSIVE, note=note)
    if claim.test.rule == "number" and found.verdict != SAME_DIRECTION:
        names = listed(claim.test.record)  # those of its ranking had no say
    if claim.test.doubt:
        found = replace(found, verdict=INCONCLUSIVE, note=claim.test.doubt)
    others = setups.differences(names, evidence.records, evidence.n_all)
    if not others:
        return found
    note = f"{found.note} Not the thesis' set-up: {', '.join(others)}.".strip()
    if any(str(model.get("family", "")).endswith("-end-to-end") for model in models):
        note += " One seed."
    if found.verdict == NOT_REPRODUCED and not claim.test.anywhere:
        return replace(found, verdict=DIFFERENT_SETUP, note=note)
    return replace(found, note=note)


def _require_same_products(claim: Claim, records: Mapping[str, Record]) -> None:
    """All records of a claim are of one catalogue, or those that `less` pairs are."""
    test, names = claim.test, needed_records(claim)
    pairs = [(name, test.less[name]) for name in names if name in (test.less or {})]
    try:
        for group in pairs if test.across else [*pairs, names]:
            result_records.require_same([records[name] for name in group], ["data_hash"])
    except RecordError as error:
        raise RecordError(f"The ledger's entry {claim.id!r} cannot be judged. {error}") from error


def _number(claim: Claim, records: Mapping[str, Record]) -> Finding:
    test = claim.test
    ours = readings.measured(test, records)
    away = readings.less(ours, readings.exact(claim.thesis_value))
    found = _within(away, test.tolerance, readings.text(ours))
    if found.verdict == REPRODUCED or not test.ranking:
        return found
    ranked = [readings.of_record(test, records, name) for name in test.ranking]
    steps = [readings.less(a, b) for a, b in itertools.pairwise(ranked)]
    if min(step.value for step in steps) <= 0:
        return found
    p = _weakest([found.p, *(_chance(step, 0) for step in steps)])
    return replace(found, verdict=SAME_DIRECTION, p=p)


def _same(claim: Claim, records: Mapping[str, Record]) -> Finding:
    ours = readings.at(records, claim.test.record, claim.test.path, readings.texts)
    is_same = ours == readings.texts(claim.thesis_value)
    return Finding(_graded(is_same, False), ", ".join(ours))


def _above(claim: Claim, records: Mapping[str, Record], *, sign: int = 1) -> Finding:
    margin, text = readings.margin(claim.test, records)
    margin = margin if sign > 0 else readings.negative(margin)
    limit = -(claim.test.tolerance or 0)
    return Finding(_graded(margin.value > limit, False), text, p=_chance(margin, limit))


def _near(claim: Claim, records: Mapping[str, Record]) -> Finding:
    margin, text = readings.margin(claim.test, records)
    return _within(margin, claim.test.tolerance, text)


def _within(away: Estimate, limit: float, text: str) -> Finding:
    """Whether a difference is within a limit, to either side."""
    chances = [_chance(away, limit), _chance(away, -limit)]
    if abs(away.value) <= limit:  # so sure that it is on the right side of both
        return Finding(REPRODUCED, text, p=_weakest(chances))
    return Finding(NOT_REPRODUCED, text, p=chances[0 if away.value > 0 else 1])


def _order(claim: Claim, records: Mapping[str, Record]) -> Finding:
    claimed, ours = _compared(claim, records)
    ranked = _ranked(ours)
    top = ranked[: len(claimed)]
    in_order = [name for name in ranked if name in claimed] == claimed
    text = _ranking(top, ours, " > ")
    if not in_order:
        return Finding(NOT_REPRODUCED, text, p=_turned(itertools.combinations(claimed, 2), ours))
    steps = [_chance(readings.less(ours[a], ours[b]), 0) for a, b in itertools.pairwise(claimed)]
    return Finding(_graded(top == claimed, True), text, p=_weakest(steps))


def _largest(claim: Claim, records: Mapping[str, Record], *, sign: int = 1) -> Finding:
    claimed, ours = _compared(claim, records)
    turned = {n: one if sign > 0 else readings.negative(one) for n, one in ours.items()}
    ranked = _ranked(turned)
    text = _ranking(ranked[: len(claimed) + 1], ours, " > " if sign > 0 else " < ")
    pairs = list(itertools.product([n for n in claimed if n in turned],
                                   [n for n in ranked if n not in claimed]))  # fmt: skip
    is_first = set(ranked[: len(claimed)]) == set(claimed)
    if is_first:
        steps = [_chance(readings.less(turned[a], turned[b]), 0) for a, b in pairs]
        return Finding(REPRODUCED, text, p=_weakest(steps))
    return Finding(_graded(False, ranked[0] in claimed), text, p=_turned(pairs, turned))


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


def _chance(margin: Estimate, limit: float) -> float | None:
    """Of a difference so far from a limit, two-sided, if it were at the limit.

    None for a count, whose interval is the number itself.
    """
    away = margin.value - limit
    half = margin.value - margin.low if away > 0 else margin.high - margin.value
    if margin.low == margin.high:
        return None
    return math.erfc(_Z * abs(away) / (half * math.sqrt(2))) if half > 0 else 0.0


def _weakest(chances: Iterable[float | None]) -> float | None:
    """What rests on several comparisons is no surer than the weakest of them."""
    return max((p for p in chances if p is not None), default=None)


def _turned(pairs: Iterable[tuple[str, str]], ours: Mapping[str, Estimate]) -> float | None:
    """How sure it is that one of some pairs stands the other way round (Bonferroni)."""
    differences = [readings.less(ours[b], ours[a]) for a, b in pairs if a in ours and b in ours]
    chances = [_chance(one, 0) for one in differences if one.value > 0]
    known = [p for p in chances if p is not None]
    return min(1.0, len(differences) * min(known)) if known else None


def _compared(claim: Claim, records: Mapping[str, Record]) -> tuple[list[str], dict[str, Estimate]]:
    """The claimed names, and our numbers by name."""
    test = claim.test
    if isinstance(test.record, str):
        claimed = readings.texts(claim.thesis_value)
        return claimed, readings.at(records, test.record, test.path, readings.by_name)
    named = _in_words(records, test.record)
    ours = {shown: readings.of_record(test, records, name)
            for shown, name in zip(named, test.record, strict=True)}  # fmt: skip
    return named if test.rule == "order" else named[:1], ours


def _in_words(records: Mapping[str, Record], names: list[str]) -> list[str]:
    """What the models of records are called, and by which measure; else the records' names."""
    inputs = [records[name]["inputs"] for name in names]
    if not all("model" in one for one in inputs):
        return names
    named = words.distinct([one["model"] for one in inputs], with_seed=False)
    measures = [one.get("measure") for one in inputs]
    if len({*measures} - {None}) > 1:
        named = [f"{name}, {measure}" for name, measure in zip(named, measures, strict=True)]
    return [f"{name}:" for name in named] if len({*named}) == len(names) else names


def _ranked(ours: Mapping[str, Estimate]) -> list[str]:
    """Names, the largest number first."""
    return sorted(ours, key=lambda name: (-ours[name].value, name))


def _ranking(names: Iterable[str], ours: Mapping[str, Estimate], sign: str) -> str:
    return sign.join(f"{name} {readings.text(ours[name])}" for name in names)


def _graded(is_reproduced: bool, is_same_direction: bool) -> str:
    if is_reproduced:
        return REPRODUCED
    return SAME_DIRECTION if is_same_direction else NOT_REPRODUCED
