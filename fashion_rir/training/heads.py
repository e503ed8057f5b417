"""Heads: small networks on stored embeddings, trained in seconds to minutes on a CPU.

A head sees each product as the numbers of one or more frozen backbones. From one hidden layer it
tells the classes of one label or several (multi-task learning, Caruana 1997), or projects alike
products to one place (Chen et al. 2020, Khosla et al. 2020); what it learns is its objective.

What it gives can itself be an embedding: its hidden layer, its projection, or the root of a class
posterior (two products are then as similar as the Bhattacharyya coefficient of what the head
believes of them). Roots of several posteriors side by side, each with its share, make one more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.search import reranking
from fashion_rir.training import fit
from fashion_rir.training.objectives import Objective

PREDICTED_AT_ONCE = 4096  # products: bounds the memory

ACTIVATIONS = ("relu", "linear")


@dataclass(frozen=True)
class HeadSettings:
    """What a head that tells classes is made of, and how its classes weigh.

    Attributes:
        hidden: width of the hidden layer, at least 1; None is a linear probe.
        activation: of the hidden layer, `relu` (as in the thesis) or `linear`.
        dropout: share of the inputs (half of it) and of hidden numbers left out in training, at
            least 0 and below 1.
        label_smoothing: share of the target that is spread over all classes, likewise.
        balance: 0 weighs every product alike, 1 every class, by count ** -balance.
    """

    hidden: int | None = 512
    activation: str = "relu"
    dropout: float = 0.4
    label_smoothing: float = 0.1
    balance: float = 0.0

    projection = None  # it has none

    def __post_init__(self) -> None:
        if self.hidden is not None and self.hidden < 1:
            raise ParameterError(
                f"hidden must be at least 1, or None for no hidden layer, not {self.hidden}."
            )
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ParameterError(
                    f"{name} must be at least 0 and below 1, not {getattr(self, name)}."
                )
        if not 0 <= self.balance <= 1:
            raise ParameterError(f"balance must lie between 0 and 1, not {self.balance}.")


@dataclass(frozen=True)
class ProjectionSettings:
    """What a contrastive head is made of.

    Attributes:
        hidden: as in `HeadSettings`, and so are dropout and activation.
        projection: width of the last, linear layer, at least 1.
    """

    hidden: int | None = 512
    projection: int = 128
    dropout: float = 0.4
    activation: str = "relu"

    def __post_init__(self) -> None:
        HeadSettings(hidden=self.hidden, activation=self.activation, dropout=self.dropout)
        if self.projection < 1:
            raise ParameterError(f"projection must be at least 1, not {self.projection}.")


@dataclass(frozen=True)
class Head:
    """A trained head.

    Attributes:
        model: Keras; standardised inside, so it takes embeddings as they are stored. Its outputs
            are those of `build_head`.
    """

    model: keras.Model

    def outputs(self, features: np.ndarray, *names: str) -> dict[str, np.ndarray]:
        """What the head makes of some products.

        Args:
            features: float32, shape (n_products, dim).
            names: of the outputs; all of them if none is given.

        Returns:
            By name float32, one row a product.

        Raises:
            ParameterError: embeddings of another length than it was trained on.
        """
        dim = self.model.input_shape[-1]
        if np.ndim(features) != 2 or np.shape(features)[1] != dim:
            raise ParameterError(
                f"The head takes embeddings of shape (n, {dim}), not {np.shape(features)}; use "
                "those of the backbones that it was trained on."
            )
        asked = {name: self.model.output[name] for name in names or self.model.output}
        model = keras.Model(self.model.inputs, asked)
        return model.predict(features, batch_size=PREDICTED_AT_ONCE, verbose=0)


def build_head(
    features: np.ndarray,
    settings: HeadSettings | ProjectionSettings,
    n_classes: Mapping[str, int],
    *,
    seed: int,
) -> keras.Model:
    """A head with random weights, its inputs standardised by the training products.

    Args:
        features: float32, shape (n_train, dim), finite: what the standardisation is learned from.
        settings: its form.
        n_classes: by the name of each output that tells classes.
        seed: of the weights.

    Returns:
        A model from (n, dim) to `hidden` (without a hidden layer, its standardised inputs),
        `projection` where the settings have one, and unnormalised log posteriors by name.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    # A number that hardly varies would be blown up.
    deviation = np.maximum(deviation, max(1e-2 * float(deviation.mean()), 1e-9))
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((features.shape[1],), name="features")
    hidden = keras.layers.Normalization(mean=mean, variance=deviation**2)(inputs)
    if settings.hidden is not None:
        hidden = keras.layers.Dropout(settings.dropout / 2)(hidden)
        hidden = keras.layers.Dense(settings.hidden, settings.activation)(hidden)
    outputs = {"hidden": hidden}
    last = keras.layers.Dropout(settings.dropout)(hidden)
    if settings.projection is not None:
        last = keras.layers.Dense(settings.projection, name="projection")(last)
        outputs["projection"] = last
    for name, number in n_classes.items():
        outputs[name] = keras.layers.Dense(number, name=name)(last)
    return keras.Model(inputs, outputs)


def train_head(
    examples: tuple,
    objective: Objective,
    settings: HeadSettings | ProjectionSettings,
    training: fit.Training,
    *,
    validation: tuple | None = None,
) -> tuple[Head, pd.DataFrame]:
    """Train a head.

    Args:
        examples: features, float32 (n_train, dim), and labels, as the objective takes them.
        objective: what it learns, and how its batches are drawn.
        settings: the head.
        training: how long; the seed of weights, batches and dropout; where the state is kept.
        validation: as `examples`; its loss chooses the epoch.

    Returns:
        The head and its learning curve (see `fit.fit`).

    Raises:
        ParameterError: features that are not finite, or what the objective refuses.
        TrainingError: see `fit.fit`.
    """
    given = _examples(objective, examples)
    asked = None
    if validation is not None:
        found = _examples(objective, validation, for_validation=True)
        asked = found.rows, found.targets
    sampler = objective.sampler(given, training.settings.batch_size, seed=training.seed)
    model = build_head(given.rows, settings, objective.n_classes(given), seed=training.seed)
    curve = fit.fit(
        keras.Model(model.inputs, {name: model.output[name] for name in given.targets}),
        fit.Batches(given.rows, given.targets, sampler, weights=given.weights),
        training, **objective.compiled(), validation=asked,
    )  # fmt: skip
    return Head(model), curve


def posterior(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Softmax of logits over a temperature.

    Args:
        logits: float32, shape (n_products, n_classes).
        temperature: above 0; below 1 sharpens.

    Returns:
        float32, same shape, rows sum to 1.

    Raises:
        ParameterError: a temperature of 0 or below.

    Example:
        >>> posterior(np.log(np.array([[1.0, 3.0]]))).tolist()
        [[0.25, 0.75]]
    """
    if not temperature > 0:
        raise ParameterError(f"The temperature must be above 0, not {temperature}.")
    shifted = (logits - logits.max(axis=1, keepdims=True)) / temperature
    powers = np.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)


def posterior_embedding(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """The root of the posterior: an embedding of length 1.

    The cosine similarity of two of them is the Bhattacharyya coefficient of the two posteriors.

    Args:
        logits: float32, shape (n_products, n_classes).
        temperature: as for `posterior`.

    Returns:
        float32, same shape.
    """
    return np.sqrt(posterior(logits, temperature=temperature)).astype(np.float32)


def mean_logits(several: Sequence[np.ndarray]) -> np.ndarray:
    """Log of the mean posterior of several heads (an ensemble).

    Args:
        several: logits of each head, all of shape (n_products, n_classes).

    Returns:
        float32, same shape.

    Raises:
        ParameterError: no heads, or heads of different classes or products.
    """
    shapes = sorted({np.shape(logits) for logits in several})
    if len(shapes) != 1:
        raise ParameterError(
            f"The mean takes logits of one shape, not of {len(shapes)} {shapes}; give those of "
            "heads with the same classes, for the same products."
        )
    mean = np.mean([posterior(logits) for logits in several], axis=0)
    return np.log(np.maximum(mean, 1e-12)).astype(np.float32)


@dataclass(frozen=True)
class JoinShares:
    """How an embedding is joined from posteriors and stored embeddings.

    Attributes:
        attributes: share of each attribute's posterior, at least 0, by label.
        stored: share of the stored embeddings, at least 0.
        temperature: of the posteriors, above 0; below 1 sharpens.
    """

    attributes: Mapping[str, float]
    stored: float = 0.0
    temperature: float = 0.3

    def __post_init__(self) -> None:
        shares = {**self.attributes, "stored": self.stored}
        for name, share in shares.items():
            if not 0 <= share < float("inf"):
                raise ParameterError(f"The share of {name} must be at least 0, not {share}.")
        if not any(shares.values()):
            raise ParameterError(
                "All shares are 0, so nothing is left to join; give one a share above 0."
            )
        if not self.temperature > 0:
            raise ParameterError(f"The temperature must be above 0, not {self.temperature}.")

    def __str__(self) -> str:
        """As a record holds them.

        Example:
            >>> str(JoinShares({"articleType": 1, "baseColour": 0.05}, stored=0.1))
            'articleType 1, baseColour 0.05, stored 0.1 at temperature 0.3'
        """
        parts = {**self.attributes, "stored": self.stored}
        listed = ", ".join(f"{name} {share:g}" for name, share in parts.items() if share > 0)
        return f"{listed} at temperature {self.temperature:g}"


def joined_embedding(
    logits: Mapping[str, np.ndarray], stored: np.ndarray, shares: JoinShares
) -> np.ndarray:
    """What a head believes of several attributes, and stored embeddings, as one embedding.

    Args:
        logits: by label, float32 (n_products, n_classes).
        stored: float32, shape (n_products, dim), such as the embeddings the head was trained on.
        shares: of each part; one of share 0 is left out.

    Returns:
        float32, shape (n_products, sum of the parts' dimensions), of length 1. The cosine
        similarity is the weighted mean of the Bhattacharyya coefficients of the posteriors and
        the cosine of the stored embeddings.

    Raises:
        ParameterError: an attribute without logits, or parts of different numbers of products.

    Example:
        >>> sure = np.log(np.array([[0.99, 0.01], [0.99, 0.01]]))  # two shirts
        >>> colours = np.array([[1.0, 0.0], [0.0, 1.0]])  # a red one and a blue one
        >>> shares = JoinShares({"articleType": 0.75}, stored=0.25, temperature=1.0)
        >>> joined = joined_embedding({"articleType": sure}, colours, shares)
        >>> print((joined @ joined.T).round(2))
        [[1.   0.75]
         [0.75 1.  ]]
    """
    unknown = sorted(set(shares.attributes) - set(logits))
    if unknown:
        raise ParameterError(
            f"The head says nothing of {', '.join(unknown)}; it knows {', '.join(logits)}."
        )
    parts = [
        (posterior_embedding(logits[label], temperature=shares.temperature), share)
        for label, share in shares.attributes.items()
    ]
    kept = [(part, share) for part, share in (*parts, (stored, shares.stored)) if share > 0]
    matrices, weights = zip(*kept, strict=True)
    return reranking.concatenate(matrices, weights=weights)


def _examples(objective: Objective, given: tuple, **options: bool) -> object:
    features, labels = given
    is_finite = np.isfinite(features).reshape(len(features), -1).all(axis=1)
    if not is_finite.all():
        row = int(np.argmin(is_finite))
        raise ParameterError(f"The embedding in row {row} is not finite; build its store again.")
    return objective.examples(features, labels, **options)
