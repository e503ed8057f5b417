"""The forms in which the data set comes: archive, folder, Parquet.

Each source yields the rows of `styles.csv` and the bytes of a photo by its name, without
unpacking anything to disk. An archive is not trusted: see `MAX_ENTRY_BYTES` and
`MAX_ARCHIVE_BYTES`.
"""

import csv
import hashlib
import io
import lzma
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

from pyarrow import parquet

from fashion_rir.errors import CatalogError, ImageError

MAX_ENTRY_BYTES = 64 * 2**20  # one photo of the large edition has about 1 MiB
MAX_ARCHIVE_BYTES = 64 * 2**30  # the large edition unpacks to about 25 GiB
# What the standard library raises for an entry that is damaged, encrypted or oddly packed.
ENTRY_FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, OSError,
                ValueError)  # fmt: skip
WHERE_TO_GET_IT = (
    "download 'Fashion Product Images (Small)' from Kaggle and name the file in "
    "FASHION_RIR_ARCHIVE, or run `fashion-rir data fetch`"
)


class Source(Protocol):
    """What a catalogue is read from."""

    path: Path
    ignored_copies: int  # photos met a second time under another folder, not read

    def rows(self) -> Iterator[list[str]]:
        """The fields of each row of styles.csv, the header first."""

    def image_names(self) -> list[str]:
        """The photos' file names, such as `15970.jpg`, in the order that is quickest to read."""

    def read(self, image_name: str) -> bytes:
        """The bytes of one photo.

        Raises:
            ImageError: it is not there, or its container is damaged.
        """

    def fingerprint(self) -> str:
        """Changes when the files change (by their sizes and times, not their content)."""


def open_source(path: Path) -> Source:
    """The source at a path, recognised by what it is.

    Raises:
        CatalogError: nothing is there, or it is none of the known forms.
    """
    if not path.exists():
        raise CatalogError(f"There is no catalogue at {path}; {WHERE_TO_GET_IT}.")
    if path.is_dir():
        if any(path.glob("**/*.parquet")) and not any(path.glob("**/styles.csv")):
            return ParquetSource(path)
        return FolderSource(path)
    if path.suffix.lower() == ".parquet":
        return ParquetSource(path)
    return ArchiveSource(path)


class ArchiveSource:
    """Kaggle's zip archive, read in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except ENTRY_FAULTS as error:
            raise CatalogError(
                f"{path} is not a whole zip archive (a broken download?); fetch it again."
            ) from error
        self._lock = threading.Lock()
        entries = [e for e in self._archive.infolist() if not e.filename.endswith("/")]
        _refuse_hostile(path, entries)
        folder = _shallowest_folder([entry.filename for entry in entries], path)
        self._table = str(folder / "styles.csv")
        photos = [entry for entry in entries if entry.filename.endswith(".jpg")]
        self._photos = {
            PurePosixPath(entry.filename).name: entry
            for entry in photos
            if PurePosixPath(entry.filename).parent == folder / "images"
        }
        self.ignored_copies = len(photos) - len(self._photos)

    def rows(self) -> Iterator[list[str]]:
        try:
            data = self._archive.read(self._table)
        except ENTRY_FAULTS as error:
            raise CatalogError(
                f"{self.path}: {self._table} cannot be unpacked ({error}); fetch the archive again."
            ) from error
        yield from _csv_rows(data, self.path)

    def image_names(self) -> list[str]:
        return sorted(self._photos)

    def read(self, image_name: str) -> bytes:
        try:
            with self._lock:
                return self._archive.read(self._photos[image_name])
        except KeyError as error:
            raise _no_photo(image_name, self.path) from error
        except ENTRY_FAULTS as error:
            raise ImageError(
                f"{image_name} cannot be unpacked from {self.path} ({error}); fetch it again."
            ) from error

    def fingerprint(self) -> str:
        return _fingerprint([self.path])


class FolderSource:
    """The extracted archive: `styles.csv` beside `images/`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        tables = [file.relative_to(path).as_posix() for file in path.glob("**/styles.csv")]
        folder = path / _shallowest_folder(tables, path)
        self._table = folder / "styles.csv"
        self._images = folder / "images"
        self._names = sorted(photo.name for photo in self._images.glob("*.jpg"))
        self.ignored_copies = sum(photo.parent != self._images for photo in path.glob("**/*.jpg"))

    def rows(self) -> Iterator[list[str]]:
        try:
            data = self._table.read_bytes()
        except OSError as error:
            raise CatalogError(f"Cannot read {self._table}: {error.strerror}.") from error
        yield from _csv_rows(data, self._table)

    def image_names(self) -> list[str]:
        return self._names

    def read(self, image_name: str) -> bytes:
        try:
            return (self._images / image_name).read_bytes()
        except FileNotFoundError as error:
            raise _no_photo(image_name, self.path) from error
        except OSError as error:
            raise ImageError(
                f"{image_name} in {self._images} cannot be read: {error.strerror}."
            ) from error

    def fingerprint(self) -> str:
        return _fingerprint([self._table, *(self._images / name for name in self._names)])


class ParquetSource:
    """The Hub mirror's Parquet: the nine text columns, and `image` as {bytes, path}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ignored_copies = 0
        self._files = sorted(path.glob("**/*.parquet")) if path.is_dir() else [path]
        self._lock = threading.Lock()
        self._group: tuple[tuple[int, int], list] | None = None  # the one row group in memory
        self._place: dict[str, tuple[int, int, int]] = {}
        try:
            for number, file in enumerate(self._files):
                reader = parquet.ParquetFile(file)
                reader.schema_arrow.field("image").type.field("bytes")
                for group in range(reader.num_row_groups):
                    ids = reader.read_row_group(group, columns=["id"])["id"].to_pylist()
                    for row, product in enumerate(ids):
                        self._place.setdefault(f"{_as_text(product)}.jpg", (number, group, row))
        except Exception as error:  # pyarrow raises several types for a damaged file
            raise _broken_parquet(file, error) from error

    def rows(self) -> Iterator[list[str]]:
        names = parquet.ParquetFile(self._files[0]).schema_arrow.names
        columns = [name for name in names if name != "image"]
        yield columns
        for file in self._files:
            try:
                table = parquet.ParquetFile(file).read(columns=columns).to_pydict()
                values = [table[column] for column in columns]
            except Exception as error:
                raise _broken_parquet(file, error) from error
            for row in zip(*values, strict=True):
                yield ["" if value is None else _as_text(value) for value in row]

    def image_names(self) -> list[str]:
        return list(self._place)

    def read(self, image_name: str) -> bytes:
        if image_name not in self._place:
            raise _no_photo(image_name, self.path)
        number, group, row = self._place[image_name]
        try:
            with self._lock:
                if self._group is None or self._group[0] != (number, group):
                    reader = parquet.ParquetFile(self._files[number])
                    photos = reader.read_row_group(group, ["image"])["image"].to_pylist()
                    self._group = ((number, group), photos)
                image = self._group[1][row]
        except Exception as error:
            raise ImageError(
                f"{image_name} cannot be read from {self._files[number]} "
                f"({type(error).__name__}); fetch the file again."
            ) from error
        return (image or {}).get("bytes") or b""

    def fingerprint(self) -> str:
        return _fingerprint(self._files)


def _refuse_hostile(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        name = entry.filename
        place = PureWindowsPath(name)  # knows both kinds of slash, and drives
        if place.anchor or ".." in place.parts:
            raise CatalogError(f"{path}: the entry {name!r} would leave its folder; refused.")
        if entry.file_size > MAX_ENTRY_BYTES:
            raise CatalogError(
                f"{path}: the entry {name!r} unpacks to {entry.file_size:,} bytes; the limit is "
                f"{MAX_ENTRY_BYTES:,}. Refused."
            )
    total = sum(entry.file_size for entry in entries)
    if total > MAX_ARCHIVE_BYTES:
        raise CatalogError(
            f"{path} unpacks to {total:,} bytes; the limit is {MAX_ARCHIVE_BYTES:,}. Refused."
        )


def _shallowest_folder(names: list[str], path: Path) -> PurePosixPath:
    """The folder that holds styles.csv; the least nested one where there are several."""
    tables = [PurePosixPath(name) for name in names if PurePosixPath(name).name == "styles.csv"]
    if not tables:
        raise CatalogError(
            f"{path} has no styles.csv; name the folder or archive that holds styles.csv and "
            f"images/ ({WHERE_TO_GET_IT})."
        )
    return min(tables, key=lambda table: (len(table.parts), str(table))).parent


def _no_photo(image_name: str, path: Path) -> ImageError:
    return ImageError(f"There is no photo {image_name} in {path}; take a name from its catalogue.")


def _broken_parquet(file: Path, error: Exception) -> CatalogError:
    return CatalogError(
        f"{file} cannot be read as the data set's Parquet ({type(error).__name__}: damaged, or "
        "without the columns 'id' and 'image' {bytes, path}); fetch it again."
    )


def _csv_rows(data: bytes, path: Path) -> Iterator[list[str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise CatalogError(
            f"{path}: row {row} of styles.csv is not UTF-8; save the file as UTF-8."
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise CatalogError(
            f"{path}: styles.csv cannot be read as CSV at line {reader.line_num} ({error}); mend "
            "the quotes there."
        ) from error


def _as_text(value: object) -> str:
    """Parquet keeps `year` as a float: 2011.0 is the year 2011."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        try:
            status = os.stat(file)
            digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError:  # a link to nothing: a photo that is not there
            digest.update(f"{file.name} is not there\n".encode())
    return digest.hexdigest()[:16]
