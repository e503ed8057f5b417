"""The thesis' claims: what stands where, in our own words, and how each is tested.

They stand in `claims.yaml`. Each has either a `contradiction` (places of the thesis that
disagree), or a `reason` why nothing can be measured, or a `test`: which record it is compared
with, and by which rule of `judging`. Every fault in the file is named with its entry.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from fashion_rir.errors import ParameterError, unknown_name

CLAIMS = Path(__file__).with_name("claims.yaml")

KINDS = ("table", "figure", "sentence")

# What is no finding of its own: another entry says it, every model has it as the query finds
# itself, the pen slipped, or it is a choice and no result.
ASIDES = ("said again", "self-match", "slip", "setting")

TAKES = ("number", "count", "first", "last", "least")

RANKED_RULES = ("order", "largest", "smallest")

RULES = ("number", "same", "above", "below", "near", *RANKED_RULES)

# What the thesis numbers in chapters 4 to 6: each needs an entry.
NUMBERED = (
    *(f"Table {number}" for number in ("4.2.1", "5.2.1", "5.2.2", "6.1.1")),
    *(f"Figure 4.2.{number}" for number in range(1, 11)),
    *(f"Figure 4.3.{number}" for number in range(1, 10)),
    *(f"Figure 5.2.{number}" for number in range(1, 19)),
    *(f"Figure 6.{number}" for number in range(1, 5)),
)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, by libyaml: ten times faster

_WHERE = re.compile(r"Abstract|Section [3-6]\.\d+( [a-i])?|(Table|Figure) [3-6](\.\d+){1,2}")

_NAMED = {"kind": KINDS, "aside": ASIDES, "rule": RULES, "take": TAKES}

_MUST = {  # what a field must do or be, where it is not a text
    "record": "be a record's name, or several",
    "path": "be a list of steps",
    "of": "be a list of steps",
    "than": "be a number, or record and path",
    "tolerance": "be a number",
    "ranking": "be a list of records",
    "less": "name a record by record",
    "also": "be record and path",
    "choices": "be a list of places, each with record and path",
    "test": "have named fields",
    "contradiction": "have named fields",
}

Words = Annotated[str, Field(min_length=1)]

Names = Annotated[list[str], Field(min_length=1)]

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]

_checked = dataclass(frozen=True, config=ConfigDict(extra="forbid"))


@_checked
class Place:
    """Where a number stands: a record's name, and a path as in `Test`."""

    record: Words
    path: list


@_checked
class Test:
    """How a claim is tested.

    Attributes:
        record: a record's name; for a rule in `RANKED_RULES` also a list of names.
        path: steps into the record: a key, a mapping (the one row of a list that holds it), or
            `*` (each row of a list).
        rule: one of `RULES`, see `judging`.
        take: what is taken there, one of `TAKES`: the number, how many names there are, the first
            or the last name as a number, or the least of the numbers.
        of: path to the whole that the number is taken as a share of.
        than: what it is compared with.
        tolerance: in the units of the measure; 0 for counts.
        ranking: for `number`, records in the thesis' order, the largest first.
        less: by record, another of the same products whose number is taken off before several
            records are compared, such as the pretrained network's; may name more than are compared.
        across: why records of different products may be compared here; else they must be of one
            catalogue (one data hash).
        choices: where the same stands for other runs, which differ in what the thesis leaves open,
            such as how it scaled pixels; those whose record is not there do not count.
        also: where the same number stands with another interval, such as over types: what that
            does not bear out is inconclusive.
        doubt: what else differs between the runs that are compared; then nothing can be concluded.
        anywhere: why no other weights, products or pixels could turn the verdict.
    """

    record: Words | Names
    path: list
    rule: Literal[RULES]
    take: Literal[TAKES] = "number"
    of: list | None = None
    than: Number | Place = 0
    tolerance: Number | None = None
    ranking: Names | None = None
    less: dict[str, str] | None = None
    across: str = ""
    choices: Annotated[list[Place], Field(min_length=1)] | None = None
    also: Place | None = None
    doubt: str = ""
    anywhere: str = ""

    @model_validator(mode="after")
    def _fits_its_rule(self) -> "Test":
        several = isinstance(self.record, list)
        if several and self.rule not in RANKED_RULES:
            raise ParameterError(f"Its rule {self.rule!r} cannot compare several records.")
        compared = {*listed(self.record), *(self.ranking or [])}
        if self.less is not None and not compared <= {*self.less}:
            raise ParameterError(f"Its 'less' must name a record of the same products for each of "
                                 f"{sorted(compared)}.")  # fmt: skip
        if self.less is not None and not (several or self.ranking):
            raise ParameterError("Its 'less' is for several records; it compares none.")
        if self.choices and (several or self.rule not in ("number", "above", "below")):
            raise ParameterError("Its 'choices' are for one number that is above, below or near.")
        needs_tolerance = self.rule in ("number", "near")
        if needs_tolerance and (self.tolerance is None or self.tolerance < 0):
            raise ParameterError(
                f"Its rule needs a tolerance of at least 0, not {self.tolerance!r}."
            )
        return self


@_checked
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
        aside: why it does not count in the totals, one of `ASIDES`; None if it does.
    """

    id: Words
    where: str
    kind: Literal[KINDS]
    claim: Words
    thesis_value: Any = None
    unit: str = ""
    test: Test | None = None
    contradiction: dict | None = None
    reason: str = ""
    note: str = ""
    aside: Literal[ASIDES] | None = None

    @model_validator(mode="after")
    def _can_be_judged(self) -> "Claim":
        if not _WHERE.fullmatch(self.where):
            raise ParameterError(f"It stands at {self.where!r}, no place such as 'Table 5.2.1'.")
        given = [key for key in ("test", "contradiction", "reason") if getattr(self, key)]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ParameterError(f"It needs a test, a contradiction or a reason, and has {found}.")
        if self.contradiction and len({str(said) for said in self.contradiction.values()}) < 2:
            raise ParameterError("Its contradiction needs two places that say different things.")
        what, types = _needed_value(self.test) if self.test else ("", ())
        if types and type(self.thesis_value) not in types:
            raise ParameterError(
                f"Its rule needs a {what} as thesis_value, not {self.thesis_value!r}."
            )
        return self


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
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
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


def with_tolerance(claims: Iterable[Claim], factor: float) -> list[Claim]:
    """The same claims, all tolerances so many times as wide; that of a count stays 0.

    Args:
        claims: from `load`.
        factor: 0 or more.

    Raises:
        ParameterError: a negative factor.
    """
    if factor < 0:
        raise ParameterError(f"Tolerances can be taken 0 times or more, not {factor:g} times.")
    return [
        claim if claim.test is None or claim.test.tolerance is None
        else replace(claim, test=replace(claim.test, tolerance=claim.test.tolerance * factor))
        for claim in claims
    ]  # fmt: skip


def uncovered(claims: Iterable[Claim]) -> list[str]:
    """The tables and figures of `NUMBERED` that no claim is about."""
    covered = {claim.where for claim in claims}
    return [name for name in NUMBERED if name not in covered]


def needed_records(claim: Claim) -> list[str]:
    """The records that a claim is tested with, each once."""
    if claim.test is None:
        return []
    test = claim.test
    names = [*listed(test.record), *(test.ranking or [])]
    names += [place.record for place in (test.than, test.also) if isinstance(place, Place)]
    beside = [test.less[name] for name in names if name in (test.less or {})]
    return list(dict.fromkeys([*names, *beside]))


def listed(one_or_more: object) -> list:
    """A list as it is; anything else as a list of one."""
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _claim(entry: Mapping) -> Claim:
    try:
        return _READER.validate_python(entry)
    except ValidationError as error:
        name = entry.get("id", "without an id")
        raise ParameterError(
            f"The ledger's entry {name!r} is at fault. {_fault(error, entry)}"
        ) from error


def _fault(error: ValidationError, entry: Mapping) -> object:
    """The first fault of an entry in one sentence."""
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "value_error":
        return fault["ctx"]["error"]
    kind, found, (field, *rest) = Claim, entry, fault["loc"]
    if field == "test" and rest:
        kind, found, (field, *_) = Test, entry["test"], rest
    fields = kind.__pydantic_fields__
    if field not in fields:
        return unknown_name("field", field, fields)
    if not found.get(field):
        return f"It lacks the field {field!r}."
    if field in _NAMED:
        return unknown_name(field, found[field], _NAMED[field])
    return f"Its {field!r} must {_MUST.get(field, 'be a text')}, not {found[field]!r}."


def _needed_value(test: Test) -> tuple[str, tuple[type, ...]]:
    """What a test's rule compares with, in words and as types; no type where it does not matter."""
    if test.rule == "number":
        return "number", (int, float)
    is_of_names = test.rule in RANKED_RULES and isinstance(test.record, str)
    return "list", (list,) if test.rule == "same" or is_of_names else ()


_READER = TypeAdapter(Claim)
