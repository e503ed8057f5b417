"""What every training shares: who is trained on, where its state lies, and its record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fashion_rir import classification, heads, results, splits
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError
from fashion_rir.labels import LabelClasses
from fashion_rir.workspace import Workspace

VALIDATION_SHARE = 0.1  # of the training products


@dataclass(frozen=True)
class Split:
    """Who is trained on, who chooses the epoch, and who asks.

    Attributes:
        is_fit: bool, shape (n_products,): trained on.
        is_validation: kept aside inside the training products.
        is_test: the queries.
    """

    is_fit: np.ndarray
    is_validation: np.ndarray
    is_test: np.ndarray


def split(products: pd.DataFrame, *, seed: int) -> Split:
    """Training, validation and test products; identical photos stay together.

    Args:
        products: a catalogue's table.
        seed: of both draws.
    """
    is_test = splits.is_test_product(products, seed=seed)
    is_validation = np.zeros(len(products), dtype=bool)
    is_validation[~is_test] = splits.is_test_product(
        products[~is_test], seed=seed, test_share=VALIDATION_SHARE
    )
    return Split(~is_test & ~is_validation, is_validation, is_test)


def seeds(first: int, n_seeds: int) -> range:
    """The seeds of a training that is repeated: `first` and those after it.

    Raises:
        ParameterError: fewer than one.

    Example:
        >>> list(seeds(20, 3))
        [20, 21, 22]
    """
    if n_seeds < 1:
        raise ParameterError(f"n_seeds must be at least 1, not {n_seeds}.")
    return range(first, first + n_seeds)


def folder(workspace: Workspace, name: str, inputs: Mapping[str, object]) -> Path:
    """Where a training keeps its state; another plan of the same name goes elsewhere."""
    return workspace.trained_models / f"{name}-{results.hash_inputs(inputs)[:8]}"


def describe(
    workspace: Workspace, catalog: Catalog, base: Mapping[str, object], parts: Split, seed: int
) -> dict[str, object]:
    """What the numbers of every training depend on; the experiments add their own.

    Args:
        workspace: of the profile.
        catalog: the products.
        base: the metadata of the backbone, or of the stored embeddings.
        parts: who is trained on.
        seed: of the training.
    """
    return {
        "profile": workspace.profile,
        "data_hash": catalog.data_hash,
        "n_products": len(catalog),
        "n_fit": int(parts.is_fit.sum()),
        "n_validation": int(parts.is_validation.sum()),
        "n_test": int(parts.is_test.sum()),
        "model": {key: str(value) for key, value in base.items() if key != "data_hash"},
        "backend": keras.backend.backend(),
        "seed": seed,
    }


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
    return {
        "n_classes": len(classes),
        "accuracy": {name: results.rounded(value) for name, value in found.items()},
        "confused_pairs": _rows(classification.confused_pairs(posterior, codes, classes.names)),
        "calibration": _rows(bins),
        "calibration_error": results.rounded(classification.expected_calibration_error(bins)),
    }


def write(
    workspace: Workspace,
    name: str,
    inputs: Mapping[str, object],
    curve: pd.DataFrame,
    scores: Mapping[str, object],
    *,
    seconds: float,
) -> dict:
    """Write the record of a training.

    Args:
        workspace: of the profile.
        name: of the training.
        inputs: from `describe`, and more.
        curve: from `training.fit`.
        scores: such as `label_scores`.
        seconds: that the training took. A training that was taken from its folder keeps the time
            that the first run measured.

    Returns:
        The record, of kind `training`.
    """
    record = results.make_record(
        "training", name, inputs, curve=_rows(curve), **scores,
        timings={"training_seconds": round(seconds, 1)},
    )  # fmt: skip
    if (workspace.results / f"{name}.json").exists():
        earlier = results.read(workspace.results, name)
        if earlier["inputs_hash"] == record["inputs_hash"]:
            record["timings"] = earlier["timings"]
    results.write(record, workspace.results)
    return record


def _rows(table: pd.DataFrame) -> list[dict[str, object]]:
    return json.loads(table.round(results.DIGITS).to_json(orient="records"))
