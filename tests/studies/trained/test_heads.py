"""heads: one head trained on a small drawn catalogue, and what is made of what it says."""

import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.labels import LabelClasses
from fashion_rir.data.splits import Split
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import protocols, rankings
from fashion_rir.search import transforms
from fashion_rir.studies import names as studies_names
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import heads as trained_heads
from fashion_rir.studies.trained.heads import (
    HeadPlan,
    HeadRun,
    choose_temperature,
    run_head,
)
from fashion_rir.training import heads as training_heads
from fashion_rir.training.fit import Training, TrainingSettings
from fashion_rir.training.heads import HeadSettings
from fashion_rir.training.objectives import Classification
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import joint_name

SEED, SPLIT_SEED = 21, 20
N = 80
RESIZED, PADDED, RESNET50 = "mobilenetv2-128-resize", "mobilenetv2-128-pad", "resnet50-96-pad"
DIMS = {RESIZED: 8, PADDED: 8, RESNET50: 12}
SETTINGS = HeadSettings(hidden=16, label_smoothing=0.0)
FITTING = TrainingSettings(epochs=2, batch_size=8, learning_rate=0.05)


@pytest.fixture(scope="module")
def parts(shop: Catalog) -> Split:
    return splits.split(shop.products, seed=SPLIT_SEED)


@pytest.fixture(scope="module")
def stored(shop: Catalog) -> dict[str, Embedded]:
    """Embeddings by model: chance, but that products of one type lie together."""
    types = pd.factorize(shop.products["articleType"])[0]
    found = {}
    for number, (name, dim) in enumerate(DIMS.items()):
        generator = np.random.default_rng(number)
        matrix = generator.normal(size=(N, dim)) + 3 * generator.normal(size=(N, dim))[types]
        backbone, size, preprocessing = name.split("-")
        found[name] = matrix.astype(np.float32), {
            "model": name, "backbone": backbone, "image_size": size,
            "preprocessing": preprocessing, "weights": "none-seed0", "weights_sha256": "a" * 64,
            "embedding_dim": str(dim), "data_hash": shop.data_hash,
        }  # fmt: skip
    return found


@pytest.fixture(scope="module")
def both(stored: dict[str, Embedded]) -> list[Embedded]:
    return [stored[RESIZED], stored[RESNET50]]


def train(
    workspace: Workspace, shop: Catalog, models: list[Embedded], **changes: object
) -> HeadRun:
    plan = dataclasses.replace(HeadPlan("dense16", SETTINGS, FITTING, SEED), **changes)
    return run_head(Study(workspace, shop, SPLIT_SEED), models, plan)


@pytest.fixture(scope="module")
def run(workspace: Workspace, shop: Catalog, both: list[Embedded]) -> HeadRun:
    return train(workspace, shop, both)


def fail(*_: object, **__: object) -> None:
    raise AssertionError("trained again")


def test_the_record_says_what_was_trained(workspace, shop, parts, run) -> None:
    record = run.record
    name = f"dense16-{joint_name([RESIZED, RESNET50])}-seed21"
    assert run.name == record["name"] == name
    assert result_records.read(workspace.results, run.name) == json.loads(json.dumps(record))
    assert record["kind"] == "training"
    inputs = record["inputs"]
    assert (inputs["profile"], inputs["data_hash"]) == ("quick", shop.data_hash)
    assert inputs["n_products"] == N
    counts = [inputs["n_fit"], inputs["n_validation"], inputs["n_test"]]
    assert counts == [parts.is_fit.sum(), parts.is_validation.sum(), parts.is_test.sum()]
    assert min(counts) > 0
    assert (inputs["run"], inputs["label"]) == ("dense16", "articleType")
    assert (inputs["seed"], inputs["split_seed"]) == (SEED, SPLIT_SEED)
    assert inputs["head"] == dataclasses.asdict(SETTINGS)
    assert inputs["stages"] == {"head": dataclasses.asdict(FITTING)}
    assert (inputs["n_without_class"], inputs["n_untrained_class"]) == (0, 0)
    assert inputs["model"]["features"] == f"{RESIZED}+{RESNET50}"
    assert inputs["model"]["features_sha256"] == "a" * 64 + "+" + "a" * 64
    assert [row["epoch"] for row in record["curve"]] == [1, 2]
    assert set(record["curve"][0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert list(record["timings"]) == ["training_seconds"]


def test_the_head_says_something_of_every_product(shop, parts, run) -> None:
    types = shop.products["articleType"]
    logits, codes, classes = (one["articleType"] for one in (run.logits, run.codes, run.classes))
    assert [classes.names[code] for code in codes] == types.tolist()
    assert set(classes.names) == set(types)
    assert logits.shape == (N, len(classes))
    assert run.hidden.shape == (N, 16)
    assert run.hidden.min() == 0 < run.hidden.max()  # behind the ReLU
    is_right = logits.argmax(axis=1) == codes
    found = run.record["accuracy"]["micro"]
    assert found == pytest.approx(is_right[parts.is_test].mean(), abs=1e-6)
    assert is_right[parts.is_fit].mean() > 2 * max(np.bincount(codes)) / N  # it has learned


def test_a_second_call_takes_the_finished_weights(workspace, shop, both, run, monkeypatch) -> None:
    monkeypatch.setattr(keras.Model, "fit", fail)
    again = train(workspace, shop, both)
    np.testing.assert_array_equal(again.logits["articleType"], run.logits["articleType"])
    assert again.metadata == run.metadata
    assert again.record == run.record  # the time of the training, too
    with pytest.raises(AssertionError, match="trained again"):
        train(workspace, shop, both, seed=SEED + 1)


def test_the_same_seed_gives_the_same_head(tmp_path, shop, both, run) -> None:
    elsewhere = train(Workspace(tmp_path, "quick"), shop, both)
    np.testing.assert_allclose(
        elsewhere.logits["articleType"], run.logits["articleType"], rtol=0, atol=1e-5
    )
    assert elsewhere.record["inputs"] == run.record["inputs"]
    other = train(Workspace(tmp_path, "quick"), shop, both, seed=SEED + 1)
    assert np.abs(other.logits["articleType"] - run.logits["articleType"]).max() > 0.01
    assert other.name != run.name
    assert other.record["inputs"]["n_test"] == run.record["inputs"]["n_test"]  # the same split


def test_a_class_that_only_test_products_have_is_left_out(tmp_path, shop, parts, both) -> None:
    table = shop.products.copy()
    first, second = np.flatnonzero(parts.is_test)[:2]
    fit = np.flatnonzero(parts.is_fit)[0]
    table.loc[[first, second], "baseColour"] = "Ultraviolet"
    table.loc[fit, "baseColour"] = None
    dyed = dataclasses.replace(shop, products=table)
    run = train(Workspace(tmp_path, "quick"), dyed, both, labels=("baseColour",))
    inputs, known = run.record["inputs"], run.classes["baseColour"].names
    colours = table["baseColour"].tolist()
    learned = [c for c, is_fit in zip(colours, parts.is_fit, strict=True) if is_fit]
    assert set(known) == {colour for colour in learned if isinstance(colour, str)}
    assert "Ultraviolet" not in known
    in_training = {c for c, is_test in zip(colours, parts.is_test, strict=True) if not is_test}
    unseen = [n for n, c in enumerate(colours) if isinstance(c, str) and c not in in_training]
    assert {first, second} <= set(unseen)
    assert inputs["n_untrained_class"] == len(unseen)
    assert inputs["n_without_class"] == sum(colour not in known for colour in colours)
    assert inputs["n_without_class"] > len(unseen)
    assert (run.codes["baseColour"][[first, second, fit]] == -1).all()


def test_embeddings_of_another_catalogue_are_refused(workspace, shop, both, stored) -> None:
    fewer = [(matrix[:-1], metadata) for matrix, metadata in both]
    with pytest.raises(ParameterError, match="79 embeddings do not fit 80 products"):
        train(workspace, shop, fewer)
    with pytest.raises(ParameterError, match=r"same products, not of \[80, 79\]"):
        train(workspace, shop, [stored[PADDED], fewer[0]])


def test_an_embedding_of_a_head_says_how_it_was_made(run) -> None:
    logits = run.logits["articleType"]
    vectors, metadata = run.embedding("posterior", logits[:, ::-1].astype(float), power=0.5)
    assert vectors.dtype == np.float32
    assert vectors.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(vectors, logits[:, ::-1])
    assert metadata["model"] == f"{run.name}-posterior"
    assert metadata["searched"] == "posterior"
    assert metadata["training"] == run.record["inputs_hash"]
    assert metadata["embedding_dim"] == len(run.classes["articleType"])
    assert metadata["power"] == 0.5
    assert metadata["weights_sha256"] == run.metadata["weights_sha256"]
    assert metadata["features"] == f"{RESIZED}+{RESNET50}"


def believing(run: HeadRun, posterior: list[list[float]], seed: int) -> HeadRun:
    """A head of two classes that says so of each product."""
    return dataclasses.replace(
        run,
        name=f"probe-resnet50-seed{seed}",
        logits={"articleType": np.log(np.array(posterior, dtype=np.float32))},
        classes={"articleType": LabelClasses("articleType", ("Shirts", "Ties"))},
        hidden=np.zeros((len(posterior), 16)),
        metadata={
            "run": "probe",
            "features": "resnet50",
            "seed": seed,
            "label": "articleType",
            "training": f"hash-of-{seed}",
            "weights_sha256": str(seed) * 32,
        },
    )


def test_an_ensemble_averages_posteriors(run) -> None:
    one = believing(run, [[0.9, 0.1], [0.5, 0.5]], 20)
    two = believing(run, [[0.5, 0.5], [0.1, 0.9]], 21)
    both = trained_heads.ensemble([one, two])
    np.testing.assert_allclose(
        training_heads.posterior(both.logits["articleType"]), [[0.7, 0.3], [0.3, 0.7]], rtol=1e-6
    )
    assert both.name == "probe-resnet50-seeds20+21"
    assert both.metadata == {
        "run": "probe", "features": "resnet50", "seed": "20+21", "label": "articleType",
        "training": "hash-of-20+hash-of-21", "weights_sha256": "202020202020+212121212121",
    }  # fmt: skip
    assert both.hidden.shape == (2, 0)
    assert both.record == run.record


def test_an_ensemble_is_of_one_kind(run) -> None:
    one = believing(run, [[0.9, 0.1]], 20)
    gender = dataclasses.replace(one, classes={"gender": LabelClasses("gender", ("Men", "Women"))})
    for several, n_kinds in (([], 0), ([one, gender], 2)):
        with pytest.raises(ParameterError, match=f"one set of classes, not of {n_kinds}"):
            trained_heads.ensemble(several)
    with pytest.raises(ParameterError, match="logits of one shape"):
        trained_heads.ensemble([one, believing(run, [[0.9, 0.1]] * 2, 21)])


def test_joint_features_by_hand() -> None:
    joint = transforms.joint_features([np.array([[3.0, 4], [0, 0]]), np.array([[-2.0], [5]])])
    np.testing.assert_allclose(joint, [[0.6, 0.8, -1], [0, 0, 1]])


def unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def test_a_joint_model_is_as_similar_as_its_parts_in_the_mean(stored) -> None:
    vectors, metadata = stores.joint_model(list(stored.values()))
    assert vectors.dtype == np.float32
    assert vectors.shape == (N, 8 + 8 + 12)
    for part in np.split(vectors, [8, 16], axis=1):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, rtol=1e-6)
    cosines = [unit(matrix) @ unit(matrix).T for matrix, _ in stored.values()]
    np.testing.assert_allclose(unit(vectors) @ unit(vectors).T, np.mean(cosines, axis=0), atol=1e-6)
    assert metadata["model"] == joint_name([RESIZED, PADDED, RESNET50])
    assert metadata["weights"] == "none-seed0+none-seed0+none-seed0"
    assert metadata["embedding_dim"] == 28


def test_nothing_side_by_side() -> None:
    with pytest.raises(ParameterError, match=r"same products, not of \[\]"):
        transforms.joint_features([])


def mean_average_precision(
    vectors: np.ndarray, codes: np.ndarray, queries: np.ndarray, in_gallery: np.ndarray
) -> float:
    """By cosine, of some products that ask among others, themselves left out."""
    ranked = rankings.rank_rows(vectors, queries, np.flatnonzero(in_gallery))
    return rankings.mean_average_precision(ranked, codes)


ANGLES = np.radians([0, 10, 20, 30, 170])  # of five products around the first
AROUND = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
EVERYONE = np.ones(5, dtype=bool)


def test_mean_average_precision_by_hand() -> None:
    codes = np.array([0, 1, 0, 0, 2])
    first = (1 / 2 + 2 / 3) / 2  # finds 1, 2, 3, 4, and is itself left out
    found = mean_average_precision(AROUND, codes, np.array([0]), EVERYONE)
    assert found == pytest.approx(first)
    last = (1 / 1 + 2 / 3) / 2  # the fourth product finds 2, 1, 0, 4
    found = mean_average_precision(AROUND, codes, np.array([0, 3]), EVERYONE)
    assert found == pytest.approx((first + last) / 2)
    alone = mean_average_precision(AROUND, codes, np.array([0, 4]), EVERYONE)
    assert alone == pytest.approx(first)  # nobody is of the last product's class
    fewer = EVERYONE & (np.arange(5) != 2)
    assert mean_average_precision(AROUND, codes, np.array([0]), fewer) == pytest.approx(1 / 2)


def test_products_without_a_class_neither_ask_nor_are_found() -> None:
    codes = np.array([0, -1, 0, -1, -1])
    found = mean_average_precision(AROUND, codes, np.array([0, 1]), EVERYONE)
    assert found == pytest.approx(1 / 2)


def test_without_any_pair_there_is_no_average_precision() -> None:
    for codes in ([0, 1, 2, 3, 4], [0, -1, -1, -1, -1]):
        with pytest.raises(ParameterError, match="No query shares its class"):
            mean_average_precision(AROUND, np.array(codes), np.array([0, 1]), EVERYONE)


@pytest.mark.parametrize("label", ["articleType", "baseColour"])  # some have no colour
def test_mean_average_precision_equals_the_evaluation(shop, parts, stored, label) -> None:
    vectors, codes = stored[RESIZED][0], pd.factorize(shop.products[label])[0]
    found = mean_average_precision(vectors, codes, np.flatnonzero(parts.is_test), np.ones(N, bool))
    full = protocols.evaluate(vectors, shop.products, parts.is_test, measure="cosine")
    assert found == pytest.approx(full["held_out"].scores[label]["mAP"].mean(), abs=1e-9)


@pytest.fixture
def opinions() -> tuple[np.ndarray, np.ndarray, Split]:
    """Logits of 90 products that are half right, their classes, and three equal parts."""
    generator = np.random.default_rng(4)
    codes = generator.integers(0, 4, 90)
    logits = generator.normal(size=(90, 4)) + 1.5 * np.eye(4)[codes]
    place = np.arange(90) % 3
    return logits.astype(np.float32), codes, Split(place == 0, place == 1, place == 2)


def test_the_best_temperature_is_chosen(opinions) -> None:
    logits, codes, parts = opinions
    best, table = choose_temperature(logits, codes, parts, seed=SEED)
    assert table["temperature"].tolist() == list(trained_heads.TEMPERATURES)
    scores = [
        mean_average_precision(
            training_heads.posterior_embedding(logits, temperature=temperature), codes,
            np.flatnonzero(parts.is_validation), ~parts.is_test,
        )
        for temperature in trained_heads.TEMPERATURES
    ]  # fmt: skip
    assert table["validation mAP"].tolist() == pytest.approx(scores)
    assert len(set(scores)) > 1
    assert best == trained_heads.TEMPERATURES[int(np.argmax(scores))]


def test_no_test_product_has_a_say(opinions) -> None:
    logits, codes, parts = opinions
    best, table = choose_temperature(logits, codes, parts, seed=SEED)

    def with_other_opinions(is_changed: np.ndarray) -> tuple[float, pd.DataFrame]:
        changed, renamed = logits.copy(), codes.copy()
        changed[is_changed] = changed[is_changed, ::-1] * 5
        renamed[is_changed] = 0
        return choose_temperature(changed, renamed, parts, seed=SEED)

    other, other_table = with_other_opinions(parts.is_test)
    assert other == best
    pd.testing.assert_frame_equal(other_table, table, check_exact=True)
    assert not with_other_opinions(parts.is_fit)[1].equals(table)  # these have


def test_some_validation_products_ask(opinions) -> None:
    logits, codes, parts = opinions
    codes = np.where(np.arange(90) < 30, -1, codes)  # a third of them has no class
    asking = np.flatnonzero(parts.is_validation)[10:]
    drawn = np.random.default_rng(SEED).permutation(asking)[:5]
    _, table = choose_temperature(logits, codes, parts, n_queries=5, seed=SEED)
    vectors = training_heads.posterior_embedding(logits, temperature=trained_heads.TEMPERATURES[0])
    expected = mean_average_precision(vectors, codes, drawn, ~parts.is_test)
    assert table["validation mAP"][0] == pytest.approx(expected)


def test_a_temperature_needs_validation_products(opinions) -> None:
    logits, codes, parts = opinions
    nobody = dataclasses.replace(parts, is_validation=np.zeros(90, dtype=bool))
    with pytest.raises(ParameterError, match="no validation product to choose a temperature by"):
        choose_temperature(logits, codes, nobody, seed=SEED)
    with pytest.raises(ParameterError, match="no validation product to choose a temperature by"):
        choose_temperature(logits, np.full(90, -1), parts, seed=SEED)


def untrained(examples: tuple, objective: Classification, settings: HeadSettings,
              training: Training, **_: object) -> tuple:  # fmt: skip
    """In place of `heads.train_head`, for names alone."""
    n_classes = {label: len(known) for label, known in objective.classes.items()}
    model = training_heads.build_head(examples[0], settings, n_classes, seed=training.seed)
    return training_heads.Head(model), pd.DataFrame()


def test_a_probe_has_no_hidden_layer(tmp_path, shop, both, monkeypatch) -> None:
    monkeypatch.setattr(training_heads, "train_head", untrained)
    settings = trained_heads.LABEL_HEADS["probe"]
    run = run_head(
        Study(Workspace(tmp_path, "quick"), shop, SPLIT_SEED), both,
        HeadPlan("probe", settings, FITTING, SEED),
    )  # fmt: skip
    assert run.hidden.shape == (N, 0)
    assert run.logits["articleType"].shape == (N, len(run.classes["articleType"]))


@pytest.fixture(scope="module")
def cost_records(
    tmp_path_factory: pytest.TempPathFactory, shop: Catalog, parts: Split,
    stored: dict[str, Embedded],
) -> list[dict]:  # fmt: skip
    """The retrieval records of two seeds, made as notebook 04 makes them."""
    workspace = Workspace(tmp_path_factory.mktemp("costs"), "quick")

    def score(model: Embedded) -> None:
        scoring.retrieval(
            Study(workspace, shop, SPLIT_SEED),
            model,
            parts.is_test,
            measure="cosine",
            protocols=("held_out",),
        )

    def score_posterior(run: HeadRun) -> None:
        vectors = training_heads.posterior_embedding(run.logits["articleType"])
        score(run.embedding("posterior", vectors))

    joint = stores.joint_model(list(stored.values()))
    for model in (stored[RESIZED], stored[RESNET50], joint):
        score(model)
    both = (RESIZED, RESNET50)
    kinds = (("probe", both), *(("dense512", names) for names in
             ((RESIZED,), (RESNET50,), both, tuple(stored))))  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_heads, "train_head", untrained)
        for kind, names in kinds:
            models, settings = [stored[name] for name in names], trained_heads.LABEL_HEADS[kind]
            runs = [
                run_head(
                    Study(workspace, shop, SPLIT_SEED), models,
                    HeadPlan(kind, settings, FITTING, seed),
                )
                for seed in (20, 21)
            ]  # fmt: skip
            for run in runs:
                score_posterior(run)
    score_posterior(trained_heads.ensemble(runs))
    score(runs[0].embedding("hidden", runs[0].hidden))
    for share in studies_names.RAW_SHARES:
        score(runs[0].embedding("posterior", joint[0], raw_share=share))
    return result_records.read_all(workspace.results, "retrieval")


def test_cost_groups_name_what_is_written(cost_records) -> None:
    groups = studies_names.cost_groups((RESIZED, PADDED, RESNET50), (20, 21))
    named = [name for group in groups.values() for name in group]
    assert sorted(named) == sorted(record["name"] for record in cost_records)
    of_two_seeds = {group for group, names in groups.items() if len(names) == 2}
    assert of_two_seeds == {"probe on both", "head on MobileNetV2", "head on ResNet50",
                            "head on both", "head on all three"}  # fmt: skip
    dims = {record["name"]: record["inputs"]["model"]["embedding_dim"] for record in cost_records}
    assert [dims[groups[f"{what} as it is"][0]] for what in ("MobileNetV2", "ResNet50")] == [
        "8", "12",
    ]  # fmt: skip
    assert dims[groups["all three as they are"][0]] == "28"
    assert dims[groups["its hidden layer"][0]] == "512"


def test_cost_pairs_compare_each_group_with_the_best_head_once(cost_records) -> None:
    groups = studies_names.cost_groups((RESIZED, PADDED, RESNET50), (20, 21))
    pairs = studies_names.cost_pairs(groups)
    written = {record["name"] for record in cost_records}
    assert {name for first, second, _ in pairs for name in (first, second)} <= written
    head = groups["head on all three"][0]
    others = [first if second == head else second for first, second, _ in pairs]
    assert all(head in pair[:2] and pair[0] != pair[1] for pair in pairs)
    assert len(others) == len(set(others)) == 8 + len(studies_names.RAW_SHARES)
    assert others[7] == groups["heads of all seeds"][0]
    assert {label for *_, label in pairs} == {"articleType"}
