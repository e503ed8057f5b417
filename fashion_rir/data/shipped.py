"""The two catalogues that travel with the project.

The phone photos: 1,000 real garments with their pictures. The table: all products of the real
catalogue with what was found in each photo, but without the photos. Its rows are those of the
archive's `styles.csv`, so both are read by the same rules and have the same `data_hash`.
"""

import csv
import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow
from pyarrow import parquet

from fashion_rir.data import catalog, shipped_files
from fashion_rir.data.csv_rows import Repairs
from fashion_rir.data.sources import WHERE_TO_GET_IT
from fashion_rir.errors import ImageError

PHONE_PHOTOS = "phone-photos-160px.zip"

PHONE_GROUPS = "phone-groups.json"

PHONE_LABELS = "labels.csv"  # inside the photos' archive

TABLE = "catalogue.parquet"

FOUND = ("image_sha256", "width", "height", "mode")  # in each photo


def phone_photos(cache_dir: Path | None = None) -> catalog.Catalog:
    """The 1,000 phone photos, with columns beside the catalogue's own ten.

    Args:
        cache_dir: see `catalog.load`.

    Returns:
        Products with `source_file` and `source_class` (what the source calls photo and garment),
        `pattern` (such as `plain` or `striped`) and `is_long_sleeved`. Gender, season, year and
        usage are unknown.

    Raises:
        ShippedError: see `shipped_files.path`.
    """
    path = shipped_files.path(PHONE_PHOTOS)
    photos = catalog.load(path, cache_dir)
    with zipfile.ZipFile(path) as archive:
        text = archive.read(PHONE_LABELS).decode("utf-8")
    extra = pd.DataFrame(csv.DictReader(io.StringIO(text)))
    extra["id"] = extra["id"].astype("int64")
    extra["is_long_sleeved"] = extra["is_long_sleeved"] == "1"
    products = photos.products.merge(extra, on="id", how="left", validate="one_to_one")
    return replace(photos, products=products)


def phone_groups() -> dict[str, list[str]]:
    """For each `source_class` of the phone photos, the articleTypes that count as the same.

    Raises:
        ShippedError: see `shipped_files.path`.
    """
    return json.loads(shipped_files.path(PHONE_GROUPS).read_text(encoding="utf-8"))


def table() -> catalog.Catalog:
    """The real catalogue without its photos: labels, splits and counts as from the archive.

    Raises:
        ShippedError: see `shipped_files.path`.
    """
    source = TableSource(shipped_files.path(TABLE))
    return catalog.from_source(source, source.photos)


class TableSource:
    """The rows of a catalogue's `styles.csv` and what was found in its photos, as Parquet."""

    ignored_copies = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repairs: Repairs = []

    def rows(self) -> Iterator[list[str]]:
        columns = list(catalog.COLUMNS)
        yield columns
        rows = parquet.read_table(self.path, columns=columns).to_pydict()
        for row in zip(*(rows[column] for column in columns), strict=True):
            yield list(map(str, row))

    def photos(self) -> pd.DataFrame:
        """What was found in the photos, as `catalog.from_source` takes it."""
        rows = parquet.read_table(self.path, columns=["id", *FOUND]).to_pylist()
        photos = [
            (f"{row['id']}.jpg", row["image_sha256"].hex(), row["width"], row["height"],
             row["mode"], None, None)
            for row in rows
            if row["mode"] is not None
        ]  # fmt: skip
        return pd.DataFrame(photos, columns=catalog.SCANNED)

    def image_names(self) -> list[str]:
        return []

    def read(self, image_name: str) -> bytes:
        raise ImageError(
            f"The shipped table comes without photos, so there is no {image_name}; for the photos "
            f"{WHERE_TO_GET_IT}."
        )

    def fingerprint(self) -> str:
        return str(shipped_files.manifest()[self.path.name]["sha256"])[:16]


def write_table(found: catalog.Catalog, rows: list[list[str]], path: Path) -> None:
    """Write a catalogue without its photos, for `TableSource`.

    Args:
        found: the catalogue.
        rows: of its `styles.csv`, without the header: ten fields each, in the order of `COLUMNS`.
        path: the Parquet file.
    """
    columns = dict(zip(catalog.COLUMNS, zip(*rows, strict=True), strict=True))
    ids = [int(text) for text in columns.pop("id")]
    photos = found.products.set_index("id").reindex(ids)
    hashes = [None if pd.isna(text) else bytes.fromhex(text) for text in photos["image_sha256"]]
    sizes = {side: pyarrow.array(photos[side].astype("Int64"), pyarrow.uint16())
             for side in ("width", "height")}  # fmt: skip
    arrays = {
        "id": pyarrow.array(ids, pyarrow.int32()),
        **{name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items()},
        "image_sha256": pyarrow.array(hashes, pyarrow.binary(32)),
        **sizes,
        "mode": pyarrow.array(photos["mode"], pyarrow.string(), from_pandas=True),
    }
    plain = ("image_sha256", "productDisplayName")  # hardly a value twice: no dictionary
    parquet.write_table(pyarrow.table(arrays), path, compression="zstd", compression_level=19,
                        use_dictionary=[name for name in arrays if name not in plain])  # fmt: skip


def in_place_of_table(real: catalog.Catalog) -> catalog.Catalog:
    """The real catalogue from its archive, which says in its counts where the table differs.

    Args:
        real: from the archive. Nothing of the table is mixed into it.

    Raises:
        ShippedError: see `shipped_files.path`.
    """
    found = differences(real, table())
    if found:
        said = "; ".join(f"{count:,} {what}" for what, count in found.items())
        warnings.warn(
            f"The catalogue {real.source.path} takes the place of the shipped table, and differs "
            f"from it: {said}. What was shipped about a product that differs is not used.",
            stacklevel=2,
        )
    return replace(real, counts=real.counts | found)


def differences(real: catalog.Catalog, shipped: catalog.Catalog) -> Mapping[str, int]:
    """In what the real catalogue at hand differs from the shipped table.

    Args:
        real: from the archive.
        shipped: from `table`.

    Returns:
        How many products differ, by what; nothing where none do. In order: products that only one
        of the two has, and of those that both have, another photo, or another value of a column.
    """
    here, there = (one.products.set_index("id") for one in (real, shipped))
    both = here.index.intersection(there.index)
    found = {
        "products that the shipped table lacks": len(here) - len(both),
        "products of the shipped table that are not here": len(there) - len(both),
    }
    here, there = here.loc[both], there.loc[both]
    for column in ("image_sha256", *catalog.COLUMNS[1:]):
        is_same = (here[column] == there[column]) | (here[column].isna() & there[column].isna())
        what = "photo" if column == "image_sha256" else column
        found[f"products whose {what} is another in the shipped table"] = int(
            (~is_same.fillna(False).astype(bool)).sum()
        )
    return {what: count for what, count in found.items() if count}
