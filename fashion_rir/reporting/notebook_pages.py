"""An executed notebook as a page of the report."""

import re

from markupsafe import Markup
from nbformat import NotebookNode

from fashion_rir.reporting import pages
from fashion_rir.reporting.notebooks import clean

_TITLE = re.compile(r"""title=f?(["'])(.+?)\1""")

_PROFILE_IN_CODE = re.compile(r"\{profile\}")

_HEADING = re.compile(r"^#+\s+(.+)$", re.MULTILINE)

_SENTENCE = re.compile(r"<td>(?=[^<]*[A-Za-z]{2,} )")  # read from the left; numbers are not

_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")


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
    return pages.render("page.html", title=name, body=Markup(body), up="../")


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


def question(notebook: NotebookNode, name: str) -> str:
    """What a notebook asks: its first heading without the number; its name if it has none."""
    title = (_HEADING.findall(notebook.cells[0].source) or [name])[0] if notebook.cells else name
    return title.partition(" · ")[2] or title


def has_stopped(notebook: NotebookNode) -> bool:
    """Whether the run ended before the last cell was through: by an error, or the kernel died."""
    return any(_has_stopped(cell) for cell in notebook.cells)


def _has_stopped(cell: NotebookNode) -> bool:
    """Whether the run ended in this cell or before it: by an error, or as the kernel died."""
    if cell.cell_type != "code":
        return False
    never_ran = cell.metadata.get("papermill", {}).get("start_time", "unknown") is None
    has_reply = "shell.execute_reply" in cell.metadata.get("execution", ["shell.execute_reply"])
    return never_ran or not has_reply or any(one.output_type == "error" for one in cell.outputs)
