"""scale: what is made, measured and worked out on paper."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scale
import scale_page

from fashion_rir.embedding import store as embedding_store
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import RecordError
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reduced() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)


def test_made_products_are_of_length_one_and_each_is_another(reduced, monkeypatch):
    monkeypatch.setattr(scale, "BLOCK", 40)
    starts, blocks = zip(*scale.made_products(reduced, 100, 0.1, seed=1), strict=True)
    assert starts == (0, 40, 80)
    made = np.concatenate(blocks)
    assert made.shape == (100, 8)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert len(np.unique(made, axis=0)) == 100


def test_the_same_seed_makes_the_same_products(reduced):
    first, second = (next(scale.made_products(reduced, 30, 0.1, seed=seed))[1] for seed in (1, 1))
    np.testing.assert_array_equal(first, second)
    other = next(scale.made_products(reduced, 30, 0.1, seed=2))[1]
    assert not np.array_equal(first, other)


def test_without_noise_they_are_the_real_ones(reduced):
    made = next(scale.made_products(reduced, 30, 0, seed=1))[1]
    unit = reduced / np.linalg.norm(reduced, axis=1, keepdims=True)
    assert (made @ unit.T).max(axis=1) == pytest.approx(np.ones(30), abs=1e-5)


def test_the_typical_distance_is_the_median_to_the_nearest_neighbour():
    points = np.array([[0.0], [1], [3], [7], [15]], dtype=np.float32)  # 1, 1, 2, 4, 8
    assert scale.typical_distance(points, seed=0) == 2


def test_the_curve_of_a_small_store(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "SHARD_SIZE", 8000)
    monkeypatch.setattr(scale, "BLOCK", 4000)
    monkeypatch.setattr(scale.shards, "MIN_TRAIN", 1)  # FAISS warns
    monkeypatch.setattr(scale, "N_TIMED", 3)
    vectors = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    store = FeatureStore.create(tmp_path / "a.sqlite", {"model": "m", "embedding_dim": 16})
    store.append([f"{n}.jpg" for n in range(300)], vectors)
    record = scale.run(Workspace(tmp_path, "full"), store, sizes=(12_000,), seed=1)
    table = scale.curve_table(record)
    assert table["cells probed"].tolist() == [1, 4, 16, 64]
    assert set(table["shards"]) == {2}
    assert table["recall@10"].is_monotonic_increasing
    assert table["recall@10"].iloc[-1] > 0.8
    assert (table["MiB in memory"] < table["MiB on disk"]).all()


def made_record() -> dict:
    about = {"products": 2_000_000, "cells probed": 16}
    sizes = {"bytes in memory": 2_000_000 * 40, "bytes on disk": 2_000_000 * 300}
    rows = [about | sizes | {"shards": 4, "cells": 1414, "recall@10": 0.9}]
    curve = [about | {"build seconds": 60.0, "query seconds": 0.004, "exact seconds": 0.1}]
    return {"rows": rows, "timings": {"curve": curve, "cores": 2, "load_before": 1.0}}


def test_a_query_is_compared_with_reading_everything_once():
    row = scale.curve_table(made_record()).iloc[0]
    assert row["times exact search"] == pytest.approx(25)
    assert row["query ms"] == pytest.approx(4)


def test_on_paper_memory_grows_with_the_products_and_time_with_the_root_of_a_shard():
    table = scale.paper_table(made_record()).set_index("products")
    billion = table.loc[1_000_000_000]
    assert billion["shards"] == 20
    assert billion["GiB in memory"] == pytest.approx(1e9 * 40 / 2**30)
    # A shard a hundred times as large: ten times 1 ms.
    assert billion["ms a query, a machine a shard"] == pytest.approx(10)
    assert billion["ms a query, one machine"] == pytest.approx(200)


QUIET, BUSY = "The machine was quiet (load before it: 0.2).", "so only large ratios tell anything."


@pytest.mark.parametrize(("load", "said"), [(0.2, QUIET), (3.0, BUSY)])
def test_the_page_says_whether_others_used_the_machine(tmp_path, load, said):
    workspace = Workspace(tmp_path, "full")
    curve = made_record()
    curve["timings"]["load_before"] = load
    about = {"profile": "full", "data_hash": "made", "model": "m", "dim": 128, "k": 10,
             "n_queries": 200, "n_products": 99}  # fmt: skip
    half = {"mAP": {"float32": 0.5, "float16": 0.5}}
    for name, values in ((scale.RECORD, curve), (scale.FLOAT16_RECORD, half)):
        result_records.write(
            result_records.make_record("made", name, about, **values), workspace.results
        )
    assert said in scale_page.section(workspace)


def test_float16_is_measured_against_float32(tmp_path):
    vectors = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0) + 0.01
    ids = np.arange(20)
    names = [f"{n}.jpg" for n in ids]
    store = FeatureStore.create(tmp_path / "a.sqlite", {"model": "m", "embedding_dim": 4})
    store.append(names, vectors)
    products = pd.DataFrame({
        "id": ids, "image_name": names, "image_sha256": [f"{n}" for n in ids],
        "articleType": np.repeat(list("abcd"), 5),
    })  # fmt: skip
    record = scale.float16_effect(Workspace(tmp_path, "full"), products, store, n_queries=3, seed=1)
    assert record["mAP"] == {"float32": 1.0, "float16": 1.0}
    assert list(record["mAP"]) == list(embedding_store.NUMBER_FORMATS)
    assert record["inputs"]["n_queries"] == 3


def test_the_page_shows_the_committed_records():
    text = (ROOT / scale_page.PAGE).read_text(encoding="utf-8")
    section = scale_page.section(Workspace(ROOT, "full"))
    message = "stale; run: python -m benchmarks/scale_page.py"
    assert scale_page.readme.refreshed(text, section) == text, message


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(RecordError, match="scale-curve"):
        scale_page.section(Workspace(tmp_path, "full"))
