"""What the page may ask. Each message is checked here, at the door; nothing behind it checks again.

A value that is not allowed becomes one sentence for the visitor; what a message holds beside the
fields below is passed over.
"""

import reprlib
from collections.abc import Sequence
from functools import partial
from pathlib import PureWindowsPath
from typing import Annotated, Literal

import pydantic
from pydantic import AfterValidator, Field, ValidationInfo

from fashion_rir.errors import FashionRirError, ParameterError, unknown_name
from fashion_rir.search.gallery import MEASURES
from fashion_rir.storefront.shop import FILTERS

PAGE_SIZES = (12, 24, 48)

MOST_PAGES = 50

MOST_WEIGHT = 20  # times its usual share that a part of the query may count

MIN_CROP = 0.02  # share of a side

BAD_BOX = "The crop box is too small, or not on the photo; draw it again."

# What a visitor is told of a field whose value is not allowed.
FAULTS = {
    "settings": "The search has no settings; reload the page.",
    "model": "A model is chosen by its name, not by {value}.",
    "measure": "A similarity measure is chosen by its name, not by {value}.",
    "n_results": f"A page shows {PAGE_SIZES} products, not {{value}}.",
    "page": f"There are pages 0 to {MOST_PAGES - 1}, not {{value}}.",
    "threshold": "A threshold is a distance, not {value}.",
    "changed": "What shall be changed is text by attribute, but {name} is {value}.",
    "weights": f"A weight is a number from 0 to {MOST_WEIGHT}, but {{name}} is {{value}}.",
    "words": "Words are a text, not {value}.",
    "is_cut": "Cutting out is on or off (true or false), not {value}.",
    "wanted": "The filters are texts by attribute, but {name} is {value}.",
    "product": "A product is asked for by its id, not by {value}; pick another.",
    "box": BAD_BOX,
}

UNKNOWN = "The page asked for something unknown; reload it."


def _known(what: str, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise unknown_name(what, name[:80], known)
    return name


Measure = Annotated[str, AfterValidator(partial(_known, "similarity measure", known=MEASURES))]


def _offered(name: str, info: ValidationInfo) -> str:
    return _known("filter", name, (info.context or {}).get("filters", FILTERS))


Filter = Annotated[str, AfterValidator(_offered)]

Weight = Annotated[float, Field(ge=0, le=MOST_WEIGHT)]

ProductId = int | Annotated[str, Field(max_length=300)]  # a text in a catalogue of one's own


class Checked(pydantic.BaseModel):
    """Kinds of values are exact: no text stands for a number, no truth value for 1."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Settings(Checked):
    """What a visitor has chosen beside the query.

    Attributes:
        model: one of `models.shown_models`.
        measure: one of `gallery.MEASURES`.
        n_results: products a page, one of `PAGE_SIZES`.
        page: from 0.
        threshold: the largest distance that counts as a match; None if any does.
        wanted: a value by attribute, of the shop's filters.
        changed: a value by attribute that the products shall have in place of the query's.
        weights: by part of the joined embedding, how many times its usual share it counts.
        words: that the products shall go with.
        is_cut: whether the garment is cut out of an uploaded photo.
    """

    model: str
    measure: Measure = "cosine"
    n_results: Literal[PAGE_SIZES] = PAGE_SIZES[0]
    page: int = Field(0, ge=0, lt=MOST_PAGES)
    threshold: float | None = None
    wanted: dict[Filter, str] = {}
    changed: dict[str, str] = {}
    weights: dict[str, Weight] = {}
    words: Annotated[str, AfterValidator(lambda text: text[:200])] = ""
    is_cut: bool = True

    @pydantic.field_validator("model")
    @classmethod
    def _is_shown(cls, model: str, info: ValidationInfo) -> str:
        return _known("model", model, (info.context or {}).get("models", [model]))


def _on_the_photo(box: tuple[float, ...]) -> tuple[float, ...]:
    left, top, right, bottom = box
    is_inside = 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    if not is_inside or min(right - left, bottom - top) < MIN_CROP:
        raise ParameterError(BAD_BOX)
    return box


# Left, top, right and bottom as shares of the photo's sides; JSON has no tuples.
Box = Annotated[tuple[float, float, float, float], Field(strict=False),
                AfterValidator(_on_the_photo)]  # fmt: skip


class Picks(Checked):
    """Products to search with: those that a text names, or some of all (`seed` of the draw)."""

    kind: Literal["picks"]
    text: Annotated[str, AfterValidator(lambda text: text[:200])] = ""
    seed: int = Field(0, ge=0, lt=2**32)


class Upload(Checked):
    """A photo to search with, whose bytes come beside the message; `name` without its folders."""

    kind: Literal["upload"]
    name: Annotated[str, AfterValidator(lambda name: PureWindowsPath(name).name[:80])] = ""


class Query(Checked):
    """What is like a product, or like the uploaded photo: as results, as a table, on the map.

    Attributes:
        kind: how it is answered.
        settings: what was chosen.
        product: the product's id; None for the uploaded photo.
        box: the part of the photo that is searched with; None for the whole.
        by_words: search by the settings' words alone, whatever photo there is.
    """

    kind: Literal["search", "csv", "map"]
    settings: Settings
    product: ProductId | None = None
    box: Box | None = None
    by_words: bool = False


Message = Picks | Upload | Query

READER = pydantic.TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def read(message: object, models: Sequence[str], filters: Sequence[str] = FILTERS) -> Message:
    """A message as a browser sent it, checked: nothing in it is trusted.

    Args:
        message: what came.
        models: those that may be chosen.
        filters: those that the shop offers.

    Raises:
        ParameterError: something that is not allowed; says what, and what is.
    """
    try:
        return READER.validate_python(message, 
                                       context={"models": models, "filters": filters})  # fmt: skip
    except pydantic.ValidationError as error:
        fault = error.errors(include_url=False)[0]
        named = fault.get("ctx", {}).get("error")
        if isinstance(named, FashionRirError):
            raise named from error
        fields = fault["loc"][1:3]  # the kind, the field, and where that is the settings, theirs
        sentence = next((FAULTS[one] for one in reversed(fields) if one in FAULTS), UNKNOWN)
        name, value = "".join(map(str, fault["loc"][-1:]))[:80], reprlib.repr(fault["input"])
        raise ParameterError(sentence.format(name=name, value=value)) from error
