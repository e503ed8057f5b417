"""The shop window: a catalogue made ready to be opened in a moment, by many visitors at once.

Reading the real catalogue from its archive takes seconds and much memory. `prepare` reads it
once, and keeps the table of products and one file with all photos; `open_shop` maps that file, so
that all visitors of one machine share its pages.
"""

import io
import json
import mmap
import os
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from fashion_rir.data.catalog import COLUMNS, SHOWN_ID, Catalog, extra_columns
from fashion_rir.data.drawn.from_labels import drawing_of
from fashion_rir.data.shipped import TableSource
from fashion_rir.errors import ImageError, ParameterError, StoreError
from fashion_rir.storefront.photos import as_jpeg
from fashion_rir.system import remove_where_possible, whole_file, write_text
from fashion_rir.workspace.folders import Workspace

SCHEMA_VERSION = 2

SHOWN_HEIGHT = 320  # pixels: a higher photo is scaled down for the window

FILTERS = ("gender", "masterCategory", "articleType", "baseColour", "season", "usage")

# What is compared to say why a product matched, and what it is called on the page.
ATTRIBUTES = {
    "articleType": "type",
    "baseColour": "colour",
    "gender": "gender",
    "season": "season",
    "usage": "usage",
}

# What a drawing shows of a product whose photo is not there.
DRAWN_LABELS = ("articleType", "baseColour", "gender", "season")

SHOWN_AS_IT_IS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8")  # by every browser

HOW_TO_PREPARE = "start it with `fashion-rir storefront`, which makes it"


@dataclass(frozen=True)
class Shop:
    """What the storefront sells.

    Attributes:
        workspace: of the profile.
        catalog: the products; their photos are read from the window, not from the archive.
        data_hash: of the catalogue that the window was made from.
        is_drawn: whether the photos are not there, and each product is shown as a drawing.
        called: what the catalogue holds, in the words of the page's menu.
    """

    workspace: Workspace
    catalog: Catalog
    data_hash: str
    is_drawn: bool = False
    called: str = "products"

    @property
    def folder(self) -> Path:
        """Where the window, the galleries and the thresholds lie."""
        return shop_folder(self.workspace)

    @property
    def products(self) -> pd.DataFrame:
        """The catalogue's table."""
        return self.catalog.products

    @cached_property
    def row_of(self) -> dict[int, int]:
        """The row of a product by its id."""
        return {int(product): row for row, product in enumerate(self.products["id"])}

    @cached_property
    def shown_ids(self) -> list[int | str]:
        """What each product is called: in a catalogue of one's own, by its own id."""
        return self.products[SHOWN_ID if SHOWN_ID in self.products else "id"].tolist()

    @cached_property
    def _row_of_shown(self) -> dict[str, int]:
        return {str(shown): row for row, shown in enumerate(self.shown_ids)}

    def row(self, product: int | str) -> int:
        """The row of a product that a visitor asks for.

        Args:
            product: what it is called, see `shown_ids`.

        Raises:
            ParameterError: there is none with this id.
        """
        if str(product) not in self._row_of_shown:
            raise ParameterError(f"There is no product {product} in this catalogue; pick another.")
        return self._row_of_shown[str(product)]

    @cached_property
    def attributes(self) -> dict[str, str]:
        """What products are compared by, and what the page calls it; their own columns too."""
        extra = extra_columns(self.products)
        return ATTRIBUTES | dict(zip(extra, extra, strict=True))

    @cached_property
    def choices(self) -> dict[str, list[str]]:
        """The values that each filter offers, in alphabetical order; of columns that hold some."""
        names = (*FILTERS, *extra_columns(self.products))
        values = {name: sorted(self.products[name].dropna().unique()) for name in names}
        return {name: found for name, found in values.items() if found}

    @cached_property
    def texts(self) -> list[str]:
        """What each product is found by when a visitor types words, as `plain` writes them."""
        own = (SHOWN_ID, *extra_columns(self.products)) if SHOWN_ID in self.products else ("id",)
        columns = (*own, "productDisplayName", "articleType", "baseColour", "gender")
        parts = [self.products[name].astype("str").fillna("") for name in columns]
        return [plain(" ".join(words)) for words in zip(*parts, strict=True)]

    def photo(self, row: int) -> bytes:
        """The bytes of a product's photo."""
        return self.catalog.source.read(self.products["image_name"].iloc[row])


class DrawnPhotos:
    """A drawing for each product, made when it is asked for; see `PackedPhotos`."""

    ignored_copies = 0

    def __init__(self, products: pd.DataFrame) -> None:
        self._labels = products.set_index("image_name")[list(DRAWN_LABELS)]

    def read(self, image_name: str) -> bytes:
        """The drawing of one product as a PNG.

        Raises:
            ImageError: the catalogue has no such product.
        """
        if image_name not in self._labels.index:
            raise ImageError(f"There is no product with a photo {image_name} to be drawn.")
        buffer = io.BytesIO()
        drawing_of(self._labels.loc[image_name].to_dict()).save(buffer, "PNG")
        return buffer.getvalue()


class PackedPhotos:
    """All photos in one file: as much of `sources.Source` as a loaded catalogue needs."""

    def __init__(self, path: Path, products: pd.DataFrame) -> None:
        self.path = path
        self.ignored_copies = 0
        ends = products["photo_bytes"].to_numpy().cumsum()
        starts = ends - products["photo_bytes"].to_numpy()
        self._place = dict(zip(products["image_name"], zip(starts, ends, strict=True), strict=True))
        try:
            with open(path, "rb") as file:
                self._photos = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise _broken(path, error) from error
        if len(self._photos) != ends[-1]:
            raise _broken(path, ValueError("another length"))

    def read(self, image_name: str) -> bytes:
        """The bytes of one photo.

        Raises:
            ImageError: the catalogue has no such photo.
        """
        if image_name not in self._place:
            raise ImageError(f"There is no photo {image_name} in {self.path}.")
        start, end = self._place[image_name]
        return self._photos[start:end]


def shop_folder(workspace: Workspace) -> Path:
    """Where a profile's storefront keeps what it prepares. Never committed."""
    return workspace.data / "storefront" / workspace.profile


def beside(workspace: Workspace) -> Workspace:
    """Where the second catalogue of a storefront lies: its window, stores and galleries."""
    return replace(workspace, profile=f"{workspace.profile}-shop")


def prepare(
    workspace: Workspace,
    catalog: Catalog,
    say: Callable[[str], None] = lambda text: None,
    *,
    called: str = "products",
) -> Shop:
    """Make the shop window of a catalogue, or take the one that is there.

    Args:
        workspace: says where it lies.
        catalog: the products.
        say: told before long work.
        called: what the catalogue holds, in the words of the page's menu.

    Raises:
        StoreError: the folder cannot be written.
    """
    data_hash = catalog.data_hash
    try:
        shop = open_shop(workspace)
        if shop.data_hash == data_hash:
            return shop
    except StoreError:
        pass  # not there yet, or damaged: made now
    say(f"Putting {len(catalog):,} products into the shop window")
    folder = shop_folder(workspace)
    stem = f"{data_hash[:12]}-{os.getpid()}-{time.time_ns()}"  # never a name that is mapped
    is_drawn, products = isinstance(catalog.source, TableSource), catalog.products
    if not is_drawn:
        with whole_file(folder / f"photos-{stem}.bin", StoreError) as partial:
            products = products.assign(photo_bytes=_pack(catalog, partial))
    with whole_file(folder / f"products-{stem}.parquet", StoreError) as partial:
        products.to_parquet(partial)
    about = {"schema": SCHEMA_VERSION, "data_hash": data_hash, "stem": stem, "is_drawn": is_drawn,
             "called": called}  # fmt: skip
    write_text(folder / "shop.json", json.dumps(about), StoreError)  # last: then all is there
    made = (*folder.glob("photos-*.bin"), *folder.glob("products-*.parquet"))
    remove_where_possible(file for file in made if stem not in file.name)
    return open_shop(workspace)


def open_shop(workspace: Workspace) -> Shop:
    """The shop window that `prepare` made.

    Raises:
        StoreError: nothing there, damaged, or of another version.
    """
    folder = shop_folder(workspace)
    try:
        about = json.loads((folder / "shop.json").read_text(encoding="utf-8"))
        if about["schema"] != SCHEMA_VERSION:
            raise ValueError("another version")
        products = pd.read_parquet(folder / f"products-{about['stem']}.parquet")
        if about["is_drawn"]:
            photos = DrawnPhotos(products)
        else:
            photos = PackedPhotos(folder / f"photos-{about['stem']}.bin", products)
            products = products.drop(columns="photo_bytes")
        catalog = Catalog(products, photos, products[list(COLUMNS)])
        return Shop(workspace, catalog, about["data_hash"], about["is_drawn"], about["called"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(folder, error) from error


def open_shops(workspace: Workspace) -> dict[str, Shop]:
    """The catalogues that a storefront offers, by what its menu calls them; the first one first.

    Raises:
        StoreError: as `open_shop`, of the first one.
    """
    first, other = open_shop(workspace), beside(workspace)
    shops = [first, *([open_shop(other)] if (shop_folder(other) / "shop.json").exists() else [])]
    return {_title(shop): shop for shop in shops}


def _title(shop: Shop) -> str:
    return f"{len(shop.products):,} {shop.called}{', as drawings' if shop.is_drawn else ''}"


def plain(text: str) -> str:
    """A text in lower case and without accents, as texts are compared."""
    if text.isascii():  # nearly all
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _pack(catalog: Catalog, path: Path) -> np.ndarray:
    """Write all photos one behind the other; returns how many bytes each takes."""
    sizes = []
    names = tqdm(catalog.products["image_name"], desc="photos", unit="photo", leave=False)
    with open(path, "wb") as file:
        for name, height in zip(names, catalog.products["height"], strict=True):
            data = catalog.source.read(name)
            is_shown = height <= SHOWN_HEIGHT and data.startswith(SHOWN_AS_IT_IS)
            sizes.append(file.write(data if is_shown else _smaller(catalog, name)))
    return np.array(sizes, dtype=np.int64)


def _smaller(catalog: Catalog, name: str) -> bytes:
    image = catalog.read_image(name)
    image.thumbnail((SHOWN_HEIGHT, SHOWN_HEIGHT), Image.Resampling.BILINEAR)
    return as_jpeg(image, quality=90)


def _broken(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"There is no whole shop window in {path} ({type(error).__name__}); {HOW_TO_PREPARE}."
    )
