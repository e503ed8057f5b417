"""The photos of a folder of one's own: found by what a table calls them, looked into once."""

import contextlib
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pandas as pd
from tqdm.auto import tqdm

from fashion_rir.data import images
from fashion_rir.data.sources import PHOTO_ENDINGS, files_in, photo_name
from fashion_rir.errors import CatalogError, ImageError
from fashion_rir.system import sha256_of, usable_cores, whole_file

SCAN_SIZE = 128  # large photos are looked into at a fraction of their size; all bytes are read

KEPT_EVERY = 1000  # photos: a killed run looks into no more than these again

# What is known of a photo: its file as it was, what it holds, and what is wrong with it.
SCANNED = ("photo", "bytes", "changed", "image_sha256", "width", "height", "mode", "fault",
           "repair")  # fmt: skip


class PhotoNames:
    """The photos of a folder, found by path, by name, or by name without ending.

    Attributes:
        paths: relative to the folder, with slashes, sorted.
    """

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        self._by_name: dict[str, list[str]] = {}
        for path in paths:
            whole = PurePosixPath(path)
            names = {path, whole.name, str(whole.with_suffix("")), whole.stem}
            for name in {_plain(name) for name in names}:
                self._by_name.setdefault(name, []).append(path)

    def find(self, text: str) -> str | None:
        """The photo that a table's text means; None if there is none, or several."""
        found = self.all(text)
        return found[0] if len(found) == 1 else None

    def all(self, text: str) -> list[str]:
        """All photos that a text could mean, by the whole path first."""
        if not text:
            return []
        path = unquote(urlsplit(text).path) if "://" in text else text
        path = path.replace("\\", "/").removeprefix("./")
        names = dict.fromkeys((path, PurePosixPath(path).name))
        for name in filter(None, map(_plain, names)):
            if name in self._by_name:
                return self._by_name[name]
            stem, ending = os.path.splitext(name)  # the file may have been converted since
            if ending in PHOTO_ENDINGS and stem in self._by_name:
                return self._by_name[stem]
        return []


def photos_in(folder: Path) -> PhotoNames:
    """The photos of a folder and all folders in it.

    Raises:
        CatalogError: no such folder, or no photo in it.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise CatalogError(f"{folder} {what}; name the folder that holds the photos.")
    files = files_in(folder)
    names = [name for name in files if photo_name(PurePosixPath(name).name)]
    names = [name for name in names if "__MACOSX" not in PurePosixPath(name).parts]
    if not names:
        raise CatalogError(
            f"{folder} holds no photo ({len(files)} other files); photos end in "
            f"{', '.join(PHOTO_ENDINGS[:9])} and the like."
        )
    return PhotoNames(names)


def scan(folder: Path, paths: list[str], cache: Path) -> pd.DataFrame:
    """Look into photos: hash, size, mode, or what is wrong. What is known and unchanged is kept.

    Args:
        folder: that the paths are relative to.
        paths: of the photos.
        cache: where the result is kept, every `KEPT_EVERY` photos; a killed run goes on from it.

    Returns:
        One row a photo, in the order of `paths`, with the columns `SCANNED`.
    """
    known: dict[str, tuple] = {}
    with contextlib.suppress(OSError, ValueError, KeyError):  # none yet, or a damaged one
        table = pd.read_parquet(cache)[list(SCANNED)].astype(object)
        table = table.where(table.notna(), None)
        known = {row[0]: row for row in table.itertuples(index=False, name=None)}
    found, waiting = {}, []
    for path in paths:
        state = _state(folder / path)
        if path in known and known[path][1:3] == state and state[0] >= 0:
            found[path] = known[path]
        else:
            waiting.append((path, state))
    progress = tqdm(total=len(waiting), desc="looking into the photos", unit="photo", leave=False)
    with progress, ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(waiting), KEPT_EVERY):
            for row in pool.map(lambda one: _look(folder, *one),
                                waiting[start : start + KEPT_EVERY]):  # fmt: skip
                found[row[0]] = row
                progress.update()
            with whole_file(cache, CatalogError) as partial:
                pd.DataFrame(list(found.values()), columns=SCANNED).to_parquet(partial)
    return pd.DataFrame([found[path] for path in paths], columns=SCANNED)


def _look(folder: Path, path: str, state: tuple[int, int]) -> tuple:
    try:
        data = (folder / path).read_bytes()
        photo = images.examine(data, path, for_size=SCAN_SIZE)
    except OSError as error:
        fault = f"{path} cannot be read: {error.strerror}"
        return path, *state, None, None, None, None, fault, None
    except ImageError as error:
        return path, *state, None, None, None, None, str(error), None
    return path, *state, sha256_of(data), *photo.size, photo.mode, None, photo.repair


def _state(path: Path) -> tuple[int, int]:
    """Size and time of change; -1 if it cannot be seen."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _plain(name: str) -> str:
    """As names are compared: macOS writes accents apart, Windows takes any case."""
    return unicodedata.normalize("NFC", name).casefold()
