"""classical: descriptors go the way of a network; a vocabulary is learned once and kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.embedding import descriptors
from fashion_rir.errors import ParameterError, TrainingError
from fashion_rir.studies.pretrained import classical
from fashion_rir.studies.pretrained.classical import (
    embed_descriptor,
    precluster,
    preclustering_table,
)
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
N_WORDS = 8


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return catalog.load(
        drawn_shop.generate(tmp_path_factory.mktemp("drawn") / "shop", n_products=60)
    )


@pytest.fixture(scope="module")
def is_test(shop: Catalog) -> np.ndarray:
    return splits.is_test_product(shop.products, seed=SEED)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


def embed(workspace: Workspace, shop: Catalog, name: str, seed: int = SEED, **changes: object):
    options = {"n_words": N_WORDS, "n_pictures": 10} | changes
    return embed_descriptor(Study(workspace, shop, seed), name, **options)


def vocabulary_file(workspace: Workspace) -> Path:
    (path,) = workspace.trained_models.rglob(classical.VOCABULARY_FILE)
    return path


def fail(*_: object, **__: object) -> None:
    raise AssertionError("learned again")


@pytest.mark.parametrize("name", classical.DESCRIPTORS)
def test_a_descriptor_is_embedded_under_its_name(workspace, shop, is_test, name) -> None:
    vectors, metadata = embed(workspace, shop, name)
    assert metadata["model"] == classical.model_name(name, n_words=N_WORDS)
    assert vectors.shape == (60, int(metadata["embedding_dim"]))
    assert workspace.feature_store(metadata["model"]).exists()
    assert ("n_without_keypoints" in metadata) == (name in classical.BAGS)


def test_a_vocabulary_is_learned_on_training_products_only(
    workspace, shop, is_test, monkeypatch
) -> None:
    seen = []
    learn = descriptors.BagOfVisualWords.fit

    def spy(bag, batches, **options):
        kept = list(batches)
        seen.extend(picture.tobytes() for batch in kept for picture in batch)
        return learn(bag, kept, **options)

    monkeypatch.setattr(descriptors.BagOfVisualWords, "fit", spy)
    embed(workspace, shop, "sift", n_pictures=1000)
    names = shop.products["image_name"][~is_test]
    expected = {np.asarray(shop.read_image(one).resize((128, 128), 2)).tobytes() for one in names}
    assert len(seen) == len(names)  # not the black pictures that fill up the last batch
    assert set(seen) == expected


def test_a_vocabulary_is_kept(workspace, shop, is_test, monkeypatch) -> None:
    first, about = embed(workspace, shop, "orb")
    monkeypatch.setattr(descriptors.BagOfVisualWords, "fit", fail)
    again, about_again = embed(workspace, shop, "orb")
    assert (first == again).all()
    assert about == about_again
    with pytest.raises(AssertionError, match="learned again"):
        embed(workspace, shop, "orb", seed=SEED + 1)


@pytest.mark.parametrize("content", [b"no array", None])
def test_a_damaged_vocabulary_is_refused(workspace, shop, is_test, content) -> None:
    embed(workspace, shop, "orb")
    path = vocabulary_file(workspace)
    if content is None:
        np.save(path, np.zeros((N_WORDS + 1, 256), dtype=np.float32))
    else:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match="vocabulary .* delete it"):
        embed(workspace, shop, "orb")


def test_bad_input_is_refused(workspace, shop, is_test) -> None:
    with pytest.raises(ParameterError, match="'hogg'; did you mean 'hog'"):
        embed(workspace, shop, "hogg")
    with pytest.raises(ParameterError, match="at least 1 training picture; 0 are asked for"):
        embed(workspace, shop, "sift", n_pictures=0)
    with pytest.raises(ParameterError, match="at least 2 words and not more"):
        embed(workspace, shop, "sift", n_words=10_000)


def test_preclustering_is_recorded_once(workspace, shop, is_test, monkeypatch) -> None:
    model = embed(workspace, shop, "hog")
    record = precluster(Study(workspace, shop, SEED), model, is_test, n_clusters=(1, 3))
    assert record["name"] == classical.preclustering_name("hog-64-resize")
    assert result_records.read(workspace.results, record["name"]) == json.loads(json.dumps(record))
    assert record["inputs"]["n_queries"] == is_test.sum()
    table = preclustering_table(record)
    assert table.index.tolist() == [1, 3]
    assert table.loc[1, "recall of the exact 10"] == 1  # one cluster is the whole gallery
    assert table.loc[3, "share of the gallery compared"] < 1
    monkeypatch.setattr(classical, "preclustering", fail)
    again = precluster(Study(workspace, shop, SEED), model, is_test, n_clusters=(1, 3))
    assert again == json.loads(json.dumps(record))
    with pytest.raises(AssertionError):
        precluster(Study(workspace, shop, SEED), model, is_test, n_clusters=(2,))


def test_too_many_clusters_are_refused(workspace, shop, is_test) -> None:
    model = embed(workspace, shop, "hog")
    with pytest.raises(ParameterError, match="number of clusters must be 1 to"):
        precluster(Study(workspace, shop, SEED), model, is_test, n_clusters=(61,))
    with pytest.raises(ParameterError, match="how many clusters"):
        precluster(Study(workspace, shop, SEED), model, is_test, n_clusters=())
