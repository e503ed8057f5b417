"""Contrastive objectives: draw alike products together and push the others apart.

They train heads on frozen backbones, where a laptop repeats them in minutes and takes batches of
1,024 products, and networks end to end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.training import fit, losses, samplers
from fashion_rir.training.objectives import Examples, shuffled

CONTRASTIVE = ("nt_xent", "supervised", "triplet", "multi_attribute", "hybrid")


@dataclass(frozen=True)
class Contrastive:
    """Draw alike products together and push the others apart.

    Attributes:
        name: `nt_xent` (Chen et al. 2020), `supervised` (Khosla et al. 2020), `triplet` (Schroff
            et al. 2015, semi-hard), `multi_attribute` (supervised, positives weighted by what they
            share), or `hybrid` (supervised plus the cross-entropy of a softmax).
        temperature: of all but `triplet`, above 0.
        margin: of `triplet`, in squared distances of unit vectors, above 0 and up to 4.
        shares: of `multi_attribute`: how much each attribute counts, articleType first.
        cross_entropy_share: of `hybrid`: the weight of the cross-entropy, above 0 and below 1;
            the contrastive loss has the rest.
        products_per_class: K of P x K batches, at least 2; P is the batch size over K. None for
            shuffled batches, which `nt_xent` always has.
    """

    name: str = "supervised"
    temperature: float = 0.1
    margin: float = 0.2
    shares: tuple[float, ...] = (0.6, 0.3, 0.1)
    cross_entropy_share: float = 0.5
    products_per_class: int | None = 8

    def __post_init__(self) -> None:
        if self.name not in CONTRASTIVE:
            raise unknown_name("objective", self.name, CONTRASTIVE)
        losses.check_temperature(self.temperature)
        if not 0 < self.cross_entropy_share < 1:
            raise ParameterError(
                "The share of the cross-entropy must be above 0 and below 1, not "
                f"{self.cross_entropy_share}."
            )
        if self.products_per_class is not None and self.products_per_class < 2:
            raise ParameterError(
                "products_per_class (K) must be at least 2, or None for shuffled batches, not "
                f"{self.products_per_class}."
            )
        self.compiled()  # refuses a margin or shares out of range

    def examples(
        self, features: np.ndarray, labels: np.ndarray, *, for_validation: bool = False
    ) -> Examples:
        """Rows and their labels; for NT-Xent the label of a view is its product's number.

        Args:
            features: float32, shape (n, dim); for `nt_xent` (n, n_views, dim), the stored
                embeddings of two or more augmented views of each product.
            labels: int, shape (n,), or (n, n_attributes) for `multi_attribute`; -1 for missing. A
                product without articleType is left out. `nt_xent` does not look at them.
            for_validation: here, NT-Xent compares the first two views of each product.

        Raises:
            ParameterError: features or labels of another shape, or no product with a class.
        """
        if len(features) != len(labels):
            raise ParameterError(
                f"There are {len(features)} embeddings but {len(labels)} labels; give one label "
                "to each product, -1 for none."
            )
        if self.name == "nt_xent":
            _require_views(features)
            shown = features[:, :2] if for_validation else features
            rows = shown.reshape(-1, shown.shape[-1])
            return Examples(rows, self.targets(np.repeat(np.arange(len(shown)), shown.shape[1])))
        if features.ndim != 2:
            raise ParameterError(
                f"{self.name} takes embeddings of shape (n, dim), not {features.shape}."
            )
        wanted, of_shape = (), "(n,)"
        if self.name == "multi_attribute":
            wanted = (len(self.shares),)
            of_shape = f"(n, {len(self.shares)}), one share a column"
        if labels.shape[1:] != wanted:
            raise ParameterError(
                f"{self.name} takes labels of shape {of_shape}, not {labels.shape}."
            )
        is_known = first_attribute(labels) >= 0
        if not is_known.any():
            raise ParameterError(f"None of {len(labels)} products has a class; take more products.")
        if not is_known.all():
            features, labels = features[is_known], labels[is_known]
        return Examples(features, self.targets(labels))

    def n_classes(self, given: Examples) -> dict[str, int]:
        """Of a hybrid, as many as its training products have."""
        is_hybrid = self.name == "hybrid"
        return {"logits": int(given.targets["logits"].max()) + 1} if is_hybrid else {}

    def sampler(self, given: Examples, batch_size: int, *, seed: int) -> fit.Sampler:
        """See `batches`; of NT-Xent, two different views of each product, drawn anew."""
        labels = given.targets["projection"]
        if self.name != "nt_xent":
            return self.batches(first_attribute(labels), batch_size, seed=seed)
        n_products = int(labels.max()) + 1
        n_views = len(labels) // n_products
        batches = self.batches(np.arange(n_products), batch_size, seed=seed)

        def sample(epoch: int) -> list[np.ndarray]:
            generator = np.random.default_rng((seed, epoch, n_views))
            first = generator.integers(n_views, size=n_products)
            second = (first + generator.integers(1, n_views, size=n_products)) % n_views
            return [
                np.concatenate([batch * n_views + view[batch] for view in (first, second)])
                for batch in batches(epoch)
            ]

        return sample

    def batches(self, classes: np.ndarray, batch_size: int, *, seed: int) -> fit.Sampler:
        """The batches of each epoch: P x K, or shuffled.

        Args:
            classes: int, shape (n_products,): articleType, -1 for missing; each product's own
                number for NT-Xent.
            batch_size: products a batch; P x K ones hold batch_size / K classes.
            seed: of the draw.

        Raises:
            ParameterError: a batch size that K does not divide, P or K above what exists, one
                class only, or shuffled batches without positives.
        """
        k, n_products = self.products_per_class, len(classes)
        if self.name == "nt_xent":
            if batch_size < 2:
                raise ParameterError("NT-Xent compares products: a batch takes 2 at least, not 1.")
            return shuffled(n_products, batch_size, seed=seed, drop_last=True)
        losses.check_batch(classes)
        if k is None:  # whole batches only: a smaller one would have fewer negatives
            sampler = shuffled(n_products, batch_size, seed=seed, drop_last=True)
            _require_positives(classes, sampler(0))
            return sampler
        if batch_size % k:
            raise ParameterError(
                f"A batch of {batch_size} products cannot hold {k} of each class; take a batch "
                "size that products_per_class (K) divides."
            )
        shape = (max(1, n_products // batch_size), batch_size // k, k)

        def balanced(epoch: int) -> np.ndarray:
            return samplers.class_balanced_batches(classes, shape, seed=seed, epoch=epoch)

        balanced(0)  # refuses a P or K that the products do not have
        return balanced

    def compiled(self, output: str = "projection") -> dict[str, object]:
        """The losses, and how they weigh.

        Args:
            output: the model's output that is compared; a hybrid has `logits` beside it.
        """
        contrastive = {output: self._loss()}
        if self.name != "hybrid":
            return {"loss": contrastive, "loss_weights": {output: 1.0}}
        share = self.cross_entropy_share
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return {
            "loss": contrastive | {"logits": cross_entropy},
            "loss_weights": {output: 1 - share, "logits": share},
        }

    def targets(self, labels: np.ndarray, output: str = "projection") -> dict[str, np.ndarray]:
        """The labels by the model's outputs, as `compiled` wants them."""
        return {name: labels for name in self.compiled(output)["loss"]}

    def recorded(self, batch_size: int) -> dict[str, object]:
        """As a record holds it: only what is used, with P and K of its batches."""
        used: dict[str, object] = {"name": self.name}
        if self.name == "triplet":
            used["margin"] = self.margin
        else:
            used["temperature"] = self.temperature
        if self.name == "multi_attribute":
            used["shares"] = list(self.shares)
        if self.name == "hybrid":
            used["cross_entropy_share"] = self.cross_entropy_share
        k = self.products_per_class
        if self.name == "nt_xent" or k is None:
            return used | {"batches": "shuffled"}
        return used | {"batches": "P x K", "P": batch_size // k, "K": k}

    def _loss(self) -> losses.KerasLoss:
        if self.name == "triplet":
            return losses.as_keras_loss(losses.triplet_semi_hard, margin=self.margin)
        if self.name == "multi_attribute":
            return losses.as_keras_loss(
                losses.multi_attribute, shares=self.shares, temperature=self.temperature
            )
        return losses.as_keras_loss(losses.supervised_contrastive, temperature=self.temperature)


def first_attribute(labels: np.ndarray) -> np.ndarray:
    """articleType, where labels may hold several attributes: int, shape (n_products,)."""
    return labels[:, 0] if labels.ndim == 2 else labels


def _require_views(features: np.ndarray) -> None:
    if features.ndim != 3 or features.shape[1] < 2:
        raise ParameterError(
            "nt_xent takes embeddings of shape (n, n_views, dim), two views or more, not "
            f"{features.shape}."
        )


def _require_positives(classes: np.ndarray, batches: Sequence[np.ndarray]) -> None:
    n_without = sum(not samplers.has_positive(classes[batch]).any() for batch in batches)
    if n_without:
        raise ParameterError(
            f"{n_without} of {len(batches)} batches hold no two products of a class, so nothing "
            "in them has a positive; take larger batches, or P x K ones."
        )
