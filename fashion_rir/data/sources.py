"""The forms in which the data set comes: archive, folder, Parquet.

Each source yields the rows of `styles.csv` and the bytes of a photo by its name, without
unpacking anything to disk. An archive is not trusted: see `MAX_ENTRY_BYTES` and
`MAX_ARCHIVE_BYTES`.
"""

import lzma
import os
import re
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

from pyarrow import parquet

from fashion_rir.data.csv_rows import Repairs, read_rows
from fashion_rir.errors import CatalogError, ImageError
from fashion_rir.system import sha256_of

MAX_ENTRY_BYTES = 64 * 2**20  # one photo of the large edition has about 1 MiB

MAX_ARCHIVE_BYTES = 64 * 2**30  # the large edition unpacks to about 25 GiB

# Endings of photos, the one that is taken first where a product has several.
PHOTO_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".avif",
                 ".tif", ".tiff", ".bmp", ".gif")  # fmt: skip

NO_PHOTOS = ("__MACOSX", "._")  # macOS' own notes in an archive and on a stick, not photos

# What the standard library raises for an entry that is damaged, encrypted or oddly packed.
ENTRY_FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, OSError,
                ValueError)  # fmt: skip

MAX_DIGITS = 18  # fit into an int64

TABLE = "styles.csv"

UNPACK_IT = "unpack it by another program and name the folder"

WHERE_TO_GET_IT = (
    "download 'Fashion Product Images (Small)' from Kaggle and name the file in "
    "FASHION_RIR_ARCHIVE, or run `fashion-rir data fetch`"
)


class Source(Protocol):
    """What a catalogue is read from."""

    path: Path
    ignored_copies: int  # photos met a second time under another folder or ending, not read
    repairs: Repairs  # where, what, why: what `rows` had to mend; there once it has been read

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
    if path.name.casefold() == TABLE:
        path = path.parent
    if path.is_dir():
        files = files_in(path)
        parquets = [name for name in files if name.lower().endswith(".parquet")]
        if parquets and not any(PurePosixPath(name).name.casefold() == TABLE for name in files):
            return ParquetSource(path, [path / name for name in parquets])
        return FolderSource(path, files)
    if path.suffix.lower() == ".parquet":
        return ParquetSource(path, [path])
    return ArchiveSource(path)


class ArchiveSource:
    """Kaggle's zip archive, read in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repairs: Repairs = []
        try:
            self._archive = zipfile.ZipFile(path)
        except ENTRY_FAULTS as error:
            raise CatalogError(
                f"{path} is not a whole zip archive (a broken download?); fetch it again, or name "
                "the folder that another archive unpacks to."
            ) from error
        self._lock = threading.Lock()
        # Some programs write `a//b`, `./a` or a backslash; of two equal names the last one counts.
        entries = {_plain(entry.filename): entry for entry in self._archive.infolist()
                   if not entry.filename.endswith(("/", "\\"))}  # fmt: skip
        _refuse_hostile(path, self._archive.infolist())
        table, photos, self.ignored_copies = _laid_out(entries, path)
        self._table = entries[table]
        self._photos = {name: entries[place] for name, place in photos.items()}

    def rows(self) -> Iterator[list[str]]:
        try:
            data = self._archive.read(self._table)
        except ENTRY_FAULTS as error:
            raise CatalogError(
                f"{self.path}: {self._table.filename} cannot be unpacked ({error}); fetch the "
                f"archive again, or {UNPACK_IT}."
            ) from error
        yield from _csv_rows(data, self.path, self.repairs)

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
                f"{image_name} cannot be unpacked from {self.path} ({error}); fetch it again, or "
                f"{UNPACK_IT}."
            ) from error

    def fingerprint(self) -> str:
        return _fingerprint([self.path])


class FolderSource:
    """The extracted archive: `styles.csv` beside `images/`."""

    def __init__(self, path: Path, files: list[str] | None = None) -> None:
        self.path = path
        self.repairs: Repairs = []
        table, photos, self.ignored_copies = _laid_out(files or files_in(path), path)
        self._table = path / table
        self._photos = {name: path / place for name, place in photos.items()}

    def rows(self) -> Iterator[list[str]]:
        try:
            data = self._table.read_bytes()
        except OSError as error:
            raise CatalogError(f"Cannot read {self._table}: {error.strerror}.") from error
        yield from _csv_rows(data, self._table, self.repairs)

    def image_names(self) -> list[str]:
        return sorted(self._photos)

    def read(self, image_name: str) -> bytes:
        try:
            return self._photos[image_name].read_bytes()
        except (KeyError, FileNotFoundError) as error:
            raise _no_photo(image_name, self.path) from error
        except OSError as error:
            raise ImageError(
                f"{image_name} in {self._photos[image_name].parent} cannot be read: "
                f"{error.strerror}."
            ) from error

    def fingerprint(self) -> str:
        return _fingerprint([self._table, *map(self._photos.get, self.image_names())])


class ParquetSource:
    """The Hub mirror's Parquet: the nine text columns, and `image` as {bytes, path}."""

    def __init__(self, path: Path, files: list[Path]) -> None:
        self.path = path
        self.ignored_copies = 0
        self.repairs: Repairs = []
        self._files = sorted(files)
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
                        number_of = whole_number(_as_text(product))
                        name = f"{product if number_of is None else number_of}.jpg"
                        self._place.setdefault(name, (number, group, row))
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


def whole_number(text: str) -> int | None:
    """A whole number as tables hold it; None if it is none, or not every digit is said.

    Example:
        >>> [whole_number(text) for text in ("15970", "15970.0", "15,970", "1.6e4", "1.5")]
        [15970, 15970, 15970, 16000, None]
    """
    text = re.sub(r'^="(.*)"$|^\'', r"\1", text.strip())  # how Excel keeps a number as text
    if re.fullmatch(r"\+?[0-9]{1,3}([, \u00a0\u202f'][0-9]{3})+(\.0*)?", text):
        text = re.sub(r"[^0-9.+]", "", text)
    found = re.fullmatch(r"\+?([0-9]+)(?:\.([0-9]*))?(?:[eE]\+?([0-9]{1,2}))?", text)
    if not found:
        return None
    whole, fraction, exponent = found[1], (found[2] or "").rstrip("0"), int(found[3] or 0)
    if len(fraction) > exponent:
        return None
    digits = whole + fraction + "0" * (exponent - len(fraction))
    return int(digits) if len(digits.lstrip("0")) <= MAX_DIGITS else None


def photo_name(file_name: str) -> str | None:
    """What a photo's file is called in a catalogue, `<id>.jpg`; None if it is no photo.

    Example:
        >>> [photo_name(name) for name in ("15970.JPG", "059263.jpeg", "notes.txt")]
        ['15970.jpg', '59263.jpg', None]
    """
    stem, ending = os.path.splitext(file_name)
    if ending.lower() not in PHOTO_ENDINGS or file_name.startswith(NO_PHOTOS):
        return None
    is_id = re.fullmatch(f"0*[0-9]{{1,{MAX_DIGITS}}}", stem)
    return f"{int(stem) if is_id else stem}.jpg"


def _plain(name: str) -> str:
    """An entry's name with single slashes, as it would lie in a folder."""
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def files_in(path: Path) -> list[str]:
    """All files under a folder, relative to it, sorted; links to folders are followed once."""

    def refuse(error: OSError) -> None:
        if Path(error.filename) == path or Path(error.filename).name.casefold() == "images":
            raise CatalogError(f"Cannot read {error.filename}: {error.strerror}.") from error

    found = []
    for folder, folders, files in os.walk(path, followlinks=True, onerror=refuse):
        here = os.path.realpath(folder)  # a link to a folder that holds it would never end
        folders[:] = [name for name in folders
                      if not os.path.join(here, "").startswith(
                          os.path.join(os.path.realpath(os.path.join(folder, name)), ""))
                      or not os.path.islink(os.path.join(folder, name))]  # fmt: skip
        place = Path(folder).relative_to(path)
        # A folder named like a file that is looked for is an error to be told, not to be skipped.
        odd = [name for name in folders if photo_name(name) or name.casefold() == TABLE]
        found += [(place / name).as_posix() for name in (*files, *odd)]
    return sorted(found)


def _laid_out(names: Iterable[str], path: Path) -> tuple[str, dict[str, str], int]:
    """Where the table and each photo are, and how many photos are left aside.

    Args:
        names: of all files, with slashes.
        path: of the archive or folder.

    Raises:
        CatalogError: there is no styles.csv.
    """
    places = [PurePosixPath(name) for name in names]
    tables = [place for place in places if place.name.casefold() == TABLE]
    if not tables:
        raise CatalogError(
            f"{path} has no styles.csv; name the folder or archive that holds styles.csv and "
            f"images/ ({WHERE_TO_GET_IT})."
        )
    table = min(tables, key=lambda place: (len(place.parts), place.name != TABLE, str(place)))
    depth, photos = len(table.parts), []
    for place in places:
        name = photo_name(place.name)
        if name and place.parts[0] != NO_PHOTOS[0]:
            photos.append((place, name))

    def is_ours(photo: tuple[PurePosixPath, str]) -> bool:
        parts = photo[0].parts
        is_within = parts[: depth - 1] == table.parent.parts and len(parts) > depth
        return is_within and parts[depth - 1].casefold() == "images"

    def rank(photo: tuple[PurePosixPath, str]) -> tuple:
        place, name = photo
        ending = PHOTO_ENDINGS.index(place.suffix.lower())
        return (len(place.parts), place.parts[depth - 1] != "images", ending, place.name != name,
                str(place))  # fmt: skip

    chosen: dict[str, str] = {}
    for place, name in sorted(filter(is_ours, photos), key=rank):
        chosen.setdefault(name, str(place))
    return str(table), chosen, len(photos) - len(chosen)


def _no_photo(image_name: str, path: Path) -> ImageError:
    return ImageError(f"There is no photo {image_name} in {path}; take a name from its catalogue.")


def _broken_parquet(file: Path, error: Exception) -> CatalogError:
    return CatalogError(
        f"{file} cannot be read as the data set's Parquet ({type(error).__name__}: damaged, or "
        "without the columns 'id' and 'image' {bytes, path}); fetch it again."
    )


def _csv_rows(data: bytes, path: Path, repairs: Repairs | None = None) -> Iterator[list[str]]:
    """Rows of styles.csv; what had to be mended takes the place of what `repairs` held."""
    rows, found = read_rows(data, path, "id")
    if repairs is not None:
        repairs[:] = found
    yield from rows


def _as_text(value: object) -> str:
    """Parquet keeps `year` as a float: 2011.0 is the year 2011."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _fingerprint(files: list[Path]) -> str:
    lines = []
    for file in files:
        try:
            status = os.stat(file)
            lines.append(f"{file.name} {status.st_size} {status.st_mtime_ns}\n")
        except OSError:  # a link to nothing: a photo that is not there
            lines.append(f"{file.name} is not there\n")
    return sha256_of(*lines)[:16]
