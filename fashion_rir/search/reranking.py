"""Better rankings from the same embeddings: neighbours that vote, and models joined.

Average query expansion (Chum et al. 2007, "Total Recall") and its weighted form, alpha query
expansion (Radenovic et al. 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation");
the same for the gallery, database-side augmentation (Arandjelovic and Zisserman 2012);
k-reciprocal re-ranking (Zhong et al. 2017, "Re-ranking Person Re-identification with
k-reciprocal Encoding"); and the embeddings of several models side by side. NumPy only; the
measure is the cosine throughout.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.search.gallery import Gallery, Matches
from fashion_rir.search.transforms import l2_normalise

BLOCK_ROWS = 1024  # embeddings that are expanded at a time

LEAST_OVERLAP = 2 / 3  # of a neighbour's own reciprocal neighbours, before they are taken over


def expand_queries(
    queries: np.ndarray,
    gallery: np.ndarray,
    *,
    k: int,
    alpha: float,
    exclude: np.ndarray | None = None,
) -> np.ndarray:
    """Alpha query expansion: every query moves towards its k nearest gallery vectors.

    q' = normalise(q + sum over i = 1..k of s_i^alpha * g_i), where s_i is the cosine similarity
    of the query and its i-th neighbour g_i. With alpha = 0 all count alike (Chum et al. 2007).
    A neighbour with a similarity of 0 or below has no weight.

    Args:
        queries: float32, shape (n_queries, embedding_dim).
        gallery: float32, shape (n_gallery, embedding_dim).
        k: neighbours of a query, 1 <= k <= n_gallery (less the excluded one).
        alpha: at least 0; the larger, the less the far ones count.
        exclude: for each query its own row in the gallery, which is not its neighbour; -1 where
            it is not there. int64, shape (n_queries,); no query is in the gallery if None.

    Returns:
        float32, shape (n_queries, embedding_dim), of length 1.

    Raises:
        ParameterError: k, alpha or `exclude` is out of range, or an array is no table.
        StoreError: another dimension than the gallery's, not finite, or all zeros.

    Example:
        >>> gallery = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> print(expand_queries(np.array([[0.6, 0.8]]), gallery, k=1, alpha=0).round(3))
        [[0.316 0.949]]
    """
    queries, gallery = _checked(queries, "the queries"), _checked(gallery, "the gallery")
    exclude = _checked_rows(exclude, len(queries), len(gallery))
    _check_k(k, most=len(gallery) - (exclude is not None))
    searchable = _searchable(gallery)

    def nearest(block: slice) -> Matches:
        own = None if exclude is None else exclude[block]
        return searchable.search(queries[block], k, exclude_ids=own)

    return _expanded(queries, searchable, nearest, alpha)


def expand_database(
    gallery: np.ndarray, *, k: int, alpha: float, where: np.ndarray | None = None
) -> np.ndarray:
    """Database-side augmentation: the gallery's vectors are expanded, each by its neighbours.

    The formula is that of `expand_queries`; no vector is its own neighbour. It works block by
    block, in O(n^2 * embedding_dim) time and memory for about three copies of the gallery.

    Args:
        gallery: float32, shape (n_gallery, embedding_dim).
        k: neighbours of a vector, 1 <= k < number of products that may be neighbours.
        alpha: at least 0.
        where: bool, shape (n_gallery,): the products that may be neighbours; all if None. Where
            the queries are in the gallery, leave them out: a query would find its own vector
            again in its neighbours, which are then not held out.

    Returns:
        float32, same shape, of length 1.

    Raises:
        ParameterError: k, alpha or `where` does not fit, or the array is no table.
        StoreError: not finite, or all zeros.
    """
    gallery = _checked(gallery, "the gallery")
    where = np.ones(len(gallery), dtype=bool) if where is None else np.asarray(where)
    if where.shape != (len(gallery),) or where.dtype != bool:
        raise ParameterError(
            f"`where` must say True or False of each of the {len(gallery)} products; this one is "
            f"{where.dtype} of shape {where.shape}."
        )
    _check_k(k, most=int(where.sum()) - 1)
    searchable, own = _searchable(gallery), np.arange(len(gallery))

    def nearest(block: slice) -> Matches:
        return searchable.search(gallery[block], k, exclude_ids=own[block], where=where)

    return _expanded(gallery, searchable, nearest, alpha)


@dataclass(frozen=True)
class Neighbourhood:
    """What `k_reciprocal` looks at.

    Attributes:
        candidates: how many of the nearest are re-ranked, up to n_gallery (less the excluded
            one). What comes after them in the ranking stays where it is.
        k1: neighbours that may be reciprocal, 1 <= k1 <= candidates.
        k2: neighbours whose descriptions are averaged, 1 <= k2 <= k1; 1 leaves them as they are.
        lambda_: weight of the original distance, 0 to 1; 1 keeps the original order.
    """

    candidates: int = 200
    k1: int = 20
    k2: int = 6
    lambda_: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1:
            raise ParameterError(f"k1 must be at least 1, not {self.k1}.")
        if not 1 <= self.k2 <= self.k1:
            raise ParameterError(f"k2 must be 1 to {self.k1} (k1), not {self.k2}.")
        if not 0 <= self.lambda_ <= 1:
            raise ParameterError(f"lambda_ must be 0 to 1, not {self.lambda_}.")


def k_reciprocal(
    queries: np.ndarray,
    gallery: np.ndarray,
    seen: Neighbourhood,
    *,
    exclude: np.ndarray | None = None,
) -> np.ndarray:
    """Re-rank the first candidates of each query by how many neighbours they share with it.

    R(p, k1) are p and those of its k1 nearest that have p among their own k1 nearest. R is
    completed by R(c, k1 / 2) of each of its members c, where at least two thirds of that are in
    R already. p is described by the weights exp(-d(p, g)) of the g in R, and 0 elsewhere, then
    by the mean of these descriptions over its k2 nearest (itself included). The new distance is

        d* = (1 - lambda_) * (1 - sum of minima / sum of maxima) + lambda_ * d

    over the descriptions of query and candidate (the Jaccard distance). d is the cosine distance
    divided by the largest one from the same point, as both terms must have one scale.

    Zhong et al. describe every product by the whole gallery. Here each query and its candidates
    are a small world of their own, so neighbours outside of it are not seen. A query takes
    O(candidates^2 * (embedding_dim + candidates)) time and O(candidates^2) memory.

    Args:
        queries: float32, shape (n_queries, embedding_dim).
        gallery: float32, shape (n_gallery, embedding_dim).
        seen: candidates, k1, k2 and lambda_.
        exclude: as for `expand_queries`.

    Returns:
        The candidates' rows in the gallery, the best first: int64, shape (n_queries, candidates).
        Equal distances stay in the original order.

    Raises:
        ParameterError: a parameter is out of range, or an array is no table.
        StoreError: another dimension than the gallery's, not finite, or all zeros.
    """
    queries, gallery = _checked(queries, "the queries"), _checked(gallery, "the gallery")
    exclude = _checked_rows(exclude, len(queries), len(gallery))
    _check_candidates(seen, most=len(gallery) - (exclude is not None))
    searchable = _searchable(gallery)
    rows = searchable.search(queries, seen.candidates, exclude_ids=exclude).ids
    for query, own_rows in zip(searchable.prepare_queries(queries), rows, strict=True):
        points = np.vstack([query, searchable.vectors[own_rows]])
        distances = _reranked_distances(points, seen)
        own_rows[:] = own_rows[np.argsort(distances, kind="stable")]
    return rows


def concatenate(matrices: Sequence[np.ndarray], *, weights: Sequence[float]) -> np.ndarray:
    """Join the embeddings of several models into one.

    Each model's embeddings are brought to length 1 and scaled by sqrt(weight / sum of weights).
    So the cosine similarity of two joint embeddings is the weighted mean of the models' cosine
    similarities, and a joint embedding has length 1.

    Args:
        matrices: one a model, each float32, shape (n, its own embedding_dim), in the same order
            of products.
        weights: one a model, at least 0, not all 0; only their ratio counts.

    Returns:
        float32, shape (n, sum of the dimensions).

    Raises:
        ParameterError: weights or lengths do not fit.
        StoreError: an embedding is not finite, or all zeros.

    Example:
        >>> one, other = np.array([[2.0, 0.0]]), np.array([[5.0]])
        >>> print(concatenate([one, other], weights=[1, 3]).round(3))
        [[0.5   0.    0.866]]
    """
    weights = np.asarray(weights, dtype=np.float64)
    if len(matrices) == 0 or weights.shape != (len(matrices),):
        raise ParameterError(
            f"{len(matrices)} matrices need as many weights and at least one, not {weights.size}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ParameterError(
            f"The weights must be finite, at least 0 and not all 0, not {weights.tolist()}."
        )
    matrices = [_checked(matrix, f"matrix {place}") for place, matrix in enumerate(matrices)]
    lengths = [len(matrix) for matrix in matrices]
    if len(set(lengths)) > 1:
        raise ParameterError(
            f"The matrices have {lengths} rows; give each the same products in the same order."
        )
    scales = np.sqrt(weights / weights.sum()).astype(np.float32)
    scaled = [l2_normalise(m) * scale for m, scale in zip(matrices, scales, strict=True)]
    return np.concatenate(scaled, axis=1)


def _expanded(
    vectors: np.ndarray, gallery: Gallery, nearest: Callable[[slice], Matches], alpha: float
) -> np.ndarray:
    """Each vector with its nearest in the gallery; see `expand_queries`."""
    if not (np.isfinite(alpha) and alpha >= 0):
        raise ParameterError(f"alpha must be a finite number of at least 0, not {alpha}.")
    expanded = np.empty_like(vectors)
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        found = nearest(block)
        similarities = np.maximum(1 - found.distances, 0)
        weights = similarities**alpha * (similarities > 0)  # 0 ** 0 is 1
        sums = gallery.prepare_queries(vectors[block])
        for ids, weight in zip(found.ids.T, weights.T, strict=True):  # not all at once
            sums += weight[:, None] * gallery.vectors[ids]
        expanded[block] = l2_normalise(sums)
    return expanded


def _reranked_distances(points: np.ndarray, seen: Neighbourhood) -> np.ndarray:
    """d* of `k_reciprocal` from the first point, the query, to each of the others.

    Args:
        points: of length 1, float32, shape (1 + candidates, embedding_dim).
        seen: k1, k2 and lambda_.

    Returns:
        float32, shape (candidates,), each in [0, 1].
    """
    distances = np.maximum(1 - points @ points.T, 0)
    np.fill_diagonal(distances, -1)  # a copy of a photo must not stand before the photo itself
    neighbours = np.argsort(distances, axis=1, kind="stable")
    np.fill_diagonal(distances, 0)
    largest = distances.max(axis=1, keepdims=True)
    distances /= np.where(largest > 0, largest, 1)

    members = _reciprocal_neighbours(neighbours, seen.k1)
    weights = np.exp(-distances) * members
    weights = weights[neighbours[:, : seen.k2]].mean(axis=1)
    shared = np.minimum(weights[0], weights[1:]).sum(axis=1)
    jaccard = 1 - shared / np.maximum(weights[0], weights[1:]).sum(axis=1)
    return (1 - seen.lambda_) * jaccard + seen.lambda_ * distances[0, 1:]


def _reciprocal_neighbours(neighbours: np.ndarray, k1: int) -> np.ndarray:
    """The completed R(p, k1) of every point p, itself included: bool, one row a point."""
    reciprocal = _mutual(neighbours, k1)
    smaller = _mutual(neighbours, round(k1 / 2))
    n_shared = reciprocal.astype(np.float32) @ smaller.astype(np.float32)
    is_near = n_shared >= LEAST_OVERLAP * smaller.sum(axis=1) - 1e-6  # two of three are enough
    joins = (reciprocal & is_near).astype(np.float32)
    return reciprocal | (joins @ smaller.astype(np.float32) > 0)


def _mutual(neighbours: np.ndarray, k: int) -> np.ndarray:
    """Which points are among each other's k nearest; each is its own: bool, symmetric."""
    is_near = np.zeros(neighbours.shape, dtype=bool)
    np.put_along_axis(is_near, neighbours[:, : k + 1], True, axis=1)
    return is_near & is_near.T


def _searchable(gallery: np.ndarray) -> Gallery:
    """The gallery under cosine; its ids are the row numbers."""
    return Gallery(gallery, np.arange(len(gallery)), "cosine")


def _checked(embeddings: np.ndarray, what: str) -> np.ndarray:
    """float32; a table of at least one embedding, all finite and none of them zero."""
    embeddings = np.asarray(embeddings, dtype=np.float32)
    if embeddings.ndim != 2 or len(embeddings) == 0:
        raise ParameterError(
            f"The embeddings of {what} need the shape (n, embedding_dim) with n of at least 1, "
            f"not {embeddings.shape}."
        )
    squares = np.einsum("ij,ij->i", embeddings, embeddings)
    for is_wrong, fault in ((~np.isfinite(squares), "not finite"), (squares == 0, "all zeros")):
        if is_wrong.any():
            raise StoreError(
                f"The embedding in row {np.argmax(is_wrong)} of {what} is {fault}; embed this "
                "picture again or leave it out."
            )
    return embeddings


def _checked_rows(rows: np.ndarray | None, n_queries: int, n_gallery: int) -> np.ndarray | None:
    """The queries' own rows in the gallery, one a query, or -1."""
    if rows is None:
        return None
    rows = np.asarray(rows)
    if rows.shape != (n_queries,) or not np.issubdtype(rows.dtype, np.integer):
        raise ParameterError(
            f"`exclude` must hold one whole number for each of the {n_queries} queries, not "
            f"{rows.dtype} of shape {rows.shape}."
        )
    is_wrong = (rows < -1) | (rows >= n_gallery)
    if is_wrong.any():
        raise ParameterError(
            f"`exclude` must hold rows of the gallery, 0 to {n_gallery - 1}, or -1 for none, not "
            f"{rows[np.argmax(is_wrong)]}."
        )
    return rows


def _check_k(k: int, *, most: int) -> None:
    if not 1 <= k <= most:
        raise ParameterError(f"k must be 1 to {most} (the possible neighbours), not {k}.")


def _check_candidates(seen: Neighbourhood, *, most: int) -> None:
    if not seen.k1 <= seen.candidates <= most:
        raise ParameterError(
            f"`candidates` must be {seen.k1} (k1) to {most} (the products that can be found), not "
            f"{seen.candidates}."
        )
