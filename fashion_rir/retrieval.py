"""Find the products whose embeddings lie closest to a query's.

Three measures, as in the thesis: cosine (1 - cosine similarity), Euclidean and Manhattan. All
are distances here: smaller is closer. Search is exact and works in blocks of queries, so its
memory is bounded by `MAX_BLOCK_BYTES` whatever the number of queries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fashion_rir.errors import ParameterError, StoreError, unknown_name

MEASURES = ("cosine", "euclidean", "manhattan")
MAX_BLOCK_BYTES = 64 * 2**20  # of distances held at a time


@dataclass(frozen=True)
class Matches:
    """The closest products of each query, the closest first.

    Attributes:
        ids: product ids, int64, shape (n_queries, k); -1 behind the last one there is.
        distances: float32, same shape, in the measure's own units; infinite behind the last one.
    """

    ids: np.ndarray
    distances: np.ndarray


class Gallery:
    """The embeddings that are searched, made ready for one measure.

    Attributes:
        ids: product ids, int64, shape (n_gallery,).
        measure: one of `MEASURES`.
    """

    def __init__(self, embeddings: np.ndarray, ids: Sequence[int], measure: str) -> None:
        """Check the embeddings and prepare them.

        Args:
            embeddings: float32, shape (n_gallery, embedding_dim), finite.
            ids: product ids, one a row, all different.
            measure: one of `MEASURES`.

        Raises:
            ParameterError: unknown measure, or ids that do not fit.
            StoreError: empty, not finite, or a zero vector under cosine.
        """
        if measure not in MEASURES:
            raise unknown_name("similarity measure", measure, MEASURES)
        self.ids = np.asarray(ids, dtype=np.int64)
        self.measure = measure
        if len(self.ids) != len(embeddings) or len(np.unique(self.ids)) != len(self.ids):
            raise ParameterError(
                f"{len(embeddings)} embeddings need as many different ids, not {len(self.ids)}."
            )
        if len(embeddings) == 0:
            raise StoreError("The gallery is empty; embed some products first.")
        self._embeddings = _prepared(embeddings, measure, self.ids)
        self._squares = (
            np.einsum("ij,ij->i", self._embeddings, self._embeddings)
            if measure == "euclidean"
            else None
        )

    def __len__(self) -> int:
        return len(self.ids)

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Distances of queries to the whole gallery.

        Args:
            queries: float32, shape (n_queries, embedding_dim).

        Returns:
            float32, shape (n_queries, n_gallery), at least 0.

        Raises:
            StoreError: another dimension than the gallery's, not finite, or zero under cosine.
        """
        queries = self._checked(queries)
        if self.measure == "manhattan":
            return manhattan_distances(queries, self._embeddings)
        products = queries @ self._embeddings.T
        if self.measure == "cosine":
            return np.maximum(np.subtract(1, products, out=products), 0, out=products)
        # |q - g|^2 = |q|^2 + |g|^2 - 2 q.g
        products *= -2
        products += self._squares
        products += np.einsum("ij,ij->i", queries, queries)[:, None]
        return np.sqrt(np.maximum(products, 0, out=products), out=products)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude_ids: Sequence[int] | None = None,
        where: np.ndarray | None = None,
    ) -> Matches:
        """The k closest products of each query.

        Args:
            queries: float32, shape (n_queries, embedding_dim).
            k: how many, 1 <= k <= number of candidates.
            exclude_ids: for each query the id that must not be returned (the query's own);
                -1 where there is none.
            where: bool, shape (n_gallery,): the candidates; all if None.

        Returns:
            The matches; equal distances are in the gallery's order.

        Raises:
            ParameterError: k is out of range, or the lengths do not fit.
            StoreError: as for `distances`.
        """
        candidates = np.arange(len(self)) if where is None else np.flatnonzero(where)
        n_left = len(candidates) - (exclude_ids is not None)
        if not 1 <= k <= n_left:
            raise ParameterError(f"k must be 1 to {n_left} (the gallery's size), not {k}.")
        if exclude_ids is not None and len(exclude_ids) != len(queries):
            raise ParameterError(f"{len(queries)} queries need as many excluded ids.")
        ids = np.empty((len(queries), k), dtype=np.int64)
        found = np.empty((len(queries), k), dtype=np.float32)
        for block in _blocks(len(queries), len(self)):
            distances = self.distances(queries[block])[:, candidates]
            if exclude_ids is not None:
                own = np.asarray(exclude_ids)[block, None] == self.ids[candidates]
                distances[own] = np.inf
            closest = np.argpartition(distances, k - 1, axis=1)[:, :k]
            closest.sort(axis=1)  # so that equal distances come in the gallery's order
            exact = self._exact(queries[block], candidates[closest])
            order = np.argsort(exact, axis=1, kind="stable")
            ids[block] = self.ids[candidates[np.take_along_axis(closest, order, 1)]]
            found[block] = np.take_along_axis(exact, order, 1)
        return Matches(ids, found)

    def rankings(self, queries: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """The whole gallery in order of distance, for a block of queries at a time.

        Args:
            queries: float32, shape (n_queries, embedding_dim).

        Yields:
            Which queries, and the gallery's row numbers, closest first: int64, shape
            (n_block, n_gallery). Equal distances are in the gallery's order.
        """
        for block in _blocks(len(queries), len(self)):
            yield block, ranked(self.distances(queries[block]))

    def _exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of the few chosen rows by the definition, free of the block's rounding."""
        queries = self._checked(queries)
        if self.measure == "cosine":
            similarity = np.einsum("qd,qkd->qk", queries, self._embeddings[rows])
            return np.maximum(1 - similarity, 0)
        difference = queries[:, None, :] - self._embeddings[rows]
        if self.measure == "manhattan":
            return np.abs(difference).sum(axis=2)
        return np.sqrt(np.square(difference).sum(axis=2))

    def _checked(self, queries: np.ndarray) -> np.ndarray:
        queries = np.asarray(queries, dtype=np.float32)
        dim = self._embeddings.shape[1]
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise StoreError(
                f"The gallery's embeddings have {dim} numbers, the query's "
                f"{queries.shape[-1]}; they come from different models and cannot be compared."
            )
        return _prepared(queries, self.measure, None)


def ranked(distances: np.ndarray) -> np.ndarray:
    """Order each row from the smallest distance to the largest; ties keep their order.

    The bits of a float32 that is not negative sort like the number, so distance and position
    are packed into one integer: four times faster than a stable argsort.

    Args:
        distances: float32, shape (n_queries, n_gallery), at least 0; infinity is allowed.

    Returns:
        Positions, int64, same shape.

    Example:
        >>> ranked(np.array([[0.5, 0.1, 0.5]], dtype=np.float32)).tolist()
        [[1, 0, 2]]
    """
    keys = np.ascontiguousarray(distances, dtype=np.float32).view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(distances.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(0xFFFFFFFF)
    return keys.view(np.int64)


def manhattan_distances(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Sums of absolute differences, by FAISS (vectorised, on all cores).

    Args:
        queries: float32, shape (n_queries, embedding_dim).
        gallery: float32, shape (n_gallery, embedding_dim).

    Returns:
        float32, shape (n_queries, n_gallery).
    """
    import faiss

    return faiss.pairwise_distances(queries, gallery, metric=faiss.METRIC_L1)


def _prepared(embeddings: np.ndarray, measure: str, ids: np.ndarray | None) -> np.ndarray:
    """Contiguous, finite, and of length 1 under cosine."""
    embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
    sums = np.einsum("ij,ij->i", embeddings, embeddings)
    if not np.isfinite(sums).all():
        row = int(np.argmin(np.isfinite(sums)))
        raise StoreError(f"The embedding of {_who(ids, row)} is not finite; build it again.")
    if measure != "cosine":
        return embeddings
    if not sums.all():
        row = int(np.argmin(sums))
        raise StoreError(
            f"The embedding of {_who(ids, row)} is all zeros and has no direction, so it has no "
            "cosine similarity; use the Euclidean or Manhattan distance, or leave it out."
        )
    return embeddings / np.sqrt(sums)[:, None]


def _who(ids: np.ndarray | None, row: int) -> str:
    return f"query {row}" if ids is None else f"product {ids[row]}"


def _blocks(n_queries: int, n_gallery: int) -> Iterator[slice]:
    size = max(1, MAX_BLOCK_BYTES // (4 * n_gallery))
    for start in range(0, n_queries, size):
        yield slice(start, min(start + size, n_queries))
