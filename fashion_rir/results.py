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

from fashion_rir import evaluation, intervals
from fashion_rir.errors import RecordError
from fashion_rir.whole_files import write_text

SCHEMA_VERSION = 1
# The thesis' pretrained models by backbone, preprocessing and measure.
THESIS_MODELS = {
    ("mobilenetv2", "resize", "euclidean"): "a",
    ("mobilenetv2", "resize", "cosine"): "b",
    ("mobilenetv2", "resize", "manhattan"): "c",
    ("resnet50", "resize", "manhattan"): "e",
    ("resnet50", "pad", "manhattan"): "f",
}
NEEDED_KEYS = ("kind", "name", "inputs", "inputs_hash")
NEEDED_INPUTS = ("profile", "data_hash")
DIGITS = 6  # of a stored metric: beyond it, machines differ
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


def has_scores(record: Mapping, protocol: str, label: str) -> bool:
    """Whether a record of kind `retrieval` was scored by a label (or `graded`) under a protocol."""
    found = record["protocols"].get(protocol, {})
    scores = (
        found.get("graded") if label == evaluation.GRADED else found.get("labels", {}).get(label)
    )
    return "micro" in (scores or {})


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


def summarise(result: evaluation.Evaluation, *, seed: int) -> dict:
    """The numbers of an evaluation under one protocol, with intervals.

    Args:
        result: from `evaluation.evaluate`.
        seed: of the bootstrap.

    Returns:
        `labels` by label, `graded`, and `n_gallery`. The first two hold `micro` and `macro` (metric
        to value, low, high; neither where every query was left out), `n_queries`, `n_excluded`,
        `n_classes`; the classes of `graded` are articleTypes.
    """
    return {
        "labels": {
            label: score_summary(scores, result.n_excluded[label], seed=seed)
            for label, scores in result.scores.items()
        },
        "graded": score_summary(result.graded, result.n_graded_excluded, seed=seed),
        "n_gallery": result.n_gallery,
    }


def score_summary(scores: pd.DataFrame, n_excluded: int, *, seed: int) -> dict[str, object]:
    """The means of a table of scores, with intervals.

    Args:
        scores: one row a query; every column is a metric but `label`, which holds the classes.
        n_excluded: queries that were left out of it.
        seed: of the bootstrap.

    Returns:
        `micro` and `macro` (metric to value, low, high; neither where every query was left out),
        `n_queries`, `n_excluded`, `n_classes`.
    """
    summary = {
        "n_queries": len(scores),
        "n_excluded": n_excluded,
        "n_classes": int(scores["label"].nunique()),
    }
    if len(scores):
        values, classes = scores.drop(columns="label"), scores["label"].to_numpy()
        micro = intervals.bootstrap_mean(values.to_numpy(), seed=seed)
        macro = intervals.bootstrap_mean(values.to_numpy(), seed=seed, classes=classes)
        for average, estimates in (("micro", micro), ("macro", macro)):
            named = zip(values.columns, map(estimate_dict, estimates), strict=True)
            summary[average] = dict(named)
    return summary


def retrieval_table(
    records: Iterable[Mapping], *, protocol: str, label: str, metrics: Iterable[str],
    average: str = "micro",
) -> pd.DataFrame:  # fmt: skip
    """One row a model and measure, one column a metric.

    Args:
        records: of kind `retrieval`.
        protocol: one of `evaluation.PROTOCOLS`.
        label: what makes a product relevant, such as `articleType`, or `graded`.
        metrics: some of `evaluation.metrics_of(label)`.
        average: `micro` or `macro`.

    Returns:
        Columns `model`, `measure`, `thesis` (its letter there), `weights`, `queries` (that were
        asked), and for each metric its value, `<metric> low` and `<metric> high`; the best by the
        first metric comes first.

    Raises:
        RecordError: a record lacks the protocol, the label or a metric.
    """
    metrics = list(metrics)
    rows = []
    for record in records:
        model, measure = record["inputs"]["model"], record["inputs"]["measure"]
        row = {
            "model": model["model"],
            "measure": measure,
            "thesis": _thesis_letter(model, measure),
            "weights": model["weights"],
            "queries": record["inputs"]["n_queries"],
        }
        for metric in metrics:
            estimate = _estimate(record, protocol, label, average, metric)
            row |= {metric: estimate["value"], f"{metric} low": estimate["low"],
                    f"{metric} high": estimate["high"]}  # fmt: skip
        rows.append(row)
    table = pd.DataFrame(rows).sort_values(
        [metrics[0], "model", "measure"], ascending=[False, True, True]
    )
    return table.reset_index(drop=True)


def seed_table(
    groups: Mapping[str, Iterable[Mapping]], *, protocol: str,
    metrics: Iterable[tuple[str, str]], average: str = "micro",
) -> pd.DataFrame:  # fmt: skip
    """One row a trained model: means over the seeds that it was trained with.

    Args:
        groups: by the name to be shown, one record of kind `retrieval` for each seed.
        protocol: one of `evaluation.PROTOCOLS`.
        metrics: pairs of a label (or `graded`) and a metric, such as `("articleType", "mAP")`.
        average: `micro` or `macro`.

    Returns:
        Columns `model`, `seeds` (how many), `dim`, `weights`, and for each pair `<label> <metric>`,
        the mean over the seeds, and `<label> <metric> spread`, their standard deviation (with
        n - 1; missing where there is one seed only). Rows are in the order of `groups`.

    Raises:
        RecordError: a group is empty or holds a record twice, a record lacks what is asked, or
            two are of different profiles or catalogues.
    """
    metrics = list(metrics)
    groups = {name: list(records) for name, records in groups.items()}
    require_same([record for records in groups.values() for record in records])
    rows = []
    for name, records in groups.items():
        _require_seeds(name, records)
        models = [record["inputs"]["model"] for record in records]
        row = {
            "model": name,
            "seeds": len(records),
            "dim": int(models[0]["embedding_dim"]),
            "weights": ", ".join(dict.fromkeys(model["weights"] for model in models)),
        }
        for label, metric in metrics:
            estimates = [_estimate(r, protocol, label, average, metric) for r in records]
            values = pd.Series([estimate["value"] for estimate in estimates])
            row |= {f"{label} {metric}": values.mean(), f"{label} {metric} spread": values.std()}
        rows.append(row)
    return pd.DataFrame(rows)


def comparison_table(records: Iterable[Mapping], metric: str) -> pd.DataFrame:
    """One row a paired comparison.

    Args:
        records: of kind `comparison`.
        metric: one that was compared, such as `mAP`, or `nDCG@10` for the label `graded`.

    Returns:
        Columns `comparison`, `value`, `low`, `high`, `outside the noise` (the interval does not
        hold 0).
    """
    rows = []
    for record in records:
        name = f"{record['inputs']['first']} − {record['inputs']['second']}"
        found = record["differences"][metric]
        is_clear = not found["low"] <= 0 <= found["high"]
        rows.append({"comparison": name, **found, "outside the noise": is_clear})
    return pd.DataFrame(rows, columns=["comparison", "value", "low", "high", "outside the noise"])


def shown(table: pd.DataFrame, digits: int) -> pd.DataFrame:
    """A table as it is printed: rounded, and no minus before a zero, which only rounding made.

    Args:
        table: any.
        digits: behind the point.

    Example:
        >>> shown(pd.DataFrame({"what": ["a"], "value": [-0.001]}), 2)["value"].tolist()
        [0.0]
    """
    numbers = table.select_dtypes("floating").round(digits) + 0.0
    return table.assign(**{column: numbers[column] for column in numbers})


def trained_weights(names: Iterable[str]) -> list[str]:
    """The weights that a training left, out of those that records name.

    Random weights, and the k-means of a vocabulary of visual words, are none.

    Example:
        >>> trained_weights(["a-imagenet+none-seed20", "k-means", "none", "seed20"])
        ['a-imagenet']
    """
    every = {one for joined in names for one in str(joined).split("+")}
    return sorted(one for one in every if not one.startswith(("none", "seed", "k-means")))


def rounded(value: float) -> float:
    """A metric as it is stored."""
    return round(float(value), DIGITS)


def estimate_dict(estimate: intervals.Estimate) -> dict[str, float]:
    """An estimate as it is stored: `value`, `low`, `high`."""
    return {key: rounded(getattr(estimate, key)) for key in ("value", "low", "high")}


def rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """A table as it is stored: one mapping a row, its index left out, nothing where it is NaN."""
    return json.loads(table.round(DIGITS).to_json(orient="records"))


def _thesis_letter(model: Mapping[str, str], measure: str) -> str:
    """What the thesis calls this experiment; nothing for embeddings that were transformed."""
    if "transform" in model:
        return ""
    return THESIS_MODELS.get((model["backbone"], model["preprocessing"], measure), "")


def _estimate(
    record: Mapping, protocol: str, label: str, average: str, metric: str
) -> dict[str, float]:
    """A stored metric: `value`, `low`, `high`."""
    about = f"(protocol {protocol}, label {label})"
    try:
        found = record["protocols"][protocol]
        scores = found["graded"] if label == evaluation.GRADED else found["labels"][label]
        estimate = scores[average][metric]
    except KeyError as error:
        raise RecordError(
            f"The record {record['name']} has nothing on {error} {about}; run its notebook again."
        ) from error
    if label != evaluation.GRADED and scores.get("n_classes") == 1:
        raise RecordError(
            f"The record {record['name']} knows one class only {about}, so every ranking is as "
            "good as any other; ask by another label."
        )
    cutoff, n_gallery = int(metric.partition("@")[2].removeprefix("R") or 0), found.get("n_gallery")
    if n_gallery is not None and cutoff > n_gallery:
        raise RecordError(
            f"The record {record['name']} searched {n_gallery} products {about}, so {metric} "
            "reads beyond its gallery; take a smaller cut-off or more products."
        )
    return estimate


def _require_seeds(name: str, records: list[Mapping]) -> None:
    if not records:
        raise RecordError(f"{name!r} has no record, so there is no mean; give one for each seed.")
    names = [record["name"] for record in records]
    if len(set(names)) < len(names):
        raise RecordError(
            f"{name!r} holds the same record twice ({', '.join(names)}); give one for each seed."
        )


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
