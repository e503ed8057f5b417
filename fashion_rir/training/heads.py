"""Heads: small networks on stored embeddings, trained in seconds to minutes on a CPU.

A head sees each product as the numbers of one or more frozen backbones. What it gives can itself
be an embedding: its hidden layer, or the root of its class posterior (two products are then as
similar as the Bhattacharyya coefficient of what the head believes of their classes).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from fashion_rir.data.labels import LabelClasses
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.training import fit, samplers

PREDICTED_AT_ONCE = 4096  # products: bounds the memory

ACTIVATIONS = ("relu", "linear")


@dataclass(frozen=True)
class HeadSettings:
    """What a label head is made of, and how its classes weigh.

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
class LabelHead:
    """A trained head.

    Attributes:
        model: Keras; standardised inside, so it takes embeddings as they are stored. Outputs by
            name: `embedding` (the hidden layer; of a linear probe, its standardised inputs) and
            `logits`.
        classes: in the order of the logits.
    """

    model: keras.Model
    classes: LabelClasses

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Unnormalised log posteriors, float32 (n_products, n_classes)."""
        return self._outputs(features)["logits"]

    def embeddings(self, features: np.ndarray) -> np.ndarray:
        """The hidden layer, float32 (n_products, hidden); see `model` for a linear probe."""
        return self._outputs(features)["embedding"]

    def _outputs(self, features: np.ndarray) -> dict[str, np.ndarray]:
        dim = self.model.input_shape[-1]
        if np.ndim(features) != 2 or np.shape(features)[1] != dim:
            raise ParameterError(
                f"The head takes embeddings of shape (n, {dim}), not {np.shape(features)}; use "
                "those of the backbones that it was trained on."
            )
        return self.model.predict(features, batch_size=PREDICTED_AT_ONCE, verbose=0)


def build_head(
    features: np.ndarray, n_classes: int, settings: HeadSettings, *, seed: int
) -> keras.Model:
    """A head with random weights, its inputs standardised by the training products.

    Args:
        features: float32, shape (n_train, dim): what the standardisation is learned from.
        n_classes: at least 2.
        settings: its form.
        seed: of the weights.

    Returns:
        A model from (n, dim) to `embedding` and `logits`.

    Raises:
        ParameterError: features that are not finite, or a single class.
    """
    require_finite(features)
    if n_classes < 2:
        raise ParameterError(f"A head tells two classes apart at least, not {n_classes}.")
    keras.utils.set_random_seed(seed)
    inputs, hidden = standardised_input(features)
    if settings.hidden is not None:
        hidden = keras.layers.Dropout(settings.dropout / 2)(hidden)
        hidden = keras.layers.Dense(settings.hidden, settings.activation)(hidden)
    dropped = keras.layers.Dropout(settings.dropout)(hidden)
    logits = keras.layers.Dense(n_classes, name="logits")(dropped)
    return keras.Model(inputs, {"embedding": hidden, "logits": logits})


def standardised_input(features: np.ndarray) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Where every head begins: its input, and the same standardised by the training products.

    Args:
        features: float32, shape (n_train, dim).
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    # A number that hardly varies would be blown up.
    deviation = np.maximum(deviation, max(1e-2 * float(deviation.mean()), 1e-9))
    inputs = keras.Input((features.shape[1],), name="features")
    return inputs, keras.layers.Normalization(mean=mean, variance=deviation**2)(inputs)


def train_label_head(
    features: np.ndarray,
    codes: np.ndarray,
    classes: LabelClasses,
    settings: HeadSettings,
    fitting: fit.TrainingSettings,
    *,
    seed: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    checkpoint: fit.Checkpoint | None = None,
) -> tuple[LabelHead, object]:
    """Train a head to tell classes apart.

    Args:
        features: float32, shape (n_train, dim).
        codes: int64, shape (n_train,), from `classes.codes`; products with -1 are left out.
        classes: what the codes mean.
        settings: the head.
        fitting: epochs, learning rate and so on.
        seed: of weights, order and dropout.
        validation: features and codes, for early stopping.
        checkpoint: where the state is kept, for long trainings.

    Returns:
        The head and its learning curve (see `fit.fit`).

    Raises:
        ParameterError: features that are not finite, no product with a class, or a code that
            `classes` does not have.
        TrainingError: see `fit.fit`.
    """
    features, codes = _labelled(features, codes, "training")
    model = build_head(features, len(classes), settings, seed=seed)
    batches = fit.Batches(
        features,
        one_hot(codes, len(classes)),
        lambda epoch: samplers.shuffled_batches(
            len(features),
            batch_size=min(fitting.batch_size, len(features)),
            seed=seed,
            epoch=epoch,
            drop_last=False,
        ),
        weights=samplers.sampling_weights(codes, settings.balance) if settings.balance else None,
    )
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=settings.label_smoothing
    )
    if validation is not None:
        asked, answers = _labelled(*validation, "validation")
        validation = asked, one_hot(answers, len(classes))
    classifier = keras.Model(model.inputs, model.output["logits"])
    curve = fit.fit(
        classifier, batches, fitting, loss=loss, metrics=["accuracy"],
        validation=validation, checkpoint=checkpoint, seed=seed,
    )  # fmt: skip
    return LabelHead(model, classes), curve


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


def _labelled(features: np.ndarray, codes: np.ndarray, whose: str) -> tuple[np.ndarray, np.ndarray]:
    """The products that have a class."""
    if len(features) != len(codes):
        raise ParameterError(
            f"There are {len(features)} embeddings and {len(codes)} classes of {whose} products; "
            "give one class a product, -1 for none."
        )
    require_finite(features)  # before rows are left out, so that it names the caller's
    is_known = codes >= 0
    if not is_known.any():
        raise ParameterError(f"None of {len(codes)} {whose} products has a class; take more.")
    return features[is_known], codes[is_known]


def require_finite(features: np.ndarray) -> None:
    is_finite = np.isfinite(features).all(axis=1)
    if not is_finite.all():
        row = int(np.argmin(is_finite))
        raise ParameterError(f"The embedding in row {row} is not finite; build its store again.")
