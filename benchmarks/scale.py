"""From ten thousand to two million products: time, memory and recall of the sharded search.

The products are made from real embeddings: whitened to 128 numbers, drawn again and again, each
with noise of its own as large as the distance of a typical product to its nearest neighbour. So
the cloud has the real one's shape, and every vector is another. Larger numbers are worked out on
paper from what is measured here (`paper_table`).

    python benchmarks/scale.py    # both records anew, of the full profile
"""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.embedding.store import NUMBER_FORMATS, FeatureStore
from fashion_rir.evaluation import intervals, rankings
from fashion_rir.search import shards, transforms
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.pretrained.index_speed import stream_seconds
from fashion_rir.system import usable_cores
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace, open_workspace

SIZES = (10_000, 100_000, 500_000, 2_000_000)

PROBED = (1, 4, 16, 64)

MODEL, SEED = "mobilenetv2-128-resize", 20

DIM, K, N_QUERIES = 128, 10, 200

N_TIMED = 50  # of the queries, one by one

SHARD_SIZE = 500_000  # products

BLOCK = 100_000  # made and ranked at a time

SAMPLE = 40  # embeddings a cell that the cells are learned from

RECORD, FLOAT16_RECORD = "scale-curve", "float16"

PAPER_SIZES = (10_000_000, 100_000_000, 1_000_000_000)

PAPER_SHARD = 50_000_000


def run(workspace: Workspace, store: FeatureStore, *, sizes: Sequence[int] = SIZES,
        seed: int) -> dict:  # fmt: skip
    """Measure the curve.

    Args:
        workspace: of the profile; says where the record lies.
        store: real embeddings.
        sizes: numbers of products, ascending.
        seed: of draws and noise.

    Returns:
        A record of kind `scale_curve`: `rows` (recall@10 against exact search by size and cells
        probed, bytes in memory and on disk), and under `timings` seconds to build and a query.
    """
    load_before = os.getloadavg()[0]
    real = store.load()[1]
    reduced = transforms.fit_whitening(real, min(DIM, real.shape[1]))(real)
    noise = typical_distance(reduced, seed=seed) / np.sqrt(reduced.shape[1])
    rows, timed = [], []
    for size in sizes:
        found = _measure(reduced, size, noise, store.metadata, seed=seed)
        rows += found[0]
        timed += found[1]
    inputs = {"profile": workspace.profile, "model": store.metadata.get("model"),
              "data_hash": store.metadata.get("data_hash"), "sizes": list(sizes), "dim": DIM,
              "k": K, "n_queries": N_QUERIES, "shard_size": SHARD_SIZE, "seed": seed}  # fmt: skip
    record = result_records.make_record(
        "scale_curve", RECORD, inputs, rows=rows, noise=intervals.rounded(noise),
        timings={"curve": timed, "cores": usable_cores(), "load_before": load_before},
    )  # fmt: skip
    result_records.write(record, workspace.results)
    return record


def float16_effect(
    workspace: Workspace, products: pd.DataFrame, store: FeatureStore, *, n_queries: int, seed: int
) -> dict:
    """What storing float16 instead of float32 does to the mAP.

    Args:
        workspace: of the profile; says where the record lies.
        products: the catalogue's table.
        store: real embeddings, in float32.
        n_queries: test products that ask, at most.
        seed: of the split and the draw.

    Returns:
        A record of kind `float16`: `mAP` by number format (articleType, cosine; a query does not
        find itself).
    """
    vectors = store.load(products["image_name"])[1]
    asking = np.flatnonzero(splits.is_test_product(products, seed=seed))
    chosen = np.random.default_rng(seed).permutation(asking)[:n_queries]
    is_query = np.isin(np.arange(len(products)), chosen)
    found = {}
    for number_format, kept in NUMBER_FORMATS.items():
        ranked = rankings.score_views(
            vectors.astype(kept).astype(np.float32), products, {"": rankings.View(is_query)},
            labels=["articleType"],
        )[""]  # fmt: skip
        found[number_format] = intervals.rounded(float(ranked.scores["articleType"]["mAP"].mean()))
    inputs = {"profile": workspace.profile, "model": store.metadata.get("model"),
              "data_hash": store.metadata.get("data_hash"), "n_products": len(products),
              "n_queries": len(chosen), "measure": "cosine", "seed": seed}  # fmt: skip
    record = result_records.make_record("float16", FLOAT16_RECORD, inputs, mAP=found)
    result_records.write(record, workspace.results)
    return record


def made_products(
    reduced: np.ndarray, size: int, noise: float, *, seed: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Products made from real ones, block by block.

    Args:
        reduced: float32, shape (n_real, dim).
        size: how many to make.
        noise: standard deviation of each number.
        seed: of the whole; a block depends on its number only.

    Yields:
        The first product's number, and float32 of shape (at most `BLOCK`, dim), of length 1.
    """
    for start in range(0, size, BLOCK):
        generator = np.random.default_rng([seed, start])
        rows = generator.integers(0, len(reduced), min(BLOCK, size - start))
        made = reduced[rows]
        made += noise * generator.standard_normal(made.shape, dtype=np.float32)
        yield start, transforms.l2_normalise(made)


def typical_distance(embeddings: np.ndarray, *, n_asked: int = 500, seed: int) -> float:
    """Median Euclidean distance of a product to its nearest neighbour."""
    ids = np.arange(len(embeddings))
    asked = np.random.default_rng(seed).permutation(ids)[:n_asked]
    gallery = Gallery(embeddings, ids, "euclidean")
    return float(np.median(gallery.search(embeddings[asked], 1, exclude_ids=asked).distances))


def curve_table(record: dict) -> pd.DataFrame:
    """Recall, memory and time side by side; a query's time as a multiple of the smallest exact one.

    Args:
        record: from `run`.
    """
    table = pd.DataFrame(record["rows"]).merge(
        pd.DataFrame(record["timings"]["curve"]), on=["products", "cells probed"]
    )
    exact = table["exact seconds"]
    table["times exact search"] = exact / table["query seconds"]
    table["query ms"] = 1000 * table["query seconds"]
    table["MiB in memory"] = table["bytes in memory"] / 2**20
    table["MiB on disk"] = table["bytes on disk"] / 2**20
    columns = ["products", "shards", "cells", "cells probed", "recall@10", "query ms",
               "times exact search", "build seconds", "MiB in memory", "MiB on disk"]  # fmt: skip
    return table[columns]


def paper_table(record: dict, *, n_probed: int = 16) -> pd.DataFrame:
    """What larger galleries would take, worked out from the largest one measured.

    Memory and disk grow with the products. In each shard a query looks at `n_probed` of
    2 root(n) cells, so at `n_probed` root(n) / 2 products: its time grows with the root of a
    shard's size, and with the number of shards that one machine holds.

    Args:
        record: from `run`.
        n_probed: cells a shard.
    """
    curve = curve_table(record)
    row = curve[curve["cells probed"] == n_probed].iloc[-1]
    rows = []
    for size in PAPER_SIZES:
        n_shards = max(1, round(size / PAPER_SHARD))
        shard = size / n_shards
        growth = np.sqrt(shard / (row["products"] / row["shards"]))
        per_product = row["MiB in memory"] / row["products"] / 1024
        rows.append({
            "products": size,
            "shards": n_shards,
            "GiB in memory": size * per_product,
            "GiB on disk": size * row["MiB on disk"] / row["products"] / 1024,
            "ms a query, one machine": row["query ms"] * growth * n_shards / row["shards"],
            "ms a query, a machine a shard": row["query ms"] * growth / row["shards"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def _measure(
    reduced: np.ndarray, size: int, noise: float, metadata: dict[str, str], *, seed: int
) -> tuple[list[dict], list[dict]]:
    """Build the shards of one size in a temporary folder, and search them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        n_cells = _n_cells(size)
        n_sample = max(SAMPLE * n_cells, shards.MIN_TRAIN * shards.PQ_CENTRES)
        _, sample = next(made_products(reduced, min(n_sample, BLOCK), noise, seed=seed + 1))
        quantiser = shards.learn_quantiser(
            sample, min(n_cells, len(sample) // shards.MIN_TRAIN),
            made_for={**metadata, "made": f"{size} with noise"},
        )  # fmt: skip
        _write_shards(folder, quantiser, made_products(reduced, size, noise, seed=seed), size)
        build = time.perf_counter() - start
        _, queries = next(made_products(reduced, N_QUERIES, noise, seed=seed + 2))
        exact, exact_seconds = _exact(queries, made_products(reduced, size, noise, seed=seed))
        gallery = shards.ShardedGallery(folder)
        files = {path.name: path.stat().st_size for path in folder.iterdir()}
        about = {
            "products": size,
            "shards": sum(file.endswith(".faiss") for file in files),
            "cells": quantiser.index.nlist,
            "bytes in memory": sum(n for file, n in files.items() if "vectors" not in file),
            "bytes on disk": sum(files.values()),
        }
        rows, timed = [], []
        for n_probed in PROBED:
            found = gallery.search(queries, K, n_probed=n_probed).ids
            shared = [len(np.intersect1d(f, e)) for f, e in zip(found, exact, strict=True)]
            recall = intervals.rounded(float(np.mean(shared)) / K)
            rows.append(about | {"cells probed": n_probed, "recall@10": recall})
            timed.append({
                "products": size, "cells probed": n_probed, "build seconds": build,
                "query seconds": _seconds_a_query(gallery, queries, n_probed),
                "exact seconds": exact_seconds,
            })  # fmt: skip
    return rows, timed


def _n_cells(size: int) -> int:
    """Twice the root of a shard's products, as they share one quantiser."""
    return int(2 * np.sqrt(min(size, SHARD_SIZE)))


def _write_shards(
    folder: Path,
    quantiser: shards.Quantiser,
    blocks: Iterator[tuple[int, np.ndarray]],
    size: int,
) -> None:
    listed, waiting = [], []
    for start, made in blocks:
        waiting.append(made)
        end = start + len(made)
        if end % SHARD_SIZE == 0 or end == size:
            vectors = np.concatenate(waiting)
            ids = np.arange(end - len(vectors), end)
            listed.append(shards.write_shard(folder, len(listed), quantiser, vectors, ids))
            waiting = []
    shards.finish(folder, listed)


def _exact(
    queries: np.ndarray, blocks: Iterator[tuple[int, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Ids that exact search finds, and the seconds that reading all vectors once would take: the
    limit of any exact search for a single query."""
    ids, distances, seconds = [], [], 0.0
    for start, made in blocks:
        block = Gallery(made, np.arange(start, start + len(made)), "cosine")
        found = block.search(queries, K)
        ids.append(found.ids)
        distances.append(found.distances)
        seconds += stream_seconds(made)
    order = np.argsort(np.concatenate(distances, axis=1), axis=1, kind="stable")[:, :K]
    return np.take_along_axis(np.concatenate(ids, axis=1), order, 1), seconds


def _seconds_a_query(gallery: shards.ShardedGallery, queries: np.ndarray, n_probed: int) -> float:
    """Median over single queries; FAISS on one core, as a server with many of them would run it."""
    import faiss

    n_threads, seconds = faiss.omp_get_max_threads(), []
    faiss.omp_set_num_threads(1)
    for query in queries[:N_TIMED]:
        start = time.perf_counter()
        gallery.search(query[None], K, n_probed=n_probed)
        seconds.append(time.perf_counter() - start)
    faiss.omp_set_num_threads(n_threads)
    return float(np.median(seconds))


def main() -> None:
    """Measure both records of the full profile; minutes."""
    workspace = open_workspace("full")
    store = FeatureStore.open(workspace.feature_store(MODEL))
    float16_effect(workspace, workspace.load_catalog("real").products, store, n_queries=1000,
                   seed=SEED)  # fmt: skip
    run(workspace, store, seed=SEED)


if __name__ == "__main__":
    main()
