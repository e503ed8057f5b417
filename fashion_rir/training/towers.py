"""Two towers on stored embeddings: words and pictures meet in one space (Radford et al. 2021).

The tower of the words is a table, of which a text takes the mean of some rows (`words.rows_of`);
that of the pictures is one matrix. Both are small enough for plain NumPy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from fashion_rir.embedding import words

Batch = tuple[np.ndarray, list[str], np.ndarray]  # rows of pictures, a text each, which fit


@dataclass(frozen=True)
class TowerSettings:
    """How two towers are trained.

    Attributes:
        n_numbers: of the common space.
        batch_size: pairs a step.
        n_steps: of Adam (Kingma and Ba 2015).
        rate: the step's size at first; it falls to 0 as a cosine.
        temperature: of the similarities.
    """

    n_numbers: int = 64
    batch_size: int = 512
    n_steps: int = 1500
    rate: float = 5e-3
    temperature: float = 0.05


def fit_towers(
    pictures: np.ndarray,
    batch: Callable[[np.random.Generator], Batch],
    settings: TowerSettings,
    *,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Train both towers.

    Args:
        pictures: float32, shape (n_products, dim).
        batch: draws rows of `pictures`, a text for each, and bool (n, n): which picture fits
            which text, at least its own.
        settings: of the training.
        seed: of the start and the draws.

    Returns:
        The tower of the pictures, float32 (dim, n_numbers); that of the words, float32
        (`words.N_ROWS`, n_numbers); and the loss of each step.
    """
    generator = np.random.default_rng(seed)
    size = settings.n_numbers
    images = generator.standard_normal((pictures.shape[1], size)).astype(np.float32)
    images /= np.sqrt(pictures.shape[1])
    texts = generator.standard_normal((words.N_ROWS, size)).astype(np.float32) * 0.1
    adam = [_Adam(images), _Adam(texts)]
    losses = []
    for step in range(settings.n_steps):
        rows, captions, fits = batch(generator)
        bag = bag_of(captions)
        loss, gradients = _loss((pictures[rows], bag), (images, texts), fits, settings.temperature)
        rate = settings.rate * 0.5 * (1 + np.cos(np.pi * step / settings.n_steps))
        for one, gradient in zip(adam, gradients, strict=True):
            one.step(gradient, rate)
        losses.append(loss)
    return images, texts, losses


def bag_of(captions: list[str]) -> sparse.csr_matrix:
    """Which rows of the table each text takes, and how often; float32 (n_texts, N_ROWS)."""
    found = [_rows_of(caption) for caption in captions]
    ends = np.cumsum([0, *map(len, found)])
    ones = np.ones(ends[-1], dtype=np.float32)
    columns = np.concatenate(found) if found else np.empty(0, np.int64)
    return sparse.csr_matrix((ones, columns, ends), shape=(len(captions), words.N_ROWS))


@cache
def _rows_of(caption: str) -> np.ndarray:
    return words.rows_of(caption)


def _loss(
    inputs: tuple, towers: tuple, fits: np.ndarray, temperature: float
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Cross entropy from texts to pictures and back, and its gradients for both towers."""
    (pictures, bag), (images, texts) = inputs, towers
    seen, picture_lengths = _unit(pictures @ images)
    read, text_lengths = _unit(np.asarray(bag @ texts))
    logits = read @ seen.T / temperature
    target = fits / fits.sum(axis=1, keepdims=True)
    back = fits.T / fits.T.sum(axis=1, keepdims=True)
    there_p, back_p = _softmax(logits), _softmax(logits.T)
    n = len(logits)
    loss = -(np.log(there_p + 1e-12) * target).sum() - (np.log(back_p + 1e-12) * back).sum()
    slope = ((there_p - target) + (back_p - back).T) / (2 * n * temperature)
    slope = slope.astype(np.float32)
    to_seen = _through_unit(slope.T @ read, seen, picture_lengths)
    to_read = _through_unit(slope @ seen, read, text_lengths)
    return float(loss / (2 * n)), (pictures.T @ to_seen, np.asarray(bag.T @ to_read))


def _unit(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows / lengths, lengths


def _through_unit(slope: np.ndarray, unit: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """A gradient for unit rows, taken back to the rows before they were scaled to length 1."""
    along = (slope * unit).sum(axis=1, keepdims=True)
    return (slope - unit * along) / lengths


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class _Adam:
    """Adam's state of one array, which it changes in place."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self._n = array, 0
        self._first, self._second = np.zeros_like(array), np.zeros_like(array)

    def step(self, gradient: np.ndarray, rate: float) -> None:
        self._n += 1
        self._first += 0.1 * (gradient - self._first)
        self._second += 0.01 * (np.square(gradient) - self._second)
        mean = self._first / (1 - 0.9**self._n)
        square = self._second / (1 - 0.99**self._n)
        self._array -= rate * mean / (np.sqrt(square) + 1e-8)
