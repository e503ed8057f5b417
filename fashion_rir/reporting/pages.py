"""How the report's pages are made: Jinja2 templates, their style sheet and script inside.

They stand in `templates/`. Pages hold all they need; nothing is fetched.
"""

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments.formatters import HtmlFormatter


def render(template: str, **content: object) -> str:
    """A whole page.

    Args:
        template: one of `templates/*.html.j2`, by its first name. `page` shows `body`, as HTML.
        content: what it asks for, at least a `title`; all but `Markup` is escaped. `up` is the way
            to the report's folder (empty, or `../`), for the links on top.
    """
    return _templates().get_template(f"{template}.html.j2").render(content)


@functools.cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("fashion_rir.reporting"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for name, style in (("code_by_day", "default"), ("code_by_night", "github-dark")):
        templates.globals[name] = Markup(HtmlFormatter(style=style).get_style_defs(".highlight"))
    return templates
