"""How fast and how exact each way of searching is, all measured in one run.

Times are in seconds and belong to the machine that measured them; only their ratios travel. In
the record they stand under `timings`, recall under `rows`.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import FashionRirError
from fashion_rir.evaluation import intervals
from fashion_rir.search import indexes
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study
from fashion_rir.system import usable_cores
from fashion_rir.workspace import records as result_records

K = 10

N_QUERIES = 500  # queries whose recall is measured; half of them are timed one by one

N_SLOW = 5  # of these, for the KD-tree: slower than exact search in this many dimensions

N_EXACT = 20  # of these, timed by exact search

EFFORTS = {"hnsw": (16, 32, 64, 128), "ivf": (1, 4, 16, 64), "annoy": (50, 200), "kd_tree": (0,)}

N_THESIS_ROWS = 2000  # the thesis' way is so slow that a part of the gallery has to do


def run(
    study: Study,
    model: Embedded,
    is_query: np.ndarray,
    *,
    measures: Sequence[str] = ("cosine", "euclidean", "manhattan"),
) -> dict:
    """Measure every index by every measure it has, anew at each call: times are of this machine.

    Args:
        study: its products and folders.
        model: embeddings (n_products, embedding_dim) and metadata.
        is_query: bool, shape (n_products,): they ask, one at a time, and are excluded by id.
        measures: some of `gallery.MEASURES`, cosine among them.

    Returns:
        A record of kind `index_benchmark`: `rows` (recall@10 against exact search by measure,
        kind and effort), and under `timings` seconds a query, seconds to build, bytes, the time
        to stream the gallery through memory once, and the thesis' way.
    """
    embeddings, name = model[0], model[1]["model"]
    ids = study.catalog.products["id"].to_numpy()
    asking = np.flatnonzero(is_query)[:N_QUERIES]
    queries = embeddings[asking], ids[asking]
    rows, timed = [], []
    for measure in measures:
        found = _by_measure(Gallery(embeddings, ids, measure), queries)
        rows += found[0]
        timed += found[1]
    gallery = Gallery(embeddings, ids, "cosine")
    timings = {
        "indexes": timed,
        "stream the gallery once": stream_seconds(gallery.vectors),
        "thesis": thesis_way(embeddings, ids, is_query),
        "cores": usable_cores(),
    }
    inputs = {"profile": study.workspace.profile, "data_hash": study.catalog.data_hash,
              "model": name,
              "n_products": len(ids), "n_queries": int(is_query.sum()),
              "embedding_dim": embeddings.shape[1]}  # fmt: skip
    record = result_records.make_record(
        "index_benchmark", f"indexes-{name}", inputs, rows=rows, timings=timings
    )
    result_records.write(record, study.results)
    return record


def speed_table(record: dict) -> pd.DataFrame:
    """Recall and speed side by side, the speed as a ratio to exact search by the same measure.

    Args:
        record: from `run`.

    Returns:
        Columns `index`, `measure`, `effort`, `recall@10`, `queries a second`, `times exact`,
        `build seconds`, `MiB`; what could not be built has no speed.
    """
    keys = ["index", "measure", "effort"]
    timed = pd.DataFrame(record["timings"]["indexes"])
    table = pd.DataFrame(record["rows"]).merge(timed, on=keys, how="left")
    exact = table[table["index"] == "exact"].set_index("measure")["query"]
    table["queries a second"] = 1 / table["query"]
    table["times exact"] = table["measure"].map(exact) / table["query"]
    table["build seconds"] = table["build"]
    table["MiB"] = table["bytes"] / 2**20
    return table[[*keys, "recall@10", "queries a second", "times exact", "build seconds", "MiB"]]


def speed_summary(record: dict) -> dict[str, float]:
    """The ratios that the study's goals are stated in; see `run`."""
    timings = record["timings"]
    exact = next(
        row["query"]
        for row in timings["indexes"]
        if (row["index"], row["measure"]) == ("exact", "cosine")
    )
    return {
        "exact cosine search / streaming the gallery once": exact
        / timings["stream the gallery once"],
        "thesis' way / exact search (same products)": timings["thesis"]["ratio"],
        "products in that comparison": timings["thesis"]["rows"],
    }


def stream_seconds(matrix: np.ndarray) -> float:
    """Seconds to read a matrix once from memory, with as many threads as cores; best of five."""
    parts = np.array_split(matrix, min(usable_cores(), len(matrix)))
    with ThreadPoolExecutor(len(parts)) as pool:
        return min(_timed(lambda: list(pool.map(np.max, parts))) for _ in range(5))


def _by_measure(
    gallery: Gallery, queries: tuple[np.ndarray, np.ndarray]
) -> tuple[list[dict], list[dict]]:
    """Exact search and every index that supports the gallery's measure; see `_measured`."""
    exact = gallery.search(queries[0], K, exclude_ids=queries[1]).ids
    seconds = _seconds_a_query(gallery, queries, N_EXACT)
    name = {"index": "exact", "measure": gallery.measure, "effort": 0}
    rows = [name | {"recall@10": 1.0}]
    timed = [name | {"build": 0.0, "query": seconds, "bytes": gallery.vectors.nbytes}]
    for kind, efforts in EFFORTS.items():
        if gallery.measure in indexes.SUPPORTED[kind]:
            found = _measured(gallery, kind, efforts, queries, exact)
            rows += found[0]
            timed += found[1]
    return rows, timed


def _measured(
    gallery: Gallery,
    kind: str,
    efforts: tuple[int, ...],
    queries: tuple[np.ndarray, np.ndarray],
    exact: np.ndarray,
) -> tuple[list[dict], list[dict]]:
    """Recall and times of one kind of index at several efforts.

    Args:
        gallery: exact search.
        kind: of index.
        efforts: to try.
        queries: embeddings and ids.
        exact: the ids that exact search finds.

    Returns:
        Rows of the record, and rows of its timings.
    """
    name = {"index": kind, "measure": gallery.measure}
    start = time.perf_counter()
    try:
        index = indexes.Index(gallery, kind)
    except FashionRirError as error:
        return [name | {"effort": 0, "recall@10": None, "note": str(error)}], []
    build = time.perf_counter() - start
    n_asked = N_SLOW if kind == "kd_tree" else N_QUERIES
    vectors, own = queries[0][:n_asked], queries[1][:n_asked]
    n_bytes = index.extra_bytes()
    rows, timed = [], []
    for effort in efforts:
        index.effort = effort
        found = index.search(vectors, K, exclude_ids=own).ids
        shared = [len(np.intersect1d(f, e)) for f, e in zip(found, exact[:n_asked], strict=True)]
        recall = np.mean(shared) / K
        rows.append(name | {"effort": effort, "recall@10": intervals.rounded(recall)})
        seconds = _seconds_a_query(index, (vectors, own), N_QUERIES // 2)
        timed.append(name | {"effort": effort, "build": build, "query": seconds,
                             "bytes": n_bytes})  # fmt: skip
    return rows, timed


def _seconds_a_query(
    searcher: Gallery | indexes.Index, queries: tuple[np.ndarray, np.ndarray], n_timed: int
) -> float:
    """Median time of a single query, over the first `n_timed`."""
    vectors, own = queries
    seconds = [
        _timed(lambda row=row: searcher.search(vectors[[row]], K, exclude_ids=own[[row]]))
        for row in range(min(n_timed, len(vectors)))
    ]
    return float(np.median(seconds))


def thesis_way(embeddings: np.ndarray, ids: np.ndarray, is_query: np.ndarray) -> dict:
    """Comma-separated text in SQLite, parsed for the query, compared in a Python loop.

    Args:
        embeddings: float32, shape (n_products, embedding_dim); the first 2,000 are searched.
        ids: product ids.
        is_query: bool, shape (n_products,); the first one asks.

    Returns:
        `rows` searched, `thesis seconds`, `our seconds`, and their `ratio`.
    """
    few = slice(0, min(N_THESIS_ROWS, len(ids)))
    query = embeddings[np.flatnonzero(is_query)[0]]
    gallery = Gallery(embeddings[few], ids[few], "manhattan")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "thesis.sqlite"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE image_features(image_name TEXT, features TEXT)")
        texts = ((str(i), ",".join(map(str, v))) for i, v in zip(ids[few], embeddings[few],
                                                                strict=True))  # fmt: skip
        connection.executemany("INSERT INTO image_features VALUES (?, ?)", texts)
        connection.commit()
        slow = _timed(lambda: thesis_search(connection, query.tolist(), K))
        connection.close()
    fast = float(np.median([_timed(lambda: gallery.search(query[None], K)) for _ in range(5)]))
    return {"rows": len(gallery), "thesis seconds": slow, "our seconds": fast, "ratio": slow / fast}


def thesis_search(
    connection: sqlite3.Connection, query: list[float], k: int
) -> list[tuple[float, str]]:
    """The k closest by Manhattan distance, as the thesis' website computes them.

    Args:
        connection: to a store with comma-separated features.
        query: one embedding.
        k: how many.

    Returns:
        Distance and image name, the closest first.
    """
    found = []
    for name, text in connection.execute("SELECT image_name, features FROM image_features"):
        features = [float(number) for number in text.split(",")]
        distance = 0.0
        for a, b in zip(query, features, strict=True):
            distance += abs(a - b)
        found.append((distance, name))
    return sorted(found)[:k]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
