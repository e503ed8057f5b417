"""The report of a study run: each notebook as one HTML page, and an index page.

Everything is embedded: the pages read offline.
"""

import html
from pathlib import Path

from fashion_rir import committed_notebooks, results
from fashion_rir.errors import RecordError
from fashion_rir.workspace import Workspace

HEADLINE_METRICS = ("mAP", "hit_rate@1", "hit_rate@10", "precision@10")

# nbconvert's page without the scripts that it fetches from the network.
_NOTEBOOK_PAGE = """{%- extends 'lab/index.html.j2' -%}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #8888; text-align: right; }}
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) {{ text-align: left; }}
.note {{ border-left: 4px solid #d55e00; padding-left: .8rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{note}
<h2>Notebooks</h2>
<ul>
{links}
</ul>
<h2>Retrieval by articleType, held out</h2>
{table}
</body>
</html>
"""


def folder(workspace: Workspace) -> Path:
    """Where the report of a profile lies."""
    return workspace.root / "reports" / workspace.profile


def write(workspace: Workspace) -> Path:
    """Write the pages of all notebooks that were executed, and the index.

    Returns:
        The index page; it says what is missing where there are no records yet.
    """
    place = folder(workspace)
    place.mkdir(parents=True, exist_ok=True)
    pages = [_notebook_page(n) for n in sorted((place / "notebooks").glob("*.ipynb"))]
    links = "\n".join(
        f'<li><a href="notebooks/{page.name}">{html.escape(page.stem)}</a></li>' for page in pages
    )
    title = f"Reverse image search in a fashion catalogue: profile {workspace.profile}"
    index = place / "index.html"
    index.write_text(
        _PAGE.format(title=html.escape(title), note=_note(workspace), links=links,
                     table=_headline(workspace)),
        encoding="utf-8",
    )  # fmt: skip
    return index


def _notebook_page(notebook: Path) -> Path:
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(embed_images=True)
    exporter.raw_template = _NOTEBOOK_PAGE
    content = committed_notebooks.clean(nbformat.read(notebook, as_version=4))
    body, _ = exporter.from_notebook_node(content, {"metadata": {"name": notebook.stem}})
    page = notebook.with_suffix(".html")
    page.write_text(body, encoding="utf-8")
    return page


def _note(workspace: Workspace) -> str:
    if workspace.profile != "demo":
        return ""
    return (
        '<p class="note">This is the <strong>demo</strong> profile: a drawn catalogue and random '
        "weights. Its numbers show that everything runs; they carry no meaning.</p>"
    )


def _headline(workspace: Workspace) -> str:
    try:
        records = results.read_all(workspace.results, "retrieval")
        table = results.retrieval_table(
            records, protocol="held_out", label="articleType", metrics=HEADLINE_METRICS
        )
    except RecordError as error:
        return f"<p>Not there yet: {html.escape(str(error))}</p>"
    shown = table[["model", "measure", "weights", "queries", *HEADLINE_METRICS]]
    return shown.to_html(index=False, border=0, float_format="{:.3f}".format)
