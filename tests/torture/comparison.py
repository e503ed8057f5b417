"""Whether two folders hold the same results, whatever the times and the commit."""

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

LEFT_OUT = ("timings", "made_by")  # of a record
# Neither a result nor reported done: notes of the torture, locks, what a kill left half-written
# under another name, pages, logs.
IGNORED = re.compile(
    r"reported\.txt$|log\.txt$|\.log$|\.part(-journal)?$|partial\.|\.part\.|lock|\.html$|\.ipynb$"
    r"|\.drawn-|training_metadata|catalog/photos-|/backup/|^notebooks/|^profiles/|^reports/full/"
)


def differences(one: Path, other: Path, tolerance: float = 0.0) -> list[str]:
    """Where two folders differ, one line each.

    Args:
        one: a folder.
        other: the folder that shall be its equal.
        tolerance: absolute, of the numbers in records and tables.
    """
    names = [_names(folder) for folder in (one, other)]
    found = [f"only one folder has {name}" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        read = _READ.get(Path(name).suffix, Path.read_bytes)
        if not _is_same(read(one / name), read(other / name), tolerance):
            found.append(f"{name} differs")
    return found


def contradictions(folders: Sequence[Path]) -> list[str]:
    """Records of the same name and inputs that say different things, one line each.

    Args:
        folders: of records; one that is not there has none.
    """
    found, seen = [], {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            record = _json(path)
            key = path.name, record.get("inputs_hash")
            if not _is_same(seen.setdefault(key, record), record, 0.0):
                found.append(f"{path.name} differs between notebooks")
    return found


def _names(folder: Path) -> set[str]:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in files if not IGNORED.search(name)}


def _is_same(one: object, other: object, tolerance: float) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _is_same(one[key], other[key], tolerance) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            _is_same(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, float) and isinstance(other, float | int):
        return abs(one - other) <= tolerance or (np.isnan(one) and np.isnan(other))
    return one == other


def _json(path: Path) -> object:
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        return {key: value for key, value in content.items() if key not in LEFT_OUT}
    return content


def _parquet(path: Path) -> object:
    return pd.read_parquet(path).to_dict("list")


def _sqlite(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT image_name, features FROM image_features").fetchall()
        return {"rows": dict(rows), "n": len(rows),
                "about": dict(connection.execute("SELECT key, value FROM metadata"))}  # fmt: skip


def _h5(path: Path) -> object:
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()].tolist()}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def _faiss(path: Path) -> object:
    import faiss

    index = faiss.read_index(str(path))
    return index.reconstruct_n(0, index.ntotal).tolist()


def _index_description(path: Path) -> object:
    return {key: value for key, value in _json(path).items() if key != "sha256"}


_READ: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: _index_description(path) if path.name == "hnsw.json" else _json(path),
    ".parquet": _parquet,
    ".sqlite": _sqlite,
    ".h5": _h5,
    ".faiss": _faiss,
    ".csv": Path.read_text,
}
