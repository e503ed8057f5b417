"""records: records are whole, tables are about one catalogue, and inputs are told apart."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.errors import RecordError
from fashion_rir.evaluation import intervals, protocols
from fashion_rir.evaluation.protocols import GRADED_METRICS, METRICS, Evaluation
from fashion_rir.thesis.numbers import thesis_letter
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import tables

INPUTS = {"profile": "quick", "data_hash": "abc", "seed": 1, "n_queries": 9}


def retrieval_record(
    backbone: str, measure: str, mean_ap: float, *, preprocessing: str = "resize", **inputs
) -> dict:
    """A record of kind `retrieval` with one protocol, label and metric."""
    model = {"model": f"{backbone}-128-{preprocessing}", "backbone": backbone,
             "preprocessing": preprocessing, "weights": "imagenet"}  # fmt: skip
    estimate = {"value": mean_ap, "low": mean_ap - 0.1, "high": mean_ap + 0.1}
    labels = {
        "articleType": {"micro": {"mAP": estimate}, "macro": {"mAP": estimate | {"value": 0}}}
    }
    return result_records.make_record(
        "retrieval", f"{model['model']}-{measure}",
        {**INPUTS, "model": model, "measure": measure, **inputs},
        protocols={"held_out": {"labels": labels}},
    )  # fmt: skip


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = result_records.make_record("test", "some-name", INPUTS, numbers=[1, 0.5], text="é")
    path = result_records.write(record, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "some-name.json"
    assert result_records.read(path.parent, "some-name") == record
    assert [file.name for file in path.parent.iterdir()] == ["some-name.json"]
    assert record["made_by"]["versions"]["numpy"] == np.__version__


def test_a_record_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_records, "PACKAGES", ("numpy", "surely-not-a-package"))
    versions = result_records.make_record("test", "name", INPUTS)["made_by"]["versions"]
    assert versions == {"numpy": np.__version__, "surely-not-a-package": "not installed"}


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    first = result_records.make_record("test", "name", {"a": 1, **INPUTS}, numbers={"x": 1, "y": 2})
    second = result_records.make_record(
        "test", "name", {**INPUTS, "a": 1}, numbers={"y": 2, "x": 1}
    )
    one, two = (
        result_records.write(first, tmp_path / "1"),
        result_records.write(second, tmp_path / "2"),
    )
    assert one.read_bytes() == two.read_bytes()


def test_a_write_that_fails_leaves_the_earlier_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_records.write(result_records.make_record("test", "name", INPUTS, value=1), tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RecordError, match=r"name\.json \(No space left on device\)"):
        result_records.write(result_records.make_record("test", "name", INPUTS, value=2), tmp_path)
    assert result_records.read(tmp_path, "name")["value"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["name.json"]  # nothing half written


def test_a_record_that_is_no_json_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        result_records.write(
            result_records.make_record("test", "name", INPUTS, value=object()), tmp_path
        )
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"Cannot write .*name\.json"):
        result_records.write(result_records.make_record("test", "name", INPUTS), tmp_path / "file")


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no record .*name\.json; run the notebook"):
        result_records.read(tmp_path, "name")


@pytest.mark.parametrize(
    "content",
    ["", "{", '{"schema": 2', "[1, 2]", '"text"', "null", "{}", '{"schema": 2}', b"\xff\xfe\x00"],
)
def test_a_damaged_record_is_refused(tmp_path: Path, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "name.json").write_bytes(data)
    with pytest.raises(RecordError, match=r"name\.json is no .*delete it and run its notebook"):
        result_records.read(tmp_path, "name")


def test_a_folder_in_the_place_of_a_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "name.json").mkdir()
    with pytest.raises(RecordError, match="is no result record"):
        result_records.read(tmp_path, "name")


def test_another_schema_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "quick" / "results"
    record = result_records.make_record("test", "name", INPUTS) | {"schema": 99}
    result_records.write(record, folder)
    for read in (result_records.read, result_records.read_all):
        with pytest.raises(RecordError, match="schema version 99, .*study --profile quick`"):
            read(folder, "name")


def test_a_record_under_a_long_name_is_of_the_old_layout(tmp_path: Path) -> None:
    name = "-".join(["a-head-on-many-embeddings"] * 4)
    (tmp_path / f"{name}.json").write_text('{"schema": 1}', encoding="utf-8")
    with pytest.raises(RecordError, match="has schema version 1, .* to make it anew"):
        result_records.read(tmp_path, name)
    with pytest.raises(RecordError, match="There is no record"):
        result_records.read(tmp_path, name * 4)  # longer than a file's name may be


def test_a_long_name_is_made_short_and_found_again(tmp_path: Path) -> None:
    names = ["-".join(["a-head-on-many-embeddings", "x" * 40, end]) for end in ("one", "other")]
    for name in names:
        result_records.write(result_records.make_record("test", name, INPUTS, about=name), tmp_path)
    assert max(len(file.name) for file in tmp_path.iterdir()) == 60
    assert [one["about"] for one in result_records.read_named(tmp_path, names)] == names
    stored = result_records.read(tmp_path, names[0])
    assert result_records.read(tmp_path, stored["name"]) == stored


def test_the_hash_changes_with_every_input() -> None:
    inputs = {"profile": "quick", "data_hash": "abc", "model": {"weights": "x"}, "protocols": ["a"]}
    hashes = {
        result_records.hash_inputs(changed)
        for changed in (
            inputs,
            inputs | {"profile": "full"},
            inputs | {"data_hash": "abd"},
            inputs | {"model": {"weights": "y"}},
            inputs | {"protocols": ["a", "b"]},
            inputs | {"seed": 1},
        )
    }
    assert len(hashes) == 6
    assert result_records.hash_inputs(dict(reversed(inputs.items()))) == result_records.hash_inputs(
        inputs
    )


def test_timings_do_not_change_the_hash() -> None:
    quick = result_records.make_record("test", "name", INPUTS, timings={"seconds": 1})
    slow = result_records.make_record("test", "name", INPUTS, timings={"seconds": 9})
    assert quick["inputs_hash"] == slow["inputs_hash"]
    assert {key for key in quick if quick[key] != slow[key]} == {"timings"}


def test_read_all_takes_one_kind_by_name(tmp_path: Path) -> None:
    for kind, name in (("retrieval", "b"), ("retrieval", "a"), ("eda", "c")):
        result_records.write(result_records.make_record(kind, name, INPUTS), tmp_path)
    assert [record["name"] for record in result_records.read_all(tmp_path, "retrieval")] == [
        "a",
        "b",
    ]
    with pytest.raises(RecordError, match="no ablation record"):
        result_records.read_all(tmp_path, "ablation")
    with pytest.raises(RecordError, match="run the notebooks first"):
        result_records.read_all(tmp_path / "missing", "retrieval")


def test_read_named_keeps_the_order(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        result_records.write(result_records.make_record("test", name, INPUTS), tmp_path)
    assert [r["name"] for r in result_records.read_named(tmp_path, ["c", "a"])] == ["c", "a"]


@pytest.mark.parametrize(("key", "other"), [("profile", "full"), ("data_hash", "xyz")])
def test_records_of_other_data_cannot_stand_in_one_table(
    tmp_path: Path, key: str, other: str
) -> None:
    result_records.write(result_records.make_record("test", "a", INPUTS), tmp_path)
    result_records.write(result_records.make_record("test", "b", INPUTS | {key: other}), tmp_path)
    with pytest.raises(RecordError, match=f"a and b differ in {key}"):
        result_records.read_all(tmp_path, "test")
    with pytest.raises(RecordError, match=f"differ in {key}"):
        result_records.read_named(tmp_path, ["a", "b"])


def evaluation_of(n_queries: int) -> Evaluation:
    values = {metric: np.linspace(0, 1, n_queries) for metric in METRICS}
    scores = pd.DataFrame(values).assign(label=["Shirts", *["Ties"] * (n_queries - 1)][:n_queries])
    graded = scores[["mAP", "label"]].set_axis([*GRADED_METRICS, "label"], axis="columns")
    return Evaluation({"articleType": scores}, {"articleType": 7}, 50, graded, 8)


def test_summarise_by_hand() -> None:
    found = protocols.summarise(evaluation_of(3), seed=0)
    assert found["n_gallery"] == 50
    summary = found["labels"]["articleType"]
    assert (summary["n_queries"], summary["n_excluded"], summary["n_classes"]) == (3, 7, 2)
    assert list(summary["micro"]) == list(METRICS)
    assert summary["micro"]["mAP"]["value"] == 0.5  # (0 + 1/2 + 1) / 3
    assert summary["macro"]["mAP"]["value"] == 0.375  # (0 + (1/2 + 1) / 2) / 2
    assert summary["micro"]["mAP"]["low"] < 0.5 < summary["micro"]["mAP"]["high"]


def test_summarise_graded_by_hand() -> None:
    summary = protocols.summarise(evaluation_of(3), seed=0)["graded"]
    assert (summary["n_queries"], summary["n_excluded"], summary["n_classes"]) == (3, 8, 2)
    assert list(summary["micro"]) == list(summary["macro"]) == ["nDCG@10"]
    assert summary["micro"]["nDCG@10"]["value"] == 0.5
    assert summary["macro"]["nDCG@10"]["value"] == 0.375


def test_a_label_without_a_query_has_counts_only() -> None:
    found = protocols.summarise(evaluation_of(0), seed=0)
    assert found["labels"]["articleType"] == {"n_queries": 0, "n_excluded": 7, "n_classes": 0}
    assert found["graded"] == {"n_queries": 0, "n_excluded": 8, "n_classes": 0}


def test_the_best_model_comes_first() -> None:
    records = [
        retrieval_record("mobilenetv2", "cosine", 0.4),
        retrieval_record("resnet50", "manhattan", 0.6, preprocessing="pad"),
        retrieval_record("vgg16", "cosine", 0.6),
    ]
    table = tables.retrieval_table(
        records, protocol="held_out", label="articleType", metrics=["mAP"], letter=thesis_letter
    )
    # Equal values stand by name.
    assert table["model"].tolist() == ["resnet50-128-pad", "vgg16-128-resize",
                                       "mobilenetv2-128-resize"]  # fmt: skip
    assert table["thesis"].tolist() == ["f", "", "b"]
    assert table.loc[2, ["mAP", "mAP low", "mAP high"]].tolist() == pytest.approx([0.4, 0.3, 0.5])
    assert table.index.tolist() == [0, 1, 2]


def test_macro_means_on_request() -> None:
    records = [retrieval_record("vgg16", "cosine", 0.4)]
    table = tables.retrieval_table(
        records, protocol="held_out", label="articleType", metrics=["mAP"], average="macro"
    )
    assert table["mAP"].tolist() == [0]


def with_graded(record: dict, value: float) -> dict:
    """The record with a graded metric."""
    estimate = {"value": value, "low": value - 0.1, "high": value + 0.1}
    record["protocols"]["held_out"]["graded"] = {"micro": {"nDCG@10": estimate}}
    return record


def test_a_table_of_the_graded_metric() -> None:
    records = [
        with_graded(retrieval_record("mobilenetv2", "cosine", 0.4), 0.7),
        with_graded(retrieval_record("vgg16", "cosine", 0.6), 0.5),
    ]
    options = {"protocol": "held_out", "label": "graded", "metrics": ["nDCG@10"]}
    table = tables.retrieval_table(records, **options)
    assert table["model"].tolist() == ["mobilenetv2-128-resize", "vgg16-128-resize"]
    assert table["nDCG@10"].tolist() == [0.7, 0.5]
    assert table.loc[1, ["nDCG@10 low", "nDCG@10 high"]].tolist() == pytest.approx([0.4, 0.6])
    with pytest.raises(RecordError, match="has nothing on 'mAP'"):
        tables.retrieval_table(records, **options | {"metrics": ["mAP"]})


@pytest.mark.parametrize(
    ("protocol", "label", "metric", "missing"),
    [
        ("thesis", "articleType", "mAP", "'thesis'"),
        ("held_out", "season", "mAP", "'season'"),
        ("held_out", "articleType", "MRR", "'MRR'"),
        ("held_out", "graded", "nDCG@10", "'graded'"),  # a record from before it was measured
    ],
)
def test_what_a_record_lacks_is_named(protocol: str, label: str, metric: str, missing: str) -> None:
    with pytest.raises(RecordError, match=f"vgg16-128-resize-cosine has nothing on {missing}"):
        tables.retrieval_table(
            [retrieval_record("vgg16", "cosine", 0.4)],
            protocol=protocol, label=label, metrics=[metric],
        )  # fmt: skip


def seed_records(*values: float, weights: str = "trained") -> list[dict]:
    """One record a seed: mAP by articleType as given, nDCG@10 half of it."""
    records = []
    for seed, value in enumerate(values):
        record = retrieval_record(f"head-{weights}{seed}", "cosine", value)
        record["inputs"]["model"] |= {"embedding_dim": "128", "weights": weights}
        records.append(with_graded(record, value / 2))
    return records


def test_a_seed_table_by_hand() -> None:
    groups = {"single": seed_records(0.9), "three": iter(seed_records(0.2, 0.4, 0.6))}
    table = tables.seed_table(
        groups, protocol="held_out", metrics=[("articleType", "mAP"), ("graded", "nDCG@10")]
    )
    assert table.columns.tolist() == [
        "model", "seeds", "dim", "weights", "articleType mAP", "articleType mAP spread",
        "graded nDCG@10", "graded nDCG@10 spread",
    ]  # fmt: skip
    assert table["model"].tolist() == ["single", "three"]  # as given, not by value
    three = table.iloc[1]
    assert (three["seeds"], three["dim"], three["weights"]) == (3, 128, "trained")
    assert three["articleType mAP"] == pytest.approx(0.4)
    # Squares of the deviations -0.2, 0, 0.2 over n - 1 = 2.
    assert three["articleType mAP spread"] == pytest.approx(np.sqrt((0.04 + 0.04) / 2))
    assert three["graded nDCG@10"] == pytest.approx(0.2)
    assert three["graded nDCG@10 spread"] == pytest.approx(0.1)
    assert table.loc[0, "articleType mAP"] == 0.9
    assert np.isnan(table.loc[0, "articleType mAP spread"])  # one seed says nothing of it


def test_a_seed_table_of_macro_means_and_of_seeds_that_are_the_weights() -> None:
    records = [*seed_records(0.5, weights="seed1"), *seed_records(0.7, weights="seed2")]
    table = tables.seed_table(
        {"chance": records}, protocol="held_out", metrics=[("articleType", "mAP")], average="macro"
    )
    assert table.loc[0, "weights"] == "seed1, seed2"
    assert table.loc[0, "articleType mAP"] == 0


def test_a_seed_table_refuses_what_it_cannot_average() -> None:
    options = {"protocol": "held_out", "metrics": [("articleType", "mAP")]}
    records = seed_records(0.2, 0.4)
    with pytest.raises(RecordError, match="'SupCon' has no record"):
        tables.seed_table({"SupCon": []}, **options)
    with pytest.raises(RecordError, match="'SupCon' holds the same record twice"):
        tables.seed_table({"SupCon": [*records, records[0]]}, **options)
    with pytest.raises(RecordError, match="head-trained0-128-resize-cosine has nothing on 'usage'"):
        tables.seed_table({"SupCon": records}, protocol="held_out", metrics=[("usage", "mAP")])
    other = seed_records(0.3, weights="other")
    other[0]["inputs"]["data_hash"] = "xyz"
    with pytest.raises(RecordError, match="differ in data_hash"):
        tables.seed_table({"SupCon": records, "hybrid": other}, **options)


def test_comparison_table() -> None:
    def compared(first: str, low: float, high: float) -> dict:
        difference = {"value": 0.02, "low": low, "high": high}
        inputs = INPUTS | {"first": first, "second": "b"}
        return result_records.make_record(
            "comparison", first, inputs, differences={"mAP": difference}
        )

    records = [compared("a", 0.01, 0.03), compared("c", -0.01, 0.05), compared("d", 0, 0.04)]
    table = tables.comparison_table(records, "mAP")
    assert table["comparison"].tolist() == ["a − b", "c − b", "d − b"]
    assert table["outside the noise"].tolist() == [True, False, False]
    assert table["low"].tolist() == [0.01, -0.01, 0]
    assert tables.comparison_table([], "mAP").empty


def test_numbers_are_stored_to_six_digits() -> None:
    assert intervals.rounded(np.float32(1 / 3)) == 0.333333
    assert json.dumps(intervals.rounded(np.float64(2 / 3))) == "0.666667"


def test_the_letter_of_the_thesis_is_not_given_to_transformed_embeddings() -> None:
    record = retrieval_record("mobilenetv2", "cosine", 0.4)
    record["inputs"]["model"]["transform"] = "l2"
    table = tables.retrieval_table(
        [record], protocol="held_out", label="articleType", metrics=["mAP"], letter=thesis_letter
    )
    assert table["thesis"].tolist() == [""]


def test_records_that_cannot_stand_in_one_table_are_named() -> None:
    one, other = retrieval_record("net", "cosine", 0.4), retrieval_record("net", "euclidean", 0.4)
    result_records.require_same([one, other])
    other["inputs"]["data_hash"] = "another"
    result_records.require_same([one, other], ["profile"])
    with pytest.raises(RecordError, match="net-128-resize-cosine and .* differ in data_hash"):
        result_records.require_same([one, other])
    other["inputs"] |= {"profile": "full", "data_hash": "abc"}
    with pytest.raises(RecordError, match=r"differ in profile \(quick, full\)"):
        result_records.require_same([one, other])


def asked_table(record: dict, metric: str, label: str = "articleType") -> pd.DataFrame:
    return tables.retrieval_table([record], protocol="held_out", label=label, metrics=[metric])


def test_a_label_of_one_class_is_named() -> None:
    record = retrieval_record("net", "cosine", 1.0)
    found = record["protocols"]["held_out"]["labels"]["articleType"]
    found["n_classes"] = 2
    assert asked_table(record, "mAP").loc[0, "mAP"] == 1.0
    found["n_classes"] = 1
    fault = r"net-128-resize-cosine knows one class only \(protocol held_out, label articleType\)"
    with pytest.raises(RecordError, match=fault):
        asked_table(record, "mAP")


@pytest.mark.parametrize(
    ("metric", "n_gallery", "is_refused"),
    [("precision@10", 9, True), ("precision@10", 10, False), ("hit_rate@1", 9, False),
     ("mAP", 2, False), ("MAP@R", 2, False)],
)  # fmt: skip
def test_a_cut_off_above_the_gallery_is_named(
    metric: str, n_gallery: int, is_refused: bool
) -> None:
    record = retrieval_record("net", "cosine", 0.5)
    held_out = record["protocols"]["held_out"]
    held_out["n_gallery"] = n_gallery
    micro = held_out["labels"]["articleType"]["micro"]
    micro[metric] = micro["mAP"]
    if not is_refused:
        assert asked_table(record, metric).loc[0, metric] == 0.5
        return
    with pytest.raises(RecordError, match="searched 9 products .*precision@10 reads beyond"):
        asked_table(record, metric)


def test_records_of_a_sample_are_grouped_apart(tmp_path: Path) -> None:
    for backbone, n_products, data_hash in (("a", 5, "s"), ("b", 9, "all"), ("c", 5, "s")):
        record = retrieval_record(
            backbone, "cosine", 0.5, n_products=n_products, data_hash=data_hash
        )
        result_records.write(record, tmp_path)
    groups = result_records.read_by_products(tmp_path, "retrieval")
    assert [[record["inputs"]["model"]["backbone"] for record in group] for group in groups] == [
        ["b"], ["a", "c"],
    ]  # fmt: skip
    with pytest.raises(RecordError, match="no ablation record"):
        result_records.read_by_products(tmp_path, "ablation")
    result_records.write(retrieval_record("d", "cosine", 0.5, profile="full"), tmp_path)
    with pytest.raises(RecordError, match="differ in profile"):
        result_records.read_by_products(tmp_path, "retrieval")


def test_what_a_record_was_scored_by() -> None:
    record = retrieval_record("net", "cosine", 0.5)
    assert record.has_scores("held_out", "articleType")
    assert not record.has_scores("held_out", "season")
    assert not record.has_scores("held_out", "graded")
    assert not record.has_scores("unseen", "articleType")


def test_what_is_measured_is_named_and_what_is_not_is_said(tmp_path: Path, capsys) -> None:
    for name in ("b-cosine", "a-cosine", "a"):
        (tmp_path / f"{name}.json").touch()
    assert result_records.measured(tmp_path, ["b", "c", "a"], ending="-cosine") == ["b", "a"]
    assert capsys.readouterr().out == "not measured yet: c-cosine\n"
    assert result_records.measured(tmp_path, ["a"]) == ["a"]
    assert capsys.readouterr().out == ""
