"""Train a photo head on labels that may be vague: 'a T-shirt', 'one of these shoes', 'unknown'.

The loss is the marginal likelihood: minus the log of the probability that the head gives to all
the classes that a label allows, together (partial labels; Jin & Ghahramani 2002). A label that
allows one class is the usual cross-entropy, one that allows all classes costs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fashion_rir.embedding.photo_head import PhotoHead, softmax
from fashion_rir.errors import ParameterError

DECAY_FIRST, DECAY_SECOND = 0.9, 0.999  # of Adam's averages (Kingma & Ba 2015)


@dataclass(frozen=True)
class Examples:
    """What a photo head is trained on.

    Attributes:
        features: float32, shape (n, dim).
        allowed: by label bool, shape (n, n_classes): the classes that it may be, one at least.
        weights: of each example in the loss, float32, shape (n,).
    """

    features: np.ndarray
    allowed: Mapping[str, np.ndarray]
    weights: np.ndarray

    def __post_init__(self) -> None:
        for label, allowed in self.allowed.items():
            if len(allowed) != len(self.features) or not allowed.any(axis=1).all():
                raise ParameterError(
                    f"Each of {len(self.features)} examples needs one allowed {label} at least; "
                    "allow all of them where nothing is known."
                )


@dataclass(frozen=True)
class Settings:
    """How a photo head is trained.

    Attributes:
        hidden: width of its hidden layer.
        input_dropout: share of the inputs that is left out in training.
        dropout: share of the hidden numbers, likewise.
        label_smoothing: share of the target spread over all classes, where one class is allowed.
        epochs: passes over the examples.
        batch_size: examples a step.
        learning_rate: of Adam; it falls to 0 along a cosine.
        weight_decay: decoupled, as in AdamW.
    """

    hidden: int = 512
    input_dropout: float = 0.15
    dropout: float = 0.6
    label_smoothing: float = 0.1
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4


def joined(parts: Sequence[Examples]) -> Examples:
    """Several sets of examples as one."""
    return Examples(
        np.vstack([part.features for part in parts]),
        {label: np.vstack([p.allowed[label] for p in parts]) for label in parts[0].allowed},
        np.concatenate([part.weights for part in parts]).astype(np.float32),
    )


def allowed_classes(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Known classes as rows with one true value, unknown ones (-1) as rows of all true.

    Example:
        >>> allowed_classes(np.array([1, -1]), 3).tolist()
        [[False, True, False], [True, True, True]]
    """
    rows = np.eye(n_classes, dtype=bool)[np.maximum(codes, 0)]
    rows[codes < 0] = True
    return rows


def train(
    examples: Examples,
    classes: Mapping[str, tuple[str, ...]],
    *,
    seed: int,
    settings: Settings | None = None,
    about: Mapping[str, object] | None = None,
) -> PhotoHead:
    """Train a photo head; the same seed gives the same head.

    Args:
        examples: what it learns from.
        classes: by label, the names of its classes.
        seed: of weights, batches and dropout.
        settings: how; the usual ones if None.
        about: what the head's file says of its training.
    """
    training = _Training(examples, classes, np.random.default_rng(seed), settings or Settings())
    training.run()
    return PhotoHead(dict(classes), training.arrays, {"seed": seed, **(about or {})})


def target(posterior: np.ndarray, allowed: np.ndarray, label_smoothing: float) -> np.ndarray:
    """What the posterior is drawn to: itself, kept to what is allowed.

    The gradient of the marginal likelihood in the logits is the posterior less this.

    Example:
        >>> found = target(np.array([[0.2, 0.3, 0.5]]), np.array([[True, True, False]]), 0.1)
        >>> found.round(2).tolist()
        [[0.4, 0.6, 0.0]]
    """
    kept = posterior * allowed
    kept = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    is_one = (allowed.sum(axis=1) == 1)[:, None]
    smoothed = (1 - label_smoothing) * kept + label_smoothing / allowed.shape[1]
    return np.where(is_one, smoothed, kept)


@dataclass
class _Training:
    examples: Examples
    classes: Mapping[str, tuple[str, ...]]
    generator: np.random.Generator
    settings: Settings
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def run(self) -> None:
        self._start()
        n, size = len(self.inputs), self.settings.batch_size
        n_steps, step = self.settings.epochs * -(-n // size), 0
        for _ in range(self.settings.epochs):
            order = self.generator.permutation(n)
            for first in range(0, n, size):
                step += 1
                rate = self.settings.learning_rate * (1 + np.cos(np.pi * step / n_steps)) / 2
                self._update(self._gradients(order[first : first + size]), rate, step)

    def _start(self) -> None:
        features, width = self.examples.features, self.settings.hidden
        mean = features.mean(axis=0)
        scale = 1 / max(float((features - mean).std()), 1e-9)  # one for all: small ones stay small
        self.inputs = ((features - mean) * scale).astype(np.float32)
        draw = self.generator.standard_normal
        dim = features.shape[1]
        self.weights = {
            "hidden": draw((dim, width)) * np.sqrt(2 / dim),
            "hidden_bias": np.zeros(width),
        }
        for label, names in self.classes.items():
            self.weights[label] = draw((width, len(names))) / np.sqrt(width)
            self.weights[f"{label}_bias"] = np.zeros(len(names))
        self.weights = {name: a.astype(np.float32) for name, a in self.weights.items()}
        self.moments = {n: (np.zeros_like(a), np.zeros_like(a)) for n, a in self.weights.items()}
        self.arrays = {"mean": mean.astype(np.float32), "scale": np.float32([scale]),
                       **self.weights}  # fmt: skip

    def _kept(self, shape: tuple[int, int], share: float) -> np.ndarray:
        """Dropout's factors: 0 for what is left out, the rest made up for it."""
        is_kept = self.generator.random(shape, dtype=np.float32) >= share
        return is_kept.astype(np.float32) / np.float32(1 - share)

    def _gradients(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        settings, weights = self.settings, self.weights
        inputs = self.inputs[rows] * self._kept((len(rows), self.inputs.shape[1]),
                                                settings.input_dropout)  # fmt: skip
        hidden = np.maximum(inputs @ weights["hidden"] + weights["hidden_bias"], 0)
        factors = self._kept(hidden.shape, settings.dropout)
        dropped = hidden * factors
        share = (self.examples.weights[rows] / len(rows))[:, None]
        gradients, back = {}, np.zeros_like(hidden)
        for label in self.classes:
            posterior = softmax(dropped @ weights[label] + weights[f"{label}_bias"])
            wanted = target(posterior, self.examples.allowed[label][rows],
                            settings.label_smoothing)  # fmt: skip
            error = ((posterior - wanted) * share).astype(np.float32)
            gradients[label], gradients[f"{label}_bias"] = dropped.T @ error, error.sum(axis=0)
            back += error @ weights[label].T
        back *= factors * (hidden > 0)
        gradients["hidden"], gradients["hidden_bias"] = inputs.T @ back, back.sum(axis=0)
        return gradients

    def _update(self, gradients: Mapping[str, np.ndarray], rate: float, step: int) -> None:
        """One step of AdamW, in place."""
        for name, gradient in gradients.items():
            first, second = self.moments[name]
            first += (1 - DECAY_FIRST) * (gradient - first)
            second += (1 - DECAY_SECOND) * (gradient**2 - second)
            towards = first / (1 - DECAY_FIRST**step)
            towards = towards / (np.sqrt(second / (1 - DECAY_SECOND**step)) + 1e-8)
            if gradient.ndim == 2:
                towards = towards + self.settings.weight_decay * self.weights[name]
            self.weights[name] -= (rate * towards).astype(np.float32)
