"""The report of a study run: a page a notebook, the ledger, the cards, and an index to them.

Everything is embedded: the pages read offline, on a phone, in the dark and on paper. Where a
study was only partly run, the pages say what is missing.
"""

import base64
import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nbformat
import pandas as pd
from markupsafe import Markup

from fashion_rir.errors import FashionRirError, RecordError
from fashion_rir.reporting import answers, cards, headline, notebook_pages, pages, readme
from fashion_rir.system import write_text
from fashion_rir.thesis import claims, ledger, models, setups
from fashion_rir.thesis import index as thesis_index
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

NAMES = (
    "A model's name says the network, the pixels of a photo's side and how the photo becomes "
    "square, joined by a plus where embeddings stand side by side; before it the head that was "
    "trained on them, behind it what was taken of the head or done with the embedding."
)

MOST_NAMED = 5  # records that the index names as missing

SIGNS = {
    ledger.REPRODUCED: "✓",
    ledger.SAME_DIRECTION: "≈",
    ledger.INCONCLUSIVE: "?",
    ledger.DIFFERENT_SETUP: "≠",
    ledger.NOT_REPRODUCED: "✗",
    ledger.CONTRADICTS: "⚡",
    ledger.NOT_TESTABLE: "–",
    ledger.NOT_MEASURED: "…",
}

_TABLE = re.compile(r"(?s)(<table>.*?</table>)")


def folder(workspace: Workspace) -> Path:
    """Where the report of a profile lies."""
    return workspace.root / "reports" / workspace.profile


def write(workspace: Workspace) -> Path:
    """Write all pages of a profile's report.

    Args:
        workspace: of the profile.

    Returns:
        The index page. What is not there yet is said on it.

    Raises:
        FashionRirError: the folder cannot be written.
    """
    notebooks, missing = _write_notebooks(workspace)
    card_titles, missing_cards = _write_cards(workspace)
    verdicts, missing_claims = _write_ledger(workspace)
    index, full = folder(workspace) / "index.html", replace(workspace, profile="full")
    text = pages.render(
        "index.html",
        title=f"Reverse image search in a fashion catalogue: profile {workspace.profile}",
        profile=workspace.profile,
        answers=[] if workspace.is_own else answers.answers(full),
        figure=_figure(full),
        headline=_headline(workspace),
        names=NAMES,
        has_glossary=_write_glossary(workspace),
        notebooks=notebooks,
        ledger=verdicts,
        signs=SIGNS,
        cards=card_titles,
        missing=missing + missing_cards + missing_claims,
    )
    write_text(index, text)
    return index


def ledger_page(table: pd.DataFrame, profile: str) -> str:
    """The ledger with buttons that filter by verdict; without JavaScript all claims are shown.

    Args:
        table: from `ledger.verdicts`.
        profile: whose records were asked.
    """
    rows = table.to_dict("records")
    chapters = itertools.groupby(rows, lambda row: ledger.chapter(row["where"]))
    return pages.render(
        "ledger.html",
        title=f"The thesis, claim by claim: profile {profile}",
        up="",
        counts=ledger.summary(table, with_asides=True).to_dict(),
        n_claims=len(table),
        chapters=[(chapter, list(found)) for chapter, found in chapters],
        signs=SIGNS,
        contradicts=ledger.CONTRADICTS,
    )


def _figure(full: Workspace) -> str:
    """The headline figure of the full run in base64; nothing if it is not there."""
    path = full.figures / readme.FIGURE
    return base64.b64encode(path.read_bytes()).decode() if path.exists() else ""


def _headline(workspace: Workspace) -> dict[str, object]:
    """One table for each set of products that was searched, the largest first; or a fault."""
    try:
        groups = result_records.read_by_products(workspace.results, "retrieval")
        broken = setups.collapsed(workspace.results)
        shown = [headline.shown(records, collapsed=broken) for records in groups]
        return {"tables": shown, "fault": ""}
    except RecordError as error:
        return {"tables": [], "fault": error}


def _write_notebooks(workspace: Workspace) -> tuple[dict[str, str], list[str]]:
    """What each notebook that was run asks, by its name, and what is missing."""
    executed = folder(workspace) / "notebooks"
    study = (workspace.root / "notebooks").glob("[0-9][0-9]*.ipynb")
    names = sorted({path.stem for path in (*study, *executed.glob("*.ipynb"))})
    questions, missing = {}, []
    for name in names:
        path = executed / f"{name}.ipynb"
        if not path.exists():
            missing.append(f"{name}: not run with the profile {workspace.profile}.")
            continue
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat raises many types for what is no notebook
            missing.append(
                f"{name}: {path.name} is no notebook ({type(error).__name__}); run it again."
            )
            continue
        if notebook_pages.has_stopped(notebook):
            missing.append(f"{name}: it stopped before its end; its page ends there.")
        page = notebook_pages.notebook_page(notebook, name, workspace.profile)
        write_text(path.with_suffix(".html"), page)
        questions[name] = notebook_pages.question(notebook, name)
    return questions, missing


def _write_glossary(workspace: Workspace) -> bool:
    """Whether there is a README, whose glossary becomes a page."""
    path = workspace.root / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = text.partition("\n## Glossary\n")[2].partition("\n## ")[0]
    if found:
        body = Markup("<h1>Glossary</h1>\n") + _html(found)
        page = pages.render("page.html", title="Glossary", body=body, up="")
        write_text(folder(workspace) / "glossary.html", page)
    return bool(found)


def _write_cards(workspace: Workspace) -> tuple[dict[str, str], list[str]]:
    """The titles of the cards by name, and what is missing."""
    try:
        paths, missing = cards.write(workspace)
    except RecordError as error:
        return {}, [f"Cards: {error}"]
    titles = {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        title = titles[path.stem] = text.partition("\n")[0].removeprefix("# ")
        page = pages.render("page.html", title=title, body=_html(text), up="../")
        write_text(path.with_suffix(".html"), page)
    return titles, missing


def _html(markdown: str) -> Markup:
    from nbconvert.filters import markdown2html

    text = str(markdown2html(markdown))
    return Markup(_TABLE.sub(r'<div class="scroll text">\1</div>', text))


def _write_ledger(workspace: Workspace) -> tuple[dict[str, object], list[str]]:
    """What the index says of the ledger, and what is missing; the thesis' index is written too."""
    judge = ledger.judge(workspace)
    try:
        table = ledger.judged(workspace)
        ledger.write(workspace, table)
    except RecordError as error:
        return {"fault": error}, []
    write_text(folder(workspace) / "ledger.html", ledger_page(table, judge.profile))
    missing = _waiting(ledger.coverage(claims.load(), judge.results))
    try:
        write_text(folder(workspace) / "thesis.html", thesis_page(workspace, table))
    except FashionRirError as error:  # a file among the notebooks that is none
        missing.append(f"From the thesis to the notebooks: {error}")
    counts = ledger.summary(table)
    return {"counts": counts.to_dict(), "n_claims": int(counts.sum())}, missing


def thesis_page(workspace: Workspace, table: pd.DataFrame) -> str:
    """Every table and figure of the thesis, with links to our cell and to its verdicts.

    Args:
        workspace: of the profile; the pages of its notebooks are linked where they are.
        table: from `ledger.judged`.

    Raises:
        FashionRirError: a notebook cannot be read.
    """
    study = sorted((workspace.root / "notebooks").glob(thesis_index.NOTEBOOKS))
    found = thesis_index.find(study)
    claim_ids = table.drop_duplicates("where").set_index("where")["id"]
    rows = [
        {"name": name, "shows": what, "cell": found.get(name), "claim": claim_ids.get(name, ""),
         "verdict": thesis_index.in_short(thesis_index.verdicts_of(table, name))}
        for name, what in thesis_index.shown().items()
    ]  # fmt: skip
    pages_there = {path.stem for path in (folder(workspace) / "notebooks").glob("*.ipynb")}
    return pages.render("thesis.html", title="From the thesis to the notebooks", up="", rows=rows,
                        models=models.table().reset_index(), pages_there=pages_there)  # fmt: skip


def _waiting(coverage: Mapping[str, list[str]]) -> list[str]:
    """What the ledger lacks, in one sentence; the ledger itself names the record of each claim."""
    if not coverage:
        return []
    n_claims = len({claim_id for ids in coverage.values() for claim_id in ids})
    first = ", ".join(itertools.islice(coverage, MOST_NAMED))
    rest = f" and {len(coverage) - MOST_NAMED} more" if len(coverage) > MOST_NAMED else ""
    return [f"Ledger: {n_claims} claims wait for {len(coverage)} records: {first}{rest}."]
