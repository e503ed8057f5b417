"""One head for several attributes of a product, and the embedding that joins what it believes.

A small network on stored embeddings tells articleType, colour, gender and so on at once, from one
hidden layer (multi-task learning, Caruana 1997). The root of each posterior is an embedding
(`heads.posterior_embedding`); side by side, each with its share, they make one embedding whose
cosine similarity is the weighted mean of how much the head believes two products to agree in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from fashion_rir.data.labels import LabelClasses
from fashion_rir.errors import ParameterError
from fashion_rir.search import reranking
from fashion_rir.training import fit, heads, samplers
from fashion_rir.training.heads import HeadSettings


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


@dataclass(frozen=True)
class AttributeHead:
    """A trained head.

    Attributes:
        model: Keras; standardised inside, so it takes embeddings as they are stored. Outputs: the
            logits by label.
        classes: by label, in the order of the logits.
    """

    model: keras.Model
    classes: dict[str, LabelClasses]

    def logits(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Unnormalised log posteriors by label, float32 (n_products, n_classes).

        Args:
            features: float32, shape (n_products, dim).

        Raises:
            ParameterError: embeddings of another length than it was trained on.
        """
        dim = self.model.input_shape[-1]
        if np.ndim(features) != 2 or np.shape(features)[1] != dim:
            raise ParameterError(
                f"The head takes embeddings of shape (n, {dim}), not {np.shape(features)}; use "
                "those of the backbones that it was trained on."
            )
        return self.model.predict(features, batch_size=heads.PREDICTED_AT_ONCE, verbose=0)


def build_attribute_head(
    features: np.ndarray, n_classes: Mapping[str, int], settings: HeadSettings, *, seed: int
) -> keras.Model:
    """A head with random weights, its inputs standardised by the training products.

    Args:
        features: float32, shape (n_train, dim): what the standardisation is learned from.
        n_classes: of each label, at least 2.
        settings: its form; `balance` is not used.
        seed: of the weights.

    Returns:
        A model from (n, dim) to logits by label.

    Raises:
        ParameterError: no label, or one with a single class.
    """
    single = [label for label, number in n_classes.items() if number < 2]
    if single or not n_classes:
        raise ParameterError(
            "A head takes one label at least, of two classes or more"
            + (f"; {', '.join(single)} has a single one." if single else ".")
        )
    keras.utils.set_random_seed(seed)
    inputs, hidden = heads.standardised_input(features)
    if settings.hidden is not None:
        hidden = keras.layers.Dropout(settings.dropout / 2)(hidden)
        hidden = keras.layers.Dense(settings.hidden, settings.activation)(hidden)
    dropped = keras.layers.Dropout(settings.dropout)(hidden)
    outputs = {
        label: keras.layers.Dense(number, name=label)(dropped)
        for label, number in n_classes.items()
    }
    return keras.Model(inputs, outputs)


def train_attribute_head(
    features: np.ndarray,
    codes: Mapping[str, np.ndarray],
    classes: Mapping[str, LabelClasses],
    settings: HeadSettings,
    fitting: fit.TrainingSettings,
    *,
    seed: int,
    validation: tuple[np.ndarray, Mapping[str, np.ndarray]] | None = None,
    checkpoint: fit.Checkpoint | None = None,
) -> tuple[AttributeHead, pd.DataFrame]:
    """Train a head to tell several attributes at once; each label's loss counts the same.

    Args:
        features: float32, shape (n_train, dim).
        codes: by label, int64, shape (n_train,), from `classes[label].codes`. A missing one (-1)
            adds nothing to that label's loss; the product's other labels count.
        classes: what the codes mean.
        settings: the head.
        fitting: epochs, learning rate and so on.
        seed: of weights, order and dropout.
        validation: features and codes; they choose the epoch.
        checkpoint: where the state is kept.

    Returns:
        The head and its learning curve (see `fit.fit`).

    Raises:
        ParameterError: features that are not finite, lengths that differ, or a label that no
            training product has.
        TrainingError: see `fit.fit`.
    """
    heads.require_finite(features)
    targets = _targets(len(features), codes, classes, settings.label_smoothing)
    if validation is not None:
        asked, answers = validation
        smoothing = settings.label_smoothing
        validation = asked, _targets(len(asked), answers, classes, smoothing, may_lack=True)
    sizes = {label: len(known) for label, known in classes.items()}
    model = build_attribute_head(features, sizes, settings, seed=seed)
    batches = fit.Batches(
        features,
        targets,
        lambda epoch: samplers.shuffled_batches(
            len(features),
            batch_size=min(fitting.batch_size, len(features)),
            seed=seed,
            epoch=epoch,
            drop_last=False,
        ),
    )
    loss = {label: keras.losses.CategoricalCrossentropy(from_logits=True) for label in classes}
    curve = fit.fit(model, batches, fitting, loss=loss, validation=validation,
                         checkpoint=checkpoint, seed=seed)  # fmt: skip
    return AttributeHead(model, dict(classes)), curve


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
        (heads.posterior_embedding(logits[label], temperature=shares.temperature), share)
        for label, share in shares.attributes.items()
    ]
    kept = [(part, share) for part, share in (*parts, (stored, shares.stored)) if share > 0]
    matrices, weights = zip(*kept, strict=True)
    return reranking.concatenate(matrices, weights=weights)


def describe(shares: JoinShares) -> str:
    """Shares as a record holds them.

    Example:
        >>> describe(JoinShares({"articleType": 1, "baseColour": 0.05}, stored=0.1))
        'articleType 1, baseColour 0.05, stored 0.1 at temperature 0.3'
    """
    parts = {**shares.attributes, "stored": shares.stored}
    listed = ", ".join(f"{name} {share:g}" for name, share in parts.items() if share > 0)
    return f"{listed} at temperature {shares.temperature:g}"


def _targets(
    n_products: int,
    codes: Mapping[str, np.ndarray],
    classes: Mapping[str, LabelClasses],
    smoothing: float,
    *,
    may_lack: bool = False,
) -> dict[str, np.ndarray]:
    """Smoothed one-hot rows by label; a missing label is a row of zeros, whose loss is 0."""
    if codes.keys() != classes.keys():
        raise ParameterError(
            f"There are codes of {sorted(codes)} and classes of {sorted(classes)}; give both of "
            "the same labels."
        )
    targets = {}
    for label, known in classes.items():
        if len(codes[label]) != n_products:
            raise ParameterError(
                f"There are {n_products} embeddings and {len(codes[label])} classes of {label}; "
                "give one class a product, -1 for none."
            )
        has_class = codes[label] >= 0
        if not (has_class.any() or may_lack):
            raise ParameterError(f"None of {n_products} products has a class of {label}.")
        rows = heads.one_hot(np.maximum(codes[label], 0), len(known))
        smoothed = rows * (1 - smoothing) + smoothing / len(known)
        targets[label] = (smoothed * has_class[:, None]).astype(np.float32)
    return targets
