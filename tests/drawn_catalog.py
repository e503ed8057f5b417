"""Draws a small catalogue for the tests, in Kaggle's layout, and packs it."""

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow
from PIL import Image, ImageDraw
from pyarrow import parquet

from fashion_rir.data.catalog import COLUMNS

# Four shirts, four watches, three casual shoes and one scarf.
ARTICLE_TYPES = ("Shirts",) * 4 + ("Watches",) * 4 + ("Casual Shoes",) * 3 + ("Scarves",)
PARENTS = {
    "Shirts": ("Apparel", "Topwear"),
    "Watches": ("Accessories", "Watches"),
    "Casual Shoes": ("Footwear", "Shoes"),
    "Scarves": ("Accessories", "Scarves"),
}


def product_row(product_id: int, article_type: str = "Shirts") -> list[str]:
    """The ten fields of one product, in the order of `COLUMNS`."""
    category, sub_category = PARENTS[article_type]
    name = f"Anna {article_type} {product_id}"
    labels = ["Women", category, sub_category, article_type, "Blue", "Summer", "2011", "Casual"]
    return [str(product_id), *labels, name]


def photo(number: int, *, size: tuple[int, int] = (60, 80), mode: str = "RGB") -> bytes:
    """A JPEG of a shape whose place and colour depend on `number`."""
    image = Image.new("RGB", size, "white")
    colour = (number * 53 % 256, number * 97 % 256, number * 29 % 256)
    ImageDraw.Draw(image).ellipse((number, 10, number + 40, 20 + 4 * number), fill=colour)
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def write_styles(folder: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = COLUMNS):
    """Write `styles.csv` with the usual quoting."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "styles.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_catalog(folder: Path, rows: Sequence[Sequence[str]], photos: Sequence[bytes]) -> Path:
    """Kaggle's layout: `styles.csv` beside `images/<id>.jpg`; returns the folder."""
    write_styles(folder, rows)
    (folder / "images").mkdir()
    for row, data in zip(rows, photos, strict=True):
        (folder / "images" / f"{row[0]}.jpg").write_bytes(data)
    return folder


def zip_folder(folder: Path, path: Path) -> Path:
    """Pack a folder's content as Kaggle does: paths relative to the folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def parquet_of(folder: Path, path: Path, *, row_group_size: int = 5) -> Path:
    """The same catalogue as the Hub mirror keeps it: `image` as a struct, `year` as a float."""
    with open(folder / "styles.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    table = {column: [row[column] or None for row in rows] for column in COLUMNS}
    table["id"] = [int(row["id"]) for row in rows]
    table["year"] = [float(row["year"]) if row["year"] else None for row in rows]
    files = [folder / "images" / f"{row['id']}.jpg" for row in rows]
    table["image"] = [
        {"bytes": file.read_bytes(), "path": file.name} if file.exists() else None for file in files
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(table), path, row_group_size=row_group_size)
    return path
