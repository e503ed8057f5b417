"""protocols: floors, ceilings, audits and matrices on a drawn catalogue."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import floors
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import CatalogError, ParameterError, RecordError, StoreError
from fashion_rir.evaluation import rankings, separation
from fashion_rir.studies import scoring
from fashion_rir.studies.analysis import protocols
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import contrastive
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace, open_workspace
from fashion_rir.workspace.parameters import profile_parameters

LABELS = ("articleType", "masterCategory")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


@pytest.fixture
def products(catalog_folder: Path, tmp_path: Path) -> Catalog:
    """Eleven times the twelve products: years 2010 to 2012, every photo of the first four twice."""
    drawn = catalog.load(catalog_folder)
    table = pd.concat([drawn.products] * 11, ignore_index=True)
    table["id"] = np.arange(len(table)) + 1001
    table["image_name"] = table["id"].astype("str") + ".jpg"
    copies = table["id"].astype("str").where(np.arange(len(table)) >= 4, "the same")
    table["image_sha256"] = copies
    table["year"] = pd.array(2010 + np.arange(len(table)) % 3, dtype="Int64")
    return Catalog(table, drawn.source, drawn.listed)


@pytest.fixture
def model(products: Catalog) -> Embedded:
    vectors = np.random.default_rng(0).standard_normal((len(products), 4)).astype(np.float32)
    vectors[:4] = vectors[0]  # identical photos have identical embeddings
    return vectors, floors.floor_metadata("drawn", 8, "pad", 4)


def test_an_audit_by_what_it_must_find(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    is_query = np.arange(len(products)) % 5 != 4
    record = protocols.audit(Study(workspace, products, 0), model, is_query, labels=LABELS)
    assert record["kind"] == "audit" and record["name"] == "audit-drawn-8-pad"
    micro = {
        name: record["protocols"][name]["labels"]["articleType"]["micro"]["mAP"]["value"]
        for name in protocols.AUDITED
    }
    assert micro["thesis"] > micro["held_out"] > micro["no_copies"]
    own = record["added"]["the query in its own gallery"]["articleType"]
    assert own["mAP"]["value"] == pytest.approx(micro["thesis"] - micro["held_out"], abs=2e-6)
    assert own["hit_rate@1"]["value"] > 0 and own["mAP"]["low"] > 0
    copies = record["added"]["identical photos in the gallery"]["articleType"]
    n_asked = 4  # products 0 to 3, all shirts, lose three sure hits each
    assert copies["hit_rate@1"]["value"] <= n_asked / is_query.sum() + 1e-6
    assert copies["n_queries"] == is_query.sum()
    shares = record["single_queries"]["articleType"]["hits_among_10"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert list(shares) == [str(n) for n in range(11)]


def test_the_audit_s_held_out_is_that_of_evaluation(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    is_query = np.arange(len(products)) % 5 == 0
    audited = protocols.audit(Study(workspace, products, 0), model, is_query, labels=LABELS)
    scored = scoring.retrieval(Study(workspace, products, 0), model, is_query, measure="cosine")
    for protocol in ("thesis", "held_out"):
        for label in LABELS:
            ours = audited["protocols"][protocol]["labels"][label]
            assert ours == scored["protocols"][protocol]["labels"][label]


def test_an_audit_does_not_score_again_what_was_scored(
    workspace: Workspace, products: Catalog, model: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_query = np.arange(len(products)) % 5 == 0
    study, scored_views = Study(workspace, products, 0), []
    by_itself = protocols.audit(study, model, is_query, labels=LABELS)
    (workspace.results / f"{by_itself['name']}.json").unlink()
    scoring.retrieval(study, model, is_query, measure="cosine")
    score_views = rankings.score_views

    def noted(vectors: np.ndarray, table: pd.DataFrame, views: dict, **options: object) -> dict:
        scored_views.extend(views)
        return score_views(vectors, table, views, **options)

    monkeypatch.setattr(rankings, "score_views", noted)
    assert protocols.audit(study, model, is_query, labels=LABELS) == by_itself
    assert scored_views == ["no_copies", "years"]
    other = model[0], model[1] | {"weights_sha256": "another"}  # whose scores nobody has kept
    protocols.audit(study, other, is_query, labels=LABELS)
    assert scored_views[2:] == ["thesis", "held_out", "no_copies", "years"]


def test_odd_years_ask_even_years(workspace: Workspace, products: Catalog, model: Embedded) -> None:
    products.products.loc[0, "year"] = pd.NA
    is_query = np.ones(len(products), dtype=bool)
    record = protocols.audit(Study(workspace, products, 0), model, is_query, labels=LABELS)
    years = products.products["year"]
    assert record["protocols"]["years"]["n_gallery"] == (years % 2 == 0).sum()
    found = record["protocols"]["years"]["labels"]["articleType"]
    assert found["n_queries"] + found["n_excluded"] == (years % 2 == 1).sum()
    assert record["inputs"]["n_without_year"] == 1


def test_everything_is_ranked_by_class(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    record = protocols.rank_everything(Study(workspace, products, 0), model, labels=LABELS)
    types = record["labels"]["articleType"]
    classes = pd.DataFrame(types["classes"]).set_index("class")
    assert classes["queries"].sum() == types["n_queries"] == len(products)
    macro, micro = types["macro"]["mAP"]["value"], types["micro"]["mAP"]["value"]
    assert classes["mAP"].mean() == pytest.approx(macro, abs=2e-6)
    assert np.average(classes["mAP"], weights=classes["queries"]) == pytest.approx(micro, abs=2e-6)


def test_a_label_of_one_class_is_refused(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    with pytest.raises(ParameterError, match="one class 'Summer' by season"):
        protocols.rank_everything(Study(workspace, products, 0), model, labels=("season",))


def test_a_separation_has_the_ledger_s_paths(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    is_test = np.arange(len(products)) % 2 == 0
    record = protocols.separate_types(Study(workspace, products, 0), model, is_test)
    assert record["name"] == "separation-drawn-8-pad"
    for name in separation.MEASURED:
        assert record[name]["low"] <= record[name]["value"] <= record[name]["high"]
        assert set(record["of_test"][name]) == {"value", "low", "high"}
    assert {row["class"] for row in record["classes"]} == set(products.products["articleType"])
    again = protocols.separate_types(Study(workspace, products, 0), model, is_test)
    assert again == result_records.read(workspace.results, record["name"])


def test_the_name_floor_knows_words_and_counts_names_without_one() -> None:
    table = pd.DataFrame({"productDisplayName": ["red shirt", "blue shirt", None, "gown"]})
    vectors, metadata = floors.name_embeddings(table, np.array([True, True, True, False]))
    assert vectors.shape == (4, 4)  # blue, red, shirt, and no known word
    assert vectors[:, -1].tolist() == [0, 0, 1, 1]
    assert 0 < vectors[0] @ vectors[1] < 1
    assert metadata["n_unknown"] == 2 and metadata["model"] == "product-name"
    with pytest.raises(CatalogError, match="no word to learn from"):
        floors.name_embeddings(table, np.array([False, False, True, False]))


def test_the_oracle_knows_photos_and_not_products() -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "image_sha256": ["a", "a", "a", "b"],
            "articleType": ["Shirts", "Shirts", "Tops", "Tops"],
        }
    )
    vectors, metadata = floors.oracle_embeddings(table, "articleType")
    assert vectors.tolist() == [[1, 0], [1, 0], [1, 0], [0, 1]]
    assert metadata["n_twins_disagree"] == 1
    table.loc[3, "articleType"] = None
    with pytest.raises(CatalogError, match="Product 4 has no articleType"):
        floors.oracle_embeddings(table, "articleType")


def test_a_stored_model_brings_its_products(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    part = products.subset(np.arange(len(products)) % 2 == 0)
    names, vectors = list(part.products["image_name"]), model[0][::2]
    with pytest.raises(StoreError, match="no feature store at"):
        stores.stored_model(workspace, products, "label-g")
    path = workspace.feature_store("label-g")
    metadata = {**model[1], "data_hash": part.data_hash}
    FeatureStore.create(path, metadata).append(names[::-1], vectors[::-1])
    found, (loaded, _) = stores.stored_model(workspace, products, "label-g")
    assert found.data_hash == part.data_hash
    np.testing.assert_array_equal(loaded, vectors)
    vectors, metadata = stores.on_part(model, products, found)
    np.testing.assert_array_equal(vectors, loaded)
    assert metadata["model"] == f"drawn-8-pad-of-{len(part)}"
    products.products.loc[0, "gender"] = "Men"  # another catalogue now
    with pytest.raises(StoreError, match="data_hash"):
        stores.stored_model(workspace, products, "label-g")


def scored(workspace: Workspace, products: Catalog, name: str, seed: int) -> str:
    vectors = np.random.default_rng(seed).standard_normal((len(products), 3)).astype(np.float32)
    metadata = floors.floor_metadata(name, 0, "pad", 3)
    is_query = np.arange(len(products)) % 4 == 0
    record = scoring.retrieval(Study(workspace, products, 0), (vectors, metadata), is_query,
                                   measure="cosine", protocols=("held_out",))  # fmt: skip
    return record["name"]


def test_a_matrix_holds_every_paired_difference(workspace: Workspace, products: Catalog) -> None:
    names = [scored(workspace, products, name, seed) for seed, name in enumerate("abc")]
    record = scoring.compare_all(Study(workspace, None, 0), names)
    assert len(record["pairs"]) == 3
    pair = record["pairs"][0]
    single = scoring.comparison(Study(workspace, None, 0), names[0], names[1])["differences"]["mAP"]
    assert {key: pair[key] for key in ("value", "low", "high")} == single
    assert pair["better"] + pair["worse"] <= 1
    difference, is_noise = scoring.matrix_tables(record)
    assert difference.loc[names[0], names[1]] == -difference.loc[names[1], names[0]]
    assert np.diag(is_noise).all()
    assert is_noise.loc[names[0], names[1]] == (pair["low"] <= 0 <= pair["high"])


def test_a_matrix_of_other_queries_is_refused(workspace: Workspace, products: Catalog) -> None:
    first = scored(workspace, products, "a", 0)
    other = products.subset(np.arange(len(products)) < 80)
    second = scored(workspace, other, "b", 0)
    with pytest.raises(RecordError, match="differ in data_hash"):
        scoring.compare_all(Study(workspace, None, 0), [first, second])
    metadata = floors.floor_metadata("c", 0, "pad", 3)
    vectors = np.random.default_rng(0).standard_normal((len(products), 3)).astype(np.float32)
    third = scoring.retrieval(
        Study(workspace, products, 0),
        (vectors, metadata),
        np.arange(len(products)) < 30,
        measure="cosine",
    )
    with pytest.raises(RecordError, match="asked different queries"):
        scoring.compare_all(Study(workspace, None, 0), [first, third["name"]])


def test_what_is_missing_is_named_and_not_fatal(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    models = protocols.thesis_models("resnet50-8", trained=["model-i", "model-h", "model-g"])
    assert models["pretrained, padded"] == "resnet50-8-pad"
    models["pretrained, padded"] = "drawn-8-pad"
    is_test = np.arange(len(products)) % 2 == 0
    protocols.audit(Study(workspace, products, 0), model, is_test, labels=LABELS)
    table, missing = protocols.thesis_table(workspace.results, models)
    trained = list(models.values())[:3]
    expected = [f"{kind}-{name}" for name in trained for kind in ("audit", "separation")]
    assert missing == [*expected, "separation-drawn-8-pad"]
    assert table.loc["pretrained, padded", "products"] == len(products)
    assert table["mAP, thesis"].tolist() == [0.378605, 0.459474, 0.541431, 0.708221]
    assert table["mAP, held out"].notna().tolist() == [False, False, False, True]
    protocols.separate_types(Study(workspace, products, 0), model, is_test)
    table, missing = protocols.thesis_table(workspace.results, models)
    assert "separation-drawn-8-pad" not in missing
    assert table["separation_ratio"].notna().tolist() == [False, False, False, True]


def test_trained_models_are_audited_on_what_they_saw(
    workspace: Workspace, products: Catalog, model: Embedded
) -> None:
    model = Embedded(*model)
    part = products.subset(np.arange(len(products)) % 2 == 0)
    metadata = {**model.metadata, "model": "label-g", "data_hash": part.data_hash}
    FeatureStore.create(workspace.feature_store("label-g"), metadata).append(
        list(part.products["image_name"]), model.vectors[::2]
    )
    study = Study(workspace, products, 0)
    said = protocols.audit_trained(study, ["label-g", "label-h"], model, labels=LABELS)
    assert said == ["There are no embeddings of label-h; run the notebook that trains it."]
    beside = f"drawn-8-pad-of-{len(part)}"
    for name in ("label-g", beside):
        record = result_records.read(workspace.results, f"audit-{name}")
        assert record["inputs"]["n_products"] == len(part)
        assert result_records.is_there(workspace.results, f"separation-{name}")
    table = protocols.retrieval_summary(workspace.results, {"label-tuned": "label-g"})
    assert table.loc["label-tuned", ("query inside", "hit_rate@1")] == 1
    assert table.loc["label-tuned", ("held out", "mAP")] < table.loc["label-tuned"].max()


def test_the_profiles_name_the_models_that_the_trainings_store() -> None:
    """Notebook 06 looks for what 04 and 05 write, where they train on the products of 06."""
    quick = open_workspace("quick", Path(__file__).parents[3])
    assert profile_parameters(quick, "06-evaluation")["trained_models"] == []
    for name in ("sample", "full"):
        workspace = open_workspace(name, Path(__file__).parents[3])
        tuned = profile_parameters(workspace, "05-contrastive-training")
        about = (tuned["tuned_backbone"], tuned["tuned_image_size"], tuned["seed"])
        names = [contrastive.training_name(run, *about) for run in ("i", "h-32")]
        asked = profile_parameters(workspace, "06-evaluation")
        assert asked["trained_models"] == [*names, f"label-g-seed{tuned['seed']}"]
        assert set(asked["trained_models"]) == set(
            profile_parameters(workspace, "07-t-sne")["stored"].values()
        )
        assert protocols.thesis_models("resnet50-224", trained=asked["trained_models"])
    with pytest.raises(ParameterError, match="three models"):
        protocols.thesis_models("resnet50-224", trained=["label-g-seed20"])


def test_neighbours_of_another_profile_or_schema_are_refused(workspace: Workspace) -> None:
    inputs = {"profile": "quick", "data_hash": "a"}
    result_records.write(result_records.make_record("test", "one", inputs), workspace.results)
    other = result_records.make_record("test", "two", inputs | {"profile": "full"})
    result_records.write(other, workspace.results)
    with pytest.raises(RecordError, match="differ in profile"):
        result_records.there(workspace.results, ["one", "two", "three"])
    result_records.write(other | {"schema": 99}, workspace.results)
    with pytest.raises(RecordError, match=r"two\.json has schema version 99"):
        result_records.there(workspace.results, ["one", "two"])
    found, missing = result_records.there(workspace.results, ["one", "three"])
    assert [record["name"] for record in found] == ["one"] and missing == ["three"]
