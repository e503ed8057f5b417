"""How pages are made: by the Jinja2 templates in `templates/`.

Those of the report hold their style sheet and script inside; nothing is fetched.
"""

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from pygments.formatters import HtmlFormatter

from fashion_rir.workspace import markdown


def render(template: str, **content: object) -> str:
    """A whole page, or the text of one in Markdown.

    Args:
        template: a file's name without `.j2`, such as `index.html`. `page.html` shows `body`.
        content: what it asks for. In HTML it has a `title`; all but `Markup` is escaped; and `up`
            is the way to the report's folder (empty, or `../`), for the links on top.
    """
    return _templates().get_template(f"{template}.j2").render(content)


@functools.cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("fashion_rir.reporting"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name, style in (("code_by_day", "default"), ("code_by_night", "github-dark")):
        templates.globals[name] = Markup(HtmlFormatter(style=style).get_style_defs(".highlight"))
    templates.globals["table"] = markdown.table
    templates.filters["number"] = "{:,}".format
    return templates
