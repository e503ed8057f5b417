"""Find the products whose embeddings lie closest to a query's.

Three measures, as in the thesis: cosine (1 - cosine similarity), Euclidean and Manhattan. All
are distances here: smaller is closer. Search is exact and works in blocks of queries, so its
memory is bounded by `MAX_BLOCK_BYTES` whatever the number of queries.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fashion_rir.errors import ParameterError, StoreError, unknown_name
from fashion_rir.system import remove_where_possible, sha256_of, whole_file

SCHEMA_VERSION = 1

POSITION = np.uint64(0xFFFFFFFF)  # the lower half of a packed distance, see `_packed`

MEASURES = ("cosine", "euclidean", "manhattan")

MAX_BLOCK_BYTES = 64 * 2**20  # of distances held at a time

MARGIN = 16  # candidates beyond k that are looked at exactly: a block's rounding misplaces some


@dataclass(frozen=True)
class Matches:
    """The closest products of each query, the closest first.

    Attributes:
        ids: product ids, int64, shape (n_queries, n_found).
        distances: float32, same shape, in the measure's own units. A query with fewer matches
            than another is filled up with id -1 at an infinite distance.
        note: why there are fewer than were asked for; empty where there are not.
    """

    ids: np.ndarray
    distances: np.ndarray
    note: str = ""


class Gallery:
    """The embeddings that are searched, made ready for one measure.

    Attributes:
        ids: product ids, int64, shape (n_gallery,).
        measure: one of `MEASURES`.
        vectors: float32, shape (n_gallery, embedding_dim): the embeddings as they are compared,
            of length 1 under cosine.
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
        ids = np.asarray(ids, dtype=np.int64)
        if len(ids) != len(embeddings) or len(np.unique(ids)) != len(ids):
            raise ParameterError(
                f"{len(embeddings)} embeddings need as many different ids, not {len(ids)}."
            )
        if len(embeddings) == 0:
            raise StoreError("The gallery is empty; embed some products first.")
        if np.ndim(embeddings) != 2:
            raise ParameterError(
                f"Embeddings have shape (n_gallery, embedding_dim), not {np.shape(embeddings)}."
            )
        self._set(_prepared(embeddings, measure, ids), ids, measure)

    def _set(self, vectors: np.ndarray, ids: np.ndarray, measure: str) -> None:
        self.vectors, self.ids, self.measure = vectors, ids, measure
        self._squares = np.einsum("ij,ij->i", vectors, vectors) if measure == "euclidean" else None

    def __len__(self) -> int:
        return len(self.ids)

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Distances of queries to the whole gallery.

        Args:
            queries: float32, shape (n_queries, embedding_dim).

        Returns:
            float32, shape (n_queries, n_gallery), at least 0.

        Raises:
            ParameterError: the queries are no table.
            StoreError: another dimension than the gallery's, not finite, or zero under cosine.
        """
        queries = self.prepare_queries(queries)
        if self.measure == "manhattan":
            return manhattan_distances(queries, self.vectors)
        if len(queries) == 1:  # a matrix-vector product reads the gallery once, at memory speed
            products = (self.vectors @ queries[0])[None]
        else:
            products = queries @ self.vectors.T
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
            k: how many, 1 <= k <= size of the gallery (less the excluded one).
            exclude_ids: for each query the id that must not be returned (the query's own);
                -1 where there is none.
            where: bool, shape (n_gallery,): the candidates, see `filters`; all if None.

        Returns:
            The matches; equal distances are in the gallery's order. Where a filter leaves fewer
            than k candidates, all of them, and `Matches.note` says so.

        Raises:
            ParameterError: k is out of range, or the lengths do not fit.
            StoreError: as for `distances`.
        """
        self.check_search(queries, k, exclude_ids, where)
        candidates = np.arange(len(self)) if where is None else np.flatnonzero(where)
        n_chosen = min(k + (exclude_ids is not None) + MARGIN, len(candidates))
        rows = np.empty((len(queries), n_chosen), dtype=np.int64)
        for block in _blocks(len(queries), len(self)):
            distances = self.distances(queries[block])
            if where is not None:
                distances = distances[:, candidates]
            if n_chosen < len(candidates):
                rows[block] = candidates[_closest(distances, n_chosen)]
            else:
                rows[block] = candidates
        return self.choose(queries, rows, k, exclude_ids=exclude_ids, where=where)

    def choose(
        self,
        queries: np.ndarray,
        rows: np.ndarray,
        k: int,
        *,
        exclude_ids: Sequence[int] | None = None,
        where: np.ndarray | None = None,
    ) -> Matches:
        """The k best of a few candidates, by their exact distances.

        Args:
            queries: float32, shape (n_queries, embedding_dim).
            rows: gallery rows, int64, shape (n_queries, n_candidates); -1 where there is none.
                If a query has too few of them, the whole gallery is searched for it.
            k: how many.
            exclude_ids: as for `search`.
            where: as for `search`.
        """
        excluded = np.full(len(queries), -1) if exclude_ids is None else np.asarray(exclude_ids)
        wanted = np.minimum(k, self._n_candidates(excluded, where))
        rows = np.sort(rows, axis=1)  # so that equal distances come in the gallery's order
        distances = self._exact(queries, rows)
        is_out = (rows < 0) | (self.ids[rows] == excluded[:, None])
        if where is not None:
            is_out |= ~where[rows]
        distances[is_out] = np.inf
        order = np.argsort(distances, axis=1, kind="stable")[:, : wanted.max(initial=0)]
        distances = np.take_along_axis(distances, order, 1)
        ids = self.ids[np.take_along_axis(rows, order, 1)]
        ids[np.isinf(distances)] = -1
        for query in np.flatnonzero(np.isfinite(distances).sum(axis=1) < wanted):
            exact = self.search(queries[[query]], k, exclude_ids=excluded[[query]], where=where)
            n_found = exact.ids.shape[1]
            ids[query, :n_found], distances[query, :n_found] = exact.ids[0], exact.distances[0]
        is_short = wanted.min(initial=k) < k
        note = f"Only {wanted.min()} of {k} exist behind this filter." if is_short else ""
        return Matches(ids, distances, note)

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

    def check_search(
        self,
        queries: np.ndarray,
        k: int,
        exclude_ids: Sequence[int] | None = None,
        where: np.ndarray | None = None,
    ) -> None:
        """Refuse what cannot be searched for; see `search`."""
        most = len(self) - (exclude_ids is not None)
        if not 1 <= k <= most:
            raise ParameterError(f"k must be 1 to {most} (the gallery's size), not {k}.")
        if exclude_ids is not None and len(exclude_ids) != len(queries):
            raise ParameterError(
                f"{len(queries)} queries need as many excluded ids, not {len(exclude_ids)}."
            )
        if where is not None and np.shape(where) != (len(self),):
            raise ParameterError(
                f"The filter must mark each of the {len(self)} products, not {np.shape(where)}."
            )

    def prepare_queries(self, queries: np.ndarray) -> np.ndarray:
        """Queries as they are compared with `vectors`: checked, and of length 1 under cosine.

        Raises:
            ParameterError, StoreError: as for `distances`.
        """
        queries = np.asarray(queries, dtype=np.float32)
        dim = self.vectors.shape[1]
        if queries.ndim != 2:
            raise ParameterError(
                f"Queries have shape (n_queries, {dim}), not {queries.shape}; take query[None] "
                "for a single one."
            )
        if queries.shape[1] != dim:
            raise StoreError(
                f"The gallery's embeddings have {dim} numbers, the query's "
                f"{queries.shape[1]}; they come from different models and cannot be compared."
            )
        return _prepared(queries, self.measure, None)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of measure, ids and vectors: equal exactly when the galleries are."""
        vectors = np.ascontiguousarray(self.vectors)
        return sha256_of(self.measure, self.ids.tobytes(), vectors)

    def save(self, folder: Path) -> None:
        """Keep the gallery in a folder, ready to be memory-mapped by `load`.

        Raises:
            StoreError: the folder cannot be written.
        """
        about = {"schema": SCHEMA_VERSION, "measure": self.measure, "shape": self.vectors.shape,
                 "fingerprint": self.fingerprint}  # fmt: skip
        # They take their places last to first, gallery.json last: then all is there. Vectors are
        # named by what they are: those that another process has mapped are never replaced.
        place = folder / f"vectors-{self.fingerprint[:12]}.npy"
        about["vectors"] = place.name
        with (
            whole_file(folder / "gallery.json", StoreError) as description,
            whole_file(folder / "ids.npy", StoreError) as ids,
        ):
            if not _holds(place, self.vectors):
                with whole_file(place, StoreError) as vectors, open(vectors, "wb") as file:
                    np.save(file, self.vectors)
            with open(ids, "wb") as file:
                np.save(file, self.ids)
            description.write_text(json.dumps(about, indent=1), encoding="utf-8")
            (folder / "gallery.json").unlink(missing_ok=True)
        remove_where_possible(path for path in folder.glob("vectors*.npy") if path != place)

    @classmethod
    def load(cls, folder: Path, measure: str | None = None) -> "Gallery":
        """A saved gallery; its vectors stay on disk until they are searched.

        Args:
            folder: where `save` put it.
            measure: the measure to search by, if another than it was saved with: Euclidean and
                Manhattan distances compare the same vectors.

        Raises:
            StoreError: nothing there, damaged, of another version, or saved for a measure that
                compares other vectors.
        """
        try:
            about = json.loads((folder / "gallery.json").read_text(encoding="utf-8"))
            version, shape, fingerprint = about["schema"], about["shape"], about["fingerprint"]
            saved = MEASURES[MEASURES.index(about["measure"])]
            place = folder / Path(about.get("vectors", "vectors.npy")).name
            vectors = np.load(place, mmap_mode="r", allow_pickle=False)
            ids = np.load(folder / "ids.npy", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise StoreError(
                f"There is no whole gallery in {folder} ({type(error).__name__}); save it again."
            ) from error
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{folder} has schema version {version}, this program reads {SCHEMA_VERSION}; "
                "save the gallery again."
            )
        if list(vectors.shape) != shape or len(ids) != len(vectors):
            raise StoreError(f"The files in {folder} do not belong together; save it again.")
        measure = measure or saved
        if measure != saved and "cosine" in (measure, saved):
            raise StoreError(f"{folder} holds a gallery for {saved}, not for {measure}.")
        gallery = cls.__new__(cls)
        gallery._set(vectors, ids, measure)
        if measure == saved:
            gallery.__dict__["fingerprint"] = fingerprint
        return gallery

    def _n_candidates(self, excluded: np.ndarray, where: np.ndarray | None) -> np.ndarray:
        """How many products each query may find: one fewer where its own is among them."""
        places = np.searchsorted(self._sorted_ids, excluded) % len(self)
        is_there = self._sorted_ids[places] == excluded
        if where is None:
            return len(self) - is_there
        return int(where.sum()) - np.isin(excluded, self.ids[where])

    @cached_property
    def _sorted_ids(self) -> np.ndarray:
        return np.sort(self.ids)

    def _exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of the few chosen rows by the definition, free of the block's rounding."""
        queries = self.prepare_queries(queries)
        distances = np.empty(rows.shape, dtype=np.float32)
        for block in _blocks(len(queries), rows.shape[1] * self.vectors.shape[1]):
            chosen = self.vectors[rows[block]]  # (n_block, n_chosen, embedding_dim)
            if self.measure == "cosine":
                similarity = np.einsum("qd,qkd->qk", queries[block], chosen)
                distances[block] = np.maximum(1 - similarity, 0)
                continue
            difference = queries[block, None] - chosen
            if self.measure == "manhattan":
                distances[block] = np.abs(difference).sum(axis=2)
            else:
                distances[block] = np.sqrt(np.square(difference).sum(axis=2))
        return distances


def _holds(path: Path, vectors: np.ndarray) -> bool:
    """Whether a file holds these vectors already."""
    try:
        return np.array_equal(np.load(path, mmap_mode="r", allow_pickle=False), vectors)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        return False


def ranked(distances: np.ndarray) -> np.ndarray:
    """Order each row from the smallest distance to the largest; ties keep their order.

    Four times faster than a stable argsort.

    Args:
        distances: float32, shape (n_queries, n_gallery), at least 0; infinity is allowed.

    Returns:
        Positions, int64, same shape.

    Example:
        >>> ranked(np.array([[0.5, 0.1, 0.5]], dtype=np.float32)).tolist()
        [[1, 0, 2]]
    """
    keys = _packed(distances)
    keys.sort(axis=1)
    keys &= POSITION
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


def _closest(distances: np.ndarray, k: int) -> np.ndarray:
    """Positions of each row's k smallest distances, in no order; of ties the first ones."""
    keys = _packed(distances)
    keys.partition(k - 1, axis=1)
    return (keys[:, :k] & POSITION).astype(np.int64)


def _packed(distances: np.ndarray) -> np.ndarray:
    """Distance and position in one integer: the bits of a float32 that is not negative sort like
    the number."""
    keys = np.ascontiguousarray(distances, dtype=np.float32).view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(distances.shape[1], dtype=np.uint64)
    return keys


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


def _blocks(n_queries: int, n_numbers: int) -> Iterator[slice]:
    """Slices of the queries, so small that `n_numbers` float32 a query fit into the memory."""
    size = max(1, MAX_BLOCK_BYTES // (4 * max(1, n_numbers)))
    for start in range(0, n_queries, size):
        yield slice(start, min(start + size, n_queries))
