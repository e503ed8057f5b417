"""How fast is the search for one picture, beside what a user would pick instead?

    python benchmarks/search.py [--products 10000] [--dim 1280] [--thesis-rows 500]

All sides hold the same random vectors and are asked the same single queries, in turn, in this
process; the ratios are medians over queries. Exact search is limited by the memory's bandwidth:
it must read every vector once. sqlite-vec (extra `peers`) and Annoy (extra `annoy`) are left out
where they are missing.
"""

import argparse
import statistics
from collections.abc import Callable

import limits
import numpy as np

from fashion_rir.errors import FashionRirError
from fashion_rir.search import indexes
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.pretrained import index_speed

K = 10
N_QUERIES = 15
OURS = "fashion_rir, exact"
Search = Callable[[np.ndarray], list[int]]


def main() -> None:
    """Measure all sides and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=1280)
    parser.add_argument("--thesis-rows", type=int, default=500)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((arguments.products, arguments.dim), dtype=np.float32)
    queries = vectors[:N_QUERIES] + 0.1
    gallery = Gallery(vectors, np.arange(len(vectors)), "cosine")
    seconds, found = measure(sides_of(gallery), queries)
    bandwidth = limits.bandwidth()
    print(f"{len(vectors)} products of {vectors.shape[1]} numbers, single queries, cosine; "
          f"bandwidth {bandwidth / 1e9:.1f} GB/s")  # fmt: skip
    print(f"{'':<26}{'ms a query':>12}{'times ours':>12}{'recall@10':>11}{'of the limit':>14}")
    least = gallery.vectors.nbytes / bandwidth
    for name, taken in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(taken, seconds[OURS], strict=True))
        recall = np.mean([len(set(f) & set(e)) / K for f, e in zip(found[name], found[OURS],
                                                                 strict=True)])  # fmt: skip
        middle = statistics.median(taken)
        limit = f"{least / middle:>13.0%}" if recall == 1 else f"{'-':>13}"
        print(f"{name:<26}{1000 * middle:>12.2f}{ratio:>12.2f}{recall:>11.2f} {limit}")
    print_thesis_way(vectors[: arguments.thesis_rows])


def sides_of(gallery: Gallery) -> dict[str, Search]:
    """What is measured, by name."""
    from sklearn.neighbors import NearestNeighbors

    brute = NearestNeighbors(algorithm="brute", metric="cosine").fit(gallery.vectors)
    hnsw = indexes.Index(gallery, "hnsw", effort=64)
    return {
        OURS: lambda query: gallery.search(query[None], K).ids[0].tolist(),
        "fashion_rir, HNSW": lambda query: hnsw.search(query[None], K).ids[0].tolist(),
        "scikit-learn, brute": lambda query: brute.kneighbors(query[None], K)[1][0].tolist(),
        **by_sqlite_vec(gallery),
        **by_annoy(gallery),
    }


def by_sqlite_vec(gallery: Gallery) -> dict[str, Search]:
    """A virtual table of vectors, in memory."""
    try:
        import pysqlite3  # many builds of Python have an sqlite3 that loads no extension
        import sqlite_vec
    except ImportError:
        print("sqlite-vec: not installed (extra 'peers')")
        return {}
    connection = pysqlite3.connect(":memory:")
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    dim = gallery.vectors.shape[1]
    connection.execute(
        f"CREATE VIRTUAL TABLE products USING vec0(v float[{dim}] distance_metric=cosine)"
    )
    rows = ((row, vector.tobytes()) for row, vector in enumerate(gallery.vectors))
    connection.executemany("INSERT INTO products(rowid, v) VALUES (?, ?)", rows)
    asked = "SELECT rowid FROM products WHERE v MATCH ? AND k = ? ORDER BY distance"
    return {
        "sqlite-vec": lambda query: [
            row[0] for row in connection.execute(asked, (query.tobytes(), K))
        ]
    }


def by_annoy(gallery: Gallery) -> dict[str, Search]:
    """Annoy itself, as the thesis used it, without our re-ordering."""
    try:
        index = indexes.Index(gallery, "annoy")
    except FashionRirError:
        print("Annoy: not installed (extra 'annoy')")
        return {}
    return {"Annoy, 50 trees": lambda query: index._raw.get_nns_by_vector(query, K)}


def measure(
    sides: dict[str, Search], queries: np.ndarray
) -> tuple[dict[str, list[float]], dict[str, list[list[int]]]]:
    """Seconds and answers of each side, the sides taking turns query by query."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found: dict[str, list[list[int]]] = {name: [] for name in sides}
    for search in sides.values():
        search(queries[0])
    for query in queries:
        for name, search in sides.items():
            answers: list[list[int]] = []
            seconds[name].append(limits.seconds_of(lambda s=search: answers.append(s(query))))  # noqa: B023
            found[name] += answers
    return seconds, found


def print_thesis_way(vectors: np.ndarray) -> None:
    """Comma-separated text in SQLite and a loop in Python, on a part of the products."""
    is_query = np.arange(len(vectors)) == 0
    way = index_speed.thesis_way(vectors, np.arange(len(vectors)), is_query)
    print(f"the thesis' way, {way['rows']} products of it: {way['ratio']:.0f} times ours "
          "(Manhattan)")  # fmt: skip


if __name__ == "__main__":
    main()
