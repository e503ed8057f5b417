"""The report of a study run: a page a notebook, the ledger, the cards, and an index to them.

Everything is embedded: the pages read offline, on a phone, in the dark and on paper. Where a
study was only partly run, the pages say what is missing.
"""

import html
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
import pandas as pd
from nbformat import NotebookNode

from fashion_rir.errors import RecordError
from fashion_rir.reporting import cards, style
from fashion_rir.reporting.notebooks import clean
from fashion_rir.system import write_text
from fashion_rir.thesis import claims, ledger
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import tables
from fashion_rir.workspace.folders import Workspace

HEADLINE_METRICS = ("mAP", "hit_rate@1", "hit_rate@10", "precision@10")

NAMES = (
    "A model's name says the network, the pixels and the preprocessing (mobilenetv2-128-resize), "
    "joined by a plus where embeddings stand side by side; before it the head that was trained on "
    "them (dense512: one hidden layer of 512), behind it what was taken of the head or done with "
    "the embedding."
)

MOST_NAMED = 5  # records that the index names as missing

MOST_ROWS = 8  # of a headline table; the rest is folded

SIGNS = {
    ledger.REPRODUCED: "✓",
    ledger.SAME_DIRECTION: "≈",
    ledger.NOT_REPRODUCED: "✗",
    ledger.CONTRADICTS: "⚡",
    ledger.NOT_TESTABLE: "–",
    ledger.NOT_MEASURED: "…",
}

_TITLE = re.compile(r"""title=f?(["'])(.+?)\1""")

_PROFILE_IN_CODE = re.compile(r"\{profile\}")

_SEED = re.compile(r"-seed\d+")

_HEADING = re.compile(r"^#+\s+(.+)$", re.MULTILINE)

_SENTENCE = re.compile(r"<td>(?=[^<]*[A-Za-z]{2,} )")  # read from the left; numbers are not

_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")


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
    place = folder(workspace)
    notebooks, missing = _write_notebooks(workspace)
    card_links, missing_cards = _write_cards(workspace)
    verdicts, missing_claims = _write_ledger(workspace)
    glossary = _write_glossary(workspace)
    sections = [
        _note(workspace),
        "<h2>Retrieval by articleType, held out</h2>",
        _headline(workspace),
        f"<p>{NAMES} {glossary}</p>",
        "<h2>Notebooks</h2>",
        _list(notebooks) or "<p>No notebook was run for this profile yet.</p>",
        "<h2>The thesis, claim by claim</h2>",
        verdicts,
        "<h2>Cards</h2>",
        _list(card_links) or "<p>There is no card yet.</p>",
    ]
    missing += missing_cards + missing_claims
    if missing:
        sections += ["<h2>Not there yet</h2>", _list(map(html.escape, missing))]
    title = f"Reverse image search in a fashion catalogue: profile {workspace.profile}"
    body = f"<h1>{html.escape(title)}</h1>\n" + "\n".join(sections)
    index = place / "index.html"
    write_text(index, style.page(title, body, {}))
    return index


def notebook_page(notebook: NotebookNode, name: str, profile: str) -> str:
    """An executed notebook as a page: its figures embedded, each with a text in its place.

    Args:
        notebook: as papermill leaves it.
        name: of its file, without ending.
        profile: that it was run with.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", embed_images=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    content = describe_figures(clean(notebook), profile)
    body, _ = exporter.from_notebook_node(content, {"metadata": {"name": name}})
    body = _SENTENCE.sub('<td class="words">', body)
    return style.page(name, body, _links("../"))


def describe_figures(notebook: NotebookNode, profile: str) -> NotebookNode:
    """Give each figure a text for those who do not see it: its title, or where it stands.

    Args:
        notebook: is changed in place, and returned.
        profile: stands for `{profile}` in a figure's title.
    """
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (_HEADING.findall(cell.source) or [heading])[-1]
        if cell.cell_type != "code":
            continue
        titles = [_PROFILE_IN_CODE.sub(profile, found) for _, found in _TITLE.findall(cell.source)]
        titles = [title for title in titles if "{" not in title]  # else only the kernel knew it
        text = f"Figure: {titles[-1]}" if titles else f"Figure in the section '{heading}'"
        text += ". The numbers behind it stand in the tables beside it."
        for output in cell.outputs:
            for kind in set(_PICTURES) & set(output.get("data", {})):
                output.setdefault("metadata", {}).setdefault(kind, {})["alt"] = text
    return notebook


def ledger_page(table: pd.DataFrame, profile: str) -> str:
    """The ledger with buttons that filter by verdict; without JavaScript all claims are shown.

    Args:
        table: from `ledger.verdicts`.
        profile: whose records were asked.
    """
    counts = ledger.summary(table)
    buttons = [f'<button data-verdict="" aria-pressed="true">all ({len(table)})</button>'] + [
        f'<button data-verdict="{html.escape(name)}" aria-pressed="false">{SIGNS[name]} '
        f"{html.escape(name)} ({count})</button>"
        for name, count in counts.items()
        if count
    ]
    chapters = [
        f'<section class="chapter"><h2>{html.escape(chapter)}</h2>\n'
        + "\n".join(_claim(row) for row in rows)
        + "</section>"
        for chapter, rows in itertools.groupby(
            table.to_dict("records"), lambda row: ledger.chapter(row["where"])
        )
    ]
    title = f"The thesis, claim by claim: profile {profile}"
    note = f'<p class="note">{ledger.DEMO.strip("*")}</p>\n' if profile == "demo" else ""
    body = (
        f"<h1>{html.escape(title)}</h1>\n{note}<p>Each verdict is computed from the records by a "
        "rule that stands in <code>fashion_rir/thesis/ledger.py</code>.</p>\n"
        f'<div class="filters" role="group" aria-label="Show by verdict" hidden>'
        f"{''.join(buttons)}</div>\n" + "\n".join(chapters)
    )
    return style.page(title, body, _links(""), script=style.FILTER_SCRIPT)


def _write_notebooks(workspace: Workspace) -> tuple[list[str], list[str]]:
    """Links to the pages of notebooks that were run, and what is missing."""
    executed = folder(workspace) / "notebooks"
    study = (workspace.root / "notebooks").glob("[0-9][0-9]-*.ipynb")
    names = sorted({path.stem for path in (*study, *executed.glob("*.ipynb"))})
    links, missing = [], []
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
        if any(_has_stopped(cell) for cell in notebook.cells):
            missing.append(f"{name}: it stopped before its end; its page ends there.")
        page = executed / f"{name}.html"
        write_text(page, notebook_page(notebook, name, workspace.profile))
        title = (
            (_HEADING.findall(notebook.cells[0].source) or [name])[0] if notebook.cells else name
        )
        links.append(_link(f"notebooks/{page.name}", name) + f": {html.escape(_question(title))}")
    return links, missing


def _write_glossary(workspace: Workspace) -> str:
    """A link to the README's glossary as a page; empty where there is no README."""
    from nbconvert.filters import markdown2html

    path = workspace.root / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = text.partition("\n## Glossary\n")[2].partition("\n## ")[0]
    if not found:
        return ""
    body = f'<h1>Glossary</h1>\n<div class="scroll text">{markdown2html(found)}</div>'
    write_text(folder(workspace) / "glossary.html", style.page("Glossary", body, _links("")))
    return _link("glossary.html", "Glossary") + " of all words."


def _write_cards(workspace: Workspace) -> tuple[list[str], list[str]]:
    """Links to the pages of the cards, and what is missing."""
    from nbconvert.filters import markdown2html

    try:
        paths, missing = cards.write(workspace)
    except RecordError as error:
        return [], [f"Cards: {error}"]
    links = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        body = re.sub(r"(?s)(<table>.*?</table>)", r'<div class="scroll text">\1</div>',
                      str(markdown2html(text)))  # fmt: skip
        page = path.with_suffix(".html")
        write_text(page, style.page(title, body, _links("../")))
        links.append(_link(f"cards/{page.name}", title))
    return links, missing


def _write_ledger(workspace: Workspace) -> tuple[str, list[str]]:
    """What the index says of the ledger, and what is missing."""
    try:
        table = ledger.verdicts(claims.load(), workspace.results)
        ledger.write(workspace, table)
    except RecordError as error:
        return f"<p>Not there yet: {html.escape(str(error))}</p>", []
    write_text(folder(workspace) / "ledger.html", ledger_page(table, workspace.profile))
    counts = ledger.summary(table)
    rows = [f"{SIGNS[name]} {html.escape(name)}: {count}" for name, count in counts.items()]
    link = _link("ledger.html", f"All {len(table)} claims, with what was measured")
    missing = _waiting(ledger.coverage(claims.load(), workspace.results), workspace.profile)
    return f"<p>{link}</p>{_list(rows)}", missing


def _waiting(coverage: Mapping[str, list[str]], profile: str) -> list[str]:
    """What the ledger lacks, in one sentence; the ledger itself names the record of each claim."""
    if not coverage:
        return []
    n_claims = len({claim_id for ids in coverage.values() for claim_id in ids})
    first = ", ".join(itertools.islice(coverage, MOST_NAMED))
    rest = f" and {len(coverage) - MOST_NAMED} more" if len(coverage) > MOST_NAMED else ""
    if profile != "demo":
        return [f"Ledger: {n_claims} claims wait for {len(coverage)} records: {first}{rest}."]
    return [
        f"Ledger: {n_claims} claims ask for records of the full run, which the profile demo "
        f"does not make: {first}{rest}. That is no fault."
    ]


def _headline(workspace: Workspace) -> str:
    """One table for each set of products that was searched, the largest first."""
    try:
        groups = result_records.read_by_products(workspace.results, "retrieval")
        return "\n".join(_headline_table(records) for records in groups)
    except RecordError as error:
        return f"<p>Not there yet: {html.escape(str(error))}</p>"


def _headline_table(records: list[dict]) -> str:
    inputs = records[0]["inputs"]
    table = tables.retrieval_table(
        records, protocol="held_out", label="articleType", metrics=HEADLINE_METRICS
    )
    weights = tables.trained_weights(table["weights"])
    joints = {joint: f"[{n}]" for n, joint in enumerate(sorted(_joints(records)), start=1)}
    shown = _seeds_together(table.assign(model=[_short(name, joints) for name in table["model"]]))
    rest = shown.iloc[MOST_ROWS:]
    of_all = f"{inputs['n_products']:,} products; the" if "n_products" in inputs else "The"
    named = ", ".join(weights)
    trained = f" Starting weights: {html.escape(named)}.{_stand_in(weights)}" if named else ""
    caption = f"<p>{of_all} best first. A model of several seeds shows their means.{trained}</p>"
    more = f"<details><summary>{len(rest)} more</summary>{_html(rest)}</details>"
    legend = [f"{sign}: {html.escape(joint.replace('+', ' + '))}" for joint, sign in joints.items()]
    note = f"<p>Embeddings side by side: {'; '.join(legend)}.</p>" if joints else ""
    return caption + _html(shown.head(MOST_ROWS)) + (more if len(rest) else "") + note


def _joints(records: Iterable[Mapping]) -> set[str]:
    """The lists of embeddings, joined by `+`, that make models' names long."""
    found = set()
    for record in records:
        model = record["inputs"]["model"]
        parts = [str(model.get(key, "")).split("+")
                 for key in ("backbone", "image_size", "preprocessing")]  # fmt: skip
        joint = "+".join("-".join(part) for part in zip(*parts, strict=False))
        if "+" in joint and joint in model["model"]:
            found.add(joint)
    return found


def _short(model: str, joints: Mapping[str, str]) -> str:
    """A model's name with a sign for a list of embeddings, the longest list first."""
    for joint in sorted(joints, key=len, reverse=True):
        model = model.replace(joint, joints[joint])
    return model


def _seeds_together(table: pd.DataFrame) -> pd.DataFrame:
    """One row a model, measure and number of queries, and how sure its mAP is."""
    table = table.assign(model=table["model"].str.replace(_SEED, "", regex=True))
    rows = []
    for (model, measure, queries), found in table.groupby(["model", "measure", "queries"]):
        low, high = found[["mAP low", "mAP high"]].iloc[0]
        is_one = len(found) == 1
        sure = f"{low:.3f} to {high:.3f}" if is_one else f"± {found['mAP'].std():.3f} over seeds"
        means = {metric.replace("_", " "): found[metric].mean() for metric in HEADLINE_METRICS}
        row = {"model": model, "mAP": means.pop("mAP"), "95 % interval, or spread": sure, **means}
        rows.append({**row, "measure": measure, "seeds": len(found), "queries": queries})
    return pd.DataFrame(rows).sort_values("mAP", ascending=False, kind="stable")


def _stand_in(weights: Iterable[str]) -> str:
    is_there = any("resnet50-v1.5" in name for name in weights)
    return " Those of ResNet50 are a stand-in for the Keras release." if is_there else ""


def _html(table: pd.DataFrame) -> str:
    text = table.to_html(index=False, border=0, float_format="{:.3f}".format)
    return f'<div class="scroll">{text}</div>'


def _claim(row: Mapping[str, str]) -> str:
    text = {key: html.escape(str(value)) for key, value in row.items()}
    lines = [
        f'<article class="claim" data-verdict="{text["verdict"]}" id="{text["id"]}">',
        f'<header><span>{text["where"]}</span><span class="verdict">'
        f"{SIGNS[row['verdict']]} {text['verdict']}</span></header>",
        f"<p>{text['claim']}</p>",
    ]
    if row["thesis"]:
        lines.append(f"<p><strong>Thesis:</strong> {text['thesis']}</p>")
    if row["ours"]:
        said = "It says" if row["verdict"] == ledger.CONTRADICTS else "Measured"
        lines.append(f"<p><strong>{said}:</strong> {text['ours']}</p>")
    if row["note"]:
        lines.append(f"<p>{text['note']}</p>")
    if row["record"]:
        lines.append(
            "<details><summary>where it is recorded</summary>"
            f"<p><code>{text['record']}</code>: {text['metric']}</p></details>"
        )
    return "\n".join([*lines, "</article>"])


def _note(workspace: Workspace) -> str:
    if workspace.profile != "demo":
        return ""
    return (
        '<p class="note">This is the <strong>demo</strong> profile: a drawn catalogue and random '
        "weights. Its numbers show that everything runs; they carry no meaning.</p>"
    )


def _links(up: str) -> dict[str, str]:
    return {"Report": f"{up}index.html", "Ledger": f"{up}ledger.html"}


def _link(address: str, name: str) -> str:
    return f'<a href="{html.escape(address)}">{html.escape(name)}</a>'


def _list(items: Iterable[str]) -> str:
    lines = "\n".join(f"<li>{item}</li>" for item in items)
    return f"<ul>\n{lines}\n</ul>" if lines else ""


def _question(title: str) -> str:
    """A notebook's title without its number."""
    return title.partition(" · ")[2] or title


def _has_stopped(cell: NotebookNode) -> bool:
    """Whether the run ended in this cell or before it: by an error, or as the kernel died."""
    if cell.cell_type != "code":
        return False
    never_ran = cell.metadata.get("papermill", {}).get("start_time", "unknown") is None
    has_reply = "shell.execute_reply" in cell.metadata.get("execution", ["shell.execute_reply"])
    return never_ran or not has_reply or any(one.output_type == "error" for one in cell.outputs)
