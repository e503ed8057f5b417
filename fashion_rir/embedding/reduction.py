"""Embeddings reduced to fewer numbers of one byte each, so that they can travel with the project.

Truncated singular value decomposition: the directions in which embeddings of length 1 are longest,
through the origin and not through their mean, so that the cosine between two is kept as well as so
many numbers can (Deerwester et al., *Indexing by Latent Semantic Analysis*, 1990).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion_rir.errors import ParameterError
from fashion_rir.search.transforms import l2_normalise
from fashion_rir.system import whole_file

LARGEST_CODE = 127  # of a signed byte

SMALLEST_STEP = 0.003  # finer than noise in the last directions, and packs in four fifths


@dataclass(frozen=True)
class Reduction:
    """Directions to project on, and how finely each number is kept.

    Attributes:
        directions: float32, shape (embedding_dim, n_directions), columns of length 1 (rounded to
            float16).
        steps: float32, shape (n_directions,): what one unit of a byte is worth.
    """

    directions: np.ndarray
    steps: np.ndarray

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings in the reduced space, by the directions alone.

        Args:
            embeddings: float32, shape (n, embedding_dim), of any length but 0.

        Returns:
            float32, shape (n, n_directions); of length 1 less what the directions leave out.

        Raises:
            StoreError: an embedding is all zeros and has no direction.
        """
        return (l2_normalise(embeddings) @ self.directions).astype(np.float32)

    def encode(self, reduced: np.ndarray) -> np.ndarray:
        """Whole steps of reduced embeddings: int8, same shape."""
        return np.clip(np.rint(reduced / self.steps), -LARGEST_CODE, LARGEST_CODE).astype(np.int8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The reduced embeddings that codes stand for: float32, same shape."""
        return codes * self.steps


def fit(embeddings: np.ndarray, n_directions: int) -> Reduction:
    """The directions in which these embeddings, scaled to length 1, are longest.

    Args:
        embeddings: float32, shape (n, embedding_dim).
        n_directions: how many to keep, 1 to the smaller of both.

    Returns:
        The reduction; each direction points to where the embeddings' mean lies.

    Raises:
        ParameterError: more directions than the data have.
        StoreError: an embedding is all zeros and has no direction.
    """
    if not 1 <= n_directions <= min(embeddings.shape):
        raise ParameterError(
            f"1 to {min(embeddings.shape)} directions can be kept here, not {n_directions}."
        )
    unit = l2_normalise(embeddings)
    _, vectors = np.linalg.eigh((unit.T @ unit).astype(np.float64))  # sorted upwards
    directions = vectors[:, : -n_directions - 1 : -1]
    directions = directions * np.where(unit.mean(axis=0) @ directions < 0, -1, 1)
    directions = directions.astype(np.float16).astype(np.float32)
    largest = np.abs(unit @ directions).max(axis=0)
    return Reduction(directions, np.maximum(largest / LARGEST_CODE, SMALLEST_STEP))


def in_bytes(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A matrix in whole steps, a step for each column.

    Args:
        matrix: float, shape (n, n_columns).

    Returns:
        int8, same shape; and float32, shape (n_columns,): what one unit is worth.

    Example:
        >>> codes, steps = in_bytes(np.array([[1.27, 0.0], [-0.3, 0.0]]))
        >>> codes.tolist(), [round(step, 4) for step in steps.tolist()]
        ([[127, 0], [-30, 0]], [0.01, 1.0])
    """
    steps = (np.abs(matrix).max(axis=0) / LARGEST_CODE).astype(np.float32)
    steps[steps == 0] = 1
    return np.rint(matrix / steps).astype(np.int8), steps


def from_bytes(codes: np.ndarray, steps: np.ndarray | float) -> np.ndarray:
    """The matrix that `in_bytes` rounded: float32, same shape."""
    return (codes * np.float32(steps)).astype(np.float32)


def save(reduction: Reduction, codes: np.ndarray, path: Path) -> None:
    """Write a reduction and the codes of products to an `.npz` of plain arrays.

    Args:
        reduction: from `fit`.
        codes: int8, shape (n_products, n_directions).
        path: the file.
    """
    by_direction = np.ascontiguousarray(codes.T)  # bytes of one spread side by side pack better
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, codes=by_direction, steps=reduction.steps.astype(np.float32),
                            directions=reduction.directions.astype(np.float16))  # fmt: skip


def load(path: Path) -> tuple[Reduction, np.ndarray]:
    """A reduction and the codes of products, from `save`."""
    with np.load(path, allow_pickle=False) as arrays:
        directions = arrays["directions"].astype(np.float32)
        return Reduction(directions, arrays["steps"]), np.ascontiguousarray(arrays["codes"].T)
