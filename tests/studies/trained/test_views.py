"""views: drawn views of a small drawn catalogue through a toy network."""

import json
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.errors import ParameterError
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import views as trained_views
from fashion_rir.studies.trained.views import (
    ViewEmbedder,
    ask_changed,
    changed_table,
    grid_table,
    head_name,
    stored_views,
    train_on_views,
)
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace

SEED = 20
N = 60
GRID = ((8, 0.1), (16, 0.5))


@dataclass(frozen=True)
class MeanColours:
    """A network in place of a large one: the mean colour of each of 2 x 2 fields."""

    image_size: int = 8

    def embed(self, batch: np.ndarray) -> np.ndarray:
        fields = batch.reshape(len(batch), 2, 4, 2, 4, 3).mean(axis=(2, 4))
        return fields.reshape(len(batch), 12).astype(np.float32) + 1

    def metadata(self, preprocessing: str) -> dict[str, object]:
        return {
            "model": f"mean-8-{preprocessing}", "backbone": "mean", "image_size": 8,
            "preprocessing": preprocessing, "weights": "none", "weights_sha256": "0" * 64,
            "embedding_dim": 12, "engine": "onnx",
        }  # fmt: skip


@pytest.fixture(scope="module")
def shop(workspace: Workspace) -> Catalog:
    return catalog.load(drawn_shop.generate(workspace.data / "raw" / "drawn", n_products=N))


@pytest.fixture(scope="module")
def clean(workspace: Workspace, shop: Catalog) -> tuple:
    return stores.embed(workspace, shop, MeanColours(), preprocessing="resize")


@pytest.fixture(scope="module")
def views(workspace: Workspace, shop: Catalog) -> np.ndarray:
    return stored_views(Study(workspace, shop, SEED), MeanColours(), augment="thesis", n_views=3,
                        preprocessing="resize")  # fmt: skip


def batch(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)


def test_a_view_depends_on_pictures_seed_and_number_alone() -> None:
    embedder = ViewEmbedder(MeanColours(), "thesis", 0, SEED)
    seen = embedder.embed(batch())
    embedder.embed(batch(1))
    np.testing.assert_array_equal(embedder.embed(batch()), seen)
    for other in (ViewEmbedder(MeanColours(), "thesis", 1, SEED),
                  ViewEmbedder(MeanColours(), "thesis", 0, SEED + 1)):  # fmt: skip
        assert np.abs(other.embed(batch()) - seen).max() > 1
    plain = ViewEmbedder(MeanColours(), "none", 0, SEED)
    np.testing.assert_array_equal(plain.change(batch()), batch())
    assert embedder.change(batch()).dtype == np.uint8


def test_a_view_says_what_it_is() -> None:
    found = ViewEmbedder(MeanColours(), "crop", 2, SEED).metadata("pad")
    assert found["model"] == "view2-crop-mean-8-pad"
    assert (found["augmentation"], found["view_seed"]) == ("crop", SEED)
    assert "engine" not in found


def test_views_are_stored(workspace, shop, clean, views, monkeypatch) -> None:
    assert views.shape == (N, 3, 12)
    assert np.abs(views[:, 0] - views[:, 1]).mean() > 1
    nearer = np.abs(views - clean[0][:, None]).mean() < np.abs(views - clean[0][::-1, None]).mean()
    assert nearer  # a view is more like its own product than like another
    monkeypatch.setattr(MeanColours, "embed", None)  # it would be called
    again = stored_views(Study(workspace, shop, SEED), MeanColours(), augment="thesis", n_views=2,
                         preprocessing="resize")  # fmt: skip
    np.testing.assert_array_equal(again, views[:, :2])


def test_a_pair_takes_two_views(workspace, shop) -> None:
    with pytest.raises(ParameterError, match="A pair takes 2 views of a product at least, not 1"):
        stored_views(Study(workspace, shop, SEED), MeanColours(), augment="thesis", n_views=1,
                     preprocessing="resize")  # fmt: skip


@pytest.fixture(scope="module")
def heads(workspace: Workspace, shop: Catalog, clean: tuple, views: np.ndarray) -> list:
    return [
        train_on_views(
            Study(workspace, shop, SEED),
            clean,
            views,
            point,
            epochs=2,
        )
        for point in GRID
    ]


def test_the_grid_of_batch_sizes_and_temperatures(workspace, shop, clean, views, heads) -> None:
    before = trained_views.score_before(Study(workspace, shop, SEED), clean, views)
    assert result_records.read(workspace.results, "pairs-mean-8-resize") == json.loads(
        json.dumps(before)
    )
    table = grid_table(workspace.results, "mean-8-resize", grid=GRID, seed=SEED)
    assert table.index.tolist() == ["before", "batch 8, temperature 0.1",
                                    "batch 16, temperature 0.5"]  # fmt: skip
    found = result_records.read(workspace.results, "mean-8-resize-cosine")
    micro = found["protocols"]["held_out"]["labels"]["gender"]["micro"]
    assert table.loc["before", "gender P@10"] == micro["precision@10"]["value"]
    assert table.loc["before", "uniformity"] == before["pairs"]["uniformity"]
    assert np.isnan(table.loc["before", "batch size"])
    table = table[1:].reset_index()
    assert list(zip(table["batch size"], table["temperature"], strict=True)) == list(GRID)
    n_fit = heads[0].record["inputs"]["n_fit"]
    assert table["steps"].tolist() == [n_fit // 8 * 2, n_fit // 16 * 2]
    for row, ((size, temperature), head) in enumerate(zip(GRID, heads, strict=True)):
        assert head.name == head_name("mean-8-resize", size, temperature, SEED)
        found = result_records.read(workspace.results, f"{head.name}-projection-cosine")
        assert found["inputs"]["model"]["temperature"] == str(temperature)
        micro = found["protocols"]["held_out"]["labels"]["baseColour"]["micro"]
        assert table["colour P@10"][row] == micro["precision@10"]["value"]
        assert table["alignment of views"][row] == head.record["spread"]["alignment of views"]
        assert table["uniformity"][row] < 0


def test_a_sample_of_stored_embeddings(shop, clean) -> None:
    some = shop.subset(np.arange(N) % 3 == 1)
    matrix, metadata = stores.sampled(clean, shop, some)
    np.testing.assert_array_equal(matrix, clean[0][1::3])
    assert metadata["model"] == "mean-8-resize-of-20"
    assert metadata["data_hash"] == some.data_hash != shop.data_hash
    with pytest.raises(ParameterError, match="40 of 60 products of the sample are not in the cat"):
        stores.sampled((matrix, metadata), some, shop)


def test_an_unchanged_photo_finds_itself_first(workspace, shop, clean) -> None:
    record = ask_changed(
        Study(workspace, shop, SEED), clean, MeanColours(), "none", preprocessing="resize"
    )
    is_test = splits.is_test_product(shop.products, seed=SEED)
    assert record["own_rank"]["first"] > 0.9  # two drawn products may have the same mean colours
    scored = scoring.retrieval(Study(workspace, shop, SEED), clean, is_test, measure="cosine",
                                   protocols=("held_out",))  # fmt: skip
    labels = scored["protocols"]["held_out"]["labels"]
    expected = labels["articleType"]["micro"]["precision@10"]["value"]
    n_alone = labels["articleType"]["n_excluded"]  # they find nothing, which counts as 0 here
    share = 1 - n_alone / is_test.sum()
    assert record["precision@10"]["articleType"]["value"] == pytest.approx(expected * share)


def test_what_a_change_destroys(workspace, shop, clean, monkeypatch) -> None:
    changes = ("none", "grey", "flip")
    for augment in changes:
        ask_changed(
            Study(workspace, shop, SEED), clean, MeanColours(), augment, preprocessing="resize"
        )
    table = changed_table(workspace.results, "mean-8-resize", changes)
    assert table.index.tolist() == list(changes)
    assert table.loc["none", "colour P@10 left"] == 1
    assert table.loc["grey", "own photo first"] < table.loc["none", "own photo first"]
    ratio = table.loc["grey", "colour P@10"] / table.loc["none", "colour P@10"]
    assert table.loc["grey", "colour P@10 left"] == pytest.approx(ratio)
    monkeypatch.setattr(trained_views, "_found", None)  # it would be called
    again = ask_changed(
        Study(workspace, shop, SEED), clean, MeanColours(), "grey", preprocessing="resize"
    )
    assert again["own_rank"]["first"] == table.loc["grey", "own photo first"]


def test_precision_and_own_rank_by_hand() -> None:
    angles = np.radians([0, 10, 20, 100])
    clean = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    products = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "articleType": ["shirt", "shirt", "shoe", "shirt"],
            "baseColour": ["red", None, "red", "red"],
            "gender": ["Men"] * 4,
        }
    )
    queries = np.array([0, 1])
    asked = clean[[2, 1]]  # the first product's photo has become the third's
    precision, own_rank = trained_views._found(clean, asked, queries, products, seed=SEED)
    assert own_rank == {"median": 2.0, "first": 0.5}  # third behind 20 and 10 degrees; first
    # Each finds all three others: two shirts and a shoe (twice), two red ones (the second has no
    # colour), and only men.
    assert precision["articleType"]["value"] == pytest.approx((2 / 3 + 2 / 3) / 2, abs=1e-6)
    assert precision["baseColour"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert precision["gender"]["value"] == 1
    without = products.assign(gender=None)  # as the phone photos are
    assert "gender" not in trained_views._found(clean, asked, queries, without, seed=SEED)[0]


def test_heads_learn_nothing_twice(workspace, shop, clean, views, heads, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(keras.Model, "fit", fail)
    again = train_on_views(
        Study(workspace, shop, SEED),
        clean,
        views,
        GRID[0],
        epochs=2,
    )
    assert again.record == heads[0].record


def test_an_empty_grid_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="The grid is empty"):
        grid_table(tmp_path, "mean-8-resize", grid=[], seed=SEED)
