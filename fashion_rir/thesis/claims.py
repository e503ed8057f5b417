"""The thesis' claims: what stands where, in our own words, and how each is tested.

They stand in `claims.yaml`. Each has either a `contradiction` (places of the thesis that
disagree), or a `reason` why nothing can be measured, or a `test`: which record it is compared
with, and by which rule of `ledger`. Every fault in the file is named with its entry.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from fashion_rir.errors import ParameterError, unknown_name

CLAIMS = Path(__file__).with_name("claims.yaml")

KINDS = ("table", "figure", "sentence")

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


@dataclass(frozen=True)
class Test:
    """How a claim is tested.

    Attributes:
        record: a record's name; for a rule in `RANKED_RULES` also a list of names.
        path: steps into the record: a key, a mapping (the one row of a list that holds it), or
            `*` (each row of a list).
        rule: one of `RULES`, see `ledger`.
        take: what is taken there, one of `TAKES`: the number, how many names there are, the first
            or the last name as a number, or the least of the numbers.
        of: path to the whole that the number is taken as a share of.
        than: what it is compared with: a number, or a mapping of `record` and `path`.
        tolerance: for `number` a share of the thesis' number (0 for counts); else absolute.
        ranking: for `number`, records in the thesis' order, the largest first.
        less: by record, another of the same products whose number is taken off before several
            records are compared, such as the pretrained network's; may name more than are compared.
        across: why records of different products may be compared here; else they must be of one
            catalogue (one data hash).
    """

    record: str | list[str]
    path: list
    rule: str
    take: str = "number"
    of: list | None = None
    than: float | dict = 0
    tolerance: float | None = None
    ranking: list[str] | None = None
    less: dict[str, str] | None = None
    across: str = ""


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
    if isinstance(test.than, Mapping):
        names.append(test.than["record"])
    beside = [test.less[name] for name in names if name in (test.less or {})]
    return list(dict.fromkeys([*names, *beside]))


def listed(one_or_more: object) -> list:
    """A list as it is; anything else as a list of one."""
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


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
    compared = {*listed(test.record), *(test.ranking or [])}
    if test.less is not None and not (isinstance(test.less, Mapping) and compared <= {*test.less}):
        raise ParameterError(
            f"Its 'less' must name a record of the same products for each of {sorted(compared)}."
        )
    if test.less is not None and not (several or test.ranking):
        raise ParameterError("Its 'less' is for several records; it compares none.")
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
