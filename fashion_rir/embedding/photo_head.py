"""What a photo shows, told from stored embeddings: a head with one hidden layer, in plain numpy.

It needs neither Keras nor TensorFlow, so that a shop can answer a visitor with it. It is kept as
an `.npz` of plain arrays (no pickle); `training.one_of` trains it.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.embedding import reduction
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.system import whole_file

SCHEMA_VERSION = 2

STEPS = "_steps"  # behind the name of a matrix: what one unit of its columns' bytes is worth

SMALLEST = 1e-6  # of a posterior, before its logarithm

LABELS = ("articleType", "baseColour")  # of a product, that it is found by

KIND = "kind"  # the label that says which of a few kinds of garment it is, such as shoes

OTHER = "other"  # the kind of the types that belong to none

COLOUR_SHARE = 0.3  # of the colour beside the type's 1, in what makes two pictures alike


@dataclass(frozen=True)
class PhotoHead:
    """A trained head.

    A head may tell a garment's kind too, which is known of more photos than its type; then a type
    is as probable as the head says of it, times the probability of its kinds.

    Attributes:
        classes: by label, such as `articleType`, the names of its classes.
        arrays: `mean` (dim,), `scale` (1,), `hidden` (dim, n_hidden), `hidden_bias`, and for each
            label `<label>` (n_hidden, n_classes) and `<label>_bias`; float32.
        about: what it was trained on: networks and weights, counts, seed; plain values.
        kinds: the types of each kind, if `kind` is one of the labels.
    """

    classes: Mapping[str, tuple[str, ...]]
    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, object]
    kinds: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def posteriors(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """What the head believes.

        Args:
            features: float32, shape (n, dim): the networks' embeddings side by side.

        Returns:
            By label float32, shape (n, n_classes); rows sum to 1.

        Raises:
            ParameterError: embeddings of another length than it was trained on.
        """
        dim = len(self.arrays["mean"])
        if np.ndim(features) != 2 or np.shape(features)[1] != dim:
            raise ParameterError(
                f"The photo head takes embeddings of shape (n, {dim}), not {np.shape(features)}; "
                f"use those of {self.about.get('networks', 'its networks')}."
            )
        inputs = (features - self.arrays["mean"]) * self.arrays["scale"]
        hidden = np.maximum(inputs @ self.arrays["hidden"] + self.arrays["hidden_bias"], 0)
        found = {
            label: softmax(hidden @ self.arrays[label] + self.arrays[f"{label}_bias"])
            for label in self.classes
        }
        if KIND in found:
            is_of = kinds_of(self.classes["articleType"], self.kinds)
            sharper = found["articleType"] * (found[KIND] @ is_of.T)
            found["articleType"] = sharper / sharper.sum(axis=1, keepdims=True)
        return found

    @property
    def networks(self) -> list[str]:
        """The shipped embeddings that it is fed, side by side in this order."""
        return list(self.about["networks"])

    @property
    def least_confidence(self) -> float:
        """The probability of the type from which on a photo counts as known; 0 if not measured."""
        return float(self.about.get("least_confidence", 0))

    def rounded(self) -> "PhotoHead":
        """The head as it is once it has been kept: matrices in whole steps of one byte."""
        arrays = {name: reduction.from_bytes(*reduction.in_bytes(a)) if a.ndim == 2 else a
                  for name, a in self.arrays.items()}  # fmt: skip
        return replace(self, arrays=arrays)

    def save(self, path: Path) -> None:
        """Write the head whole or not at all; matrices in one byte and a step for each column."""
        said = {
            "schema": SCHEMA_VERSION,
            "classes": {label: list(names) for label, names in self.classes.items()},
            "kinds": {kind: list(types) for kind, types in self.kinds.items()},
            "about": dict(self.about),
        }
        text = np.frombuffer(json.dumps(said).encode(), np.uint8)
        kept = {}
        for name, array in self.arrays.items():
            if array.ndim == 2:
                kept[name], kept[f"{name}{STEPS}"] = reduction.in_bytes(array)
            else:
                kept[name] = array.astype(np.float32)
        with whole_file(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, said=text, **kept)

    @classmethod
    def load(cls, path: Path) -> "PhotoHead":
        """A head from `save`.

        Raises:
            StoreError: there is none, or it is damaged or of another schema version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                said = json.loads(file["said"].tobytes())
                if said["schema"] != SCHEMA_VERSION:
                    raise ValueError(f"schema {said['schema']}")
                arrays = {}
                for name in file.files:
                    if name != "said" and not name.endswith(STEPS):
                        steps = file[f"{name}{STEPS}"] if f"{name}{STEPS}" in file.files else 1
                        arrays[name] = reduction.from_bytes(file[name], steps)
            classes = {label: tuple(names) for label, names in said["classes"].items()}
            return cls(classes, arrays, said["about"], said["kinds"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError,
                zipfile.BadZipFile) as error:  # fmt: skip
            raise StoreError(
                f"{path} is no photo head of this program ({type(error).__name__}: {error}); "
                "restore it, or train it again."
            ) from error


def kinds_of(types: Sequence[str], kinds: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The kinds that each type belongs to: float32, shape (n_types, n_kinds + 1); others last.

    Example:
        >>> kinds_of(["Caps", "Watches"], {"hat": ["Caps", "Hat"]}).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    found = np.stack([np.isin(types, members) for members in kinds.values()], axis=1)
    is_other = ~found.any(axis=1, keepdims=True)
    return np.hstack([found, is_other]).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows that sum to 1: float32, same shape."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def mean_of_views(views: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What several views of the same photos say together: the geometric mean of their posteriors.

    Args:
        views: posteriors by label, each of shape (n, n_classes).

    Returns:
        By label float32, same shape; rows sum to 1.

    Example:
        >>> sure, torn = np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])
        >>> print(mean_of_views([{"type": sure}, {"type": torn}])["type"].round(2))
        [[0.67 0.33]]
    """
    return {
        label: softmax(np.mean([np.log(np.maximum(v[label], SMALLEST)) for v in views], axis=0))
        for label in views[0]
    }


def alike_vectors(posteriors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Posteriors as one embedding, for the ranking that knows no product's labels.

    Args:
        posteriors: `articleType` and `baseColour`, each of shape (n, n_classes).

    Returns:
        float32, shape (n, n_types + n_colours), of length 1: the cosine similarity of two is the
        weighted mean of the Bhattacharyya coefficients of type and colour.
    """
    parts = [np.sqrt(posteriors["articleType"] / (1 + COLOUR_SHARE)),
             np.sqrt(posteriors["baseColour"] * COLOUR_SHARE / (1 + COLOUR_SHARE))]  # fmt: skip
    return np.hstack(parts).astype(np.float32)


def label_scores(
    posteriors: Mapping[str, np.ndarray], codes: Mapping[str, np.ndarray]
) -> np.ndarray:
    """How probable each product's own labels are: the ranking of a shop that knows its products.

    Args:
        posteriors: of the queries, by label (n_queries, n_classes).
        codes: of the products, by the same labels, int64 (n_products,); -1 where it is unknown.

    Returns:
        float32, shape (n_queries, n_products): the sum of the log posteriors, the colour's by
        `COLOUR_SHARE`; an unknown label counts as the least probable one.
    """
    total = np.zeros((len(posteriors["articleType"]), len(codes["articleType"])), np.float32)
    for label, share in (("articleType", 1.0), ("baseColour", COLOUR_SHARE)):
        logs = np.log(np.maximum(posteriors[label], SMALLEST))
        logs = np.hstack([logs, np.full((len(logs), 1), np.log(SMALLEST))])  # for code -1
        total += np.float32(share) * logs[:, codes[label]].astype(np.float32)
    return total


def codes_of(values: pd.Series, names: Sequence[str]) -> np.ndarray:
    """The classes' numbers, int64; -1 where the value is missing or no class."""
    return pd.Index(list(names)).get_indexer(values).astype(np.int64)


def first_ranked(scores: np.ndarray, k: int) -> np.ndarray:
    """Rows of the k products of the highest scores, the best first; equal ones in their order.

    Args:
        scores: shape (n_queries, n_products).
        k: how many.
    """
    at_least = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    ranked = np.empty((len(scores), k), dtype=np.int64)
    for row, (values, least) in enumerate(zip(scores, at_least, strict=True)):
        candidates = np.flatnonzero(values >= least)
        ranked[row] = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
    return ranked


def averaged(heads: Sequence[PhotoHead]) -> PhotoHead:
    """Several heads as one, whose answer is the geometric mean of theirs.

    Args:
        heads: of the same classes and inputs; their hidden layers come to stand side by side.

    Raises:
        ParameterError: no head, or heads of different classes.
    """
    if not heads or any(head.classes != heads[0].classes for head in heads):
        raise ParameterError("Heads of the same classes are averaged, one at least.")
    # Each head's own mean and scale go into its weights.
    hidden = [head.arrays["hidden"] * head.arrays["scale"] for head in heads]
    biases = [
        head.arrays["hidden_bias"] - head.arrays["mean"] @ scaled
        for head, scaled in zip(heads, hidden, strict=True)
    ]
    arrays = {
        "mean": np.zeros(len(hidden[0]), np.float32),
        "scale": np.ones(1, np.float32),
        "hidden": np.hstack(hidden),
        "hidden_bias": np.concatenate(biases),
    }
    for label in heads[0].classes:
        arrays[label] = np.vstack([head.arrays[label] for head in heads]) / len(heads)
        arrays[f"{label}_bias"] = np.mean([head.arrays[f"{label}_bias"] for head in heads], axis=0)
    seeds = [head.about.get("seed") for head in heads]
    return replace(heads[0], arrays=arrays, about={**heads[0].about, "seed": seeds})


def product_codes(
    products: pd.DataFrame, classes: Mapping[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """The products' own labels as class numbers, by label int64, shape (n_products,)."""
    return {label: codes_of(products[label], classes[label]) for label in LABELS}
