"""Every claim of the thesis, what was measured, and the verdict, which is computed.

The claims are those of `claims`; how one is judged stands in `judging`. Several hundred comparisons
at 95 % would give a dozen false findings, so that what the verdicts rest on is corrected for their
number (Holm 1979): a finding that may be one of these is inconclusive.

All records of a claim must be about the same products (one data hash): a smaller gallery changes
every score. Where a claim compares models that saw different ones, `less` takes off what another
model reaches on the same products, and `across` says why the rest may be compared.

A claim whose record is not there, or holds nothing at the path, is `not yet measured`.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from fashion_rir.errors import RecordError
from fashion_rir.system import write_text
from fashion_rir.thesis import readings, setups
from fashion_rir.thesis.claims import Claim, listed, load, needed_records
from fashion_rir.thesis.judging import (
    CONTRADICTS,
    DIFFERENT_SETUP,
    INCONCLUSIVE,
    JUDGES,
    NOT_MEASURED,
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    SAME_DIRECTION,
    VERDICTS,
    Evidence,
    Finding,
    holm,
    verdict,
    weighed,
)
from fashion_rir.workspace import markdown
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.records import Record

__all__ = [
    "CONTRADICTS", "DIFFERENT_SETUP", "INCONCLUSIVE", "JUDGES", "NOT_MEASURED",
    "NOT_REPRODUCED", "NOT_TESTABLE", "REPRODUCED", "SAME_DIRECTION", "VERDICTS", "Evidence",
    "Finding", "chapter", "coverage", "judge", "judged", "summary", "texts", "verdict", "verdicts",
    "write",
]  # fmt: skip

FILES = ("ledger.md", "ledger.json")

ASIDES_IN_WORDS = {
    "said again": "are said again elsewhere",
    "self-match": "hold for every model, as the query finds itself",
    "slip": "are slips of the pen",
    "setting": "are settings or definitions",
}

# The profile whose committed records judge the claims, where it is not the profile's own: what
# `quick` measures in minutes is of reduced embeddings and small samples.
JUDGED_BY = {"quick": "full"}


def judge(workspace: Workspace) -> Workspace:
    """The workspace whose records judge the claims for a profile, see `JUDGED_BY`."""
    return replace(workspace, profile=JUDGED_BY.get(workspace.profile, workspace.profile))


def judged(workspace: Workspace) -> pd.DataFrame:
    """All claims with their verdicts, by the records that count for a profile.

    Args:
        workspace: of the profile.

    Raises:
        RecordError: see `verdicts`.
    """
    return verdicts(load(), judge(workspace).results)


def verdicts(claims: Iterable[Claim], folder: Path) -> pd.DataFrame:
    """All claims with their verdicts.

    Args:
        claims: from `claims.load`.
        folder: a profile's results; a record that is not there is named, not asked for.

    Returns:
        One row a claim, all text: `id`, `where`, `kind`, `claim`, `thesis`, `record`, `metric`,
        `ours`, `verdict`, `note`, `aside`.

    Raises:
        RecordError: a record is damaged or of another schema version, two are of different
            profiles, or see `verdict`.
    """
    claims = list(claims)
    evidence = _evidence(claims, folder)
    found = _corrected({claim.id: verdict(claim, evidence) for claim in claims})
    return pd.DataFrame([_row(claim, found[claim.id]) for claim in claims])


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
    evidence = _evidence(claims, folder)
    waiting: dict[str, list[str]] = {}
    for claim in claims:
        for name in verdict(claim, evidence).missing:
            waiting.setdefault(name, []).append(claim.id)
    return dict(sorted(waiting.items()))


def summary(table: pd.DataFrame, *, with_asides: bool = False) -> pd.Series:
    """How many claims of a table from `verdicts` got each verdict, in the order of `VERDICTS`.

    Args:
        table: from `verdicts`.
        with_asides: whether those count that are no finding of their own, see `claims.ASIDES`.
    """
    counted = table if with_asides else table[table["aside"] == ""]
    counts = counted["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return counts.astype("int64").rename("claims")


def texts(table: pd.DataFrame, profile: str) -> dict[str, str]:
    """The ledger for readers (Markdown) and for programs (JSON).

    Args:
        table: from `verdicts`.
        profile: whose records were asked.

    Returns:
        What each of `FILES` holds; the same table gives the same text.
    """
    content = {
        "profile": profile,
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
        table: from `judged`; made if None.

    Returns:
        The two files; nothing of an earlier ledger stays.

    Raises:
        RecordError: the folder cannot be written, or see `verdicts`.
    """
    if table is None:
        table = judged(workspace)
    folder = workspace.results.parent
    for name, text in texts(table, judge(workspace).profile).items():
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


def _corrected(found: dict[str, Finding]) -> dict[str, Finding]:
    """The findings by claim, those inconclusive that so many comparisons may give by chance."""
    chances = {name: one.p for name, one in found.items() if one.p is not None}
    corrected = holm(chances)
    for name, p in corrected.items():
        sure = weighed(found[name], p=p)
        if sure is not found[name]:
            note = f"Inside the noise, as one of {len(chances)} comparisons (Holm)."
            found[name] = replace(sure, note=note)
    return found


def _evidence(claims: list[Claim], folder: Path) -> Evidence:
    """The records that are there, and what else is known of their runs."""
    wanted = dict.fromkeys(name for claim in claims for name in _wanted(claim))
    records = _there(wanted, folder)
    parents = dict.fromkeys(parent for record in records.values()
                            for parent in record["inputs"].get("parents", {}))  # fmt: skip
    records = _there(parents, folder) | records
    result_records.require_same(records.values(), ["profile"])
    sizes = [record["inputs"].get("n_products", 0) for record in records.values()]
    return Evidence(records, max(sizes, default=0), setups.collapsed(folder))


def _wanted(claim: Claim) -> list[str]:
    choices = claim.test.choices or [] if claim.test else []
    return [*needed_records(claim), *(place.record for place in choices)]


def _there(names: Iterable[str], folder: Path) -> dict[str, Record]:
    there = [name for name in names if result_records.is_there(folder, name)]
    return {name: result_records.read(folder, name) for name in there}


def _row(claim: Claim, found: Finding) -> dict[str, str]:
    missing = f"Still missing: {', '.join(found.missing)}." if found.missing else ""
    thesis = [] if claim.thesis_value is None else listed(claim.thesis_value)
    why = [claim.test.across, claim.test.anywhere] if claim.test else []
    notes = [missing, claim.reason, claim.note, *why, found.note]
    return {
        "id": claim.id,
        "where": claim.where,
        "kind": claim.kind,
        "claim": claim.claim,
        "thesis": f"{', '.join(str(value) for value in thesis)} {claim.unit}".strip(),
        "record": ", ".join(listed(claim.test.record)) if claim.test else "",
        "metric": readings.path_text(claim.test.path) if claim.test else "",
        "ours": found.ours,
        "verdict": found.verdict,
        "note": " ".join(text for text in notes if text),
        "aside": claim.aside or "",
    }


def _asides(table: pd.DataFrame) -> str:
    """What the totals leave out, in a sentence."""
    counts = table["aside"].value_counts()
    named = [f"{counts.get(aside, 0)} {said}" for aside, said in ASIDES_IN_WORDS.items()]
    return f"Asides are no findings of their own: {', '.join(named)}."


def _markdown(table: pd.DataFrame, profile: str) -> str:
    both = zip(summary(table).items(), summary(table, with_asides=True), strict=True)
    counts = [(verdict, n, n_all) for (verdict, n), n_all in both]
    counts.append(("all", int((table["aside"] == "").sum()), len(table)))
    lines = [f"# The thesis, claim by claim: profile {profile}", ""]
    lines += [f"Written by `fashion-rir ledger --profile {profile}` from the profile's records; "
              "how a verdict is found stands in `fashion_rir/thesis/judging.py`.", "",
              markdown.table(["verdict", "claims", "with asides"], counts), "",
              _asides(table)]  # fmt: skip
    shown = ["where", "claim", "thesis", "ours", "verdict", "record", "metric", "note"]
    for heading, rows in table.groupby(table["where"].map(chapter), sort=False):
        lines += ["", f"## {heading}", "", markdown.table(shown, rows[shown].to_numpy())]
    return "\n".join(lines) + "\n"
