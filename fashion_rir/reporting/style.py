"""How the report's pages look: one style sheet for screen, phone, dark mode and paper.

Pages hold all they need; nothing is fetched.
"""

import html
from collections.abc import Mapping

from pygments.formatters import HtmlFormatter

_CODE = ".highlight"

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --soft: #f3f4f6;
  --line: #c9ccd1; --link: #0b57a4; --note: #b4480a; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1 { line-height: 1.2; font-size: 1.7rem; }
a { color: var(--link); }
nav a { margin-right: 1rem; }
img { max-width: 100%; height: auto; background: #fff; }
pre, code { font: .86em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .6rem .8rem; overflow-x: auto; border-radius: 4px;
  margin: .5rem 0; }
.output_text pre { background: none; border-left: 3px solid var(--line); }
.output_error pre { border-left: 3px solid var(--note); }
.scroll, .rendered_html { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
th:first-child, td:first-child, .text td, .text th, td.words { text-align: left; }
table[border] { border: 0; }
table[border] th, table[border] td { border-width: 0 0 1px; }
.note { border-left: 4px solid var(--note); padding-left: .8rem; }
.anchor-link { visibility: hidden; text-decoration: none; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
.claim { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; margin: .6rem 0; }
.claim p { margin: .3rem 0; }
.claim header { display: flex; flex-wrap: wrap; gap: .3rem 1rem; justify-content: space-between; }
.verdict { font-weight: 600; }
.filters { display: flex; flex-wrap: wrap; gap: .4rem; padding: .5rem 0; background: var(--paper); }
@media (min-width: 45rem) { .filters { position: sticky; top: 0; } }
.filters button { font: inherit; padding: .25rem .7rem; border: 1px solid var(--line);
  border-radius: 1rem; background: var(--soft); color: var(--ink); cursor: pointer; }
.filters button[aria-pressed="true"] { background: var(--link); color: var(--paper); }
[hidden] { display: none !important; }
@media (max-width: 30rem) { body { padding: .6rem; font-size: 15px; } h1 { font-size: 1.35rem; }
  h2 { font-size: 1.15rem; } th, td { padding: .2rem .35rem; } }
"""

_DARK = """
:root { --ink: #e6e6e6; --paper: #16181c; --soft: #22262c; --line: #454b54; --link: #7db7f5;
  --note: #f0945a; }
"""

_PRINT = """
body { max-width: none; padding: 0; font-size: 10pt; }
nav, .filters, .anchor-link { display: none; }
pre { white-space: pre-wrap; border: 1px solid var(--line); }
.scroll, .rendered_html, pre { overflow: visible; }
table { font-size: 7.5pt; max-width: 100%; }
td, th { padding: .1rem .25rem; }
td:first-child { overflow-wrap: anywhere; }
img, tr, .claim { break-inside: avoid; }
h1, h2, h3 { break-after: avoid; }
"""

FILTER_SCRIPT = """
const claims = [...document.querySelectorAll(".claim")];
const bar = document.querySelector(".filters");
bar.hidden = false;
bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const wanted = button.dataset.verdict;
  for (const claim of claims) claim.hidden = wanted !== "" && claim.dataset.verdict !== wanted;
  for (const one of bar.querySelectorAll("button")) {
    one.setAttribute("aria-pressed", String(one === button));
  }
  for (const heading of document.querySelectorAll("section.chapter")) {
    heading.hidden = !heading.querySelector(".claim:not([hidden])");
  }
});
"""


def page(title: str, body: str, links: Mapping[str, str], *, script: str = "") -> str:
    """A whole page.

    Args:
        title: as text.
        body: as HTML.
        links: addresses by name, for the line on top.
        script: JavaScript, run at the end; the page must work without it.
    """
    listed = "".join(
        f'<a href="{html.escape(address)}">{html.escape(name)}</a>'
        for name, address in links.items()
    )
    run = f"<script>{script}</script>\n" if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style()}</style>\n</head>\n<body>\n"
        f"<nav>{listed}</nav>\n{body}\n{run}</body>\n</html>\n"
    )


def style() -> str:
    """The style sheet: colours by the reader's setting, and plain ones on paper."""
    light = HtmlFormatter(style="default").get_style_defs(_CODE)
    dark = HtmlFormatter(style="github-dark").get_style_defs(_CODE)
    background = f"{_CODE} {{ background: none !important; }}"
    return (
        f"{_STYLE}{light}\n@media screen and (prefers-color-scheme: dark) {{{_DARK}{dark}}}\n"
        f"{background}\n@media print {{{_PRINT}}}\n"
    )
