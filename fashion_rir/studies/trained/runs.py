"""What every training shares: who is trained on, where its state lies, and its record."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fashion_rir.data.labels import LabelClasses
from fashion_rir.data.splits import Split
from fashion_rir.evaluation import classification, intervals
from fashion_rir.studies.study import Study
from fashion_rir.training import heads
from fashion_rir.training.fit import Checkpoint
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import short_name


def folder(workspace: Workspace, name: str, inputs: Mapping[str, object]) -> Path:
    """Where a training keeps its state; another plan of the same name goes elsewhere."""
    return workspace.trained_models / f"{short_name(name)}-{result_records.hash_inputs(inputs)[:8]}"


def checkpoint(study: Study, name: str, inputs: Mapping[str, object]) -> Checkpoint:
    """Where a training keeps its state, and that it is this training's."""
    identity = {"inputs": result_records.hash_inputs(inputs)}
    return Checkpoint(folder(study.workspace, name, inputs), identity)


def describe(
    study: Study, base: Mapping[str, object], parts: Split, seed: int
) -> dict[str, object]:
    """What the numbers of every training depend on; the experiments add their own.

    Args:
        study: its products, split, seed and folders.
        base: the metadata of the backbone, or of the stored embeddings.
        parts: who is trained on.
        seed: of the training.
    """
    return study.describe(base) | {
        "n_fit": int(parts.is_fit.sum()),
        "n_validation": int(parts.is_validation.sum()),
        "n_test": int(parts.is_test.sum()),
        "backend": keras.backend.backend(),
        "seed": seed,
    }


def left_by(record: Mapping[str, object]) -> dict[str, object]:
    """What the embeddings by a trained model say of its training.

    Args:
        record: of kind `training`.

    Returns:
        `family`, `run`, `seed` and `statistics` as far as the record says them (see `words`), and
        `training`, the record's hash.
    """
    model = record["inputs"]["model"]
    said = {key: model[key] for key in ("family", "run", "seed", "statistics") if key in model}
    return said | {"training": record["inputs_hash"]}


def label_scores(logits: np.ndarray, codes: np.ndarray, classes: LabelClasses) -> dict:
    """How well a classifier tells the test products apart, as a record holds it.

    Args:
        logits: float32, shape (n_test, n_classes).
        codes: true classes, shape (n_test,).
        classes: what the codes mean.
    """
    posterior = heads.posterior(logits)
    bins = classification.calibration(posterior, codes)
    found = classification.accuracies(posterior, codes)
    confused = classification.confused_pairs(posterior, codes, classes.names)
    return {
        "n_classes": len(classes),
        "accuracy": {name: intervals.rounded(value) for name, value in found.items()},
        "confused_pairs": result_records.rows(confused),
        "calibration": result_records.rows(bins),
        "calibration_error": intervals.rounded(classification.expected_calibration_error(bins)),
    }


def content(curve: pd.DataFrame, seconds: float, scores: Mapping[str, object]) -> dict:
    """What the record of a training holds.

    Args:
        curve: from `fit.fit`.
        seconds: that the training took.
        scores: such as `label_scores`.
    """
    timings = {"training_seconds": round(seconds, 1)}
    return {"curve": result_records.rows(curve), **scores, "timings": timings}
