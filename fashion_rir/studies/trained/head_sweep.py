"""Heads over seeds and parameters, on the workers of a cluster (see `cluster`).

The client alone writes records, each as soon as it is there; one that is there already is not
trained again. A head is trained in a Python process of its own, because Keras draws its weights
from Python's generator, from which the other threads of a worker draw too.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import cluster
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ClusterError
from fashion_rir.studies.names import head_name
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace


@dataclass(frozen=True)
class SweepRun:
    """One head to train.

    Attributes:
        kind: what to call it, such as `dense512`.
        head: of `heads.HeadSettings`, by name.
        fitting: of `fit.TrainingSettings`, by name.
        seed: of weights, order and dropout.
    """

    kind: str
    head: Mapping[str, Any]
    fitting: Mapping[str, Any]
    seed: int


def run(
    client: Any,
    study: Study,
    models: Sequence[Embedded],
    runs: Sequence[SweepRun],
    *,
    label: str = "articleType",
) -> list[dict]:
    """Train all heads; the same records as by `heads.run_head`, one after the other.

    Args:
        client: from `cluster.connect`.
        study: its products, split and folders.
        models: embeddings and metadata of each backbone, sent to every worker once.
        runs: the heads.
        label: what they learn to tell.

    Returns:
        The records, of kind `training`, in the order of the runs.

    Raises:
        ClusterError: a training failed, or the workers or the scheduler were lost.
    """
    names = [metadata["model"] for _, metadata in models]
    workspace = study.workspace
    shared = (workspace.profile, study.catalog.products, list(models), label, study.seed)
    plan = {"data_hash": study.catalog.data_hash, "models": [dict(m) for _, m in models],
            "label": label, "split_seed": study.seed}  # fmt: skip
    token = result_records.hash_inputs(plan)[:16]
    found = [_finished(workspace, head_name(one.kind, names, one.seed), one, plan) for one in runs]
    missing = [place for place, record in enumerate(found) if record is None]
    if not missing:
        return found
    (sent,) = client.scatter([shared], broadcast=True)
    jobs = ((sent, token, runs[place]) for place in missing)
    trained = tqdm(cluster.in_order(client, _train, jobs), total=len(missing), leave=False)
    for place, record in zip(missing, trained, strict=True):
        result_records.write(record, workspace.results)
        found[place] = record
    return found


def grid(
    hidden: Sequence[int], seeds: Sequence[int], *, epochs: int, batch_size: int = 128
) -> Iterator[SweepRun]:
    """All pairs of a hidden layer's width and a seed.

    Args:
        hidden: widths; 0 is a linear probe.
        seeds: of the trainings.
        epochs: of each.
        batch_size: products a step.
    """
    for width in hidden:
        for seed in seeds:
            yield SweepRun(
                f"dense{width}" if width else "probe",
                {"hidden": width or None, "label_smoothing": 0.0},
                {"epochs": epochs, "batch_size": batch_size},
                seed,
            )


def accuracy_table(records: Sequence[dict]) -> pd.DataFrame:
    """One row a head: its name and its accuracies on the test products."""
    return pd.DataFrame([{"head": r["name"], **r["accuracy"]} for r in records])


def _finished(workspace: Workspace, name: str, one: SweepRun, plan: Mapping) -> dict | None:
    """The record of the same training, if it is there."""
    if not result_records.is_there(workspace.results, name):
        return None
    record = result_records.read(workspace.results, name)
    said = record["inputs"]
    same = (
        said["data_hash"] == plan["data_hash"]
        and (said["label"], said["split_seed"]) == (plan["label"], plan["split_seed"])
        and one.head.items() <= said["head"].items()
        and one.fitting.items() <= said["stages"]["head"].items()
        and said["model"]["features_sha256"]
        == "+".join(str(model["weights_sha256"]) for model in plan["models"])
    )
    return record if same else None


# --- what runs on a worker ---

_writing = threading.Lock()


def _train(shared: tuple, token: str, one: SweepRun) -> dict:
    """Train in a new Python; what all runs share lies in the worker's own folder."""
    from distributed import get_worker

    folder = Path(get_worker().local_directory)
    given = folder / f"sweep-{token}"
    with _writing:
        if not given.exists():
            _write_shared(shared, given.with_suffix(".part"))
            given.with_suffix(".part").replace(given)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        asked, answer = Path(made) / "run.json", Path(made) / "record.json"
        asked.write_text(json.dumps(asdict(one)), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "fashion_rir.studies.trained.head_sweep", given, asked, answer],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ClusterError(f"The training of {one.kind}, seed {one.seed}, failed: {reason}")
        return json.loads(answer.read_text(encoding="utf-8"))


def _write_shared(shared: tuple, folder: Path) -> None:
    """What all runs share, as files that are read without executing anything."""
    profile, products, models, label, split_seed = shared
    folder.mkdir(exist_ok=True)
    products.to_parquet(folder / "products.parquet")
    for number, (matrix, _) in enumerate(models):
        np.save(folder / f"{number}.npy", matrix)
    about = {"profile": profile, "label": label, "split_seed": split_seed,
             "models": [dict(metadata) for _, metadata in models]}  # fmt: skip
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _read_shared(folder: Path) -> tuple:
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    models = [
        Embedded(np.load(folder / f"{number}.npy", allow_pickle=False), metadata)
        for number, metadata in enumerate(about["models"])
    ]
    products = pd.read_parquet(folder / "products.parquet")
    return about["profile"], products, models, about["label"], about["split_seed"]


def _main(given: str, asked: str, answer: str) -> None:
    """Read what is shared and which run, train, write the record."""
    from fashion_rir.studies.trained import heads
    from fashion_rir.training.fit import TrainingSettings
    from fashion_rir.training.heads import HeadSettings

    profile, products, models, label, split_seed = _read_shared(Path(given))
    one = SweepRun(**json.loads(Path(asked).read_text(encoding="utf-8")))
    workspace = Workspace(Path(answer).parent, profile)
    catalog = Catalog(products, source=None, listed=products)
    plan = heads.HeadPlan(one.kind, HeadSettings(**one.head), TrainingSettings(**one.fitting),
                          one.seed, (label,))  # fmt: skip
    trained = heads.run_head(Study(workspace, catalog, split_seed), models, plan)
    Path(answer).write_text(json.dumps(trained.record), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
