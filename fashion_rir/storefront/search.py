"""One search of the storefront: settings in, a page of products out, each with its reasons."""

import csv
import io
import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fashion_rir.data import filters
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.search.gallery import MEASURES, Gallery
from fashion_rir.storefront.shop import FILTERS, Shop, plain

PAGE_SIZES = (12, 24, 48)

MOST_PAGES = 50

# What is compared to say why a product matched, and what it is called on the page.
ATTRIBUTES = {
    "articleType": "type",
    "baseColour": "colour",
    "gender": "gender",
    "season": "season",
    "usage": "usage",
}

BETWEEN = r"[\s,;/|+&]+"  # what stands between the words of a search

QUOTES = "“”„‘’‚«»‹›…–—、。"  # that string.punctuation lacks

N_VOTERS = 10  # nearest products that say what an uploaded photo probably shows

CSV_COLUMNS = ("rank", "id", "name", *ATTRIBUTES.values(), "measure", "distance")


@dataclass(frozen=True)
class Settings:
    """What a visitor has chosen beside the query.

    Attributes:
        model: one of `models.model_names`.
        measure: one of `gallery.MEASURES`.
        n_results: products a page, one of `PAGE_SIZES`.
        page: from 0.
        threshold: the largest distance that counts as a match; None if any does.
        wanted: a value by attribute, of `shop.FILTERS`.
    """

    model: str
    measure: str = "cosine"
    n_results: int = PAGE_SIZES[0]
    page: int = 0
    threshold: float | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_message(cls, message: object, models: Sequence[str]) -> "Settings":
        """Settings as a browser sent them: nothing in them is trusted.

        Raises:
            ParameterError: a value that is not allowed; names it.
        """
        message = message if isinstance(message, dict) else {}
        model, measure = message.get("model"), message.get("measure", "cosine")
        if model not in models:
            raise unknown_name("model", model, models)
        if measure not in MEASURES:
            raise unknown_name("similarity measure", measure, MEASURES)
        n_results, page = message.get("n_results", PAGE_SIZES[0]), message.get("page", 0)
        if n_results not in PAGE_SIZES:
            raise ParameterError(f"A page shows {PAGE_SIZES} products, not {n_results!r}.")
        if type(page) is not int or not 0 <= page < MOST_PAGES:
            raise ParameterError(f"There are pages 0 to {MOST_PAGES - 1}, not {page!r}.")
        threshold = message.get("threshold")
        is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
        if threshold is not None and not (is_number and math.isfinite(threshold)):
            raise ParameterError(f"A threshold is a distance, not {threshold!r}.")
        wanted = message.get("wanted") or {}
        if not isinstance(wanted, dict):
            raise ParameterError("The filters must be values by attribute.")
        for name, value in wanted.items():
            if name not in FILTERS:
                raise unknown_name("filter", name, FILTERS)
            if not isinstance(value, str):
                raise ParameterError(f"The filter {name} is a text, not {value!r}.")
        return cls(model, measure, n_results, page, threshold, wanted)


@dataclass(frozen=True)
class Found:
    """One page of results.

    Attributes:
        rows: of the products, closest first.
        distances: of each.
        n_matches: how many products there are at or under the threshold and behind the filters;
            all behind the filters if there is no threshold.
        is_match: whether the rows are matches; otherwise they are only the nearest products, as
            nothing is as near as was asked for.
        has_more: whether there is another page.
    """

    rows: np.ndarray
    distances: np.ndarray
    n_matches: int
    is_match: bool
    has_more: bool


def search(
    shop: Shop, gallery: Gallery, vector: np.ndarray, settings: Settings, *, own_id: int = -1
) -> Found:
    """One page of the products that are closest to a query.

    Args:
        shop: the products.
        gallery: their embeddings, in the same order.
        vector: of the query, float32, shape (embedding_dim,).
        settings: what was chosen.
        own_id: the query's own product, which is not shown; -1 if it is none.

    Raises:
        ParameterError: a filter's value that no product has.
        StoreError: an embedding that cannot be compared.
    """
    where = filters.matching(shop.products, **settings.wanted) if settings.wanted else None
    n_candidates = len(gallery) if where is None else int(where.sum())
    first = settings.page * settings.n_results
    own = None if own_id < 0 else [own_id]
    k = min(first + settings.n_results + 1, len(gallery) - (own is not None))
    if n_candidates == 0 or k < 1:
        nothing = np.array([], dtype=np.int64)
        return Found(nothing, nothing.astype(np.float32), 0, False, False)
    found = gallery.search(vector[None], k, exclude_ids=own, where=where)
    is_there = found.ids[0] >= 0
    ids, distances = found.ids[0][is_there], found.distances[0][is_there]
    n_matches, is_match = n_candidates - _is_candidate(shop, own_id, where), True
    if settings.threshold is not None:
        all_distances = gallery.distances(vector[None])[0]
        is_near = all_distances <= settings.threshold
        if where is not None:
            is_near &= where
        n_matches = int(is_near.sum()) - _is_candidate(shop, own_id, is_near)
        is_match = bool((distances <= settings.threshold).any())
        if is_match:
            is_near = distances <= settings.threshold
            ids, distances = ids[is_near], distances[is_near]
            n_matches = max(n_matches, len(ids))  # a rounding apart, where the last one is cut
    rows = np.array([shop.row_of[int(product)] for product in ids], dtype=np.int64)
    last = first + settings.n_results
    return Found(rows[first:last], distances[first:last], n_matches if is_match else 0, is_match,
                 len(rows) > last and settings.page + 1 < MOST_PAGES)  # fmt: skip


def product_attributes(shop: Shop, row: int) -> dict[str, str]:
    """What a product is, by the names of `ATTRIBUTES`; what is missing is left out."""
    product = shop.products.iloc[row]
    return {shown: str(product[name]) for name, shown in ATTRIBUTES.items()
            if pd.notna(product[name])}  # fmt: skip


def guessed_attributes(shop: Shop, rows: Sequence[int]) -> dict[str, str]:
    """What an uploaded photo probably shows: what most of its nearest products are.

    Args:
        shop: the products.
        rows: the nearest products.

    Returns:
        The value of each attribute that more than half of the rows share.
    """
    near = shop.products.iloc[list(rows)]
    guessed = {}
    for name, shown in ATTRIBUTES.items():
        counts = near[name].value_counts()
        if len(counts) and counts.iloc[0] > len(near) / 2:
            guessed[shown] = str(counts.index[0])
    return guessed


def reasons(query: Mapping[str, str], product: Mapping[str, str]) -> dict[str, list[str]]:
    """Which attributes of query and product agree, and which differ.

    Example:
        >>> reasons({"type": "Shirts", "colour": "Red"}, {"type": "Shirts", "colour": "Blue"})
        {'agree': ['type Shirts'], 'differ': ['colour Blue, not Red']}
    """
    both = [name for name in query if name in product]
    return {
        "agree": [f"{name} {query[name]}" for name in both if query[name] == product[name]],
        "differ": [
            f"{name} {product[name]}, not {query[name]}"
            for name in both
            if query[name] != product[name]
        ],
    }


def as_csv(shop: Shop, found: Found, settings: Settings) -> str:
    """The results as a table to open elsewhere.

    A name that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for rank, (row, distance) in enumerate(zip(found.rows, found.distances, strict=True), start=1):
        attributes = product_attributes(shop, row)
        product = shop.products.iloc[row]
        values = [product["productDisplayName"], *map(attributes.get, ATTRIBUTES.values())]
        texts = [_harmless("" if pd.isna(value) else str(value)) for value in values]
        writer.writerow([rank, product["id"], *texts, settings.measure, f"{distance:.6g}"])
    return buffer.getvalue()


def products_named(shop: Shop, text: str, *, most: int = 12, seed: int = 0) -> list[int]:
    """Rows of products to pick: those whose id, name, type or colour hold all words of a text.

    Args:
        shop: the products.
        text: what was typed; if it is empty, products of different types are drawn.
        most: how many.
        seed: of the draw.
    """
    words = plain_words(text)
    if not words:
        drawn = shop.products.sample(frac=1, random_state=seed)
        drawn = drawn[~drawn["articleType"].duplicated()].head(most)
        return [shop.row_of[int(product)] for product in drawn["id"]]
    is_match = np.ones(len(shop.products), dtype=bool)
    for word in words:
        is_match &= np.fromiter((word in text for text in shop.texts), bool, len(shop.products))
    return np.flatnonzero(is_match)[:most].tolist()


def plain_words(text: str) -> list[str]:
    """Words as they are compared: in lower case, without accents and without punctuation around.

    Example:
        >>> plain_words("Blue, SHIRTS; 'café' (T-Shirt)")
        ['blue', 'shirts', 'cafe', 't-shirt']
    """
    pieces = (piece.strip(string.punctuation + QUOTES) for piece in re.split(BETWEEN, plain(text)))
    return [piece for piece in pieces if piece]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _is_candidate(shop: Shop, product: int, where: np.ndarray | None) -> int:
    """1 if the product is among the candidates, 0 otherwise."""
    row = shop.row_of.get(product)
    return int(row is not None and (where is None or bool(where[row])))
