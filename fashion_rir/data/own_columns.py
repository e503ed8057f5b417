"""What the columns of a table of one's own mean: a small YAML, drafted from what is found.

The draft goes by the names of the columns, and by which of them name the photos' files. Who knows
better changes the YAML and gives it with `--columns`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pydantic
import yaml

from fashion_rir.data.own_photos import PhotoNames
from fashion_rir.data.own_table import OwnTable
from fashion_rir.errors import CatalogError, unknown_name
from fashion_rir.system import write_text

# What a column can be, and how such columns are often called, in plain letters.
USUAL_NAMES = {
    "id": ("id", "sku", "productid", "articleid", "itemid", "productcode", "articlecode", "code",
           "articlenumber", "itemnumber", "ean", "gtin", "handle", "article", "item"),
    "photo": ("photo", "image", "img", "picture", "file", "filename", "imagename", "imagefile",
              "photofile", "imageurl", "imagepath", "path", "imagesrc", "imagelink"),
    "name": ("name", "title", "productname", "producttitle", "productdisplayname", "displayname",
             "prodname", "label", "description"),
    "type": ("articletype", "type", "producttype", "producttypename", "garment", "productgroup",
             "subcategory", "category", "kind"),
    "colour": ("basecolour", "basecolor", "colour", "color", "colourname", "colorname",
               "colourgroupname", "maincolour", "maincolor"),
    "gender": ("gender", "sex", "targetgender", "department"),
    "season": ("season",),
    "usage": ("usage", "use", "occasion"),
    "category": ("mastercategory", "maincategory", "category", "productcategory"),
}  # fmt: skip

# Where each is kept, under the data set's own names.
KEPT_AS = {"name": "productDisplayName", "type": "articleType", "colour": "baseColour",
           "gender": "gender", "season": "season", "usage": "usage",
           "category": "masterCategory"}  # fmt: skip

NEARLY_UNIQUE = 0.9  # share of different values by which a column that is called so is an id

MOST_VALUES = 60  # of a filter: more would be no menu

LONGEST_VALUE = 40  # characters of a filter's value

HEAD = """\
# What the columns of {table} are, as `fashion-rir index` understood them. Mend what is wrong,
# then run it again with --columns and this file.
#   id      tells the products apart       photo   names the photo's file; empty: the id does
#   filters are offered beside type, colour, gender, season, usage and category
# Columns that are there: {found}
"""


class Columns(pydantic.BaseModel):
    """Which column of a table is what; None if none is.

    Attributes:
        id: tells the products apart; needed.
        photo: names the photo's file, with or without ending; the id does if None.
        filters: further columns that a visitor may filter by.
    """

    model_config = pydantic.ConfigDict(strict=True, frozen=True, extra="forbid")

    id: str | None = None
    photo: str | None = None
    name: str | None = None
    type: str | None = None
    colour: str | None = None
    gender: str | None = None
    season: str | None = None
    usage: str | None = None
    category: str | None = None
    filters: list[str] = []

    def mapped(self) -> list[tuple[str, str]]:
        """What each column that is used is, and the column."""
        one_each = [(role, column) for role, column in self if role != "filters" and column]
        return one_each + [("filters", column) for column in self.filters]


def draft(table: OwnTable, photos: PhotoNames) -> Columns:
    """What the columns probably are.

    Args:
        table: of the products.
        photos: names of the files.
    """
    single = [name for name in dict.fromkeys(table.header)
              if name and table.header.count(name) == 1]  # fmt: skip
    texts = {name: table.column(name) for name in single}
    named = {name: sum(photos.find(text) is not None for text in texts[name]) for name in single}
    n_values = {name: len(set(filter(None, texts[name]))) for name in single}
    unique = [name for name in single if n_values[name] == len(table.rows)]
    nearly = [name for name in single if n_values[name] >= NEARLY_UNIQUE * len(table.rows)]
    chosen: dict[str, str | None] = {"id": _called("id", nearly)}
    by_photo = sorted((name for name in single if named[name]), key=lambda name: (
        -named[name], name != chosen["id"], name != _called("photo", [name])))  # fmt: skip
    if chosen["id"] is None:
        named_unique = [name for name in by_photo if name in unique]
        chosen["id"] = next(iter([*named_unique, *unique]), None)
    photo = by_photo[0] if by_photo else _called("photo", single)
    chosen["photo"] = None if photo == chosen["id"] else photo
    for role in KEPT_AS:
        left = [name for name in single if name not in chosen.values()]
        chosen[role] = _called(role, left)
    left = [name for name in single if name not in chosen.values()]
    return Columns(**chosen, filters=[name for name in left if _is_menu(texts[name])])


def read(path: Path) -> Columns:
    """Columns that a reader has written down.

    Raises:
        CatalogError: no such file, no YAML, or of another form.
        ParameterError: an entry that is none; names the nearest.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CatalogError(f"Cannot read the columns {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} is no YAML ({type(error).__name__}); mend it.") from error
    if not isinstance(found, dict):
        raise CatalogError(f"{path} says nothing of columns; write `id: <column>` and others.")
    for name in found:
        if name not in Columns.model_fields:
            raise unknown_name(f"entry of {path.name}", name, Columns.model_fields)
    found = {role: str(value) if isinstance(value, int | float) else value
             for role, value in found.items()}  # fmt: skip
    try:
        return Columns(**({**found, "filters": found.get("filters") or []}))
    except pydantic.ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"][0]
        wanted = "a list of columns" if place == "filters" else "the name of one column"
        raise CatalogError(f"{path}: {place} must be {wanted}; mend it.") from error


def write(columns: Columns, table: OwnTable, path: Path) -> None:
    """Write columns down for a reader to mend."""
    found = ", ".join(name for name in table.header if name.isprintable())[:400]
    text = yaml.safe_dump(columns.model_dump(), sort_keys=False, allow_unicode=True)
    write_text(path, HEAD.format(table=table.path.name, found=found) + text, CatalogError)


def check(columns: Columns, table: OwnTable, where: str) -> None:
    """Refuse columns that a table does not have, or has twice, or that are mapped twice.

    Args:
        columns: to be checked.
        table: that they are of.
        where: the columns were said, for the error.

    Raises:
        CatalogError, ParameterError: names the column, and what to do.
    """
    if columns.id is None:
        raise CatalogError(
            f"No column of {table.path.name} tells the products apart (each filled, none twice: "
            f"{', '.join(table.header)[:200]}); name one as `id` in {where}."
        )
    seen: dict[str, str] = {}
    for role, column in columns.mapped():
        if column not in table.header:
            raise unknown_name(f"column of {table.path.name} (in {where}: {role})", column,
                               table.header)  # fmt: skip
        places = [str(n) for n, name in enumerate(table.header, start=1) if name == column]
        if len(places) > 1:
            raise CatalogError(
                f"{table.path.name} has the column {column!r} {len(places)} times (columns "
                f"{', '.join(places)}), and {where} maps it to {role}; rename all but one."
            )
        if column in seen:
            raise CatalogError(
                f"{where} maps the column {column!r} twice, to {seen[column]} and to {role}; take "
                "one of them out (an empty `photo` means that the id names the photo)."
            )
        seen[column] = role


def _called(role: str, names: Sequence[str]) -> str | None:
    """The column that is called as such a one often is."""
    plain: Mapping[str, str] = {re.sub("[^a-z0-9]", "", name.lower()): name for name in names}
    return next((plain[name] for name in USUAL_NAMES[role] if name in plain), None)


def _is_menu(texts: Sequence[str]) -> bool:
    """Whether a column's values make a menu to filter by."""
    values = set(filter(None, texts))
    most = min(MOST_VALUES, max(2, len(texts) // 2))
    return 2 <= len(values) <= most and max(map(len, values)) <= LONGEST_VALUE
