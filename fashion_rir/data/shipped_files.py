"""The files that travel with the project, in its folder `data/shipped/`: checked when read.

`manifest.json` there says what each file is: its SHA-256, bytes, licence and source.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from fashion_rir.data.named_paths import HOME_VARIABLE, named_path
from fashion_rir.errors import ShippedError, unknown_name
from fashion_rir.system import sha256_of_file

FOLDER = Path("data") / "shipped"

MANIFEST = "manifest.json"

SCHEMA_VERSION = 1

LARGEST_FILE = 8_000_000  # bytes; a clone carries them all

LARGEST_TOTAL = 30_000_000

LFS_MARK = b"version https://git-lfs"


def folder() -> Path:
    """Where the shipped files are: in the project named, else the package's own, else around here.

    Raises:
        ShippedError: the package is installed without the repository.
    """
    roots = _roots()
    for root in roots:
        if (root / FOLDER / MANIFEST).is_file():
            return root / FOLDER
    raise ShippedError(
        f"There is no {(FOLDER / MANIFEST).as_posix()} in {roots[0]} or around {Path.cwd()}: an "
        "installed package comes without the shipped files; clone the repository and name its "
        f"folder in {HOME_VARIABLE}, or, in the clone, run {_restored_by(MANIFEST)}."
    )


def is_here() -> bool:
    """Whether the project's folder is around: an installed package alone has none."""
    return any((root / FOLDER / MANIFEST).is_file() for root in _roots())


def path(name: str) -> Path:
    """A shipped file, whose content is the one that was shipped.

    Args:
        name: as the manifest calls it, such as `catalogue.parquet`.

    Raises:
        ParameterError: the manifest does not name it.
        ShippedError: it is missing, changed, or a Git LFS pointer; names the command that helps.
    """
    known = manifest()
    if name not in known:
        raise unknown_name("shipped file", name, known)
    found = folder() / name
    if not found.is_file():
        raise ShippedError(f"{found} is missing; restore it: {_restored_by(name)}.")
    if found.stat().st_size != known[name]["bytes"] and _is_pointer(found):
        raise ShippedError(
            f"{found} is a pointer of Git LFS, not the file itself; fetch it: `git lfs pull`."
        )
    is_there, is_wanted = sha256_of_file(found), known[name]["sha256"]
    if is_there != is_wanted:
        raise ShippedError(
            f"{found} has changed since it was shipped (SHA-256 {is_there[:12]}…, the manifest "
            f"says {is_wanted[:12]}…); restore it: {_restored_by(name)}."
        )
    return found


def manifest() -> Mapping[str, Mapping[str, object]]:
    """What the manifest says, by file name: `sha256`, `bytes`, `what`, `licence`, `source`.

    Raises:
        ShippedError: there is none, or it is damaged.
    """
    place = folder() / MANIFEST
    try:
        said = json.loads(place.read_text(encoding="utf-8"))
        if said["schema"] != SCHEMA_VERSION:
            raise ValueError(f"schema {said['schema']}, this program reads {SCHEMA_VERSION}")
        return {name: {**about, "bytes": int(about["bytes"]), "sha256": str(about["sha256"])}
                for name, about in said["files"].items()}  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShippedError(
            f"{place} is no manifest of shipped files ({type(error).__name__}: {error}); restore "
            f"it: {_restored_by(MANIFEST)}."
        ) from error


def _roots() -> list[Path]:
    """Where the project may be, the most likely first."""
    named = named_path(os.environ.get(HOME_VARIABLE))
    here = Path.cwd()
    return [*([named.resolve()] if named else []), Path(__file__).parents[2], here, *here.parents]


def _is_pointer(file: Path) -> bool:
    with open(file, "rb") as opened:
        return opened.read(len(LFS_MARK)) == LFS_MARK


def _restored_by(name: str) -> str:
    return f"`git checkout -- {(FOLDER / name).as_posix()}`"
