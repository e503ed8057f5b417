"""The joined embedding for any photo: what it probably is, how it looks, and words. NumPy only.

A head on the embeddings of a few backbones tells type, colour, gender and usage; the roots of its
posteriors stand side by side, each with its share, beside the embeddings themselves and a
projection into the space of the words (see `JoinedModel.parts`). As each attribute has its place
in the vector, a query can be changed there: another colour, more weight on the type, or words in
place of a photo.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fashion_rir.embedding import reduction, words
from fashion_rir.errors import ParameterError, WeightsError, unknown_name
from fashion_rir.search.transforms import joint_features
from fashion_rir.system import sha256_of_file, whole_file

SCHEMA_VERSION = 2

TEXT_STEPS = "texts_steps"  # what one unit of a byte of `texts` is worth, by column

LOOKS, WORDS = "looks", "words"  # the parts beside those of the attributes

ARRAYS = ("mean", "deviation", "hidden", "hidden_bias", "images", "texts")


@dataclass(frozen=True)
class JoinedModel:
    """A head, and what is joined of its answers.

    Attributes:
        sources: the embeddings that it is fed, by name, such as those of `shipped_models`.
        arrays: float32 by name: `mean` and `deviation` (dim,) of the features; `hidden`
            (dim, n_hidden) and its bias; `images` (n_hidden + dim, n_words) and `texts`
            (`words.N_ROWS`, n_words); and of each attribute `out-<attribute>`
            (n_hidden + 1, n_classes), the last row being the bias.
        classes: by attribute, in the order of the posteriors.
        shares: of each part in the similarity, by attribute, and of looks and words; their sum
            is 1.
        temperature: of the posteriors.
        quality: what was measured, by name.
        sha256: of the file; empty if it is not kept yet.
    """

    sources: Sequence[str]
    arrays: Mapping[str, np.ndarray]
    classes: Mapping[str, list[str]]
    shares: Mapping[str, float]
    temperature: float
    quality: Mapping[str, object]
    sha256: str = ""

    @cached_property
    def parts(self) -> dict[str, slice]:
        """Where each part lies in the vector."""
        lengths = {name: len(values) for name, values in self.classes.items()}
        lengths[LOOKS] = len(self.arrays["mean"])
        lengths[WORDS] = self.arrays["texts"].shape[1]
        ends = np.cumsum(list(lengths.values())).tolist()
        return {name: slice(end - length, end)
                for (name, length), end in zip(lengths.items(), ends, strict=True)}  # fmt: skip

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self.parts[WORDS].stop

    def vectors(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """The joined embeddings of some photos.

        Args:
            matrices: float32, of each backbone in the order of `sources`, a row a photo.

        Returns:
            float32, shape (n_photos, dim), of length 1.
        """
        features = joint_features(matrices)
        hidden = self.hidden(features)
        looks = _unit(features)
        found = np.empty((len(features), self.dim), dtype=np.float32)
        for name in self.classes:
            found[:, self.parts[name]] = np.sqrt(self.posterior(hidden, name))
        found[:, self.parts[LOOKS]] = looks
        found[:, self.parts[WORDS]] = _unit(np.hstack([hidden, looks]) @ self.arrays["images"])
        for name, place in self.parts.items():
            found[:, place] *= np.float32(np.sqrt(self.shares[name]))
        return found

    def hidden(self, features: np.ndarray) -> np.ndarray:
        """The head's hidden layer, float32 (n_photos, n_hidden)."""
        standard = (features - self.arrays["mean"]) / self.arrays["deviation"]
        return np.maximum(standard @ self.arrays["hidden"] + self.arrays["hidden_bias"], 0)

    def posterior(self, hidden: np.ndarray, attribute: str) -> np.ndarray:
        """What the head believes of an attribute, float32 (n_photos, n_classes)."""
        weights = self.arrays[f"out-{attribute}"]
        logits = (hidden @ weights[:-1] + weights[-1]) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def changed(
        self,
        vector: np.ndarray,
        *,
        values: Mapping[str, str] | None = None,
        weights: Mapping[str, float] | None = None,
        text: str = "",
    ) -> np.ndarray:
        """A query like this one, but otherwise in some respect.

        Args:
            vector: of a photo or a product, float32 (dim,); of zeros for words alone.
            values: by attribute what the products shall be instead.
            weights: by part how many times its usual share it shall count, at least 0.
            text: words that the products shall go with.

        Returns:
            float32 (dim,).

        Raises:
            ParameterError: an unknown attribute, value or part; or nothing is left of the query.
        """
        found = np.array(vector, dtype=np.float32)
        for name, weight in (weights or {}).items():
            if name not in self.parts:
                raise unknown_name("part", name, self.parts)
            found[self.parts[name]] *= weight
        if values:
            found = self._with_values(found, values)
        rows = words.rows_of(text)
        if len(rows):
            meant = _unit(self.arrays["texts"][rows].sum(axis=0, keepdims=True))[0]
            share = np.sqrt(self.shares[WORDS])
            found[self.parts[WORDS]] = meant * np.float32(TEXT_WEIGHT / share)
        if not found.any():
            raise ParameterError(
                "Nothing is left to search by: give a photo, a product or words, and a weight "
                "above 0."
            )
        return found

    def _with_values(self, vector: np.ndarray, values: Mapping[str, str]) -> np.ndarray:
        """The query's attributes, some of them others; what it looks like spoke for the old."""
        found = np.zeros_like(vector)
        for name in self.classes:
            if name not in values:  # kept more firmly than it counts otherwise
                kept = KEPT_WEIGHTS.get(name, 1.0) / self.shares[name]
                found[self.parts[name]] = vector[self.parts[name]] * kept
        for name, value in values.items():
            if name not in self.classes:
                raise unknown_name("attribute", name, self.classes)
            if value not in self.classes[name]:
                raise unknown_name(name, value, self.classes[name])
            row = self.parts[name].start + self.classes[name].index(value)
            found[row] = CHANGED_WEIGHT / np.sqrt(self.shares[name])
        return found

    def save(self, path: Path) -> None:
        """Keep it as one file, its numbers in float16; `texts` in one byte, a step a column."""
        about = {
            "schema": SCHEMA_VERSION, "sources": list(self.sources),
            "classes": dict(self.classes), "shares": dict(self.shares),
            "temperature": self.temperature, "quality": dict(self.quality),
        }  # fmt: skip
        with whole_file(path, WeightsError) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, about=json.dumps(about), **_kept(self.arrays))


# How a query is changed; chosen on validation products, see `studies.trained.shop_model`.
CHANGED_WEIGHT = 2.0

KEPT_WEIGHTS = {"articleType": 1.0, "baseColour": 0.5, "gender": 0.5, "usage": 0.5}

TEXT_WEIGHT = 1.0


def load(path: Path) -> JoinedModel:
    """A model that was kept.

    Raises:
        WeightsError: there is none, or it is damaged or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = _read({name: file[name] for name in file.files if name != "about"})
        if about.pop("schema") != SCHEMA_VERSION or not set(ARRAYS) <= set(arrays):
            raise ValueError("another version")
        return JoinedModel(arrays=arrays, sha256=sha256_of_file(path), **about)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise WeightsError(
            f"There is no whole joined model at {path} ({type(error).__name__}); make it again by "
            "`git checkout -- data/shipped/joined.npz`."
        ) from error


def rounded(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A model's arrays as they are once they have been kept: float32, same shapes."""
    return _read(_kept(arrays))


def _kept(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What is written of a model's arrays."""
    kept = {name: array.astype(np.float16) for name, array in arrays.items()}
    kept["texts"], kept[TEXT_STEPS] = reduction.in_bytes(arrays["texts"])
    return kept


def _read(kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that were kept: float32."""
    arrays = {name: array.astype(np.float32) for name, array in kept.items()}
    arrays["texts"] = reduction.from_bytes(kept["texts"], arrays.pop(TEXT_STEPS))
    return arrays


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
