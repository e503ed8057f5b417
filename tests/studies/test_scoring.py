"""scoring: each is run once, says the same again, and is run anew when an input changes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog as data_catalog
from fashion_rir.data import splits
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.embedding import floors
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ParameterError, RecordError, StoreError
from fashion_rir.evaluation import intervals
from fashion_rir.evaluation import protocols as evaluation_protocols
from fashion_rir.evaluation.protocols import METRICS
from fashion_rir.studies import names as studies_names
from fashion_rir.studies import scoring
from fashion_rir.studies.names import comparison_name
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores, tables
from fashion_rir.workspace.folders import Workspace

SEED = 20


class BrokenColour(floors.MeanColour):
    """The floor's twin that must never be asked."""

    def embed(self, batch: np.ndarray) -> np.ndarray:
        raise AssertionError("embedded again")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> data_catalog.Catalog:
    return data_catalog.load(
        drawn_shop.generate(tmp_path_factory.mktemp("drawn") / "shop", n_products=60)
    )


@pytest.fixture(scope="module")
def is_test(shop: data_catalog.Catalog) -> np.ndarray:
    return splits.is_test_product(shop.products, seed=SEED)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


@pytest.fixture
def colours(workspace: Workspace, shop: data_catalog.Catalog) -> Embedded:
    return stores.embed(workspace, shop, floors.MeanColour(), preprocessing="resize")


@pytest.fixture
def chance(shop: data_catalog.Catalog) -> Embedded:
    return floors.random_embeddings(len(shop), seed=SEED), floors.random_metadata(SEED)


def test_embed_makes_the_store(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded
) -> None:
    matrix, metadata = colours
    assert (metadata["model"], metadata["data_hash"]) == ("mean-colour-32-resize", shop.data_hash)
    names, stored = FeatureStore.open(workspace.feature_store(metadata["model"])).load()
    assert names == shop.products["image_name"].tolist()
    assert (matrix == stored).all()
    photo = np.asarray(shop.read_image(names[7]).resize((32, 32), 2), dtype=float)
    assert matrix[7, :3] == pytest.approx(photo.mean(axis=(0, 1)), abs=1e-3)


def test_embed_takes_what_is_in_the_store(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded
) -> None:
    again, metadata = stores.embed(workspace, shop, BrokenColour(), preprocessing="resize")
    assert (again == colours[0]).all()
    assert metadata == colours[1]


def test_embed_goes_on_where_it_stopped(workspace: Workspace, shop: data_catalog.Catalog) -> None:
    floor = floors.MeanColour()
    metadata = floor.metadata("resize") | {"data_hash": shop.data_hash}
    store = FeatureStore.create(workspace.feature_store(metadata["model"]), metadata)
    first = shop.products["image_name"].tolist()[:3]
    store.append(first, np.full((3, 4), 7))
    matrix, _ = stores.embed(workspace, shop, floor, preprocessing="resize")
    assert len(matrix) == len(shop)
    assert (matrix[:3] == 7).all()  # taken, not made again
    assert (matrix[3:] != 7).all()


def test_embed_refuses_the_store_of_another_catalogue(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded
) -> None:
    products = shop.products.assign(image_sha256="other photos of the same names")
    other = replace(shop, products=products)
    with pytest.raises(StoreError, match="data_hash"):
        stores.embed(workspace, other, floors.MeanColour(), preprocessing="resize")


def test_embed_refuses_an_unknown_engine(workspace: Workspace, shop: data_catalog.Catalog) -> None:
    with pytest.raises(ParameterError, match="did you mean 'onnx'"):
        stores.embed(workspace, shop, floors.MeanColour(), preprocessing="resize", engine="onx")


def run(
    workspace: Workspace, shop: data_catalog.Catalog, model: Embedded, is_test, seed=SEED, **changes
) -> dict:
    options = {"measure": "cosine"} | changes
    return scoring.retrieval(Study(workspace, shop, seed), model, is_test, **options)


def fail(*_: object, **__: object) -> None:
    raise AssertionError("evaluated again")


def test_the_record_says_what_was_measured(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray
) -> None:
    record = run(workspace, shop, colours, is_test)
    assert result_records.read(workspace.results, "mean-colour-32-resize-cosine") == record
    inputs = record["inputs"]
    assert (inputs["profile"], inputs["data_hash"]) == ("quick", shop.data_hash)
    assert (inputs["n_products"], inputs["n_queries"]) == (60, is_test.sum())
    assert set(record["protocols"]) == set(evaluation_protocols.PROTOCOLS)
    # The same number by another way: the mean of the queries' own scores.
    found = evaluation_protocols.evaluate(colours[0], shop.products, is_test, measure="cosine")
    expected = found["held_out"].scores["gender"]["mAP"].mean()
    summary = record["protocols"]["held_out"]["labels"]["gender"]
    assert summary["micro"]["mAP"]["value"] == pytest.approx(expected, abs=1e-6)
    expected = found["held_out"].graded["nDCG@10"].mean()
    summary = record["protocols"]["held_out"]["graded"]
    assert summary["micro"]["nDCG@10"]["value"] == pytest.approx(expected, abs=1e-6)


def test_timings_stand_apart(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray
) -> None:
    record = run(workspace, shop, colours, is_test)
    assert list(record["timings"]) == ["evaluation_seconds"]
    del record["timings"]
    assert "second" not in json.dumps(record)


def test_a_second_call_takes_the_record(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = run(workspace, shop, colours, is_test)
    monkeypatch.setattr(scoring, "evaluate", fail)
    assert run(workspace, shop, colours, is_test) == first


def test_a_changed_input_makes_it_run_again(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run(workspace, shop, colours, is_test)
    monkeypatch.setattr(scoring, "evaluate", fail)
    men = replace(shop, products=shop.products.assign(gender="Men"))
    reweighted = colours[0], colours[1] | {"weights_sha256": "another"}
    more = is_test | (np.arange(len(shop)) < 5)
    for catalog, model, is_query, options in (
        (men, colours, is_test, {}),
        (shop, reweighted, is_test, {}),
        (shop, colours, more, {}),
        (shop, colours, is_test, {"seed": SEED + 1}),
    ):
        with pytest.raises(AssertionError, match="evaluated again"):
            run(workspace, catalog, model, is_query, **options)


def test_a_record_of_more_protocols_serves_who_asks_for_fewer_and_not_the_reverse(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run(workspace, shop, colours, is_test, protocols=("held_out",))
    full = run(workspace, shop, colours, is_test)
    assert set(full["protocols"]) == set(evaluation_protocols.PROTOCOLS)
    monkeypatch.setattr(scoring, "evaluate", fail)
    for protocols in (("held_out",), ("unseen", "held_out")):
        assert run(workspace, shop, colours, is_test, protocols=protocols) == full
    for options in ({"seed": SEED + 1}, {"measure": "euclidean"}):
        with pytest.raises(AssertionError, match="evaluated again"):
            run(workspace, shop, colours, is_test, protocols=("held_out",), **options)


class Trained:
    """An embedder of two numbers, which another training changes."""

    image_size = 4

    def __init__(self, training: str, value: float) -> None:
        self.training, self.value = training, value

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 2), self.value, dtype=np.float32)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        about = {"model": "trained", "weights_sha256": self.training, "training": self.training}
        return about | {"embedding_dim": 2, "preprocessing": preprocessing}


def test_another_training_of_the_same_name_is_embedded_anew(
    workspace: Workspace, shop: data_catalog.Catalog
) -> None:
    for training, value in (("first", 1.0), ("second", 2.0)):
        embedder = Trained(training, value)
        matrix, metadata = stores.embed(workspace, shop, embedder, preprocessing="resize")
        assert metadata["training"] == training
        assert (matrix == value).all()


def test_a_record_of_fewer_labels_is_made_anew(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    full = run(workspace, shop, colours, is_test)
    before = {k: v for k, v in full["inputs"].items() if k not in ("labels", "graded_labels")}
    old = result_records.make_record("retrieval", full["name"], before, protocols=full["protocols"])
    result_records.write(old, workspace.results)
    assert run(workspace, shop, colours, is_test)["inputs"] == full["inputs"]
    monkeypatch.setattr(scoring, "evaluate", fail)
    for name in ("EVALUATED_LABELS", "GRADED_LABELS"):
        with monkeypatch.context() as changed:
            changed.setattr(scoring, name, ("articleType",))
            with pytest.raises(AssertionError, match="evaluated again"):
                run(workspace, shop, colours, is_test)


def test_lost_scores_make_it_run_again(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray
) -> None:
    first = run(workspace, shop, colours, is_test)
    scores = workspace.scores / f"{first['name']}.parquet"
    scores.unlink()
    assert run(workspace, shop, colours, is_test)["protocols"] == first["protocols"]
    assert scores.exists()


def test_two_runs_in_two_folders_write_the_same_records(
    tmp_path: Path, shop: data_catalog.Catalog, is_test: np.ndarray, chance: Embedded
) -> None:
    written = []
    for name in ("one", "two"):
        workspace = Workspace(tmp_path / name, "quick")
        colours = stores.embed(workspace, shop, floors.MeanColour(), preprocessing="pad")
        run(workspace, shop, colours, is_test)
        run(workspace, shop, chance, is_test)
        scoring.comparison(
            Study(workspace, None, SEED), "mean-colour-32-pad-cosine", "chance-cosine"
        )
        contents = {}
        for path in workspace.results.iterdir():
            record = json.loads(path.read_text(encoding="utf-8"))
            record.pop("timings", None)
            contents[path.name] = json.dumps(record, indent=1)
        written.append(contents)
    assert len(written[0]) == 3
    assert written[0] == written[1]


def test_the_scores_of_single_queries(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, is_test: np.ndarray
) -> None:
    name = run(workspace, shop, colours, is_test)["name"]
    found = evaluation_protocols.evaluate(colours[0], shop.products, is_test, measure="cosine")
    read = scoring.read_scores(workspace, name, protocol="held_out", label="baseColour")
    pd.testing.assert_frame_equal(read, found["held_out"].scores["baseColour"], check_dtype=False)
    read = scoring.read_scores(workspace, name, protocol="held_out", label="graded")
    pd.testing.assert_frame_equal(read, found["held_out"].graded, check_dtype=False)


def test_missing_scores_are_named(
    workspace: Workspace, shop: data_catalog.Catalog, chance: Embedded, is_test: np.ndarray
) -> None:
    with pytest.raises(RecordError, match=r"no scores at .*nothing\.parquet; run the notebook"):
        scoring.read_scores(workspace, "nothing", protocol="held_out", label="gender")
    name = run(workspace, shop, chance, is_test, protocols=("thesis", "held_out"))["name"]
    with pytest.raises(RecordError, match="no query for protocol unseen and label gender"):
        scoring.read_scores(workspace, name, protocol="unseen", label="gender")


def test_scores_from_before_the_graded_metric_stay_readable(
    workspace: Workspace, shop: data_catalog.Catalog, chance: Embedded, is_test: np.ndarray
) -> None:
    name = run(workspace, shop, chance, is_test)["name"]
    path = workspace.scores / f"{name}.parquet"
    scores = pd.read_parquet(path)
    scores[scores["relevant_by"] != "graded"].drop(columns="nDCG@10").to_parquet(path)
    read = scoring.read_scores(workspace, name, protocol="held_out", label="gender")
    assert read.columns.tolist() == [*METRICS, "label"]
    with pytest.raises(RecordError, match="no query for protocol held_out and label graded"):
        scoring.read_scores(workspace, name, protocol="held_out", label="graded")


def test_a_comparison_of_the_graded_metric(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, chance: Embedded,
    is_test: np.ndarray,
) -> None:  # fmt: skip
    names = [run(workspace, shop, model, is_test)["name"] for model in (colours, chance)]
    record = scoring.comparison(Study(workspace, None, SEED), *names, label="graded")
    scores = [
        scoring.read_scores(workspace, name, protocol="held_out", label="graded")["nDCG@10"]
        for name in names
    ]
    assert list(record["differences"]) == ["nDCG@10"]
    found = record["differences"]["nDCG@10"]["value"]
    assert found == pytest.approx((scores[0] - scores[1]).mean(), abs=1e-6)
    assert found > 0.05  # colours tell more than chance
    table = tables.comparison_table([record], "nDCG@10")
    assert table["value"].tolist() == [found]


def test_a_comparison_by_hand(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, chance: Embedded,
    is_test: np.ndarray,
) -> None:  # fmt: skip
    names = [run(workspace, shop, model, is_test)["name"] for model in (colours, chance)]
    scattered = workspace.scores / f"{names[1]}.parquet"
    pd.read_parquet(scattered).iloc[::-1].to_parquet(scattered)  # paired by id, not by place
    record = scoring.comparison(Study(workspace, None, SEED), *names, label="gender")
    assert record["name"] == comparison_name(*names, "held_out", "gender")
    assert [record["inputs"][side] for side in ("first", "second")] == names
    assert result_records.read(workspace.results, record["name"]) == record
    scores = [
        scoring.read_scores(workspace, name, protocol="held_out", label="gender") for name in names
    ]
    assert record["n_queries"] == len(scores[0])
    for metric in METRICS:
        expected = (scores[0][metric] - scores[1][metric]).mean()  # pandas pairs by id
        found = record["differences"][metric]
        assert found["value"] == pytest.approx(expected, abs=1e-6)
        assert found["low"] <= found["value"] <= found["high"]
    pairs = scores[0]["mAP"] - scores[1]["mAP"].loc[scores[0].index]
    interval = intervals.paired_difference(pairs, np.zeros(len(pairs)), seed=SEED)
    assert record["differences"]["mAP"] == intervals.estimate_dict(interval)


def test_a_comparison_needs_the_same_queries(
    workspace: Workspace, shop: data_catalog.Catalog, colours: Embedded, chance: Embedded,
    is_test: np.ndarray,
) -> None:  # fmt: skip
    fewer = is_test.copy()
    fewer[np.flatnonzero(is_test)[0]] = False
    for more, less in ((colours, chance), (chance, colours)):
        first = run(workspace, shop, more, is_test)["name"]
        second = run(workspace, shop, less, fewer)["name"]
        with pytest.raises(RecordError, match="were asked different queries"):
            scoring.comparison(Study(workspace, None, SEED), first, second, label="gender")


def test_every_comparison_of_notebook_02_has_its_records() -> None:
    runs = {f"{model}-{measure}" for model, measure in studies_names.baseline_runs("resnet50-96")}
    pairs = studies_names.baseline_pairs("resnet50-96")
    assert len(runs) == 4 * 3 + 3  # networks and measures, and three floors
    assert {name for pair in pairs for name in pair} <= runs
    assert len(set(pairs)) == len(pairs)
    assert all(first != second for first, second in pairs)


def test_a_transform_is_another_model(colours: Embedded, is_test: np.ndarray) -> None:
    vectors, metadata = scoring.transformed(colours, "l2", ~is_test)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert metadata["model"] == "mean-colour-32-resize+l2"
    twice = scoring.transformed(Embedded(vectors, metadata), "power", ~is_test)
    assert twice.metadata["transform"] == "l2+power"
    assert metadata["weights_sha256"] == colours[1]["weights_sha256"]
    with pytest.raises(ParameterError, match="Unknown transform 'l3'; did you mean 'l2'"):
        scoring.transformed(colours, "l3", ~is_test)
