"""Approximate search: indexes that look at a part of the gallery only.

FAISS' HNSW graph (Malkov and Yashunin 2018) and inverted file (IVF; Jegou et al. 2011), Annoy's
random trees (optional extra), and the KD-tree. Each answers `search` like `gallery.Gallery`,
which it holds: matches are re-ordered by the exact distance. A strict filter, and any query for
which the index finds too few, is searched exactly, so that there are never fewer than k matches
while k exist.
"""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fashion_rir.errors import FashionRirError, ParameterError, StoreError, unknown_name
from fashion_rir.search.faiss_files import read_index, write_index
from fashion_rir.search.gallery import Gallery, Matches
from fashion_rir.system import sha256_of_file, whole_file

SCHEMA_VERSION = 1

KINDS = ("hnsw", "ivf", "annoy", "kd_tree")

# What each kind can measure by; cosine is searched as the Euclidean distance of unit vectors.
SUPPORTED = {
    "hnsw": ("cosine", "euclidean", "manhattan"),
    "ivf": ("cosine", "euclidean"),
    "annoy": ("cosine", "euclidean", "manhattan"),
    "kd_tree": ("cosine", "euclidean", "manhattan"),
}

HNSW_NEIGHBOURS = 32  # links a node; more is more exact, larger and slower to build

HNSW_BUILD_EFFORT = 100

ANNOY_TREES = 50

STRICT_FILTER = 0.1  # share of the gallery; a graph misses much of what a stricter one leaves

SEED = 0


class Index:
    """A gallery with an index over it.

    Attributes:
        gallery: the exact search underneath.
        kind: one of `KINDS`.
        effort: how hard to look, larger is more exact and slower: HNSW's efSearch, the number of
            IVF cells, Annoy's nodes; without meaning for the KD-tree, which is exact.
    """

    def __init__(self, gallery: Gallery, kind: str, *, effort: int = 64) -> None:
        """Build the index.

        Raises:
            ParameterError: unknown kind, or one that cannot search by the gallery's measure; or
                no effort.
            FashionRirError: Annoy is not installed.
        """
        _check(kind, gallery.measure)
        if effort < 1:
            raise ParameterError(f"The effort of a search must be at least 1, not {effort}.")
        self.gallery = gallery
        self.kind = kind
        self.effort = effort
        self._raw = _BUILD[kind](gallery.vectors, gallery.measure)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude_ids: Sequence[int] | None = None,
        where: np.ndarray | None = None,
    ) -> Matches:
        """As `Gallery.search`, nearly as exact."""
        self.gallery.check_search(queries, k, exclude_ids, where)
        prepared = self.gallery.prepare_queries(queries)
        is_strict = where is not None and np.mean(where) < STRICT_FILTER
        if is_strict or len(prepared) == 0:
            return self.gallery.search(queries, k, exclude_ids=exclude_ids, where=where)
        rows = self._candidates(prepared, k + (exclude_ids is not None), where)
        return self.gallery.choose(queries, rows, k, exclude_ids=exclude_ids, where=where)

    def extra_bytes(self) -> int:
        """Memory of the index beyond the gallery's own vectors (its own copy of them included)."""
        import faiss

        if self.kind in ("hnsw", "ivf"):
            return faiss.serialize_index(self._raw).nbytes
        if self.kind == "annoy":
            with tempfile.TemporaryDirectory() as folder:
                self._raw.save(os.path.join(folder, "index.ann"))
                return os.path.getsize(os.path.join(folder, "index.ann"))
        return sum(np.asarray(part).nbytes for part in self._raw.get_arrays())

    def save(self, folder: Path) -> None:
        """Keep gallery and index in a folder (HNSW and IVF; the others are quick to rebuild).

        Raises:
            ParameterError: another kind.
            StoreError: the folder cannot be written.
        """
        import faiss

        if self.kind not in ("hnsw", "ivf"):
            raise ParameterError(f"An index of kind {self.kind} cannot be saved; build it again.")
        path = folder / f"{self.kind}.faiss"
        about = {"schema": SCHEMA_VERSION, "kind": self.kind, "effort": self.effort,
                 "gallery": self.gallery.fingerprint, "faiss": faiss.__version__}  # fmt: skip
        with (
            whole_file(path.with_suffix(".json"), StoreError) as description,
            whole_file(path, StoreError) as partial,
        ):
            write_index(self._raw, partial, StoreError)
            about["sha256"] = sha256_of_file(partial)
            description.write_text(json.dumps(about, indent=1), encoding="utf-8")
            self.gallery.save(folder)

    @classmethod
    def load(cls, folder: Path, kind: str) -> "Index":
        """A saved index with its gallery, memory-mapped.

        Raises:
            ParameterError: as for a new index.
            StoreError: nothing there, of another version, for another gallery, or damaged.
        """
        gallery = Gallery.load(folder)
        _check(kind, gallery.measure)
        path = folder / f"{kind}.faiss"
        try:
            about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            version, made_for = about["schema"], about["gallery"]
            effort, is_whole = about["effort"], about["sha256"] == sha256_of_file(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"There is no {kind} index in {folder} ({type(error).__name__}); build it."
            ) from error
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; "
                "build the index again."
            )
        if made_for != gallery.fingerprint:
            raise StoreError(f"{path} was built for another gallery; build the index again.")
        if not is_whole:  # FAISS would take a wrong graph for a good one, or crash on it
            raise StoreError(f"{path} is damaged; build the index again.")
        index = cls.__new__(cls)
        index.gallery, index.kind, index.effort = gallery, kind, effort
        try:
            index._raw = read_index(path)
        except RuntimeError as error:  # whole, but written by another FAISS
            raise StoreError(f"This FAISS cannot read {path}; build the index again.") from error
        return index

    def _candidates(self, prepared: np.ndarray, k: int, where: np.ndarray | None) -> np.ndarray:
        """Gallery rows, int64, shape (n_queries, at least k); -1 where the index found none."""
        if self.kind == "kd_tree":
            return self._raw.query(prepared, k=min(k, len(self.gallery)))[1]
        if self.kind == "annoy":
            found = [self._raw.get_nns_by_vector(q, k, self.effort * k) for q in prepared]
            return np.array([rows + [-1] * (k - len(rows)) for rows in found], dtype=np.int64)
        return self._raw.search(prepared, k, params=self._faiss_parameters(k, where))[1]

    def _faiss_parameters(self, k: int, where: np.ndarray | None) -> object:
        import faiss

        selector = {}
        if where is not None:
            selector = {"sel": faiss.IDSelectorBatch(np.flatnonzero(where).astype(np.int64))}
        if self.kind == "hnsw":
            return faiss.SearchParametersHNSW(efSearch=max(self.effort, 2 * k), **selector)
        return faiss.SearchParametersIVF(nprobe=self.effort, **selector)


def _check(kind: str, measure: str) -> None:
    if kind not in KINDS:
        raise unknown_name("index", kind, KINDS)
    if measure not in SUPPORTED[kind]:
        raise ParameterError(
            f"An index of kind {kind} cannot search by {measure}; it can by "
            f"{', '.join(SUPPORTED[kind])}."
        )


def _build_hnsw(vectors: np.ndarray, measure: str) -> object:
    import faiss

    metric = faiss.METRIC_L1 if measure == "manhattan" else faiss.METRIC_L2
    index = faiss.IndexHNSWFlat(vectors.shape[1], HNSW_NEIGHBOURS, metric)
    index.hnsw.efConstruction = HNSW_BUILD_EFFORT
    index.add(vectors)
    return index


def _build_ivf(vectors: np.ndarray, measure: str) -> object:
    import faiss

    dim = vectors.shape[1]
    n_cells = max(1, min(int(4 * np.sqrt(len(vectors))), len(vectors) // 39 or 1))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dim), dim, n_cells, faiss.METRIC_L2)
    index.train(vectors)
    index.add(vectors)
    return index


def _build_annoy(vectors: np.ndarray, measure: str) -> object:
    try:
        import annoy
    except ImportError as error:
        raise FashionRirError(
            "The Annoy index needs the extra 'annoy' and a C++ compiler: pip install -e '.[annoy]'."
        ) from error
    index = annoy.AnnoyIndex(
        vectors.shape[1], "manhattan" if measure == "manhattan" else "euclidean"
    )
    index.set_seed(SEED)
    for row, vector in enumerate(vectors):
        index.add_item(row, vector)
    index.build(ANNOY_TREES)
    return index


def _build_kd_tree(vectors: np.ndarray, measure: str) -> object:
    from sklearn.neighbors import KDTree

    return KDTree(vectors, metric="manhattan" if measure == "manhattan" else "euclidean")


_BUILD: dict[str, Callable[[np.ndarray, str], object]] = {
    "hnsw": _build_hnsw,
    "ivf": _build_ivf,
    "annoy": _build_annoy,
    "kd_tree": _build_kd_tree,
}
