"""costs: every comparable model once, what it costs, and the front, against a slow one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.embedding import descriptors, floors
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies import costs as studies_costs
from fashion_rir.studies import model_table, scoring
from fashion_rir.studies.costs import cost_table, measure_costs
from fashion_rir.studies.model_table import pareto_front
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 20
N = 150  # with fewer, the test products have one class alone


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return catalog.load(drawn_shop.generate(tmp_path_factory.mktemp("drawn"), n_products=N))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


def score(workspace: Workspace, shop: Catalog, name: str, seed: int, **options: object) -> None:
    is_test = splits.is_test_product(shop.products, seed=SEED)
    about = {"model": name, "backbone": name}
    metadata = floors.random_metadata(seed) | about | options.pop("metadata", {})
    vectors = floors.random_embeddings(len(shop), seed=seed)
    options = {"measure": "cosine", "protocols": ("held_out", "unseen")} | options
    scoring.retrieval(Study(workspace, shop, SEED), (vectors, metadata), is_test, **options)


def write_training(workspace: Workspace, shop: Catalog, name: str, seconds: float) -> str:
    """The record's hash, which a model that was trained so says."""
    inputs = {"profile": "quick", "data_hash": shop.data_hash, "run": name}
    record = result_records.make_record(
        "training", name, inputs, timings={"training_seconds": seconds}
    )
    result_records.write(record, workspace.results)
    return record["inputs_hash"]


def write_costs(workspace: Workspace, shop: Catalog, **costs: float) -> None:
    inputs = {"profile": "quick", "data_hash": shop.data_hash}
    record = result_records.make_record(
        "cost", studies_costs.COSTS_NAME, inputs, timings={"ms_an_image": costs}
    )
    result_records.write(record, workspace.results)


def test_the_table_holds_every_comparable_model_once(workspace, shop) -> None:
    for seed in (1, 2):
        training = write_training(workspace, shop, f"head-seed{seed}", 10.0 * seed)
        made_by = {"backbone": "net", "family": "from-scratch", "seed": seed, "training": training}
        score(workspace, shop, f"head-seed{seed}-posterior", seed, metadata=made_by)
    trained = "net trained from nothing"
    score(workspace, shop, "plain", 3)
    score(workspace, shop, "plain", 3, measure="manhattan")
    score(workspace, shop, "asked-once", 4, protocols=("held_out",))
    smaller = shop.subset(np.arange(N) < 50)
    score(workspace, smaller, "on-a-sample", 5)
    table, left_out = model_table.model_table(workspace.results, data_hash=shop.data_hash)
    assert sorted(table.index) == [trained, "plain"]
    assert table.loc[trained, ["seeds", "dim", "training s"]].tolist() == [2, 32, 15]
    assert table.loc["plain", "training s"] == 0
    values = [
        result_records.read(workspace.results, f"head-seed{seed}-posterior-cosine")
        .estimate("unseen", "baseColour", "precision@10", average="macro").value
        for seed in (1, 2)
    ]  # fmt: skip
    assert table.loc[trained, "colour P@10 unseen macro"] == pytest.approx(np.mean(values))
    assert table["mAP"].is_monotonic_decreasing
    assert dict(zip(left_out["record"], left_out["reason"], strict=True)) == {
        "plain-manhattan": "by manhattan",
        "asked-once-cosine": "not under both protocols",
        "on-a-sample-cosine": "of another catalogue, such as a sample",
    }


def test_fewer_queries_are_left_out_and_said(workspace, shop) -> None:
    score(workspace, shop, "plain", 1)
    is_asking = splits.is_test_product(shop.products, seed=SEED)
    n_test = int(is_asking.sum())
    is_asking[np.flatnonzero(is_asking)[2:]] = False
    model = floors.random_embeddings(N, seed=2), floors.random_metadata(2)
    scoring.retrieval(Study(workspace, shop, SEED), model, is_asking, measure="cosine")
    _, left_out = model_table.model_table(workspace.results, data_hash=shop.data_hash)
    assert left_out["reason"].tolist() == [f"asked 2 of {n_test} queries"]


def test_a_model_asks_all_its_networks(workspace, shop) -> None:
    write_costs(workspace, shop, **{"a-32": 2.0, "b-64": 30.0, "head": 0.5})
    joint = {"backbone": "a+a+b", "image_size": "32+32+64"}
    pooled = {"backbone": "a-gem2.5", "network": "a", "image_size": "32"}
    score(workspace, shop, "joint", 1, metadata=joint)
    score(workspace, shop, "head", 2, metadata=joint | {"family": "label-heads", "head": "{}"})
    score(workspace, shop, "pooled", 3, metadata=pooled)
    score(workspace, shop, "unmeasured", 4, metadata={"backbone": "a+c", "image_size": "32+32"})
    table, _ = model_table.model_table(workspace.results, data_hash=shop.data_hash)
    costs = table[studies_costs.EMBEDDING_COST]
    shown = ["3 embeddings side by side", "linear probe on 3 embeddings", "a GeM 2.5 32 px"]
    assert costs.loc[shown].tolist() == [34.0, 34.5, 2.0]
    assert np.isnan(costs["2 embeddings side by side"])


def test_the_trainings_of_a_model_are_those_that_it_names() -> None:
    seconds = {"1a": 3.0, "2b": 4.0, "1": 50.0}
    assert studies_costs.training_cost({"training": "1a"}, seconds) == 3
    assert studies_costs.training_cost({"training": "1a+2b"}, seconds) == 7
    assert np.isnan(studies_costs.training_cost({"training": "1a+forgotten"}, seconds))
    assert studies_costs.training_cost({"model": "pretrained-128"}, seconds) == 0


def test_a_folder_without_a_comparable_record_is_refused(workspace, shop) -> None:
    score(workspace, shop, "plain", 1)
    with pytest.raises(RecordError, match="no retrieval record by cosine of this catalogue"):
        model_table.model_table(workspace.results, data_hash="another")


def test_costs_are_measured_once(workspace, shop, monkeypatch) -> None:
    embedders = [floors.MeanColour(), descriptors.Hog()]
    record = measure_costs(Study(workspace, shop), embedders, head_dim=4, n_pictures=5, n_rounds=1)
    costs = record["timings"]["ms_an_image"]
    assert set(costs) == {"mean-colour-32", "hog-64", "head"}
    assert min(costs.values()) > 0
    assert record["inputs"]["n_pictures"] == 5

    def fail(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(descriptors.Hog, "embed", fail)
    again = measure_costs(Study(workspace, shop), embedders, head_dim=4, n_pictures=5, n_rounds=1)
    assert again["timings"] == record["timings"]
    table = cost_table(record, reference="hog-64")
    assert table["relative"]["hog-64"] == 1
    assert table[studies_costs.EMBEDDING_COST].is_monotonic_increasing
    with pytest.raises(RecordError, match="no cost of 'mobilenetv2-128'"):
        cost_table(record, reference="mobilenetv2-128")


@pytest.mark.parametrize(
    "change", [{"embedders": []}, {"n_pictures": 0}, {"n_rounds": 0}, {"head_dim": 0}]
)
def test_nothing_to_measure_is_refused(workspace, shop, change) -> None:
    options = {"embedders": [floors.MeanColour()], "head_dim": 4} | change
    with pytest.raises(ParameterError, match="measured of at least 1 embedder"):
        measure_costs(Study(workspace, shop), options.pop("embedders"), **options)


def test_an_unknown_engine_is_refused(workspace, shop) -> None:
    with pytest.raises(ParameterError, match="'onyx'; did you mean 'onnx'"):
        measure_costs(Study(workspace, shop, engine="onyx"), [floors.MeanColour()], head_dim=4)


def slow_front(table: pd.DataFrame, costs: list[str], gains: list[str]) -> list[bool]:
    def beats(one: pd.Series, other: pd.Series) -> bool:
        pairs = [(other[c], one[c]) for c in costs] + [(one[g], other[g]) for g in gains]
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    rows = [row for _, row in table.iterrows()]
    return [not any(beats(other, row) for other in rows) for row in rows]


def test_the_front_is_that_of_the_definition() -> None:
    generator = np.random.default_rng(0)
    for _ in range(10):  # few levels, so that there are ties
        table = pd.DataFrame(generator.integers(0, 6, (30, 3)), columns=["ms", "mAP", "colour"])
        for costs, gains in (
            (["ms"], ["mAP"]),
            ([], ["mAP", "colour"]),
            (["ms"], ["mAP", "colour"]),
        ):
            found = pareto_front(table, costs=costs, gains=gains)
            assert found.tolist() == slow_front(table, costs, gains)


def test_equal_models_are_both_on_the_front_and_unmeasured_ones_are_not() -> None:
    table = pd.DataFrame({"ms": [1, 1, np.nan], "mAP": [0.5, 0.5, 0.9]}, index=list("abc"))
    assert pareto_front(table, costs=["ms"], gains=["mAP"]).tolist() == [True, True, False]
    assert table["ms"].tolist()[:2] == [1, 1]  # the table stays as it was


def test_a_front_over_no_column_is_refused() -> None:
    table = pd.DataFrame({"ms": [1]})
    with pytest.raises(ParameterError, match="it has no .*'mAP'"):
        pareto_front(table, costs=["ms"], gains=["mAP"])
    with pytest.raises(ParameterError, match="no columns given"):
        pareto_front(table)
