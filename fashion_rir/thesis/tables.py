"""How the ledger is read: by chapter, by verdict, and in a few sentences."""

from collections.abc import Mapping, Sequence

import pandas as pd

from fashion_rir.errors import unknown_name
from fashion_rir.thesis import ledger

# Claims that sum the ledger up, in the order of the sentences.
HEADLINES = (
    "first-result-is-of-the-same-type",
    "hit-rate-of-one",
    "measures-hardly-matter",
    "padding-beats-resizing-by-cosine",
    "best-of-all-tested",
    "label-tuned-is-random",
    "contrast-ignores-type",
    "hybrid-would-improve",
)

# The verdicts that rest on a measurement, in the order of `ledger.VERDICTS`.
TESTED = ledger.VERDICTS[:5]

# Contradictions by what is wrong; each claim is one place where it shows.
FAMOUS_CONTRADICTIONS = {
    "Table 6.1.1 swaps the distances and ratios of its two models": (
        "final-intra-padded", "final-intra-label-tuned", "final-inter-padded",
        "final-inter-label-tuned", "final-ratio-padded", "final-ratio-label-tuned",
    ),
    "0.7072 in Table 6.1.1, 0.7082 in Table 5.2.1": ("final-map-padded",),
    "Padding finds 4 and no padding 5 matches, or 8 and 5": ("padding-4-or-8", "padding-or-not"),
    "Batches of 16 in the recommendations, of 32 in chapter 4": ("batch-size",),
    "Years from 2008, or from 2007": ("years-begin",),
    "47 colours, one of them the missing value": ("colours-47",),
    "A hit rate of exactly 1 for every model": ("hit-rate-of-one",),
}  # fmt: skip


def by_chapter(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each chapter got each verdict.

    Args:
        table: from `ledger.verdicts`.

    Returns:
        int64; index `chapter`, in the thesis' order, and last `all`; one column for each of
        `ledger.VERDICTS` and `all`. Asides (see `claims.ASIDES`) do not count.
    """
    table = table[table["aside"] == ""]
    chapters = table["where"].map(ledger.chapter).rename("chapter")
    counts = pd.crosstab(chapters, table["verdict"])
    counts = counts.reindex(index=chapters.unique(), columns=list(ledger.VERDICTS), fill_value=0)
    counts.loc["all"] = counts.sum()
    return counts.assign(all=counts.sum(axis=1)).rename_axis(index="chapter", columns=None)


def by_tolerance(counts: Mapping[float, pd.Series]) -> pd.DataFrame:
    """How many claims get each verdict, as tolerances are taken narrower or wider.

    Args:
        counts: from `ledger.summary`, by what all tolerances were taken times.

    Returns:
        int64; one row a factor, such as `2 times`, one column a verdict of `ledger.VERDICTS`.
    """
    rows = {f"{factor:g} times": found for factor, found in counts.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("tolerances")


def with_verdict(
    table: pd.DataFrame, verdict: str, columns: Sequence[str] = ("thesis", "ours", "note")
) -> pd.DataFrame:
    """The claims of one verdict.

    Args:
        table: from `ledger.verdicts`.
        verdict: one of `ledger.VERDICTS`.
        columns: of the table, beside the claim.

    Returns:
        Index `where`, in the thesis' order; columns `claim` and those asked for.

    Raises:
        ParameterError: no such verdict.
    """
    if verdict not in ledger.VERDICTS:
        raise unknown_name("verdict", verdict, ledger.VERDICTS)
    chosen = table[table["verdict"] == verdict]
    return chosen.set_index("where")[["claim", *columns]]


def contradictions(table: pd.DataFrame) -> pd.DataFrame:
    """What the thesis says in two ways, or cannot mean, by what is wrong.

    Returns:
        One row a claim of `FAMOUS_CONTRADICTIONS`: index `what` and `where`, columns `claim`,
        `ours` and `verdict`.
    """
    rows = table.set_index("id")
    found = [
        rows.loc[claim_id, ["where", "claim", "ours", "verdict"]].to_dict() | {"what": what}
        for what, claim_ids in FAMOUS_CONTRADICTIONS.items()
        for claim_id in claim_ids
    ]
    return pd.DataFrame(found).set_index(["what", "where"])


def waiting(coverage: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """What is still to be measured, the record that most claims wait for first.

    Args:
        coverage: from `ledger.coverage`.

    Returns:
        Index `record`; columns `claims` (how many wait for it) and `such as` (the first).
    """
    rows = {name: {"claims": len(ids), "such as": ids[0]} for name, ids in coverage.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["claims", "such as"])
    return table.rename_axis("record").sort_values("claims", ascending=False, kind="stable")


def sentences(table: pd.DataFrame) -> list[str]:
    """The ledger in a few sentences, whose numbers are those of the records.

    Args:
        table: from `ledger.verdicts`.

    Returns:
        Markdown: the counts, then one sentence for each of `HEADLINES` that is measured, and one
        for those that are not.
    """
    counts, rows = ledger.summary(table), table.set_index("id")
    n_open = counts[ledger.INCONCLUSIVE] + counts[ledger.DIFFERENT_SETUP]
    lines = [
        f"Of {counts.sum()} claims ({len(table)} entries, less what is said again, holds for any "
        f"model, or is a slip or a setting) {counts[list(TESTED)].sum()} are tested so far: "
        f"{counts[ledger.REPRODUCED]} are reproduced, {counts[ledger.SAME_DIRECTION]} in the same "
        f"direction, {counts[ledger.NOT_REPRODUCED]} are not reproduced. Of {n_open} nobody can "
        f"tell from these runs: {counts[ledger.INCONCLUSIVE]} are inconclusive, and "
        f"{counts[ledger.DIFFERENT_SETUP]} were not found in a different set-up. "
        f"{counts[ledger.CONTRADICTS]} contradict themselves, {counts[ledger.NOT_TESTABLE]} cannot "
        f"be tested, and {counts[ledger.NOT_MEASURED]} wait for a record."
    ]
    for claim_id in HEADLINES:
        row = rows.loc[claim_id]
        if row["verdict"] != ledger.NOT_MEASURED:
            lines.append(f"{row['where']}: “{row['claim']}” **{row['verdict'].capitalize()}**: "
                         f"{row['ours']}. {row['note']}".strip())  # fmt: skip
    open_claims = [rows.loc[one, "claim"] for one in HEADLINES
                   if rows.loc[one, "verdict"] == ledger.NOT_MEASURED]  # fmt: skip
    if open_claims:
        lines.append("Not measured yet: " + " ".join(f"“{claim}”" for claim in open_claims))
    return lines
