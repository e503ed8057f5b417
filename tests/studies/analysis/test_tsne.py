"""tsne: the same map for the same seed, kept with its identity, and new points on it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog as data_catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop
from fashion_rir.embedding import embedded
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.studies.analysis import tsne
from fashion_rir.studies.study import Study
from fashion_rir.workspace import maps as workspace_maps
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.maps import MapSettings, Projection

SETTINGS = MapSettings(perplexity=8, seed=3)
METADATA = {"model": "drawn-net", "weights_sha256": "abc", "embedding_dim": 20}


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tsne.METHOD, "iterations", 80)
    monkeypatch.setitem(tsne.METHOD, "early_iterations", 60)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return data_catalog.load(shop.generate(tmp_path_factory.mktemp("drawn"), n_products=90))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


def three_heaps(n_products: int, *, seed: int = 0) -> np.ndarray:
    """Embeddings in three well separated heaps, in turn."""
    generator = np.random.default_rng(seed)
    centres = 5 * np.eye(3, 20)
    noise = generator.normal(scale=0.5, size=(n_products, 20))
    return (centres[np.arange(n_products) % 3] + noise).astype(np.float32)


@pytest.fixture
def made(workspace: Workspace, catalog: Catalog) -> Projection:
    return tsne.project(Study(workspace, catalog), model(catalog), SETTINGS)


def model(catalog: Catalog) -> embedded.Embedded:
    return three_heaps(len(catalog)), METADATA


def test_the_same_seed_gives_the_same_map_bit_for_bit() -> None:
    points = three_heaps(60)
    first, divergence = tsne.layout(points, SETTINGS)
    second, again = tsne.layout(points, SETTINGS)
    assert np.array_equal(first, second)
    assert divergence == pytest.approx(again)


def test_the_same_map_by_fast_fourier_transform_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that catalogues of 10,000 products and more go."""
    monkeypatch.setitem(tsne.METHOD, "repulsion", "fft")
    monkeypatch.setitem(tsne.METHOD, "iterations", 30)
    monkeypatch.setitem(tsne.METHOD, "early_iterations", 20)
    points = three_heaps(60)
    maps = [tsne.layout(points, SETTINGS)[0] for _ in range(2)]
    assert np.array_equal(*maps)


@pytest.mark.parametrize("start", workspace_maps.STARTS)
def test_another_seed_gives_another_map(start: str) -> None:
    points = three_heaps(60)
    maps = [
        tsne.layout(points, dataclasses.replace(SETTINGS, seed=seed, start=start))[0]
        for seed in (1, 2)
    ]
    assert not np.allclose(*maps)


def test_heaps_stay_together_on_the_map(made: Projection) -> None:
    heap = np.arange(len(made)) % 3
    centres = np.stack([made.coordinates[heap == number].mean(axis=0) for number in range(3)])
    to_centres = np.linalg.norm(made.coordinates[:, None] - centres, axis=2)
    assert (to_centres.argmin(axis=1) == heap).all()


def test_principal_components_keep_all_there_is_in_few_numbers() -> None:
    flat = np.zeros((30, 10), dtype=np.float32)
    flat[:, :2] = np.random.default_rng(0).normal(size=(30, 2))
    mean, components = tsne.principal_components(flat)
    points = tsne.to_points(flat, mean, components)
    assert components.shape == (10, 10)
    assert np.allclose(points @ components + mean, flat, atol=1e-5)
    assert np.allclose(points[:, 2:], 0, atol=1e-5)


def test_a_map_that_is_there_is_not_made_again(
    workspace: Workspace, catalog: Catalog, made: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tsne, "layout", lambda *_: pytest.fail("made again"))
    again = tsne.project(Study(workspace, catalog), model(catalog), SETTINGS)
    assert again.name == "tsne-drawn-net-perplexity8-seed3"
    assert again.about["data_hash"] == catalog.data_hash
    for key in ("ids", "coordinates", "points", "mean", "components"):
        assert np.array_equal(getattr(again, key), getattr(made, key))
    assert (again.divergence, again.seconds) == (made.divergence, made.seconds)


def test_another_model_of_the_same_name_gets_its_own_map(
    workspace: Workspace, catalog: Catalog, made: Projection
) -> None:
    retrained = three_heaps(len(catalog), seed=1), METADATA | {"weights_sha256": "def"}
    other = tsne.project(Study(workspace, catalog), retrained, SETTINGS)
    assert other.name == made.name
    assert not np.array_equal(other.coordinates, made.coordinates)
    assert len(list((workspace.data / "projections" / "quick").glob("*.npz"))) == 2


def test_a_new_point_goes_to_its_heap_and_the_map_stays(made: Projection) -> None:
    before = made.coordinates.copy()
    heap = np.arange(len(made)) % 3
    found = tsne.place(made, (three_heaps(6, seed=9), METADATA))
    distances = np.linalg.norm(made.coordinates[:, None] - found, axis=2)
    assert (heap[distances.argmin(axis=0)] == np.arange(6) % 3).all()
    assert np.array_equal(made.coordinates, before)
    again = tsne.place(made, (three_heaps(6, seed=9), METADATA))
    assert np.array_equal(found, again)


def test_a_product_of_the_map_is_placed_beside_itself(made: Projection, catalog: Catalog) -> None:
    found = tsne.place(made, (model(catalog)[0][:5], METADATA))
    width = np.ptp(made.coordinates)
    assert np.linalg.norm(found - made.coordinates[:5], axis=1).max() < 0.2 * width


def test_a_perplexity_that_is_too_large_is_refused(workspace: Workspace, catalog: Catalog) -> None:
    with pytest.raises(ParameterError, match=r"perplexity of 30 .* 90 products; take at most 30\."):
        tsne.check_perplexity(30, 90)
    with pytest.raises(ParameterError, match="perplexity of 50"):
        tsne.project(Study(workspace, catalog), model(catalog), MapSettings(perplexity=50))
    assert not (workspace.data / "projections").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"perplexity": 1}, "above 1, not 1"), ({"start": "pac"}, "did you mean 'pca'"),
     ({"perplexity": float("nan")}, "above 1, not nan")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        MapSettings(**settings)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "not finite"), (0, "all zeros")])
def test_an_embedding_at_fault_is_named(
    workspace: Workspace, catalog: Catalog, value: float, message: str
) -> None:
    embeddings = three_heaps(len(catalog))
    embeddings[4] = value
    product = catalog.products["id"].iloc[4]
    with pytest.raises(StoreError, match=f"product {product} is {message}"):
        tsne.project(Study(workspace, catalog), (embeddings, METADATA), SETTINGS)


def test_embeddings_that_are_all_the_same_have_no_map() -> None:
    with pytest.raises(StoreError, match="All embeddings are the same"):
        tsne.layout(np.ones((60, 5), dtype=np.float32), SETTINGS)


def test_as_many_embeddings_as_products_are_needed(workspace: Workspace, catalog: Catalog) -> None:
    with pytest.raises(ParameterError, match="50 embeddings need as many"):
        tsne.project(Study(workspace, catalog), (three_heaps(50), METADATA), SETTINGS)


def test_pictures_of_another_model_are_refused(made: Projection) -> None:
    with pytest.raises(StoreError, match="made with model drawn-net, the embeddings with other"):
        tsne.place(made, (three_heaps(1), METADATA | {"model": "other"}))
    with pytest.raises(StoreError, match="weights_sha256 abc, the embeddings with xyz"):
        tsne.place(made, (three_heaps(1), METADATA | {"weights_sha256": "xyz"}))
    with pytest.raises(ParameterError, match=r"shape \(n_pictures, 20\), not \(1, 7\)"):
        tsne.place(made, (np.ones((1, 7), dtype=np.float32), METADATA))
    with pytest.raises(StoreError, match="not finite"):
        tsne.place(made, (np.full((1, 20), np.inf, dtype=np.float32), METADATA))


def test_a_kept_map_of_something_else_is_refused(
    workspace: Workspace, catalog: Catalog, made: Projection
) -> None:
    path = workspace_maps.map_path(workspace, made.about)
    for key, value in (("data_hash", "of another catalogue"), ("model", {"model": "other"})):
        with pytest.raises(StoreError, match=f"differs in {key}"):
            workspace_maps.load(path, made.about | {key: value}, made.ids)
    with pytest.raises(StoreError, match="not of these 89 products"):
        workspace_maps.load(path, made.about, made.ids[1:])


def test_a_kept_map_with_a_coordinate_that_is_not_finite_is_refused(
    workspace: Workspace, made: Projection
) -> None:
    path = workspace_maps.map_path(workspace, made.about)
    made.coordinates[0] = np.nan
    workspace_maps.save(made, path)
    with pytest.raises(StoreError, match="not finite; delete it"):
        workspace_maps.load(path, made.about, made.ids)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_damaged_map_is_named(workspace: Workspace, made: Projection, content: bytes) -> None:
    path = workspace_maps.map_path(workspace, made.about)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="no whole map at"):
        workspace_maps.load(path, made.about, made.ids)
    with pytest.raises(StoreError, match="no whole map at"):
        workspace_maps.load(path.with_name("absent.npz"), made.about, made.ids)


def test_no_pickle_is_read(workspace: Workspace, made: Projection) -> None:
    path = workspace_maps.map_path(workspace, made.about)
    np.savez(path, text=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StoreError, match="ValueError"):
        workspace_maps.load(path, made.about, made.ids)


def test_a_negative_seed_of_a_map_is_refused():
    with pytest.raises(ParameterError, match="seed must be 0 or more and .* not -1"):
        MapSettings(seed=-1)
