"""Result records: every number of the study, written by the run that measured it.

A record is one JSON file: what was measured on what (model, weights and their hash, profile,
catalogue, split, seed), the metrics with their intervals, and what made it (versions, commit).
Timings stand apart under `timings`; all else is the same for the same inputs. Tables and
figures are made from records only.
"""

import hashlib
import importlib.metadata
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from fashion_rir.data.catalog import Catalog
from fashion_rir.errors import RecordError
from fashion_rir.evaluation.intervals import DIGITS
from fashion_rir.system import write_text
from fashion_rir.workspace.folders import Workspace

SCHEMA_VERSION = 1

NEEDED_KEYS = ("kind", "name", "inputs", "inputs_hash")

NEEDED_INPUTS = ("profile", "data_hash")

PACKAGES = (
    "fashion-rir",
    "keras",
    "numpy",
    "pandas",
    "pillow",
    "scikit-learn",
    "tensorflow",
)


def make_record(kind: str, name: str, inputs: Mapping[str, object], **content: object) -> dict:
    """A record around its content.

    Args:
        kind: what sort of record, such as `retrieval`.
        name: its file's name, without ending.
        inputs: all that the numbers depend on; must hold `profile` and `data_hash`.
        content: the numbers.

    Returns:
        The record, ready for `write`.
    """
    return {
        "schema": SCHEMA_VERSION,
        "kind": kind,
        "name": name,
        "inputs": dict(inputs),
        "inputs_hash": hash_inputs(inputs),
        **content,
        "made_by": {"commit": _commit(), "versions": _versions()},
    }


def hash_inputs(inputs: Mapping[str, object]) -> str:
    """SHA-256 of a record's inputs: equal exactly when the inputs are."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def write(record: Mapping[str, object], folder: Path) -> Path:
    """Write a record whole or not at all.

    Args:
        record: from `make_record`.
        folder: a profile's results.

    Returns:
        The file.

    Raises:
        RecordError: the place cannot be written; an earlier record stays as it was.
    """
    path = folder / f"{record['name']}.json"
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_text(path, text, RecordError)
    return path


def read(folder: Path, name: str) -> dict:
    """One record.

    Raises:
        RecordError: missing, damaged, or of another schema version.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        raise RecordError(f"There is no record {path}; run the notebook that makes it.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(
            f"{path} is no result record ({type(error).__name__}); delete it and run its "
            "notebook again."
        ) from error
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; run its "
            "notebook again."
        )
    absent = [key for key in NEEDED_KEYS if key not in record]
    if not absent:
        known = record["inputs"] if isinstance(record["inputs"], Mapping) else ()
        absent = [f"inputs.{key}" for key in NEEDED_INPUTS if key not in known]
    if absent:
        raise RecordError(
            f"{path} is no whole result record (it lacks {absent[0]!r}); delete it and run its "
            "notebook again."
        )
    return record


def read_same(folder: Path, name: str, inputs: Mapping[str, object]) -> dict | None:
    """The record of an earlier run with the same inputs; None if there is none.

    Args:
        folder: a profile's results.
        name: of the record.
        inputs: as for `make_record`.

    Raises:
        RecordError: it is damaged, or of another schema version.
    """
    if not (folder / f"{name}.json").exists():
        return None
    record = read(folder, name)
    return record if record["inputs_hash"] == hash_inputs(inputs) else None


def read_named(folder: Path, names: Iterable[str]) -> list[dict]:
    """Some records, in this order, checked to be about the same data.

    Raises:
        RecordError: one is missing, or two are of different profiles or catalogues.
    """
    records = [read(folder, name) for name in names]
    require_same(records)
    return records


def measured(folder: Path, names: Iterable[str], *, ending: str = "") -> list[str]:
    """Those of some names that a run has left a record of; the others are printed.

    Args:
        folder: a profile's results.
        names: of records, or what they begin with.
        ending: of the records' names behind each, such as `-cosine`.

    Returns:
        The names, in their order, as they were given.
    """
    is_there = {name: (folder / f"{name}{ending}.json").exists() for name in names}
    absent = [f"{name}{ending}" for name, found in is_there.items() if not found]
    if absent:
        print("not measured yet:", ", ".join(absent))
    return [name for name, found in is_there.items() if found]


def read_all(folder: Path, kind: str) -> list[dict]:
    """All records of a kind, by name, checked to be about the same data.

    Raises:
        RecordError: none there, or two of different profiles or catalogues.
    """
    names = sorted(file.stem for file in folder.glob("*.json"))
    records = [record for record in (read(folder, n) for n in names) if record["kind"] == kind]
    if not records:
        raise RecordError(f"There is no {kind} record in {folder}; run the notebooks first.")
    require_same(records)
    return records


def read_by_products(folder: Path, kind: str) -> list[list[dict]]:
    """All records of a kind by catalogue: a sample's cannot stand in the table of all products.

    Returns:
        One list for each data hash, the one of the most products first; records by name.

    Raises:
        RecordError: none there, or two of different profiles.
    """
    names = sorted(file.stem for file in folder.glob("*.json"))
    records = [record for record in (read(folder, n) for n in names) if record["kind"] == kind]
    if not records:
        place = "/".join(folder.parts[-3:])  # the report shows it, on whatever machine it is read
        raise RecordError(f"There is no {kind} record in {place}; run the notebooks first.")
    require_same(records, ["profile"])
    groups: dict[str, list[dict]] = {}
    for record in records:
        groups.setdefault(record["inputs"]["data_hash"], []).append(record)
    return sorted(groups.values(), key=lambda group: -group[0]["inputs"].get("n_products", 0))


def require_same(
    records: Iterable[Mapping], keys: Sequence[str] = ("profile", "data_hash")
) -> None:
    """Refuse records that cannot stand in one table.

    Args:
        records: any.
        keys: of their inputs, which must be the same in all.

    Raises:
        RecordError: two differ; names them, and in what.
    """
    for key in keys:
        values = {record["inputs"][key]: record["name"] for record in records}
        if len(values) > 1:
            (one, first), (other, second) = list(values.items())[:2]
            raise RecordError(
                f"The records {first} and {second} differ in {key} ({str(one)[:12]}, "
                f"{str(other)[:12]}) and cannot stand in one table; run the older one again."
            )


def rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """A table as it is stored: one mapping a row, its index left out, nothing where it is NaN."""
    return json.loads(table.round(DIGITS).to_json(orient="records"))


def there(folder: Path, names: Sequence[str]) -> tuple[list[dict], list[str]]:
    """The records that a study has made so far, and the names of those that it has not.

    Args:
        folder: a profile's results.
        names: of records.

    Returns:
        The records, checked to be about the same data, and the missing names, in the same order.

    Raises:
        RecordError: a record is damaged, or two are of different profiles or catalogues.
    """
    is_there = {name: (folder / f"{name}.json").exists() for name in names}
    found = read_named(folder, [name for name in names if is_there[name]])
    return found, [name for name in names if not is_there[name]]


def describe(
    workspace: Workspace, catalog: Catalog, metadata: Mapping[str, object]
) -> dict[str, object]:
    """What the numbers of every experiment on embeddings depend on; each adds its own.

    Args:
        workspace: of the profile.
        catalog: the products.
        metadata: of the embeddings.
    """
    return {
        "profile": workspace.profile,
        "data_hash": catalog.data_hash,
        "n_products": len(catalog),
        "model": {key: str(value) for key, value in metadata.items() if key != "data_hash"},
    }


def _versions() -> dict[str, str]:
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def _commit() -> str | None:
    """The project's commit, or None where there is no git."""
    here = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True,
            timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
