"""index_speed: what the record holds, and the ratios that are made of it."""

import json
import sqlite3
import sys
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import pytest

from fashion_rir.data.catalog import COLUMNS, Catalog
from fashion_rir.search import indexes
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.pretrained import index_speed
from fashion_rir.studies.pretrained.index_speed import (
    speed_summary,
    speed_table,
    stream_seconds,
    thesis_search,
)
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

VECTORS = np.random.default_rng(0).standard_normal((300, 16), dtype=np.float32)
IDS = np.arange(300) + 5000
PRODUCTS = pd.DataFrame(
    dict.fromkeys(COLUMNS, "drawn") | {"id": IDS, "image_sha256": IDS.astype(str)}
)
SHOP = Catalog(PRODUCTS, source=None, listed=PRODUCTS)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("benchmark"), "quick")


@pytest.fixture(scope="module")
def record(workspace: Workspace) -> dict:
    """Of one run, on a machine without Annoy."""
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # it does not wait for a busy core
    is_query = np.arange(300) % 10 == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "annoy", None)
        made = index_speed.run(Study(workspace, SHOP), (VECTORS, {"model": "random"}), is_query)
    faiss.omp_set_num_threads(n_threads)
    return made


def test_there_is_a_row_for_every_kind_measure_and_effort(record: dict) -> None:
    expected = {("exact", measure, 0) for measure in ("cosine", "euclidean", "manhattan")}
    for kind, efforts in index_speed.EFFORTS.items():
        for effort in (0,) if kind == "annoy" else efforts:
            expected |= {(kind, measure, effort) for measure in indexes.SUPPORTED[kind]}
    found = [(row["index"], row["measure"], row["effort"]) for row in record["rows"]]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_what_could_not_be_built_says_why(record: dict) -> None:
    noted = [row for row in record["rows"] if "note" in row]
    assert [row["index"] for row in noted] == ["annoy"] * 3
    assert all(row["recall@10"] is None and "extra 'annoy'" in row["note"] for row in noted)


def test_recall_is_against_exact_search(record: dict) -> None:
    recall = {(r["index"], r["measure"], r["effort"]): r["recall@10"] for r in record["rows"]}
    assert recall["exact", "cosine", 0] == recall["kd_tree", "manhattan", 0] == 1
    assert recall["ivf", "euclidean", 64] == 1  # it looks into all of its 7 cells
    assert 0.1 < recall["ivf", "euclidean", 1] < 0.9  # and here into one
    assert recall["hnsw", "cosine", 128] >= 0.95


def test_times_stand_under_timings_only(record: dict) -> None:
    assert {key for row in record["rows"] for key in row} == {
        "index", "measure", "effort", "recall@10", "note"
    }  # fmt: skip
    assert record.keys() - {"timings"} == {
        "schema", "kind", "name", "inputs", "inputs_hash", "rows", "made_by"
    }  # fmt: skip
    timings = record["timings"]
    assert timings["stream the gallery once"] > 0
    assert timings["thesis"]["rows"] == 300
    assert timings["thesis"]["ratio"] == pytest.approx(
        timings["thesis"]["thesis seconds"] / timings["thesis"]["our seconds"]
    )
    timed = {(row["index"], row["measure"], row["effort"]) for row in timings["indexes"]}
    built = [row for row in record["rows"] if row["index"] != "annoy"]
    assert timed == {(row["index"], row["measure"], row["effort"]) for row in built}
    assert all(row["query"] > 0 and row["bytes"] >= VECTORS.nbytes for row in timings["indexes"])


def test_the_record_is_written(record: dict, workspace: Workspace) -> None:
    assert (record["kind"], record["name"]) == ("index_benchmark", "indexes-random")
    assert record["inputs"] == {
        "profile": "quick", "data_hash": SHOP.data_hash, "model": "random", "n_products": 300,
        "n_queries": 30, "embedding_dim": 16,
    }  # fmt: skip
    assert result_records.read(workspace.results, record["name"]) == json.loads(json.dumps(record))


def test_the_table_of_a_run_has_all_its_rows(record: dict) -> None:
    table = speed_table(record)
    assert len(table) == len(record["rows"])
    assert table["times exact"].isna().sum() == 3  # Annoy's


def made_up_record() -> dict:
    """Exact search takes 0.008 s by cosine and 0.02 s by Manhattan distance."""
    rows = [
        {"index": "exact", "measure": "cosine", "effort": 0, "recall@10": 1.0},
        {"index": "hnsw", "measure": "cosine", "effort": 16, "recall@10": 0.9},
        {"index": "annoy", "measure": "cosine", "effort": 0, "recall@10": None, "note": "none"},
        {"index": "exact", "measure": "manhattan", "effort": 0, "recall@10": 1.0},
        {"index": "hnsw", "measure": "manhattan", "effort": 16, "recall@10": 0.8},
    ]
    seconds = {("exact", "cosine"): 0.008, ("hnsw", "cosine"): 0.002,
               ("exact", "manhattan"): 0.02, ("hnsw", "manhattan"): 0.04}  # fmt: skip
    timed = [
        {"index": index, "measure": measure, "effort": 16 if index == "hnsw" else 0,
         "build": 3.0, "query": query, "bytes": 3 * 2**20}
        for (index, measure), query in seconds.items()
    ]  # fmt: skip
    thesis = {"rows": 2000, "thesis seconds": 1.2, "our seconds": 0.01, "ratio": 120.0}
    timings = {"indexes": timed, "stream the gallery once": 0.005, "thesis": thesis}
    return {"rows": rows, "timings": timings}


def test_speed_is_a_ratio_to_exact_search_by_the_same_measure() -> None:
    table = speed_table(made_up_record()).set_index(["index", "measure"])
    assert table["times exact"].dropna().to_dict() == pytest.approx({
        ("exact", "cosine"): 1, ("hnsw", "cosine"): 4,
        ("exact", "manhattan"): 1, ("hnsw", "manhattan"): 0.5,
    })  # fmt: skip
    hnsw = table.loc["hnsw", "cosine"]
    assert hnsw.to_dict() == pytest.approx({
        "effort": 16, "recall@10": 0.9, "queries a second": 500, "times exact": 4,
        "build seconds": 3, "MiB": 3,
    })  # fmt: skip


def test_what_could_not_be_built_has_no_speed() -> None:
    annoy = speed_table(made_up_record()).set_index("index").loc["annoy"]
    assert annoy.drop(["measure", "effort"]).isna().all()


def test_the_summary_by_hand() -> None:
    assert speed_summary(made_up_record()) == pytest.approx({
        "exact cosine search / streaming the gallery once": 0.008 / 0.005,
        "thesis' way / exact search (same products)": 120,
        "products in that comparison": 2000,
    })  # fmt: skip


def test_the_thesis_way_finds_what_manhattan_search_finds(tmp_path: Path) -> None:
    query = np.random.default_rng(3).standard_normal(16, dtype=np.float32)
    expected = Gallery(VECTORS, IDS, "manhattan").search(query[None], 7)
    with sqlite3.connect(tmp_path / "thesis.sqlite") as connection:
        connection.execute("CREATE TABLE image_features(image_name TEXT, features TEXT)")
        texts = ((f"{i}.jpg", ",".join(map(str, v))) for i, v in zip(IDS, VECTORS, strict=True))
        connection.executemany("INSERT INTO image_features VALUES (?, ?)", texts)
        found = thesis_search(connection, query.tolist(), 7)
    connection.close()
    assert [name for _, name in found] == [f"{i}.jpg" for i in expected.ids[0]]
    assert [distance for distance, _ in found] == pytest.approx(expected.distances[0], rel=1e-5)


def test_a_gallery_smaller_than_the_number_of_cores_can_be_streamed() -> None:
    assert stream_seconds(np.ones((1, 4), dtype=np.float32)) > 0
