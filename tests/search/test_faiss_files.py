"""faiss_files: an index is written and read whatever its folder is called."""

import ast
from pathlib import Path

import faiss
import numpy as np
import pytest

import fashion_rir
from fashion_rir.errors import StoreError
from fashion_rir.search import faiss_files, shards
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.indexes import Index

PACKAGE = Path(fashion_rir.__file__).parent
VECTORS = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
FOLDERS = ["Jürgen", "Łukasz's files", "服装", "{group} [1] #2"]


@pytest.fixture
def as_on_windows(monkeypatch):
    """FAISS opens no path with a letter outside of ASCII."""
    read, write = faiss.read_index, faiss.write_index

    def checked(source: object) -> None:
        if isinstance(source, str) and not source.isascii():
            raise RuntimeError(f"could not open {source}")

    def write_index(index: object, target: object, *more: object) -> None:
        checked(target)
        write(index, target, *more)

    def read_index(source: object, *more: object) -> object:
        checked(source)
        return read(source, *more)

    monkeypatch.setattr(faiss, "write_index", write_index)
    monkeypatch.setattr(faiss, "read_index", read_index)
    monkeypatch.setattr(faiss_files, "opens_itself", lambda path: str(path).isascii())


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_an_index_lies_in_any_folder(as_on_windows, tmp_path, name, kind):
    folder = tmp_path / name
    built = Index(Gallery(VECTORS, range(200), "euclidean"), kind)
    built.save(folder)
    found = Index.load(folder, kind).search(VECTORS[:9], 3)
    np.testing.assert_array_equal(found.ids, built.search(VECTORS[:9], 3).ids)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("in_memory", [False, True])
def test_shards_lie_in_any_folder(as_on_windows, tmp_path, name, in_memory):
    many = np.random.default_rng(0).normal(size=(10_000, 8)).astype(np.float32)
    quantiser = shards.learn_quantiser(many, 4, made_for={"model": "m"})
    folder = tmp_path / name
    shards.finish(folder, [shards.write_shard(folder, 0, quantiser, VECTORS, range(200))])
    gallery = shards.ShardedGallery(folder, in_memory=in_memory)
    assert gallery.search(VECTORS[:5], 1, n_probed=4).ids[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_the_bytes_are_those_that_faiss_writes_itself(tmp_path):
    index = faiss.IndexFlatL2(8)
    index.add(VECTORS)
    faiss_files.write_index(index, tmp_path / "a", StoreError)
    faiss.write_index(index, str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = faiss_files.read_index(tmp_path / "a")
    np.testing.assert_array_equal(found.reconstruct_n(0, 200), VECTORS)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="Cannot write .*file"):
        faiss_files.write_index(faiss.IndexFlatL2(8), tmp_path / "file" / "a", StoreError)


def test_nothing_else_lets_faiss_open_a_path():
    asked = {"read_index", "write_index", "read_VectorTransform", "write_VectorTransform"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_faiss = (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
                        and node.value.id == "faiss")  # fmt: skip
            if is_faiss and node.attr in asked:
                assert path.name == "faiss_files.py", path
