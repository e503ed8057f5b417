"""A catalogue of one's own: a folder of photos, alone or with a table of any columns.

It ends as the data set does, as a `Catalog`: what a column means is said by `own_columns`, and
what is no label of the data set is kept under its own name, to filter by. A photo's name holds a
part of its hash: one that has changed is another photo, and is embedded again.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from fashion_rir.data import own_columns, own_photos
from fashion_rir.data.catalog import COLUMNS, MISSING, SHOWN_ID, Catalog
from fashion_rir.data.csv_rows import Repairs
from fashion_rir.data.own_columns import KEPT_AS, Columns
from fashion_rir.data.own_photos import PhotoNames
from fashion_rir.data.own_table import OwnTable
from fashion_rir.errors import CatalogError, ImageError
from fashion_rir.system import whole_file, write_text

SCHEMA_VERSION = 1

FOLDER = "folder"  # the filter of photos without a table that lie in folders

# What is kept of a product beside its own columns, and what a page calls the labels.
TAKEN = (*COLUMNS, SHOWN_ID, "image_name", "image_sha256", "width", "height", "mode",
         "photo_bytes", "rank", "measure", "distance", "type", "colour")  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """What is to be indexed, known before any photo is looked into.

    Attributes:
        folder: of the photos.
        products: one row a product: the columns of a catalogue but those of its photo, and
            `photo`, its path in the folder.
        counts: what was found and left out.
        left_out: where, what and why.
        repaired: the same for what was read although something was wrong with it.
    """

    folder: Path
    products: pd.DataFrame
    counts: dict[str, int]
    left_out: Repairs
    repaired: Repairs


class OwnPhotos:
    """The photos of an indexed folder: as much of `sources.Source` as a loaded catalogue needs."""

    ignored_copies = 0

    def __init__(self, folder: Path, image_names: pd.Series) -> None:
        self.path = folder
        self.repairs: Repairs = []
        self._places = {name: folder / name.rpartition("#")[0] for name in image_names}

    def rows(self) -> Iterator[list[str]]:
        """Nothing: the table was read when the catalogue was indexed."""
        return iter(())

    def image_names(self) -> list[str]:
        """All of them, sorted."""
        return sorted(self._places)

    def read(self, image_name: str) -> bytes:
        """The bytes of one photo.

        Raises:
            ImageError: it is no longer there, or cannot be read.
        """
        if image_name not in self._places:
            raise ImageError(f"There is no photo {image_name} in this catalogue of {self.path}.")
        try:
            return self._places[image_name].read_bytes()
        except OSError as error:
            raise ImageError(
                f"{self._places[image_name]} cannot be read ({error.strerror}); if it is gone, "
                "run `fashion-rir index` again."
            ) from error


def list_photos(folder: Path, photos: PhotoNames) -> Listing:
    """Products of photos alone: the path without its ending is the id."""
    stems = [str(PurePosixPath(path).with_suffix("")) for path in photos.paths]
    times = Counter(stems)
    ids = [stem if times[stem] == 1 else path
           for path, stem in zip(photos.paths, stems, strict=True)]  # fmt: skip
    products = _empty(ids).assign(photo=photos.paths)
    tops = [PurePosixPath(path).parts[0] if "/" in path else None for path in photos.paths]
    if len(set(tops)) > 1:
        products[FOLDER] = pd.Series(tops, dtype="str")
    return Listing(folder, products, {"photos in the folder": len(photos.paths)}, [], [])


def list_table(folder: Path, photos: PhotoNames, table: OwnTable, columns: Columns) -> Listing:
    """Products of a table that have a photo; what does not fit together is counted and listed.

    Args:
        folder: of the photos.
        photos: that are there.
        table: of the products.
        columns: checked by `own_columns.check`.

    Raises:
        CatalogError: not one row has a photo.
    """
    faults, kept, seen = list(table.faults), [], {}
    counts = {"rows in the table": len(table.rows) + len(table.faults),
              "rows of another length": len(table.faults), "rows without an id": 0,
              "ids that repeat": 0, "rows without a photo": 0,
              "rows that fit several photos": 0}  # fmt: skip

    def leave_out(row: int, what: str, reason: str, count: str) -> None:
        faults.append((f"{table.path.name} row {table.numbers[row]}", what, reason))
        counts[count] += 1

    ids = table.column(columns.id)
    for row, text in enumerate(table.column(columns.photo or columns.id)):
        named = photos.all(text)
        if not ids[row]:
            leave_out(row, "row", f"{columns.id} is empty", "rows without an id")
        elif ids[row] in seen:
            reason = f"row {table.numbers[seen[ids[row]]]} has the same id"
            leave_out(row, f"product {ids[row]}", reason, "ids that repeat")
        elif not named:
            reason = f"no photo {text!r} in the folder" if text else "no photo is named"
            leave_out(row, f"product {ids[row]}", reason, "rows without a photo")
        elif len(named) > 1:
            reason = f"{text!r} could be {named[0]} or {named[1]}; write the path"
            leave_out(row, f"product {ids[row]}", reason, "rows that fit several photos")
        else:
            kept.append((row, named[0]))
        seen.setdefault(ids[row], row)
    if not kept:
        raise _nothing_fits(photos, table, columns)
    products = _filled(_empty([ids[row] for row, _ in kept]), table, columns,
                       [row for row, _ in kept])  # fmt: skip
    products["photo"] = [path for _, path in kept]
    unused = sorted(set(photos.paths) - set(products["photo"]))
    faults += [(path, "photo", f"no row in {table.path.name}") for path in unused]
    counts |= {"photos without a row": len(unused)}
    return Listing(folder, products, counts, faults, list(table.repairs))


def look_into(listing: Listing, cache: Path) -> Catalog:
    """The catalogue of a listing: every photo is looked into; those that cannot be read are left
    out, counted and listed.

    Args:
        listing: from `list_photos` or `list_table`.
        cache: where the result is kept, see `own_photos.scan`.

    Raises:
        CatalogError: no photo can be read.
    """
    paths = list(dict.fromkeys(listing.products["photo"]))
    photos = own_photos.scan(listing.folder, paths, cache)
    table = listing.products.merge(photos, on="photo", how="left")
    is_bad = table["fault"].notna()
    kept = table[~is_bad].reset_index(drop=True)
    if kept.empty:
        raise CatalogError(
            f"None of the {len(paths)} photos in {listing.folder} can be read (first: "
            f"{table['fault'].iloc[0]})."
        )
    left_out = listing.left_out + [(row.photo, f"product {getattr(row, SHOWN_ID)}", row.fault)
                                   for row in table[is_bad].itertuples()]  # fmt: skip
    repaired = listing.repaired + [
        (row.photo, f"product {getattr(row, SHOWN_ID)}", f"read although {row.repair}")
        for row in kept[kept["repair"].notna()].itertuples()
    ]
    kept["image_name"] = kept["photo"] + "#" + kept["image_sha256"].str[:12]
    sizes = {name: kept[name].astype("int64") for name in ("width", "height")}
    dropped = ["photo", "bytes", "changed", "fault", "repair"]
    products = kept.assign(**sizes, id=range(1, len(kept) + 1)).drop(columns=dropped)
    counts = listing.counts | {"photos that cannot be read": int(is_bad.sum()),
                               "photos read although damaged": int(kept["repair"].notna().sum()),
                               "products": len(products)}  # fmt: skip
    named = ("where", "what", "reason")
    return Catalog(products, OwnPhotos(listing.folder, products["image_name"]),
                   products[list(COLUMNS)], counts, pd.DataFrame(left_out, columns=named),
                   pd.DataFrame(repaired, columns=named))  # fmt: skip


def save(catalog: Catalog, home: Path, parameters: dict[str, object]) -> None:
    """Keep a catalogue, so that `load` opens it in a moment.

    Args:
        catalog: from `look_into`.
        home: the folder where it is kept.
        parameters: of the notebooks on it: the model that embedded it, among others.

    Raises:
        CatalogError: the folder cannot be written.
    """
    about = {"schema": SCHEMA_VERSION, "folder": str(catalog.source.path.resolve()),
             "parameters": parameters}  # fmt: skip
    with whole_file(home / "left-out.csv", CatalogError) as partial:
        catalog.left_out.to_csv(partial, index=False)
    with whole_file(home / "products.parquet", CatalogError) as partial:
        catalog.products.to_parquet(partial)
    write_text(home / "catalogue.json", json.dumps(about, indent=1), CatalogError)


def load(home: Path) -> Catalog:
    """A catalogue that was indexed.

    Raises:
        CatalogError: there is none, or it is damaged.
    """
    try:
        products = pd.read_parquet(home / "products.parquet")
        source = OwnPhotos(Path(_about(home)["folder"]), products["image_name"])
        return Catalog(products, source, products[list(COLUMNS)], {"products": len(products)})
    except (OSError, ValueError, KeyError) as error:
        raise _broken(home, error) from error


def parameters(home: Path) -> dict[str, object]:
    """What `save` was told of the notebooks' parameters.

    Raises:
        CatalogError: there is no such catalogue, or it is damaged.
    """
    try:
        return dict(_about(home)["parameters"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(home, error) from error


def _about(home: Path) -> dict:
    about = json.loads((home / "catalogue.json").read_text(encoding="utf-8"))
    if about["schema"] != SCHEMA_VERSION:
        raise ValueError("another version")
    return about


def _broken(home: Path, error: Exception) -> CatalogError:
    return CatalogError(
        f"There is no whole catalogue in {home} ({type(error).__name__}); run `fashion-rir index` "
        "on its folder again."
    )


def _empty(ids: list[str]) -> pd.DataFrame:
    """Products of which only the ids are known."""
    products = pd.DataFrame({column: pd.Series([None] * len(ids), dtype="str")
                             for column in COLUMNS})  # fmt: skip
    texts = pd.Series(ids, dtype="str")
    years = pd.Series([None] * len(ids), dtype="Int64")
    return products.assign(id=0, year=years, productDisplayName=texts, **{SHOWN_ID: texts})


def _filled(
    products: pd.DataFrame, table: OwnTable, columns: Columns, rows: list[int]
) -> pd.DataFrame:
    """The products with what the table says of them."""
    for role, column in columns.mapped():
        if role in ("id", "photo"):
            continue
        texts = table.column(column)
        values = pd.Series([texts[row] for row in rows], dtype="str")
        values = values.mask(values.isin(MISSING), None)
        if role == "name":
            values = values.fillna(products["productDisplayName"])
        products[KEPT_AS.get(role) or own_name(column)] = values
    return products


def own_name(column: str) -> str:
    """What a further column is called among the data set's own.

    Example:
        >>> own_name("brand"), own_name("width")
        ('brand', 'width (table)')
    """
    return f"{column} (table)" if column in TAKEN else column


def _nothing_fits(photos: PhotoNames, table: OwnTable, columns: Columns) -> CatalogError:
    column = columns.photo or columns.id
    texts = [text for text in table.column(column) if text]
    return CatalogError(
        f"Not one of the {len(table.rows)} rows of {table.path.name} has a photo: its column "
        f"{column!r} says {texts[0] if texts else 'nothing'!r}, the folder holds "
        f"{photos.paths[0]!r}; name the column with the photos' names as `photo`."
    )


def columns_of(
    table: OwnTable, photos: PhotoNames, path: Path, *, is_given: bool
) -> tuple[Columns, bool]:
    """What the columns of a table are: as written down, or drafted and written down now.

    Args:
        table: of the products.
        photos: that are there.
        path: of the YAML.
        is_given: whether a reader named the file; a draft is never written over it.

    Returns:
        The columns, checked, and whether they are a new draft.

    Raises:
        CatalogError, ParameterError: see `own_columns.read` and `own_columns.check`.
    """
    is_new = not is_given and not path.exists()
    columns = own_columns.draft(table, photos) if is_new else own_columns.read(path)
    if is_new:
        own_columns.write(columns, table, path)
    own_columns.check(columns, table, str(path))
    return columns, is_new
