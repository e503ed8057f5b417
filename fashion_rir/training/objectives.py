"""What a head is trained for: an objective checks the examples, draws the batches, sets the loss.

Here are what all objectives have in common, and the classes of labels; `contrastive` has the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np

from fashion_rir.data.labels import LabelClasses
from fashion_rir.errors import ParameterError
from fashion_rir.training import fit, samplers


@dataclass(frozen=True)
class Examples:
    """What a head is trained on, checked.

    Attributes:
        rows: float32, shape (n_rows, dim).
        targets: one for each row, by the name of the head's output that learns it.
        weights: of each row in the loss, shape (n_rows,); 1 if None.
    """

    rows: np.ndarray
    targets: Mapping[str, np.ndarray]
    weights: np.ndarray | None = None


class Objective(Protocol):
    """What `heads.train_head` needs to know of an objective."""

    def examples(
        self, features: np.ndarray, labels: object, *, for_validation: bool = False
    ) -> Examples:
        """Features and labels, checked; products from which nothing can be learned are left out."""

    def n_classes(self, given: Examples) -> dict[str, int]:
        """By the name of each output that tells classes."""

    def sampler(self, given: Examples, batch_size: int, *, seed: int) -> fit.Sampler:
        """The batches of each epoch; sizes that do not fit the examples are refused."""

    def compiled(self) -> dict[str, object]:
        """`loss` and, where there are, `loss_weights` and `metrics` of `fit.fit`."""


@dataclass(frozen=True)
class Classification:
    """Tell the classes of one label, or of several at once; each label's loss counts the same.

    Attributes:
        classes: by label, two at least.
        label_smoothing: as in `heads.HeadSettings`.
        balance: likewise; of a single label only.
    """

    classes: Mapping[str, LabelClasses]
    label_smoothing: float = 0.0
    balance: float = 0.0

    def __post_init__(self) -> None:
        if not self.classes:
            raise ParameterError("A head learns to tell one label at least; name one.")
        for label, known in self.classes.items():
            if len(known) < 2:
                raise ParameterError(
                    f"A head tells two classes apart at least; {label} has {len(known)}."
                )
        if self.balance and len(self.classes) > 1:
            raise ParameterError("Classes of several labels cannot be balanced; set balance to 0.")

    def examples(
        self,
        features: np.ndarray,
        labels: Mapping[str, np.ndarray],
        *,
        for_validation: bool = False,
    ) -> Examples:
        """Smoothed one-hot targets; products that have no class at all are left out.

        Args:
            features: float32, shape (n, dim).
            labels: by label int64, shape (n,), from `LabelClasses.codes`. A missing one (-1) adds
                nothing to that label's loss; the product's other labels count.
            for_validation: here, some label may have no product.

        Raises:
            ParameterError: lengths that differ, a label that no product has, or a class that
                `classes` does not have.
        """
        if labels.keys() != self.classes.keys():
            raise ParameterError(
                f"There are codes of {sorted(labels)} and classes of {sorted(self.classes)}; give "
                "both of the same labels."
            )
        whose = "validation" if for_validation else "training"
        for label, codes in labels.items():
            if len(codes) != len(features):
                raise ParameterError(
                    f"There are {len(features)} embeddings and {len(codes)} classes of {label}; "
                    "give one class a product, -1 for none."
                )
        is_known = {label: codes >= 0 for label, codes in labels.items()}
        unknown = [label for label, known in is_known.items() if not known.any()]
        if len(unknown) == len(labels) or (unknown and not for_validation):
            raise ParameterError(
                f"None of {len(features)} {whose} products has a class of {unknown[0]}; take more."
            )
        is_kept = np.logical_or.reduce(list(is_known.values()))
        targets = {label: self._target(label, codes)[is_kept] for label, codes in labels.items()}
        weights = None
        if self.balance:
            (codes,) = labels.values()
            weights = samplers.sampling_weights(codes[is_kept], self.balance)
        return Examples(features if is_kept.all() else features[is_kept], targets, weights)

    def n_classes(self, given: Examples) -> dict[str, int]:
        """By label."""
        return {label: len(known) for label, known in self.classes.items()}

    def sampler(self, given: Examples, batch_size: int, *, seed: int) -> fit.Sampler:
        """Every product once an epoch, in random order."""
        batch_size = min(batch_size, len(given.rows))
        return shuffled(len(given.rows), batch_size, seed=seed, drop_last=False)

    def compiled(self) -> dict[str, object]:
        """The cross-entropy of each label; of a single one the accuracy beside it."""
        cross_entropy = keras.losses.CategoricalCrossentropy
        return {
            "loss": {label: cross_entropy(from_logits=True) for label in self.classes},
            "metrics": ["accuracy"] if len(self.classes) == 1 else None,
        }

    def _target(self, label: str, codes: np.ndarray) -> np.ndarray:
        """One row a product; where the class is missing, zeros, whose loss is 0."""
        n_classes, has_class = len(self.classes[label]), codes >= 0
        rows = one_hot(np.maximum(codes, 0), n_classes)
        smoothed = rows * (1 - self.label_smoothing) + self.label_smoothing / n_classes
        return (smoothed * has_class[:, None]).astype(np.float32)


def one_hot(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Class numbers as rows with a single 1: float32 (n_products, n_classes).

    Raises:
        ParameterError: a number below 0 (a missing class, too) or from n_classes up.
    """
    is_bad = (codes < 0) | (codes >= n_classes)
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise ParameterError(
            f"The class in row {row} is {codes[row]}; it must be 0 to {n_classes - 1}. Leave "
            "products without a class out."
        )
    return np.eye(n_classes, dtype=np.float32)[codes]


def shuffled(n_products: int, batch_size: int, *, seed: int, drop_last: bool) -> fit.Sampler:
    """The batches of each epoch as `samplers.shuffled_batches`, which says what is refused."""

    def sample(epoch: int) -> list[np.ndarray]:
        return samplers.shuffled_batches(
            n_products, batch_size=batch_size, seed=seed, epoch=epoch, drop_last=drop_last
        )

    sample(0)  # refuses a batch size above the number of products
    return sample
