"""What can be done to embeddings before they are compared. NumPy only.

L2 normalisation, power normalisation (Perronnin et al. 2010), PCA whitening (Jegou and Chum
2012), and binary codes compared by the Hamming distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_rir.errors import ParameterError, StoreError

WHITENED_DIM = 256

# What a transform makes of the embeddings, given those of the training products.
TRANSFORMS = {
    "l2": lambda vectors, train: l2_normalise(vectors),
    "power": lambda vectors, train: power_normalise(vectors),
    "whiten256": lambda vectors, train: fit_whitening(
        train, min(WHITENED_DIM, len(train) - 1, train.shape[1])
    )(vectors),
    "binary": lambda vectors, train: binarise(vectors, np.median(train, axis=0)),
}


def l2_normalise(embeddings: np.ndarray) -> np.ndarray:
    """Scale every embedding to length 1.

    Args:
        embeddings: float32, shape (n, embedding_dim).

    Returns:
        float32, same shape.

    Raises:
        StoreError: an embedding is all zeros and has no direction.

    Example:
        >>> l2_normalise(np.array([[3.0, 4.0]])).tolist()
        [[0.6, 0.8]]
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if not lengths.all():
        row = int(np.argmin(lengths))
        raise StoreError(f"The embedding in row {row} is all zeros and has no direction.")
    return embeddings / lengths


def power_normalise(embeddings: np.ndarray) -> np.ndarray:
    """Signed square root of each number: takes weight from the few very large ones.

    Args:
        embeddings: float32, shape (n, embedding_dim).

    Returns:
        float32, same shape.

    Example:
        >>> power_normalise(np.array([[4.0, -9.0]])).tolist()
        [[2.0, -3.0]]
    """
    return np.sign(embeddings) * np.sqrt(np.abs(embeddings))


@dataclass(frozen=True)
class Whitening:
    """PCA to fewer dimensions, each scaled to variance 1.

    Attributes:
        mean: of the training embeddings, shape (embedding_dim,).
        projection: shape (embedding_dim, n_components).
    """

    mean: np.ndarray
    projection: np.ndarray

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Whitened embeddings: float32, shape (n, n_components)."""
        return ((embeddings - self.mean) @ self.projection).astype(np.float32)


def fit_whitening(embeddings: np.ndarray, n_components: int) -> Whitening:
    """Learn PCA whitening.

    Args:
        embeddings: of training products only, float32, shape (n, embedding_dim).
        n_components: dimensions to keep, 1 <= n_components <= min(n - 1, embedding_dim).

    Returns:
        The transform.

    Raises:
        ParameterError: more components than the data have, or embeddings that are all the same.
    """
    most = min(len(embeddings) - 1, embeddings.shape[1])
    if not 1 <= n_components <= most:
        raise ParameterError(f"PCA can keep 1 to {most} components here, not {n_components}.")
    mean = embeddings.mean(axis=0)
    centred = (embeddings - mean).astype(np.float64)
    variances, vectors = np.linalg.eigh(centred.T @ centred / (len(embeddings) - 1))
    if not variances[-1] > 0:
        raise ParameterError("The embeddings are all the same, so there is nothing to whiten.")
    kept = slice(-1, -n_components - 1, -1)  # eigh sorts upwards
    floor = variances[-1] * 1e-10  # a direction without variance must not be blown up
    scale = 1 / np.sqrt(np.maximum(variances[kept], floor))
    return Whitening(mean, (vectors[:, kept] * scale).astype(np.float32))


def binarise(embeddings: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """One bit a dimension, kept as 0.0 and 1.0.

    Between such codes the Manhattan distance is the Hamming distance, so they go through the
    same search as everything else.

    Args:
        embeddings: float32, shape (n, embedding_dim).
        thresholds: one a dimension, such as the training median; above it a bit is 1.

    Returns:
        float32 of 0 and 1, same shape.

    Example:
        >>> binarise(np.array([[0.2, 0.9]]), np.array([0.5, 0.5])).tolist()
        [[0.0, 1.0]]
    """
    return (embeddings > thresholds).astype(np.float32)


def joint_features(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Embeddings of several backbones side by side, each of length 1.

    Args:
        matrices: float32, each of shape (n_products, dim_i).

    Returns:
        float32, shape (n_products, sum of dims).

    Raises:
        ParameterError: no embeddings, or of different numbers of products.
    """
    if len({len(m) for m in matrices}) != 1:
        raise ParameterError(
            "Embeddings side by side must be of the same products, not of "
            f"{[len(m) for m in matrices]}; embed the same catalogue by each backbone."
        )
    lengths = [np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in matrices]
    return np.hstack([m / length for m, length in zip(matrices, lengths, strict=True)])
