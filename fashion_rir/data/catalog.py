"""The product catalogue: where it comes from, what is repaired, what is left out.

The data set is *Fashion Product Images* (Param Aggarwal, Kaggle, MIT licence): `styles.csv`
with ten columns and one photo a product. Every source ends as the same thing: a `Catalog`,
whose table holds one row for each product that has a readable photo.
"""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from fashion_rir.data import images, sources
from fashion_rir.data.csv_rows import Repairs
from fashion_rir.errors import CatalogError, ImageError, ParameterError
from fashion_rir.system import sha256_of, usable_cores, whole_file

COLUMNS = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour",
    "season", "year", "usage", "productDisplayName",
)  # fmt: skip

SHOWN_ID = "shown_id"  # the id of a product of one's own catalogue, whose `id` is a mere number

LABELS = ("articleType", "subCategory", "masterCategory", "gender", "baseColour", "season", "usage")

# How tables write a missing value: the data set's own ways, and those that pandas knows.
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "na", "NaN", "nan", "-NaN",
           "-nan", "NAN", "Nan", "NULL", "Null", "null", "None", "none", "NONE", "1.#IND",
           "1.#QNAN", "-1.#IND", "-1.#QNAN")  # fmt: skip

SCAN_SIZE = 128  # large photos are looked into at a fraction of their size; all bytes are read

SCAN_VERSION = 2  # a photo that could not be read by an older version may be read by this one

SCANNED = ("image_name", "image_sha256", "width", "height", "mode", "fault", "repair")

CATALOG_SIZE = (60, 80)  # width, height of the small edition, in pixels


@dataclass(frozen=True)
class Catalog:
    """Products with their photos.

    Attributes:
        products: one row a product: the ten columns of `styles.csv`, and `image_name`,
            `image_sha256` (of the file's bytes), `width`, `height` (pixels), `mode` (Pillow's).
        source: reads a photo's bytes by its name.
        listed: the ten columns of every well-formed row of `styles.csv`, with a photo or without.
        counts: what `load` found, repaired and left out.
        left_out: one row for each thing left out: `where`, `what`, `reason`.
        repaired: the same for each thing that was read although something was wrong with it.
    """

    products: pd.DataFrame
    source: sources.Source
    listed: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    repaired: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        return len(self.products)

    def read_image(self, image_name: str, *, for_size: int | None = None) -> Image.Image:
        """One product's photo, RGB, at its own size, or at a fraction: see `images.decode`.

        Raises:
            ImageError: the photo can no longer be read.
        """
        return images.decode(self.source.read(image_name), image_name, for_size=for_size)

    @property
    def has_photos(self) -> bool:
        """Whether there are photos to be read; the shipped table comes without."""
        return bool(self.source.image_names())

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over ids, labels and photos: equal exactly when the data are equal."""
        own = [SHOWN_ID] if SHOWN_ID in self.products else []
        columns = [*COLUMNS, *own, *extra_columns(self.products), "image_sha256"]
        table = self.products[columns].sort_values("id")
        return sha256_of(table.to_csv(index=False, lineterminator="\n"))

    def subset(self, is_chosen: np.ndarray) -> "Catalog":
        """The chosen products only, in the same order."""
        products = self.products[is_chosen].reset_index(drop=True)
        return replace(self, products=products)


def load(path: Path, cache_dir: Path | None = None) -> Catalog:
    """Read and check a catalogue.

    Args:
        path: Kaggle's archive (.zip), its extracted folder, or the mirror's Parquet files.
        cache_dir: where to keep the result of looking into every photo, so that a second
            `load` of the same data is quick; nothing is kept if None.

    Returns:
        The products that have a readable photo, sorted by nothing: in the file's own order.

    Raises:
        CatalogError: nothing there, no or a broken `styles.csv`, a needed column missing,
            a damaged or hostile archive, or no product left.
    """
    source = sources.open_source(Path(path))
    return from_source(source, lambda: _scan_photos(source, cache_dir))


def from_source(source: sources.Source, scan: Callable[[], pd.DataFrame]) -> Catalog:
    """The catalogue of a source, checked.

    Args:
        source: of the rows and the photos.
        scan: what was found in the photos, one row each, with the columns `SCANNED`; asked when
            the table has been read.

    Raises:
        CatalogError: see `load`.
    """
    repairs: Repairs = []
    rows, faults, counts = _read_rows(source, repairs)
    photos = scan()
    products = pd.DataFrame(rows, columns=[*COLUMNS, "row"])
    products[list(COLUMNS[1:])] = products[list(COLUMNS[1:])].apply(_with_gaps)
    products["year"], odd_years = _years(products)
    faults += odd_years
    products["image_name"] = products["id"].astype("str") + ".jpg"
    table = products.merge(photos, on="image_name", how="left")
    has_no_photo = table["image_sha256"].isna() & table["fault"].isna()
    is_unreadable = table["fault"].notna()
    orphans = sorted(set(photos["image_name"]) - set(products["image_name"]))
    faults += _photo_faults(table, has_no_photo, is_unreadable)
    repairs += _photo_repairs(table[table["repair"].notna()])
    faults += [(f"images/{name}", "photo", "no row in styles.csv") for name in orphans]
    kept = table[~(has_no_photo | is_unreadable)].drop(columns=["row", "fault", "repair"])
    if kept.empty:
        raise CatalogError(
            f"{source.path} holds no product with a readable photo ({len(table)} rows in "
            f"styles.csv, {len(photos)} photos); check that images/<id>.jpg stand beside "
            "styles.csv."
        )
    kept = _with_numbers(kept.reset_index(drop=True))
    counts |= {
        "products without a photo": int(has_no_photo.sum()),
        "unreadable photos": int(is_unreadable.sum()),
        "photos without a row": len(orphans),
        "second copies ignored": source.ignored_copies,
        **_describe(kept),
        **_odd_counts(repairs, odd_years),
    }
    left_out = pd.DataFrame(faults, columns=["where", "what", "reason"])
    repaired = pd.DataFrame(repairs, columns=["where", "what", "reason"])
    return Catalog(kept, source, products[list(COLUMNS)], counts, left_out, repaired)


def _photo_faults(
    table: pd.DataFrame, has_no_photo: pd.Series, is_unreadable: pd.Series
) -> list[tuple[str, str, str]]:
    """Where, what and why of the rows that are left out for their photo."""
    missing = [
        (
            f"styles.csv row {entry.row}",
            f"product {entry.id}",
            f"no photo images/{entry.image_name}",
        )
        for entry in table[has_no_photo].itertuples()
    ]
    return missing + [
        (f"images/{entry.image_name}", f"product {entry.id}", entry.fault)
        for entry in table[is_unreadable].itertuples()
    ]


def _photo_repairs(repaired: pd.DataFrame) -> Repairs:
    return [
        (f"images/{row.image_name}", f"product {row.id}", f"read although {row.repair}")
        for row in repaired.itertuples()
    ]


def _with_gaps(values: pd.Series) -> pd.Series:
    return values.mask(values.isin(MISSING), None).astype("str")


def _with_numbers(products: pd.DataFrame) -> pd.DataFrame:
    """Year, width and height as whole numbers."""
    years = products["year"].where(_is_year(products["year"]), None)
    sizes = {column: products[column].astype("int64") for column in ("width", "height")}
    return products.assign(year=pd.to_numeric(years).astype("Int64"), **sizes)


def extra_columns(products: pd.DataFrame) -> list[str]:
    """The columns that only a catalogue of one's own has, to filter by.

    Args:
        products: a catalogue's table.
    """
    if SHOWN_ID not in products:
        return []
    known = (*COLUMNS, *SCANNED, SHOWN_ID)
    return [column for column in products.columns if column not in known]


def sample(catalog: Catalog, n_products: int, *, seed: int) -> Catalog:
    """A stratified sample: every articleType keeps its share, and at least one product.

    Args:
        catalog: where to draw from.
        n_products: how many to draw, 1 <= n_products <= len(catalog).
        seed: of the draw.

    Returns:
        A catalogue of about `n_products` products (rare types are rounded up to one).

    Raises:
        ParameterError: `n_products` is out of range.
    """
    if not 1 <= n_products <= len(catalog):
        raise ParameterError(
            f"The sample must have 1 to {len(catalog)} products (all there are), not {n_products}."
        )
    generator = np.random.default_rng(seed)
    share = n_products / len(catalog)
    types = catalog.products["articleType"].fillna("").to_numpy()
    is_chosen = np.zeros(len(catalog), dtype=bool)
    for article_type in sorted(set(types)):
        members = np.flatnonzero(types == article_type)
        n_drawn = max(1, round(share * len(members)))
        is_chosen[generator.choice(members, n_drawn, replace=False)] = True
    return catalog.subset(is_chosen)


def report(catalog: Catalog) -> pd.DataFrame:
    """The counts of `load` as a table with the columns `what` and `count`."""
    return pd.DataFrame({"what": list(catalog.counts), "count": list(catalog.counts.values())})


def identical_groups(products: pd.DataFrame) -> pd.DataFrame:
    """The products whose photo another product has too, byte for byte.

    Returns:
        Rows of `products` whose `image_sha256` occurs more than once, group by group.
    """
    is_copy = products.duplicated("image_sha256", keep=False)
    return products[is_copy].sort_values(["image_sha256", "id"])


def _read_rows(
    source: sources.Source, repairs: Repairs | None = None
) -> tuple[list[tuple], list[tuple], dict[str, int]]:
    """Rows of styles.csv as tuples (ten values, row number), what was left out, counts.

    What had to be mended is added to `repairs`.
    """
    repairs = [] if repairs is None else repairs
    records = ((number, record) for number, record in enumerate(source.rows(), start=1) if record)
    header = [name.strip() for name in next(records, (1, []))[1]]
    repairs += getattr(source, "repairs", [])
    header = _without_empty_end(header, repairs)
    _require_columns(header, source.path)
    order = [header.index(column) for column in COLUMNS]
    rows, faults, seen = [], [], set()
    counts = {"rows in styles.csv": 0, "names with an unquoted comma": 0, "duplicate ids": 0,
              "malformed rows": 0}  # fmt: skip
    for number, record in records:
        counts["rows in styles.csv"] += 1
        where = f"styles.csv row {number}"
        while len(record) > len(header) and not record[-1].strip():
            record = record[:-1]
        if len(record) > len(header) and order[-1] == len(header) - 1:
            counts["names with an unquoted comma"] += 1
            repairs.append((where, "row", "its name has an unquoted comma"))
            record = [*record[: len(header) - 1], ",".join(record[len(header) - 1 :])]
        if len(record) != len(header):
            counts["malformed rows"] += 1
            faults.append((where, "row", f"{len(record)} fields instead of {len(header)}"))
            continue
        values = [record[position].strip() for position in order]
        product = sources.whole_number(values[0])
        if product is None:
            counts["malformed rows"] += 1
            faults.append((where, "row", f"the id {values[0]!r} is not a whole number"))
        elif product in seen:
            counts["duplicate ids"] += 1
            faults.append((where, f"product {values[0]}", "an earlier row has the same id"))
        else:
            seen.add(product)
            rows.append((product, *values[1:], number))
    if not rows:
        raise CatalogError(f"{source.path}: styles.csv holds no product; the catalogue is empty.")
    return rows, faults, counts


def _without_empty_end(header: list[str], repairs: Repairs) -> list[str]:
    """Column names without the empty ones that a spreadsheet adds at the end."""
    n_named = max((place for place, name in enumerate(header, start=1) if name), default=0)
    if n_named < len(header):
        what = f"{len(header) - n_named} columns without a name"
        repairs.append(("styles.csv", "file", f"{what} at the end are dropped"))
    return header[:n_named]


def _years(products: pd.DataFrame) -> tuple[pd.Series, list[tuple]]:
    """Years as plain digits where they are whole numbers, and what is no year."""
    numbers = [sources.whole_number(text) if isinstance(text, str) else None
               for text in products["year"]]  # fmt: skip
    texts = [text if number is None else str(number)
             for text, number in zip(products["year"], numbers, strict=True)]  # fmt: skip
    years = pd.Series(texts, index=products.index, dtype="str")
    odd = products[years.notna() & ~_is_year(years)]
    return years, [
        (f"styles.csv row {entry.row}", f"year of product {entry.id}", f"{entry.year!r} is no year")
        for entry in odd.itertuples()
    ]


def _is_year(years: pd.Series) -> pd.Series:
    return years.str.fullmatch("[0-9]{1,4}").fillna(False).astype(bool)


def _odd_counts(repairs: Repairs, odd_years: list[tuple]) -> dict[str, int]:
    """What is counted only where it occurs."""
    found = {
        "years that are no year": len(odd_years),
        "photos read although damaged": sum(where.startswith("images/") for where, _, _ in repairs),
        "rows in another encoding": sum("Windows-1252" in reason for _, _, reason in repairs),
        "repairs to the table": sum(what == "file" for _, what, _ in repairs),
    }
    return {what: count for what, count in found.items() if count}


def _require_columns(header: list[str], path: Path) -> None:
    for column in COLUMNS:
        if header.count(column) == 1:
            continue
        what = "has" if column in header else "lacks"
        which = f"{column!r} twice" if column in header else repr(column)
        found = ", ".join(name for name in header if name.isprintable())[:200] or "none"
        raise CatalogError(
            f"{path}: styles.csv {what} the column {which} (it has: {found}); take the data "
            "set's own styles.csv."
        )


def _scan_photos(source: sources.Source, cache_dir: Path | None) -> pd.DataFrame:
    """Look into every photo once: hash, size, mode, or what is wrong with it."""
    cache = cache_dir and cache_dir / f"photos-{SCAN_VERSION}-{source.fingerprint()}.parquet"
    if cache and cache.exists():
        with contextlib.suppress(OSError, ValueError, KeyError):  # a damaged one is made again
            return pd.read_parquet(cache)[list(SCANNED)]
    names = source.image_names()

    def scan(name: str) -> tuple:
        try:
            data = source.read(name)
            found = images.examine(data, name, for_size=SCAN_SIZE)
        except ImageError as error:
            return name, None, None, None, None, str(error), None
        return name, sha256_of(data), *found.size, found.mode, None, found.repair

    with ThreadPoolExecutor(usable_cores()) as pool:
        found = tqdm(pool.map(scan, names), total=len(names), desc="checking photos", leave=False)
        photos = pd.DataFrame(found, columns=SCANNED)
    if cache:
        with whole_file(cache, CatalogError) as partial:
            photos.to_parquet(partial)
    return photos


def _describe(kept: pd.DataFrame) -> dict[str, int]:
    copies = identical_groups(kept)
    is_odd = (kept["width"] != CATALOG_SIZE[0]) | (kept["height"] != CATALOG_SIZE[1])
    return {
        "products kept": len(kept),
        "photos of another size than 60x80": int(is_odd.sum()),
        "photos that are not RGB": int((kept["mode"] != "RGB").sum()),
        "identical photos": len(copies),
        "groups of identical photos": int(copies["image_sha256"].nunique()),
        **{
            f"missing values in {column}": int(kept[column].isna().sum())
            for column in COLUMNS
            if kept[column].isna().any()
        },
    }
