"""Result records: every number of the study, written by the run that measured it.

A record is one JSON file: what was measured on what (model, weights and their hash, profile,
catalogue, split, seed), the metrics with their intervals, and what made it (versions, commit).
Timings stand apart under `timings`; all else is the same for the same inputs. Tables and
figures are made from records only. A record's name is made by `short_name`; what it is about is
read from its fields.
"""

import importlib.metadata
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from fashion_rir.errors import RecordError
from fashion_rir.evaluation.intervals import DIGITS, Estimate
from fashion_rir.evaluation.protocols import GRADED
from fashion_rir.system import sha256_of, write_text
from fashion_rir.workspace.short_names import short_name

SCHEMA_VERSION = 2

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


class Record(dict):
    """What was measured, by the names in its file: `kind`, `name`, `inputs`, and the numbers."""

    def estimate(
        self, protocol: str, label: str, metric: str, *, average: str = "micro"
    ) -> Estimate:
        """A metric of a record that holds `protocols`, such as one of kind `retrieval`.

        Args:
            protocol: one of `protocols.PROTOCOLS`; an audit has others too.
            label: what makes a product relevant, such as `articleType`, or `graded`.
            metric: one of `protocols.metrics_of(label)`.
            average: `micro` or `macro`.

        Raises:
            RecordError: it was not measured, or means nothing: the label has one class only, or
                the metric reads beyond the gallery.
        """
        about = f"(protocol {protocol}, label {label})"
        try:
            found = self["protocols"][protocol]
            scores = found[GRADED] if label == GRADED else found["labels"][label]
            estimate = Estimate(*(scores[average][metric][key] for key in ("value", "low", "high")))
        except KeyError as error:
            raise RecordError(
                f"The record {self['name']} has nothing on {error} {about}; run its notebook again."
            ) from error
        if label != GRADED and scores.get("n_classes") == 1:
            raise RecordError(
                f"The record {self['name']} knows one class only {about}, so every ranking is as "
                "good as any other; ask by another label."
            )
        n_gallery = found.get("n_gallery")
        if n_gallery is not None and _cutoff(metric) > n_gallery:
            raise RecordError(
                f"The record {self['name']} searched {n_gallery} products {about}, so {metric} "
                "reads beyond its gallery; take a smaller cut-off or more products."
            )
        return estimate

    def has_scores(self, protocol: str, label: str) -> bool:
        """Whether it was scored by a label (or `graded`) under a protocol."""
        found = self["protocols"].get(protocol, {})
        scores = found.get(GRADED) if label == GRADED else found.get("labels", {}).get(label)
        return "micro" in (scores or {})


def make_record(kind: str, name: str, inputs: Mapping[str, object], **content: object) -> Record:
    """A record around its content.

    Args:
        kind: what sort of record, such as `retrieval`.
        name: what it is about; `short_name` makes the file's name of it.
        inputs: all that the numbers depend on; must hold `profile` and `data_hash`.
        content: the numbers.

    Returns:
        The record, ready for `write`.
    """
    return Record(
        schema=SCHEMA_VERSION,
        kind=kind,
        name=short_name(name),
        inputs=dict(inputs),
        inputs_hash=hash_inputs(inputs),
        **content,
        made_by={"commit": _commit(), "versions": _versions()},
    )


def hash_inputs(inputs: Mapping[str, object]) -> str:
    """SHA-256 of a record's inputs: equal exactly when the inputs are."""
    return sha256_of(json.dumps(inputs, sort_keys=True))


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


def is_there(folder: Path, name: str) -> bool:
    """Whether a run has left a record of this name."""
    return _path(folder, name).exists()


def read(folder: Path, name: str) -> Record:
    """One record.

    Args:
        folder: a profile's results.
        name: as for `make_record`.

    Raises:
        RecordError: missing, damaged, or of another schema version.
    """
    path = _path(folder, name)
    old = folder / f"{name}.json"  # where names were not short yet
    if not path.exists() and os.path.exists(old):  # `Path.exists` raises for very long names
        path = old
    if not path.exists():
        raise RecordError(f"There is no record {path}; run the notebook that makes it.")
    return _read(path)


def read_same(folder: Path, name: str, inputs: Mapping[str, object]) -> Record | None:
    """The record of an earlier run with the same inputs; None if there is none.

    Args:
        folder: a profile's results.
        name: of the record.
        inputs: as for `make_record`.

    Raises:
        RecordError: it is damaged, or of another schema version.
    """
    if not is_there(folder, name):
        return None
    record = read(folder, name)
    return record if record["inputs_hash"] == hash_inputs(inputs) else None


def read_named(folder: Path, names: Iterable[str]) -> list[Record]:
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
    found = {name: is_there(folder, f"{name}{ending}") for name in names}
    absent = [short_name(f"{name}{ending}") for name, is_found in found.items() if not is_found]
    if absent:
        print("not measured yet:", ", ".join(absent))
    return [name for name, is_found in found.items() if is_found]


def read_kind(folder: Path, kind: str | None = None) -> list[Record]:
    """All records of a kind (of every kind if None) by name, also of different catalogues.

    Raises:
        RecordError: one is damaged, or of another schema version.
    """
    records = [_read(path) for path in sorted(folder.glob("*.json"))]
    return [record for record in records if kind in (None, record["kind"])]


def read_all(folder: Path, kind: str) -> list[Record]:
    """All records of a kind, by name, checked to be about the same data.

    Raises:
        RecordError: none there, or two of different profiles or catalogues.
    """
    records = _some(folder, kind)
    require_same(records)
    return records


def read_by_products(folder: Path, kind: str) -> list[list[Record]]:
    """All records of a kind by catalogue: a sample's cannot stand in the table of all products.

    Returns:
        One list for each data hash, the one of the most products first; records by name.

    Raises:
        RecordError: none there, or two of different profiles.
    """
    records = _some(folder, kind)
    require_same(records, ["profile"])
    groups: dict[str, list[Record]] = {}
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


def there(folder: Path, names: Sequence[str]) -> tuple[list[Record], list[str]]:
    """The records that a study has made so far, and the names of those that it has not.

    Args:
        folder: a profile's results.
        names: of records.

    Returns:
        The records, checked to be about the same data, and the missing names, in the same order.

    Raises:
        RecordError: a record is damaged, or two are of different profiles or catalogues.
    """
    found = read_named(folder, [name for name in names if is_there(folder, name)])
    return found, [short_name(name) for name in names if not is_there(folder, name)]


def _path(folder: Path, name: str) -> Path:
    return folder / f"{short_name(name)}.json"


def _read(path: Path) -> Record:
    """The record in a file; see `read`."""
    try:
        record = Record(json.loads(path.read_text(encoding="utf-8")))
        version = record["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(
            f"{path} is no result record ({type(error).__name__}); delete it and run its "
            "notebook again."
        ) from error
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; delete it "
            f"and run `fashion-rir study --profile {path.parents[1].name}` to make it anew."
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


def _some(folder: Path, kind: str) -> list[Record]:
    """All records of a kind, of which there must be one."""
    records = read_kind(folder, kind)
    if not records:
        place = "/".join(folder.parts[-3:])  # the report shows it, on whatever machine it is read
        raise RecordError(f"There is no {kind} record in {place}; run the notebooks first.")
    return records


def _cutoff(metric: str) -> int:
    """The k of a metric such as `precision@k`; 0 where it has none."""
    k = metric.partition("@")[2]
    return int(k) if k.isdecimal() else 0


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
