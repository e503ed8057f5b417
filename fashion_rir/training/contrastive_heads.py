"""Contrastive heads: a projection of stored embeddings that draws alike products together.

The same objectives as end to end (`contrastive_study`), on the numbers of frozen backbones, so
that a laptop repeats them in minutes and takes batches of 1,024 products. As in Chen et al.
(2020) and Khosla et al. (2020) a hidden layer stands before the projection; both can be searched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.training import fit, heads, losses, samplers

OBJECTIVES = ("nt_xent", "supervised", "triplet", "multi_attribute", "hybrid")


@dataclass(frozen=True)
class Objective:
    """What a contrastive training asks for, and how its batches are drawn.

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
        if self.name not in OBJECTIVES:
            raise unknown_name("objective", self.name, OBJECTIVES)
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
        self.loss()  # refuses a margin or shares out of range

    def loss(self) -> Callable[[losses.Tensor, losses.Tensor], losses.Tensor]:
        """The contrastive loss, as `model.compile` takes it.

        For NT-Xent the label of a view is its product's number.
        """
        if self.name == "triplet":
            return losses.as_keras_loss(losses.triplet_semi_hard, margin=self.margin)
        if self.name == "multi_attribute":
            return losses.as_keras_loss(
                losses.multi_attribute, shares=self.shares, temperature=self.temperature
            )
        return losses.as_keras_loss(losses.supervised_contrastive, temperature=self.temperature)


@dataclass(frozen=True)
class ProjectionSettings:
    """What a contrastive head is made of.

    Attributes:
        hidden: width of the hidden layer, at least 1; None for none.
        projection: width of the last, linear layer, at least 1.
        dropout: share of the inputs (half of it) and of hidden numbers left out in training, at
            least 0 and below 1.
        activation: of the hidden layer, `relu` or `linear`.
    """

    hidden: int | None = 512
    projection: int = 128
    dropout: float = 0.4
    activation: str = "relu"

    def __post_init__(self) -> None:
        heads.HeadSettings(hidden=self.hidden, activation=self.activation, dropout=self.dropout)
        if self.projection < 1:
            raise ParameterError(f"projection must be at least 1, not {self.projection}.")


@dataclass(frozen=True)
class ContrastiveHead:
    """A trained head.

    Attributes:
        model: Keras; standardised inside, so it takes embeddings as they are stored. Outputs by
            name: `hidden` (without a hidden layer, its standardised inputs), `projection` and, of
            a hybrid, `logits`.
    """

    model: keras.Model

    def outputs(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs by name, float32, one row a product.

        Args:
            features: float32, shape (n_products, dim).

        Raises:
            ParameterError: embeddings of another length.
        """
        dim = self.model.input_shape[-1]
        if np.ndim(features) != 2 or np.shape(features)[1] != dim:
            raise ParameterError(
                f"The head takes embeddings of shape (n, {dim}), not {np.shape(features)}; use "
                "those of the backbones that it was trained on."
            )
        return self.model.predict(features, batch_size=heads.PREDICTED_AT_ONCE, verbose=0)


def build_projection(
    features: np.ndarray, settings: ProjectionSettings, *, n_classes: int | None = None, seed: int
) -> keras.Model:
    """A head with random weights, its inputs standardised by the training products.

    Args:
        features: float32, shape (n_train, dim): what the standardisation is learned from.
        settings: its form.
        n_classes: of a softmax on the projection, for `hybrid`; None for none.
        seed: of the weights.

    Returns:
        A model from (n, dim) to `hidden`, `projection` and, with classes, `logits`.
    """
    keras.utils.set_random_seed(seed)
    inputs, hidden = heads.standardised_input(features)
    if settings.hidden is not None:
        hidden = keras.layers.Dropout(settings.dropout / 2)(hidden)
        hidden = keras.layers.Dense(settings.hidden, settings.activation)(hidden)
    dropped = keras.layers.Dropout(settings.dropout)(hidden)
    projection = keras.layers.Dense(settings.projection, name="projection")(dropped)
    outputs = {"hidden": hidden, "projection": projection}
    if n_classes is not None:
        outputs["logits"] = keras.layers.Dense(n_classes, name="logits")(projection)
    return keras.Model(inputs, outputs)


def train_contrastive_head(
    features: np.ndarray,
    labels: np.ndarray,
    objective: Objective,
    settings: ProjectionSettings,
    fitting: fit.TrainingSettings,
    *,
    seed: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    checkpoint: fit.Checkpoint | None = None,
) -> tuple[ContrastiveHead, pd.DataFrame]:
    """Train a head by a contrastive objective.

    Args:
        features: float32, shape (n_train, dim); for `nt_xent` (n_train, n_views, dim), the stored
            embeddings of two or more augmented views of each product, of which every step takes
            two.
        labels: int, shape (n_train,), or (n_train, n_attributes) for `multi_attribute`; -1 for
            missing. A product without articleType is left out. `nt_xent` does not look at them.
        objective: the loss and its batches.
        settings: the head.
        fitting: epochs, batch size (in products) and so on.
        seed: of weights, batches, views and dropout.
        validation: features and labels, for early stopping.
        checkpoint: where the state is kept, for long trainings.

    Returns:
        The head and its learning curve (see `fit.fit`).

    Raises:
        ParameterError: labels of another length or shape, features that are not finite or of the
            wrong shape, one class only, batches without positives, P or K above what exists.
        TrainingError: see `fit.fit`.
    """
    rows, targets = _prepared(features, labels, objective)
    if objective.name == "nt_xent":
        sampler = _view_sampler(objective, *features.shape[:2], fitting.batch_size, seed=seed)
    else:
        sampler = batch_sampler(objective, first_attribute(targets), fitting.batch_size, seed=seed)
    if validation is not None:
        asked, answers = validation
        asked = asked[:, :2] if objective.name == "nt_xent" else asked
        asked, answers = _prepared(asked, answers, objective)
        validation = asked, targets_of(objective, "projection", answers)
    n_classes = int(targets.max()) + 1 if objective.name == "hybrid" else None
    model = build_projection(rows, settings, n_classes=n_classes, seed=seed)
    learned = {name: model.output[name] for name in targets_of(objective, "projection", targets)}
    curve = fit.fit(
        keras.Model(model.inputs, learned),
        fit.Batches(rows, targets_of(objective, "projection", targets), sampler),
        fitting, **losses_of(objective, "projection"), validation=validation,
        checkpoint=checkpoint, seed=seed,
    )  # fmt: skip
    return ContrastiveHead(model), curve


def losses_of(objective: Objective, output: str) -> dict[str, dict[str, object]]:
    """The `loss` and `loss_weights` of a training.

    Args:
        objective: what is asked for.
        output: the model's output that is compared; a hybrid has `logits` beside it.
    """
    contrastive = {output: objective.loss()}
    if objective.name != "hybrid":
        return {"loss": contrastive, "loss_weights": {output: 1.0}}
    share = objective.cross_entropy_share
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {
        "loss": contrastive | {"logits": cross_entropy},
        "loss_weights": {output: 1 - share, "logits": share},
    }


def targets_of(objective: Objective, output: str, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The labels by the model's outputs, as `losses_of` wants them."""
    return {name: labels for name in losses_of(objective, output)["loss"]}


def batch_sampler(
    objective: Objective, classes: np.ndarray, batch_size: int, *, seed: int
) -> fit.Sampler:
    """The batches of each epoch: P x K, or shuffled.

    Args:
        objective: says which, and K.
        classes: int, shape (n_products,): articleType, -1 for missing; each product's own number
            for NT-Xent.
        batch_size: products a batch; P x K ones hold batch_size / K classes.
        seed: of the draw.

    Raises:
        ParameterError: a batch size that K does not divide, P or K above what exists, one class
            only, or shuffled batches without positives.
    """
    k = objective.products_per_class
    if objective.name == "nt_xent":
        if batch_size < 2:
            raise ParameterError("NT-Xent compares products: a batch takes 2 at least, not 1.")
        return _shuffled(len(classes), batch_size, seed=seed)
    losses.check_batch(classes)
    if k is None:
        sampler = _shuffled(len(classes), batch_size, seed=seed)
        _require_positives(classes, sampler(0))
        return sampler
    if batch_size % k:
        raise ParameterError(
            f"A batch of {batch_size} products cannot hold {k} of each class; take a batch size "
            "that products_per_class (K) divides."
        )

    def balanced(epoch: int) -> np.ndarray:
        return samplers.class_balanced_batches(
            classes, classes_per_batch=batch_size // k, products_per_class=k,
            batches=max(1, len(classes) // batch_size), seed=seed, epoch=epoch,
        )  # fmt: skip

    balanced(0)  # refuses a P or K that the products do not have
    return balanced


def first_attribute(labels: np.ndarray) -> np.ndarray:
    """articleType, where labels may hold several attributes: int, shape (n_products,)."""
    return labels[:, 0] if labels.ndim == 2 else labels


def _prepared(
    features: np.ndarray, labels: np.ndarray, objective: Objective
) -> tuple[np.ndarray, np.ndarray]:
    """Checked rows (n_rows, dim) and their labels; a view's is its product's number."""
    features, labels = np.asarray(features), np.asarray(labels)
    if len(features) != len(labels):
        raise ParameterError(
            f"There are {len(features)} embeddings but {len(labels)} labels; give one label to "
            "each product, -1 for none."
        )
    n_axes = 3 if objective.name == "nt_xent" else 2
    if features.ndim != n_axes or (n_axes == 3 and features.shape[1] < 2):
        wanted = "(n, n_views, dim), two views or more" if n_axes == 3 else "(n, dim)"
        raise ParameterError(
            f"{objective.name} takes embeddings of shape {wanted}, not {features.shape}."
        )
    rows = features.reshape(-1, features.shape[-1])
    losses.check_embeddings(rows)
    if objective.name == "nt_xent":
        return rows, np.repeat(np.arange(len(features)), features.shape[1])
    n_attributes = len(objective.shares) if objective.name == "multi_attribute" else None
    if labels.shape[1:] != (() if n_attributes is None else (n_attributes,)):
        wanted = "(n,)" if n_attributes is None else f"(n, {n_attributes}), one share a column"
        raise ParameterError(
            f"{objective.name} takes labels of shape {wanted}, not {labels.shape}."
        )
    is_known = first_attribute(labels) >= 0
    if not is_known.any():
        raise ParameterError(f"None of {len(labels)} products has a class; take more products.")
    return (rows, labels) if is_known.all() else (rows[is_known], labels[is_known])


def _view_sampler(
    objective: Objective, n_products: int, n_views: int, batch_size: int, *, seed: int
) -> fit.Sampler:
    """Rows of two different views of each product; products are shuffled, views drawn anew."""
    shuffled = batch_sampler(objective, np.arange(n_products), batch_size, seed=seed)

    def sample(epoch: int) -> list[np.ndarray]:
        generator = np.random.default_rng((seed, epoch, n_views))
        first = generator.integers(n_views, size=n_products)
        second = (first + generator.integers(1, n_views, size=n_products)) % n_views
        return [
            np.concatenate([batch * n_views + view[batch] for view in (first, second)])
            for batch in shuffled(epoch)
        ]

    return sample


def _shuffled(n_products: int, batch_size: int, *, seed: int) -> fit.Sampler:
    """Whole batches only: a smaller one would have fewer negatives."""

    def sample(epoch: int) -> list[np.ndarray]:
        return samplers.shuffled_batches(
            n_products, batch_size=batch_size, seed=seed, epoch=epoch, drop_last=True
        )

    sample(0)  # refuses a batch size above the number of products
    return sample


def _require_positives(classes: np.ndarray, batches: Sequence[np.ndarray]) -> None:
    n_without = sum(not samplers.has_positive(classes[batch]).any() for batch in batches)
    if n_without:
        raise ParameterError(
            f"{n_without} of {len(batches)} batches hold no two products of a class, so nothing "
            "in them has a positive; take larger batches, or P x K ones."
        )
