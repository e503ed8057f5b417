"""maps: what a map keeps, worked out by hand and against scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from fashion_rir.data import catalog as data_catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop
from fashion_rir.embedding import embedded
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ParameterError, RecordError, StoreError
from fashion_rir.studies.analysis import maps, tsne
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.maps import MapSettings, Projection

METADATA = {"model": "drawn-net", "weights_sha256": "abc"}
SETTINGS = MapSettings(perplexity=5, seed=3)


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tsne.METHOD, "iterations", 60)
    monkeypatch.setitem(tsne.METHOD, "early_iterations", 40)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return data_catalog.load(shop.generate(tmp_path_factory.mktemp("drawn"), n_products=60))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


@pytest.fixture
def model(catalog: Catalog) -> embedded.Embedded:
    embeddings = np.random.default_rng(0).normal(size=(len(catalog), 12)).astype(np.float32)
    return embeddings, METADATA


@pytest.fixture
def made(workspace: Workspace, catalog: Catalog, model: embedded.Embedded) -> Projection:
    return tsne.project(Study(workspace, catalog), model, SETTINGS)


def on_circle(*degrees: float) -> np.ndarray:
    """Unit vectors: the cosine ranks them by angle."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_neighbours_by_hand() -> None:
    """Of product 0 the order is 1, 2, 3, 4, 5; the map shows 1 and 4."""
    embeddings = on_circle(0, 10, 20, 30, 40, 50)
    found = maps.embedding_neighbours(embeddings, embeddings, np.array([[1, 4]]), np.array([0]), 2)
    assert found["in the embedding"].tolist() == [[1, 2]]
    assert found["recall"].tolist() == [0.5]
    assert found["recall of the components"].tolist() == [1]
    # Rank 4 misses the first two by 2; the scale is k (2n - 3k - 1) / 2 = 5.
    assert found["trustworthiness"].tolist() == pytest.approx([1 - 2 / 5])


def test_trustworthiness_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    embeddings = generator.normal(size=(80, 9)).astype(np.float32)
    coordinates = generator.normal(size=(80, 2)) + embeddings[:, :2]
    everyone, k = np.arange(80), 7
    near = maps.nearest_on(coordinates, everyone, k)
    found = maps.embedding_neighbours(embeddings, embeddings, near, everyone, k)
    expected = trustworthiness(embeddings, coordinates, n_neighbors=k, metric="cosine")
    assert found["trustworthiness"].mean() == pytest.approx(expected)


def test_the_nearest_on_a_map_leave_out_the_product_itself() -> None:
    coordinates = np.array([[0.0, 0], [1, 0], [3, 0], [3, 0], [3, 0], [3, 0]])
    found = maps.nearest_on(coordinates, np.array([0, 1, 5]), 2)
    assert found[0, 0] == 1
    assert found[1, 0] == 0
    assert 5 not in found[2] and set(found[2]) < {2, 3, 4}


def test_a_record_holds_what_survives(workspace, catalog, model, made) -> None:
    record = maps.measure(Study(workspace, catalog, 1), model, made, n_asked=40, k=4)
    assert record["name"] == made.name == "tsne-drawn-net-perplexity5-seed3"
    assert record["inputs"]["n_asked"] == 40
    assert record["inputs"]["model"] == METADATA
    assert 0 < record["neighbours"]["recall"]["value"] < 1
    assert record["neighbours"]["recall of the components"]["value"] == 1  # 12 numbers, 12 kept
    for found in record["labels"].values():
        expected = found["map"]["value"] - found["embedding"]["value"]
        assert found["difference"]["value"] == pytest.approx(expected, abs=2e-6)
    assert result_records.read(workspace.results, made.name) == record


def test_the_agreement_of_labels_against_a_loop(workspace, catalog, model, made) -> None:
    record = maps.measure(Study(workspace, catalog, 1), model, made, n_asked=10**6, k=3)
    gender = catalog.products["gender"].to_numpy()
    shares = []
    for row, place in enumerate(made.coordinates):
        order = np.argsort(((made.coordinates - place) ** 2).sum(axis=1), kind="stable")
        shares.append((gender[order[order != row][:3]] == gender[row]).mean())
    assert record["labels"]["gender"]["map"]["value"] == pytest.approx(np.mean(shares), abs=1e-6)


def test_a_measurement_that_is_there_is_not_made_again(
    workspace, catalog, model, made, monkeypatch
) -> None:
    first = maps.measure(Study(workspace, catalog, 1), model, made, n_asked=20)
    monkeypatch.setattr(maps, "embedding_neighbours", lambda *_: pytest.fail("again"))
    assert maps.measure(Study(workspace, catalog, 1), model, made, n_asked=20) == first


def test_a_label_of_one_class_is_refused(workspace, catalog, model, made) -> None:
    catalog = catalog.subset(np.ones(len(catalog), dtype=bool))
    catalog.products["gender"] = "Men"
    made.about["data_hash"] = catalog.data_hash
    with pytest.raises(ParameterError, match="same gender, so neighbours agree whatever"):
        maps.measure(Study(workspace, catalog, 1), model, made)


@pytest.mark.parametrize("k", [0, 30, 31])
def test_k_out_of_range_is_refused(workspace, catalog, model, made, k) -> None:
    with pytest.raises(ParameterError, match=f"below half of the 60 products, not {k}"):
        maps.measure(Study(workspace, catalog, 1), model, made, k=k)


def test_a_map_of_something_else_is_refused(workspace, catalog, model, made) -> None:
    with pytest.raises(StoreError, match="model drawn-net, the embeddings with other"):
        maps.measure(Study(workspace, catalog, 1), (model[0], METADATA | {"model": "other"}), made)
    part = catalog.subset(np.arange(60) < 50)
    with pytest.raises(ParameterError, match="60 products of another catalogue than the 50"):
        maps.measure(Study(workspace, part, 1), (model[0][:50], METADATA), made)


def test_overlap_of_a_map_with_itself_is_whole(workspace, made) -> None:
    twin = Projection(**{**vars(made), "name": "twin", "coordinates": made.coordinates * 2 + 1})
    record = maps.overlap(Study(workspace, None, 1), [made, twin], "overlap")
    assert record["shared"] == {f"{made.name} | twin": {"value": 1, "low": 1, "high": 1}}


def test_overlap_needs_two_maps_of_the_same_products(workspace, made) -> None:
    with pytest.raises(ParameterError, match="two maps at least"):
        maps.overlap(Study(workspace, None, 1), [made], "overlap")
    other = Projection(**{**vars(made), "ids": made.ids[::-1]})
    with pytest.raises(ParameterError, match="of the same products"):
        maps.overlap(Study(workspace, None, 1), [made, other], "overlap")


@pytest.mark.slow
def test_scikit_learn_makes_as_good_a_map(workspace, catalog, model) -> None:
    record = maps.compare_with_sklearn(Study(workspace, catalog), model, settings=SETTINGS)
    assert (
        set(record["recall"]) == set(record["timings"]["seconds"]) == {"openTSNE", "scikit-learn"}
    )
    assert all(estimate["value"] > 0.3 for estimate in record["recall"].values())


def test_the_table_has_a_row_a_map(workspace, catalog, model, made) -> None:
    record = maps.measure(Study(workspace, catalog, 1), model, made, n_asked=20, k=4)
    table = maps.survival_table([record])
    assert table.loc[0, ["model", "perplexity", "seed", "start"]].tolist() == [
        "drawn-net", 5, 3, "pca"
    ]  # fmt: skip
    assert table.loc[0, "recall"] == record["neighbours"]["recall"]["value"]
    assert table.loc[0, "gender map"] == record["labels"]["gender"]["map"]["value"]
    assert table.loc[0, "products"] == 60
    with pytest.raises(RecordError, match="run notebook 07"):
        maps.survival_table([])


def test_all_maps_of_a_profile_are_read_and_nothing_else(workspace, catalog, model, made) -> None:
    with pytest.raises(RecordError, match="run notebook 07"):
        maps.read_maps(workspace.results)
    record = maps.measure(Study(workspace, catalog, 1), model, made, n_asked=20, k=4)
    maps.overlap(Study(workspace, None, 1), [made, made], "tsne-overlap")
    assert maps.read_maps(workspace.results) == [record]


def test_a_model_that_is_not_stored_is_said(workspace, catalog, model) -> None:
    about = METADATA | {"backbone": "drawn", "image_size": 8, "preprocessing": "pad",
                        "weights": "none", "embedding_dim": 12,
                        "data_hash": catalog.data_hash}  # fmt: skip
    store = FeatureStore.create(workspace.feature_store("drawn-net"), about)
    store.append(list(catalog.products["image_name"]), model[0])
    there, missing = maps.stored_models(
        Study(workspace, catalog), {"ours": "drawn-net", "theirs": "absent-net"}
    )
    products, (embeddings, metadata) = there["ours"]
    assert len(products) == 60 and np.array_equal(embeddings, model[0])
    assert metadata["model"] == "drawn-net"
    assert missing == ["theirs: absent-net is not stored; run the notebook that makes it."]


def test_one_product_must_ask_at_least():
    with pytest.raises(ParameterError, match=r"must ask at least \(n_asked\), not -1"):
        maps.sample_rows(9, -1, seed=0)
