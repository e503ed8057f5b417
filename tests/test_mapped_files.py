"""Files that are mapped into memory are never replaced: Windows refuses, elsewhere readers die."""

import ast
import builtins
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import fashion_rir
from fashion_rir.data import catalog
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.search import shards
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.indexes import Index
from fashion_rir.storefront import models
from fashion_rir.storefront import shop as storefront_shop
from fashion_rir.workspace.folders import Workspace

PACKAGE = Path(fashion_rir.__file__).parent
MAPS = Path("/proc/self/maps")
# Who maps a file; each is in a test below that writes it anew while it is mapped.
MAPPERS = {"gallery.py", "shards.py", "shop.py",
           "faiss_files.py"}  # fmt: skip

pytestmark = pytest.mark.skipif(not MAPS.exists(), reason="only Linux says what is mapped")


def vectors(seed: int, n_rows: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_rows, 8)).astype(np.float32)


@pytest.fixture
def as_on_windows(monkeypatch):
    """A mapped file, and a folder that holds one, cannot be replaced, removed, moved or opened
    for writing; notes what was refused."""
    refused = []

    def check(path: object) -> None:
        place = os.path.realpath(os.fspath(path)) if not isinstance(path, int) else ""
        lines = MAPS.read_bytes().decode(errors="replace").splitlines()
        mapped = [line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6]
        if place and any(one == place or one.startswith(place + "/") for one in mapped):
            refused.append(place)
            raise PermissionError(13, "The process cannot access the file", place)

    def guarded(function, *places: int):
        def call(*arguments: object, **options: object) -> object:
            for place in places:
                if options.get("dir_fd") is None:
                    check(arguments[place])
            return function(*arguments, **options)

        return call

    def opened(file: object, mode: str = "r", *more: object, **options: object) -> object:
        if set(mode) & set("wa+"):
            check(file)
        return plain_open(file, mode, *more, **options)

    plain_open = builtins.open
    for name, places in (("replace", (0, 1)), ("rename", (0, 1)), ("unlink", (0,)),
                         ("remove", (0,)), ("rmdir", (0,))):  # fmt: skip
        monkeypatch.setattr(os, name, guarded(getattr(os, name), *places))
    monkeypatch.setattr(builtins, "open", opened)
    return refused


def test_the_guard_sees_what_is_mapped(as_on_windows, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(9))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    with pytest.raises(PermissionError):
        np.save(tmp_path / "a.npy", np.ones(9))
    with pytest.raises(PermissionError):
        (tmp_path / "a.npy").unlink()
    assert mapped.sum() == 0


def test_a_gallery_is_saved_anew_while_it_is_mapped(as_on_windows, tmp_path):
    Gallery(vectors(0), range(60), "euclidean").save(tmp_path)
    first = Gallery.load(tmp_path)
    Gallery(vectors(1), range(60), "euclidean").save(tmp_path)
    second = Gallery.load(tmp_path)
    second.save(tmp_path)  # over itself
    np.testing.assert_array_equal(first.vectors, vectors(0))
    np.testing.assert_array_equal(second.vectors, vectors(1))
    del first
    Gallery(vectors(2), range(60), "euclidean").save(tmp_path)
    np.testing.assert_array_equal(Gallery.load(tmp_path).vectors, vectors(2))
    assert as_on_windows  # the older ones stayed, as they were in use


def test_an_index_is_saved_anew_while_it_is_mapped(as_on_windows, tmp_path):
    for seed in (0, 1):
        Index(Gallery(vectors(seed), range(60), "euclidean"), "hnsw").save(tmp_path)
        loaded = Index.load(tmp_path, "hnsw")
        assert loaded.search(vectors(seed)[:5], 1).ids[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_shards_are_built_anew_while_they_are_mapped(as_on_windows, tmp_path):
    quantiser = shards.learn_quantiser(vectors(9, 10_000), 4, made_for={"model": "m"})
    opened = []
    for seed in (0, 1):
        parts = [shards.write_shard(tmp_path, number, quantiser, vectors(seed + number, 300),
                                    range(300)) for number in (0, 1)]  # fmt: skip
        shards.finish(tmp_path, parts)
        opened.append(shards.ShardedGallery(tmp_path))
    for seed, gallery in enumerate(opened):
        found = gallery.search(vectors(seed, 300)[:5], 1, n_probed=4)
        assert found.ids[:, 0].tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_allclose(found.distances, 0, atol=1e-3)


def test_a_shop_window_is_made_anew_while_it_is_mapped(as_on_windows, catalog_folder, tmp_path):
    workspace = Workspace(tmp_path, "shop")
    first = storefront_shop.prepare(workspace, catalog.load(catalog_folder))
    photo = first.photo(0)
    shutil.copy(catalog_folder / "images" / "1002.jpg", catalog_folder / "images" / "1001.jpg")
    second = storefront_shop.prepare(workspace, catalog.load(catalog_folder))
    assert second.data_hash != first.data_hash
    assert first.photo(0) == photo != second.photo(0) == second.photo(1)


def test_a_visitor_s_gallery_is_made_anew_while_another_has_it(
    as_on_windows, catalog_folder, tmp_path
):
    workspace = Workspace(tmp_path, "shop")
    shop = storefront_shop.prepare(workspace, catalog.load(catalog_folder))
    path, opened = workspace.feature_store("m"), []
    for seed in (0, 1):
        path.unlink(missing_ok=True)
        store = FeatureStore.create(path, {"model": "m", "embedding_dim": 8})
        store.append(list(shop.products["image_name"]), vectors(seed, 12))
        os.utime(path, ns=(seed, seed))
        opened.append(models.open_gallery(shop, "m", "euclidean")[0])
    for seed, gallery in enumerate(opened):
        np.testing.assert_array_equal(gallery.vectors, vectors(seed, 12))


def test_nobody_else_maps_a_file():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_map = isinstance(node, ast.keyword) and node.arg in ("mmap_mode", "is_mapped",
                                                                    "memory_map")  # fmt: skip
            is_map |= isinstance(node, ast.Attribute) and node.attr in (
                "mmap", "memmap", "IO_FLAG_MMAP", "open_memmap")  # fmt: skip
            assert path.name in MAPPERS or not is_map, path
