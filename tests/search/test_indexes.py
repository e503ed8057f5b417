"""indexes: every kind against exact search, filters, and what is saved."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import faiss
import numpy as np
import pytest

from fashion_rir.errors import FashionRirError, ParameterError, StoreError
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.indexes import KINDS, SUPPORTED, Index

N, DIM, K = 2000, 32, 10
IDS = np.random.default_rng(1).permutation(10 * N)[:N]
# Annoy is an optional extra; without it a stand-in has to do, see LazyAnnoy.
INSTALLED = [kind for kind in KINDS if kind != "annoy" or find_spec("annoy")]
CASES = [(kind, measure) for kind in INSTALLED for measure in SUPPORTED[kind]]
SAVED = [("hnsw", "manhattan"), ("ivf", "cosine")]
every_case = pytest.mark.parametrize(("kind", "measure"), CASES)
every_kind = pytest.mark.parametrize("kind", INSTALLED)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """FAISS builds the same graph each time, and does not wait for a busy core."""
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(n_threads)


def vectors(n_rows: int, *, dim: int = DIM, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_rows, dim), dtype=np.float32)


@cache
def built(kind: str, measure: str) -> Index:
    effort = 400 if kind == "annoy" else 64  # random vectors are hard for its trees
    return Index(Gallery(vectors(N), IDS, measure), kind, effort=effort)


def marks(n_marked: int) -> np.ndarray:
    is_marked = np.zeros(N, dtype=bool)
    is_marked[np.random.default_rng(2).choice(N, n_marked, replace=False)] = True
    return is_marked


def recall(found: np.ndarray, expected: np.ndarray) -> float:
    return np.mean([len(set(f) & set(e)) / len(e) for f, e in zip(found, expected, strict=True)])


@every_case
def test_an_index_finds_nearly_all_that_exact_search_finds(kind: str, measure: str) -> None:
    index, queries = built(kind, measure), vectors(50, seed=3)
    found, exact = index.search(queries, K), index.gallery.search(queries, K)
    assert found.ids.shape == (50, K)
    assert recall(found.ids, exact.ids) >= (1 if kind == "kd_tree" else 0.95)
    is_same = found.ids == exact.ids
    np.testing.assert_array_equal(found.distances[is_same], exact.distances[is_same])
    assert (np.diff(found.distances, axis=1) >= 0).all()


@every_case
def test_the_query_s_own_id_is_excluded(kind: str, measure: str) -> None:
    index, queries, own = built(kind, measure), vectors(N)[:30], IDS[:30]
    assert index.search(queries, 1).ids[:, 0].tolist() == own.tolist()
    found = index.search(queries, K, exclude_ids=own)
    assert (found.ids >= 0).all()
    assert not (found.ids == own[:, None]).any()
    exact = index.gallery.search(queries, K, exclude_ids=own)
    assert recall(found.ids, exact.ids) >= 0.95


@every_case
@pytest.mark.parametrize("n_left", [3, 10, 50])
@pytest.mark.parametrize("is_excluding", [False, True])
def test_behind_a_strict_filter_all_is_found(
    kind: str, measure: str, n_left: int, is_excluding: bool
) -> None:
    index, where = built(kind, measure), marks(n_left)
    queries, own = vectors(N)[where], IDS[where]  # each query is behind the filter itself
    exclude_ids = own if is_excluding else None
    found = index.search(queries, K, exclude_ids=exclude_ids, where=where)
    exact = index.gallery.search(queries, K, exclude_ids=exclude_ids, where=where)
    assert found.ids.shape == (n_left, min(K, n_left - is_excluding))
    assert found.ids.tolist() == exact.ids.tolist()
    assert found.note == exact.note
    assert bool(found.note) == (n_left - is_excluding < K)


@every_case
@pytest.mark.parametrize("n_left", [300, 1500])
def test_behind_a_loose_filter_nearly_all_is_found(kind: str, measure: str, n_left: int) -> None:
    index, queries, where = built(kind, measure), vectors(50, seed=3), marks(n_left)
    found = index.search(queries, K, where=where)
    assert found.ids.shape == (50, K)
    assert np.isin(found.ids, IDS[where]).all()
    exact = index.gallery.search(queries, K, where=where)
    assert recall(found.ids, exact.ids) >= (1 if kind == "kd_tree" else 0.95)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_an_index_that_finds_enough_needs_no_exact_search(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("searched exactly")

    index, queries, own = built(kind, "cosine"), vectors(N)[:30], IDS[:30]
    monkeypatch.setattr(index.gallery, "search", refuse)
    for where in (None, marks(300)):
        assert (index.search(queries, K, exclude_ids=own, where=where).ids >= 0).all()


@pytest.mark.parametrize("kind", ["hnsw", "ivf", "kd_tree"])
def test_a_filter_that_leaves_only_what_is_far_is_searched_exactly(kind: str) -> None:
    far = vectors(400)
    far[200:] += 1000  # a second cluster: a search from the first never gets there
    gallery, where = Gallery(far, range(400), "euclidean"), np.arange(400) >= 200
    found = Index(gallery, kind, effort=1).search(far[:5], K, where=where)
    assert found.ids.tolist() == gallery.search(far[:5], K, where=where).ids.tolist()


def test_more_effort_finds_more() -> None:
    gallery, queries = Gallery(vectors(N), IDS, "euclidean"), vectors(50, seed=3)
    exact = gallery.search(queries, K).ids
    index = Index(gallery, "ivf", effort=1)
    quick = recall(index.search(queries, K).ids, exact)
    index.effort = 1000  # all cells
    assert quick < 0.5 < recall(index.search(queries, K).ids, exact) == 1


@every_kind
def test_no_query_finds_nothing(kind: str) -> None:
    found = built(kind, "cosine").search(vectors(0), K)
    assert len(found.ids) == len(found.distances) == 0


@pytest.mark.parametrize("kind", ["hnsw", "ivf", "kd_tree"])
def test_the_whole_gallery_can_be_asked_for(kind: str) -> None:
    gallery = Gallery(vectors(60), range(60), "euclidean")
    index = Index(gallery, kind, effort=1)
    assert index.search(vectors(2), 60).ids.tolist() == gallery.search(vectors(2), 60).ids.tolist()
    found = index.search(vectors(2), 59, exclude_ids=[0, 1]).ids
    assert found.tolist() == gallery.search(vectors(2), 59, exclude_ids=[0, 1]).ids.tolist()


def test_the_size_of_an_index_counts_its_own_copy() -> None:
    bare = N * DIM * 4
    assert bare + N * 32 * 2 * 4 < built("hnsw", "cosine").extra_bytes() < 4 * bare  # two-way links
    assert bare + N * 8 < built("ivf", "cosine").extra_bytes() < 1.3 * bare  # ids, 51 cells
    assert 2 * bare < built("kd_tree", "cosine").extra_bytes() < 4 * bare  # float64


BAD_SEARCHES: dict[str, tuple[np.ndarray, int, dict]] = {
    "k is 0": (vectors(2), 0, {}),
    "k is too large": (vectors(2), N + 1, {}),
    "k is too large without the query": (vectors(2), N, {"exclude_ids": [1, 2]}),
    "not a number": (np.full((1, DIM), np.nan), K, {}),
    "another dimension": (vectors(2, dim=DIM + 1), K, {}),
    "no table": (vectors(1)[0], K, {}),
    "all zeros": (np.zeros((1, DIM)), K, {}),
    "too few ids": (vectors(2), K, {"exclude_ids": [1]}),
    "a filter of another length": (vectors(2), K, {"where": np.ones(N - 1, dtype=bool)}),
}


@every_kind
@pytest.mark.parametrize("what", BAD_SEARCHES)
def test_a_bad_search_is_refused_as_by_the_gallery(kind: str, what: str) -> None:
    index = built(kind, "cosine")
    queries, k, options = BAD_SEARCHES[what]
    with pytest.raises(FashionRirError) as expected:
        index.gallery.search(queries, k, **options)
    with pytest.raises(expected.type) as found:
        index.search(queries, k, **options)
    assert str(found.value) == str(expected.value)


def test_an_unknown_kind_offers_the_nearest(tmp_path: Path) -> None:
    gallery = Gallery(vectors(20), range(20), "cosine")
    with pytest.raises(ParameterError, match="index 'hnws'; did you mean 'hnsw'"):
        Index(gallery, "hnws")
    gallery.save(tmp_path)
    with pytest.raises(ParameterError, match="index 'kdtree'; did you mean 'kd_tree'"):
        Index.load(tmp_path, "kdtree")


def test_a_measure_that_a_kind_does_not_have_is_refused() -> None:
    with pytest.raises(ParameterError, match="ivf cannot search by manhattan; .* cosine, euclid"):
        Index(Gallery(vectors(20), range(20), "manhattan"), "ivf")


@pytest.mark.parametrize("effort", [0, -5])
def test_without_effort_there_is_no_search(effort: int) -> None:
    with pytest.raises(ParameterError, match=f"effort .* at least 1, not {effort}"):
        Index(Gallery(vectors(20), range(20), "cosine"), "ivf", effort=effort)


def test_without_annoy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "annoy", None)
    with pytest.raises(FashionRirError, match=r"pip install -e '\.\[annoy\]'"):
        Index(Gallery(vectors(20), range(20), "cosine"), "annoy")


class LazyAnnoy:
    """Stands in for Annoy's index where that is not installed; finds two items at most."""

    def __init__(self, dim: int, metric: str) -> None:
        self.items, self.metric, self.asked = {}, metric, []

    def set_seed(self, seed: int) -> None:
        pass

    def add_item(self, row: int, vector: np.ndarray) -> None:
        self.items[row] = vector

    def build(self, n_trees: int) -> None:
        pass

    def get_nns_by_vector(self, query: np.ndarray, n: int, search_k: int) -> list[int]:
        self.asked.append((n, search_k))
        return sorted(self.items, key=lambda row: np.abs(self.items[row] - query).sum())[:2]


def test_what_annoy_does_not_find_is_searched_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("annoy")
    module.AnnoyIndex = LazyAnnoy
    monkeypatch.setitem(sys.modules, "annoy", module)
    gallery, queries = Gallery(vectors(50), range(50), "manhattan"), vectors(3, seed=3)
    index = Index(gallery, "annoy", effort=7)
    for k in (2, 5):  # all that Annoy finds, and more
        found = index.search(queries, k, exclude_ids=[0, 1, 2])
        assert found.ids.tolist() == gallery.search(queries, k, exclude_ids=[0, 1, 2]).ids.tolist()
    assert index._raw.metric == "manhattan"
    assert index._raw.asked == [(3, 21)] * 3 + [(6, 42)] * 3


@pytest.mark.parametrize(("kind", "measure"), SAVED)
def test_a_saved_index_finds_the_same(kind: str, measure: str, tmp_path: Path) -> None:
    index = Index(Gallery(vectors(300), IDS[:300], measure), kind, effort=2)
    index.save(tmp_path / "new")
    loaded = Index.load(tmp_path / "new", kind)
    assert (loaded.kind, loaded.effort, loaded.gallery.measure) == (kind, 2, measure)
    queries = vectors(20, seed=3)
    found, expected = loaded.search(queries, K), index.search(queries, K)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.distances, expected.distances)
    raw = loaded._raw.reconstruct_n(0, 300) if kind == "hnsw" else loaded._raw.ntotal
    np.testing.assert_array_equal(raw, index.gallery.vectors if kind == "hnsw" else 300)


def test_two_kinds_lie_in_one_folder(tmp_path: Path) -> None:
    gallery = Gallery(vectors(300), IDS[:300], "cosine")
    for kind in ("hnsw", "ivf"):
        Index(gallery, kind).save(tmp_path)
    for kind in ("hnsw", "ivf"):
        assert Index.load(tmp_path, kind).search(vectors(1), 1).ids == [[IDS[0]]]
    assert not list(tmp_path.glob("*.part"))


def test_the_other_kinds_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="kd_tree cannot be saved; build it again"):
        built("kd_tree", "cosine").save(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot write"):
        built("hnsw", "cosine").save(tmp_path / "file" / "folder")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a gallery and its HNSW index."""
    Index(Gallery(vectors(100), range(100), "cosine"), "hnsw").save(tmp_path)
    return tmp_path


def test_a_folder_without_an_index_says_so(saved: Path) -> None:
    with pytest.raises(StoreError, match="There is no ivf index"):
        Index.load(saved, "ivf")
    (saved / "hnsw.faiss").unlink()
    with pytest.raises(StoreError, match="There is no hnsw index"):
        Index.load(saved, "hnsw")
    with pytest.raises(StoreError, match="no whole gallery"):
        Index.load(saved / "elsewhere", "hnsw")


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 1}'])
def test_a_damaged_description_is_no_index(saved: Path, text: str) -> None:
    (saved / "hnsw.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="There is no hnsw index"):
        Index.load(saved, "hnsw")


def test_another_schema_version_is_refused(saved: Path) -> None:
    about = json.loads((saved / "hnsw.json").read_text(encoding="utf-8"))
    (saved / "hnsw.json").write_text(json.dumps(about | {"schema": 2}), encoding="utf-8")
    with pytest.raises(StoreError, match="schema version 2, this program reads 1"):
        Index.load(saved, "hnsw")


@pytest.mark.parametrize("change", ["vectors", "ids", "measure"])
def test_an_index_of_another_gallery_is_refused(saved: Path, change: str) -> None:
    other = {"vectors": vectors(100), "ids": range(100), "measure": "cosine"}
    other[change] = {"vectors": vectors(100, seed=9), "ids": range(1, 101), "measure": "euclidean"}[
        change
    ]
    Gallery(other["vectors"], other["ids"], other["measure"]).save(saved)
    with pytest.raises(StoreError, match="built for another gallery"):
        Index.load(saved, "hnsw")


def random_bytes(n_bytes: int) -> bytes:
    return np.random.default_rng(0).bytes(n_bytes)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "short of one byte": lambda whole: whole[:-1],
    "random": lambda whole: random_bytes(len(whole)),
    "a random graph": lambda whole: whole[:500] + random_bytes(2000) + whole[2500:],
    "one bit": lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_refused(saved: Path, damage: str) -> None:
    path = saved / "hnsw.faiss"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(StoreError, match="damaged; build the index again"):
        Index.load(saved, "hnsw")


def test_an_index_that_this_faiss_cannot_read_is_refused(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_index(path: str) -> None:
        raise RuntimeError("Index type 0x41414141 not recognized")

    monkeypatch.setattr(faiss, "read_index", read_index)
    with pytest.raises(StoreError, match="This FAISS cannot read .*; build the index again"):
        Index.load(saved, "hnsw")
