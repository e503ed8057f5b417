"""One search of the storefront: settings in, a page of products out, each with its reasons."""

import csv
import io
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.data import filters
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront.messages import MOST_PAGES, Settings
from fashion_rir.storefront.shop import Shop, plain

BETWEEN = r"[\s,;/|+&]+"  # what stands between the words of a search

QUOTES = "“”„‘’‚«»‹›…–—、。"  # that string.punctuation lacks

N_VOTERS = 10  # nearest products that say what an uploaded photo probably shows


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
    shop: Shop,
    gallery: Gallery,
    vector: np.ndarray,
    settings: Settings,
    *,
    own_id: int | str | None = None,
) -> Found:
    """One page of the products that are closest to a query.

    Args:
        shop: the products.
        gallery: their embeddings, in the same order.
        vector: of the query, float32, shape (embedding_dim,).
        settings: what was chosen.
        own_id: the query's own product, which is not shown; None if it is none.

    Raises:
        ParameterError: a filter's value that no product has, or no such product.
        StoreError: an embedding that cannot be compared.
    """
    is_wanted = filters.matching(shop.products, **settings.wanted)
    if own_id is not None:
        is_wanted[shop.row(own_id)] = False
    n_matches = int(is_wanted.sum())
    first, last = settings.page * settings.n_results, (settings.page + 1) * settings.n_results
    if n_matches == 0:
        return Found(np.empty(0, np.int64), np.empty(0, np.float32), 0, False, False)
    found = gallery.search(vector[None], min(last + 1, n_matches), where=is_wanted)
    ids, distances = found.ids[0], found.distances[0]
    is_match = True
    if settings.threshold is not None:
        is_near = distances <= settings.threshold
        is_match = bool(is_near.any())
        n_matches = 0
        if is_match:
            ids, distances = ids[is_near], distances[is_near]
            all_distances = gallery.distances(vector[None])[0]
            n_near = int((is_wanted & (all_distances <= settings.threshold)).sum())
            n_matches = max(n_near, len(ids))  # a rounding apart, where the last one is cut
    rows = np.array([shop.row_of[int(product)] for product in ids], dtype=np.int64)
    has_more = len(rows) > last and settings.page + 1 < MOST_PAGES
    return Found(rows[first:last], distances[first:last], n_matches, is_match, has_more)


def product_attributes(shop: Shop, row: int) -> dict[str, str]:
    """What a product is, by the names of `Shop.attributes`; what is missing is left out."""
    product = shop.products.iloc[row]
    return {shown: str(product[name]) for name, shown in shop.attributes.items()
            if pd.notna(product[name])}  # fmt: skip


def guessed_attributes(shop: Shop, gallery: Gallery, vector: np.ndarray) -> dict[str, str]:
    """What an uploaded photo probably shows: what most of its nearest products are.

    Args:
        shop: the products.
        gallery: their embeddings.
        vector: of the photo, shape (embedding_dim,).

    Returns:
        The value of each attribute that more than half of the `N_VOTERS` nearest share.
    """
    near = gallery.search(vector[None], min(N_VOTERS, len(gallery))).ids[0]
    rows = shop.products.iloc[[shop.row_of[int(product)] for product in near]]
    guessed = {}
    for name, shown in shop.attributes.items():
        counts = rows[name].value_counts()
        if len(counts) and counts.iloc[0] > len(rows) / 2:
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
    shown = list(shop.attributes.values())
    writer.writerow(["rank", "id", "name", *map(_harmless, shown), "measure", "distance"])
    for rank, (row, distance) in enumerate(zip(found.rows, found.distances, strict=True), start=1):
        attributes = product_attributes(shop, row)
        product = shop.products.iloc[row]
        values = [product["productDisplayName"], *map(attributes.get, shown)]
        texts = [_harmless("" if pd.isna(value) else str(value)) for value in values]
        shown_id = shop.shown_ids[row]
        shown_id = _harmless(shown_id) if isinstance(shown_id, str) else shown_id
        writer.writerow([rank, shown_id, *texts, settings.measure, f"{distance:.6g}"])
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
        types = drawn["articleType"]  # which a catalogue of one's own may lack
        drawn = drawn[~types.duplicated() | types.isna()].head(most)
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
