"""Search beyond memory: a gallery in shards, each an IVF-PQ index in a memory-mapped file.

An inverted file (IVF) looks at the cells nearest to the query only; product quantisation (PQ;
Jegou et al. 2011) keeps 32 bytes a product of its embedding. Both are learned once on a sample and
shared by all shards, so shards may be built one after the other, or on many machines. Candidates
are re-ordered by their vectors, kept as float16 in a file beside the index, of which only these
few rows are read.

A folder holds `shards.json`, which comes last and names every file, and per shard `0000.faiss`,
`0000-vectors.npy` (float16) and `0000-ids.npy`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.search.faiss_files import read_index, write_index
from fashion_rir.search.gallery import Matches
from fashion_rir.search.transforms import l2_normalise
from fashion_rir.system import remove_where_possible, sha256_of, unused, usable_cores, write_text

SCHEMA_VERSION = 1

CODE_BYTES = 32  # of a product's embedding in memory; 8 more hold its number

MIN_TRAIN = 39  # products a cell or PQ centre that FAISS wants to learn from

PQ_CENTRES = 256

EDGE_BYTES = 2**20  # of either end of a file that its fingerprint covers

SEED = 0


@dataclass(frozen=True)
class Quantiser:
    """What all shards of a gallery share.

    Attributes:
        index: a trained and empty `faiss.IndexIVFPQ`.
        made_for: whose embeddings it is, such as model, weights and data; compared when shards
            are opened together.
    """

    index: object
    made_for: dict[str, str]


def learn_quantiser(
    sample: np.ndarray, n_cells: int, *, made_for: Mapping[str, object]
) -> Quantiser:
    """Learn cells and codes.

    Args:
        sample: float32, shape (n_sample, dim), at least 39 times `n_cells` and 256; dim is a
            multiple of 4. Directions count (cosine).
        n_cells: about 2 times the root of the number of products, at least 1.
        made_for: the embeddings' metadata.

    Raises:
        ParameterError: too small a sample, or another dim.
    """
    import faiss

    dim = sample.shape[1]
    least = MIN_TRAIN * max(n_cells, PQ_CENTRES)
    if len(sample) < least:
        raise ParameterError(
            f"{n_cells} cells are learned from at least {least:,} embeddings, not {len(sample):,}; "
            "take a larger sample or fewer cells."
        )
    if dim % 4:
        raise ParameterError(
            f"Codes are learned for a multiple of 4 numbers, not {dim}; reduce the embeddings, "
            "such as by transforms.fit_whitening."
        )
    n_parts = next(parts for parts in range(CODE_BYTES, 0, -1) if dim % parts == 0)
    index = faiss.IndexIVFPQ(faiss.IndexFlatL2(dim), dim, n_cells, n_parts, 8)
    index.cp.seed = index.pq.cp.seed = SEED
    index.train(l2_normalise(np.ascontiguousarray(sample, dtype=np.float32)))
    return Quantiser(index, {key: str(value) for key, value in made_for.items()})


def write_shard(
    folder: Path, number: int, quantiser: Quantiser, embeddings: np.ndarray, ids: Sequence[int]
) -> dict[str, object]:
    """Write one shard's three files.

    Args:
        folder: of all shards.
        number: of this one, from 0.
        quantiser: shared by all.
        embeddings: float32, shape (n_products, dim).
        ids: product ids, one a row.

    Returns:
        What `finish` needs to know of it.

    Raises:
        ParameterError: lengths that differ.
        StoreError: an embedding of all zeros, or files that cannot be written.
    """
    import faiss

    if len(ids) != len(embeddings):
        raise ParameterError(f"{len(embeddings)} embeddings need as many ids, not {len(ids)}.")
    vectors = l2_normalise(np.ascontiguousarray(embeddings, dtype=np.float32))
    index = faiss.clone_index(quantiser.index)
    index.add(vectors)
    name = unused(folder / f"{number:04d}.faiss").stem  # an older one may be mapped
    arrays = {"vectors": vectors.astype(np.float16), "ids": np.asarray(ids, dtype=np.int64)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "shards.json").unlink(missing_ok=True)  # it comes last: then all is there
        for what, array in arrays.items():
            np.save(unused(folder / f"{name}-{what}.npy"), array)
        write_index(index, folder / f"{name}.faiss", StoreError)
    except OSError as error:
        raise StoreError(f"Cannot write shard {name} into {folder} ({error}).") from error
    files = [f"{name}.faiss", f"{name}-vectors.npy", f"{name}-ids.npy"]
    return {
        "name": name,
        "products": len(ids),
        "made_for": quantiser.made_for,
        "files": {file: fingerprint(folder / file) for file in files},
    }


def finish(folder: Path, shards: Iterable[Mapping[str, object]]) -> None:
    """Write `shards.json`, once all shards are there.

    Args:
        folder: of the shards.
        shards: what `write_shard` returned, in the order of their numbers.

    Raises:
        ParameterError: no shard.
        StoreError: shards of different embeddings, or the folder cannot be written.
    """
    listed = [dict(shard) for shard in shards]
    if not listed:
        raise ParameterError("There is no shard to list; write at least one.")
    first = listed[0]["made_for"]
    for shard in listed:
        if shard["made_for"] != first:
            raise StoreError(f"Shard {shard['name']} was made for {shard['made_for']}, shard "
                             f"{listed[0]['name']} for {first}; build it again.")  # fmt: skip
        del shard["made_for"]
    about = {"schema": SCHEMA_VERSION, "made_for": first, "shards": listed}
    write_text(folder / "shards.json", json.dumps(about, indent=1), StoreError)
    needed = {file for shard in listed for file in shard["files"]}
    shard_files = (*folder.glob("[0-9]*.faiss"), *folder.glob("[0-9]*.npy"))
    remove_where_possible(path for path in shard_files if path.name not in needed)


class ShardedGallery:
    """All shards of a folder, searched as one by cosine distance.

    Attributes:
        made_for: whose embeddings they are.
        n_products: in all shards together.
    """

    def __init__(self, folder: Path, *, in_memory: bool = False) -> None:
        """Check every file, then open it.

        Args:
            folder: that `finish` has completed.
            in_memory: read the indexes (not the vectors) into memory instead of mapping them.

        Raises:
            StoreError: unfinished, of another version, or a shard is missing, of another store or
                damaged; names the shard.
        """
        about = _read_list(folder)
        self.made_for: dict[str, str] = about["made_for"]
        shards = about["shards"]
        for shard in shards:
            for file, expected in shard["files"].items():
                _check_file(folder / file, expected)
        self._shards = [
            (
                read_index(folder / f"{shard['name']}.faiss", is_mapped=not in_memory),
                np.load(folder / f"{shard['name']}-vectors.npy", mmap_mode="r", allow_pickle=False),
                np.load(folder / f"{shard['name']}-ids.npy", allow_pickle=False),
            )
            for shard in shards
        ]
        self.n_products = sum(shard["products"] for shard in shards)

    def require(self, made_for: Mapping[str, object]) -> None:
        """Refuse queries of another model.

        Raises:
            StoreError: names the first difference.
        """
        for key, here in self.made_for.items():
            if key in made_for and str(made_for[key]) != here:
                raise StoreError(
                    f"The shards were made for {key} {here!r}, the query is of "
                    f"{str(made_for[key])!r}; they cannot be compared."
                )

    def search(
        self, queries: np.ndarray, k: int, *, n_probed: int = 16, n_candidates: int | None = None
    ) -> Matches:
        """The k closest products, nearly exactly.

        Args:
            queries: float32, shape (n_queries, dim).
            k: how many, 1 to the number of products.
            n_probed: cells that are looked at in each shard; more is more exact and slower.
            n_candidates: of each shard that are re-ordered by their vectors; 10 k if None.

        Raises:
            ParameterError: k out of range, or queries of another dim.
        """
        import faiss

        if not 1 <= k <= self.n_products:
            raise ParameterError(f"k must be 1 to {self.n_products}, not {k}.")
        dim = self._shards[0][0].d
        if np.ndim(queries) != 2 or queries.shape[1] != dim:
            raise ParameterError(f"Queries have shape (n, {dim}), not {np.shape(queries)}.")
        asked = l2_normalise(np.ascontiguousarray(queries, dtype=np.float32))
        parameters = faiss.SearchParametersIVF(nprobe=n_probed)
        n_chosen = n_candidates or 10 * k

        def search_shard(shard: tuple) -> tuple[np.ndarray, np.ndarray]:
            index, vectors, ids = shard
            rows = index.search(asked, min(n_chosen, len(ids)), params=parameters)[1]
            found = vectors[np.maximum(rows, 0)].astype(np.float32)
            distances = np.maximum(1 - np.einsum("qd,qkd->qk", asked, found), 0)
            distances[rows < 0] = np.inf
            return np.where(rows < 0, -1, ids[rows]), distances

        with ThreadPoolExecutor(min(len(self._shards), usable_cores())) as pool:
            found = list(pool.map(search_shard, self._shards))
        ids, distances = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        note = "" if distances.shape[1] >= k else f"Only {distances.shape[1]} were looked at."
        return Matches(
            np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1), note
        )


def fingerprint(path: Path) -> str:
    """SHA-256 over a file's size and both its ends: read in no time, whatever the size."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(EDGE_BYTES)
        file.seek(max(0, size - EDGE_BYTES))
        return sha256_of(str(size), start, file.read(EDGE_BYTES))


def _read_list(folder: Path) -> dict:
    path = folder / "shards.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version, _, _ = about["schema"], about["made_for"], about["shards"][0]["files"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise StoreError(
            f"{folder} holds no finished list of shards ({type(error).__name__}); build them again."
        ) from error
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; build the "
            "shards again."
        )
    return about


def _check_file(path: Path, expected: str) -> None:
    if not path.exists():
        raise StoreError(f"The shard {path} is missing; copy it there, or build it again.")
    if fingerprint(path) != expected:
        raise StoreError(
            f"The shard {path} is damaged or of another store; copy the right one there, or build "
            "it again."
        )
