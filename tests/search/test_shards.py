"""shards: all shards together find what exact search finds; a wrong shard is named at once."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.search import shards
from fashion_rir.search.gallery import Gallery

MADE_FOR = {"model": "m", "weights_sha256": "ab"}
N, DIM = 10_000, 16


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    """Twenty clouds, so that cells have something to hold."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((20, DIM))
    cloud = centres[generator.integers(0, 20, N)] + 0.3 * generator.standard_normal((N, DIM))
    return cloud.astype(np.float32)


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    return np.arange(N) * 3 + 100


@pytest.fixture(scope="module")
def quantiser(embeddings) -> shards.Quantiser:
    return shards.learn_quantiser(embeddings, 20, made_for=MADE_FOR)


@pytest.fixture(scope="module")
def built(embeddings, ids, quantiser, tmp_path_factory) -> Path:
    """Three shards of different sizes."""
    folder = tmp_path_factory.mktemp("shards")
    parts = np.split(np.arange(N), [3000, 9000])
    listed = [
        shards.write_shard(folder, number, quantiser, embeddings[part], ids[part])
        for number, part in enumerate(parts)
    ]
    shards.finish(folder, listed)
    return folder


@pytest.fixture
def folder(built, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(built, tmp_path / "shards"))


@pytest.mark.parametrize("in_memory", [False, True])
def test_all_cells_and_enough_candidates_find_what_exact_search_finds(
    built, embeddings, ids, in_memory
):
    queries = embeddings[::500] + 0.01
    exact = Gallery(embeddings, ids, "cosine").search(queries, 10)
    gallery = shards.ShardedGallery(built, in_memory=in_memory)
    found = gallery.search(queries, 10, n_probed=20, n_candidates=400)
    assert gallery.n_products == N
    shared = [len(np.intersect1d(f, e)) for f, e in zip(found.ids, exact.ids, strict=True)]
    assert np.mean(shared) / 10 > 0.97
    np.testing.assert_allclose(found.distances[:, 0], exact.distances[:, 0], atol=2e-3)
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_a_product_finds_itself_in_whichever_shard_it_is(built, embeddings, ids):
    rows = [0, 2999, 3000, 8999, 9000, 9999]
    found = shards.ShardedGallery(built).search(embeddings[rows], 1, n_probed=4)
    assert found.ids[:, 0].tolist() == ids[rows].tolist()


def test_fewer_cells_find_less(built, embeddings, ids):
    queries = embeddings[::100]
    exact = Gallery(embeddings, ids, "cosine").search(queries, 10).ids
    gallery = shards.ShardedGallery(built)

    def recall(n_probed: int) -> float:
        found = gallery.search(queries, 10, n_probed=n_probed).ids
        return np.mean([len(np.intersect1d(f, e)) / 10 for f, e in zip(found, exact, strict=True)])

    assert recall(1) < recall(20)


@pytest.mark.parametrize("file", ["0001.faiss", "0001-vectors.npy", "0001-ids.npy"])
def test_a_missing_shard_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(StoreError, match=f"{file} is missing"):
        shards.ShardedGallery(folder)


def test_a_shard_of_another_store_is_named(folder, quantiser, embeddings, tmp_path):
    other = shards.write_shard(tmp_path / "other", 1, quantiser, embeddings[3001:9001], range(6000))
    for file in other["files"]:
        shutil.copy(tmp_path / "other" / file, folder / file)
    with pytest.raises(StoreError, match=r"0001.faiss is damaged or of another store"):
        shards.ShardedGallery(folder)


def test_two_shards_that_changed_places_are_named(folder):
    (folder / "0000.faiss").rename(folder / "x")
    (folder / "0001.faiss").rename(folder / "0000.faiss")
    (folder / "x").rename(folder / "0001.faiss")
    with pytest.raises(StoreError, match=r"0000.faiss is damaged or of another store"):
        shards.ShardedGallery(folder)


def test_a_shard_that_breaks_off_is_named(folder):
    path = folder / "0002.faiss"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"0002.faiss is damaged"):
        shards.ShardedGallery(folder)


def test_shards_of_different_embeddings_are_not_listed_together(quantiser, embeddings, tmp_path):
    listed = []
    for number, model in enumerate(["a", "b"]):
        one = dataclasses.replace(quantiser, made_for={"model": model})
        listed.append(shards.write_shard(tmp_path, number, one, embeddings[:50], range(50)))
    with pytest.raises(StoreError, match="Shard 0001 was made for .*'b'"):
        shards.finish(tmp_path, listed)


def test_an_unfinished_folder_is_refused(folder):
    (folder / "shards.json").unlink()
    with pytest.raises(StoreError, match="no finished list of shards"):
        shards.ShardedGallery(folder)


def test_another_schema_version_is_refused(folder):
    about = json.loads((folder / "shards.json").read_text())
    (folder / "shards.json").write_text(json.dumps(about | {"schema": 9}))
    with pytest.raises(StoreError, match="schema version 9, this program reads 1"):
        shards.ShardedGallery(folder)


def test_queries_of_another_model_are_refused(built):
    gallery = shards.ShardedGallery(built)
    gallery.require(MADE_FOR)
    with pytest.raises(StoreError, match="made for model 'm', the query is of 'other'"):
        gallery.require({"model": "other"})


def test_impossible_searches_are_refused(built, embeddings):
    gallery = shards.ShardedGallery(built)
    with pytest.raises(ParameterError, match="k must be 1 to 10000, not 0"):
        gallery.search(embeddings[:1], 0)
    with pytest.raises(ParameterError, match=r"shape \(n, 16\), not \(1, 8\)"):
        gallery.search(embeddings[:1, :8], 1)


def test_a_sample_that_is_too_small_is_refused(embeddings):
    with pytest.raises(ParameterError, match="at least 9,984 embeddings, not 100"):
        shards.learn_quantiser(embeddings[:100], 4, made_for={})
    with pytest.raises(ParameterError, match="multiple of 4 numbers, not 15"):
        shards.learn_quantiser(embeddings[:, :15], 4, made_for={})


def test_embeddings_and_ids_belong_together(quantiser, embeddings, tmp_path):
    with pytest.raises(ParameterError, match="50 embeddings need as many ids, not 49"):
        shards.write_shard(tmp_path, 0, quantiser, embeddings[:50], range(49))
