"""thresholds: each experiment on a small drawn catalogue, counted again by brute force."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop
from fashion_rir.data.splits import sample_queries
from fashion_rir.embedding import floors
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import thresholds as evaluation_thresholds
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.transforms import fit_whitening
from fashion_rir.studies.pretrained import thresholds as pretrained_thresholds
from fashion_rir.studies.pretrained.thresholds import calibrate, cross_model, open_set, replay
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

SEED = 5
N = 120
IS_QUERY = np.arange(N) % 3 == 0
OUTSIDERS = floors.random_embeddings(20, seed=9) * 3


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A drawn catalogue of 120 products."""
    return catalog.load(shop.generate(tmp_path_factory.mktemp("drawn") / "shop", n_products=N))


@pytest.fixture(scope="module")
def untyped(products: Catalog) -> Catalog:
    """The same, but for a query without an articleType."""
    table = products.products.copy()
    table.loc[table.index[0], "articleType"] = None
    return dataclasses.replace(products, products=table)


@pytest.fixture(scope="module")
def types(products: Catalog) -> list[str]:
    return products.products["articleType"].tolist()


@pytest.fixture(scope="module")
def model(types: list[str]) -> Embedded:
    """Chance, but that products of one type lie together; called by the thesis' names."""
    codes = np.unique(types, return_inverse=True)[1]
    matrix = floors.random_embeddings(N, seed=0) + floors.random_embeddings(N, seed=1)[codes]
    names = {"model": "mobilenetv2-128-resize", "backbone": "mobilenetv2"}
    return 2 * matrix, floors.random_metadata(0) | names | {"preprocessing": "resize"}


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a.astype(np.float64) - b) ** 2).sum()))


def written(workspace: Workspace, record: dict) -> dict:
    """The record as it was read back; checks that it is the same."""
    found = result_records.read(workspace.results, record["name"])
    assert found == json.loads(json.dumps(record))
    return found


def test_queries_are_drawn_from_the_test_products() -> None:
    is_test = np.arange(50) < 20
    chosen = sample_queries(is_test, 8, seed=1)
    assert chosen.shape == (50,)
    assert chosen.sum() == 8
    assert not chosen[20:].any()
    assert (chosen == sample_queries(is_test, 8, seed=1)).all()
    assert (chosen != sample_queries(is_test, 8, seed=2)).any()
    assert (sample_queries(is_test, 99, seed=1) == is_test).all()


@pytest.mark.parametrize(("n_test", "n_queries"), [(20, 0), (20, -1), (0, 5)])
def test_without_any_query_there_is_no_study(n_test: int, n_queries: int) -> None:
    with pytest.raises(ParameterError, match=f"not {n_queries} drawn from {n_test} test products"):
        sample_queries(np.arange(50) < n_test, n_queries, seed=1)


def test_a_replay_counts_one_query_as_a_loop_does(workspace, products, model, types) -> None:
    matrix, row = model[0], 17
    is_query = np.arange(N) == row
    record = replay(Study(workspace, products, SEED), {"m": model}, is_query)
    assert record["kind"] == "threshold_replay"
    assert written(workspace, record)["inputs"]["n_queries"] == 1
    found = {r["threshold"]: r for r in record["rows"] if r["measure"] == "euclidean"}
    assert list(found) == [18, 22, 20, 19]
    for value, counted in found.items():
        near = [n for n in range(N) if n != row and distance(matrix[row], matrix[n]) <= value]
        matches = sum(types[n] == types[row] for n in near)
        for share in ("median", "10 %", "90 %"):
            assert counted[f"matches {share}"] == matches
            assert counted[f"misses {share}"] == len(near) - matches
    assert found[18]["matches median"] < found[22]["matches median"]  # the data tell them apart


def test_a_replay_sums_up_all_queries(workspace, products, model, types) -> None:
    record = replay(Study(workspace, products, SEED), {"m": model}, IS_QUERY)
    (found,) = [r for r in record["rows"] if (r["measure"], r["threshold"]) == ("euclidean", 20)]
    matches = [
        sum(types[n] == types[q] and distance(model[0][q], model[0][n]) <= 20
            for n in range(N) if n != q)
        for q in np.flatnonzero(IS_QUERY)
    ]  # fmt: skip
    assert found["model"] == "mobilenetv2-128-resize"
    assert found["matches median"] == np.median(matches)
    assert found["matches 90 %"] == pytest.approx(np.percentile(matches, 90))
    assert found["queries without a match"] == pytest.approx(matches.count(0) / 40)


def test_a_replay_takes_the_thesis_thresholds_of_each_model(workspace, products, model) -> None:
    padded = model[0], model[1] | {"model": "r", "backbone": "resnet50", "preprocessing": "pad"}
    other = model[0], model[1] | {"backbone": "chance"}
    models = {"m": model, "r": padded, "other": other}
    rows = replay(Study(workspace, products, SEED), models, IS_QUERY)["rows"]
    found = [(row["model"], row["measure"], row["threshold"]) for row in rows]
    assert len(found) == 4 + 4 + 3 + 4
    assert found[-4:] == [("r", "manhattan", value) for value in (325, 425, 450, 434)]
    assert found[4:8] == [(found[0][0], "cosine", value) for value in (0.15, 0.25, 0.2, 0.22)]


def test_calibrating_and_checking_queries_are_different_ones(
    workspace, products, model, types, monkeypatch
) -> None:
    seen = []

    def spy(distances, is_match):
        seen.append((distances, is_match))
        return curve_of(distances, is_match)

    curve_of = evaluation_thresholds.threshold_curve
    monkeypatch.setattr(evaluation_thresholds, "threshold_curve", spy)
    record = calibrate(Study(workspace, products, SEED), model, IS_QUERY, measure="euclidean")
    (calibrating, _), (checking, is_match) = seen
    assert len(calibrating) == len(checking) == 20
    own = Gallery(model[0][~IS_QUERY], np.flatnonzero(~IS_QUERY), "euclidean")
    expected = np.sort(own.distances(model[0][IS_QUERY]), axis=1)  # no query is in the gallery
    both = np.sort(np.concatenate([calibrating, checking]), axis=1)
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(expected, axis=0), rtol=1e-5)
    assert not any(np.allclose(c, d) for c in calibrating for d in checking)
    for row in record["thresholds"]:
        if "note" not in row:
            is_accepted = checking <= row["threshold"] + 1e-6  # it is stored rounded
            assert row["precision on other queries"] == pytest.approx(
                is_match[is_accepted].mean(), abs=1e-6
            )
            assert row["recall on other queries"] == pytest.approx(
                is_accepted[is_match].mean(), abs=1e-6
            )
            assert row["FMR on other queries"] == pytest.approx(
                is_accepted[~is_match].mean(), abs=1e-6
            )


def test_a_calibration_keeps_what_was_wanted_on_its_own_half(workspace, products, model) -> None:
    record = calibrate(Study(workspace, products, SEED), model, IS_QUERY, measure="cosine")
    assert record["kind"] == "threshold_calibration"
    written(workspace, record)
    wanted = [(row["wanted"], row["value"]) for row in record["thresholds"]]
    assert wanted == [("precision", p) for p in (0.5, 0.8, 0.9, 0.95)] + [
        ("false match rate", rate) for rate in (0.01, 0.001)
    ]
    reached = [row for row in record["thresholds"] if "note" not in row]
    assert len(reached) >= 4
    for row in reached:
        kept = row["precision"] >= row["value"] if row["wanted"] == "precision" else (
            row["FMR"] <= row["value"])  # fmt: skip
        assert kept
        assert row["FNMR"] == pytest.approx(1 - row["recall"], abs=2e-6)
    lengths = {len(values) for values in record["curve"].values()}
    assert len(lengths) == 1 and 10 < lengths.pop() <= 200
    assert record["curve"]["recall"] == sorted(record["curve"]["recall"])
    assert record["curve"]["recall"][-1] == 1


def test_stability_by_query_and_class(workspace, products, model, types, monkeypatch) -> None:
    monkeypatch.setattr(pretrained_thresholds, "MIN_CLASS_QUERIES", 2)
    record = calibrate(Study(workspace, products, SEED), model, IS_QUERY, measure="euclidean")
    order = np.random.default_rng(SEED).permutation(np.flatnonzero(IS_QUERY))
    checking, others = order[20:], np.flatnonzero(~IS_QUERY)
    limit = record["by_query"]["threshold"] + 1e-6
    assert record["by_query"]["threshold"] == record["thresholds"][0]["threshold"]
    matches, accepted, relevant = {}, {}, {}
    for q in checking:
        near = [n for n in others if distance(model[0][q], model[0][n]) <= limit]
        matches[q], accepted[q] = sum(types[n] == types[q] for n in near), len(near)
        relevant[q] = sum(types[n] == types[q] for n in others)
    precisions = [matches[q] / accepted[q] for q in checking if accepted[q]]
    assert record["by_query"]["precision 50 %"] == pytest.approx(np.median(precisions), abs=1e-6)
    assert record["by_query"]["queries without any result"] == (20 - len(precisions)) / 20
    shirts = [q for q in checking if types[q] == "Tshirts"]
    (found,) = [row for row in record["by_class"] if row["articleType"] == "Tshirts"]
    total = sum(matches[q] for q in shirts)
    assert found["queries"] == len(shirts)
    assert found["precision"] == pytest.approx(total / sum(accepted[q] for q in shirts), abs=1e-6)
    assert found["recall"] == pytest.approx(total / sum(relevant[q] for q in shirts), abs=1e-6)


def test_a_threshold_that_accepts_nothing_elsewhere_is_told(workspace, products, model) -> None:
    matrix = model[0].copy()
    order = np.random.default_rng(SEED).permutation(np.flatnonzero(IS_QUERY))
    matrix[order[20:]] += 1000  # the checking half is far from everything
    far = matrix, model[1]
    record = calibrate(Study(workspace, products, SEED), far, IS_QUERY, measure="euclidean")
    assert record["by_query"] == {
        "threshold": record["thresholds"][0]["threshold"], "queries without any result": 1
    }  # fmt: skip
    assert record["by_class"] == []
    assert record["thresholds"][0]["recall on other queries"] == 0


def test_what_cannot_be_reached_is_noted(workspace, products, model) -> None:
    chance = floors.random_embeddings(N, seed=3), model[1]
    record = calibrate(Study(workspace, products, SEED), chance, IS_QUERY, measure="cosine")
    notes = [row for row in record["thresholds"] if "note" in row]
    assert notes
    assert all("No threshold reaches" in row["note"] and "threshold" not in row for row in notes)


def test_removed_types_are_not_in_the_gallery(workspace, products, model, types) -> None:
    matrix = model[0]
    record = open_set(
        Study(workspace, products, SEED), model, IS_QUERY, OUTSIDERS, measure="euclidean"
    )
    assert record["kind"] == "open_set"
    written(workspace, record)
    removed = record["inputs"]["removed"]
    asked = {types[q] for q in np.flatnonzero(IS_QUERY)}
    assert len(removed) == max(1, len(asked) // 10)
    assert set(removed) <= asked
    gallery = [n for n in np.flatnonzero(~IS_QUERY) if types[n] not in removed]

    def nearest(vectors: np.ndarray) -> np.ndarray:
        return np.array([min(distance(v, matrix[n]) for n in gallery) for v in vectors])

    is_removed = np.isin(types, removed)
    known = nearest(matrix[IS_QUERY & ~is_removed])
    unknown, outside = nearest(matrix[IS_QUERY & is_removed]), nearest(OUTSIDERS)
    assert record["counts"] == {"known": len(known), "unknown": len(unknown), "outsiders": 20}
    for row in record["rows"]:
        limit = row["threshold"] + 1e-6
        assert row["unknown types told 'no match'"] == pytest.approx(
            (unknown > limit).mean(), abs=1e-6
        )
        assert row["outsiders told 'no match'"] == pytest.approx((outside > limit).mean(), abs=1e-6)
    wins = [(u > k) + (u == k) / 2 for u in unknown for k in known]
    assert record["auroc"]["unknown types"] == pytest.approx(np.mean(wins), abs=1e-6)


def test_false_alarms_are_stated_on_one_half_and_counted_on_the_other(
    workspace, products, model, monkeypatch
) -> None:
    halves = []
    reject = evaluation_thresholds.reject_threshold

    def spy(nearest: np.ndarray, *, false_alarm_rate: float) -> float:
        halves.append(nearest)
        return reject(nearest, false_alarm_rate=false_alarm_rate)

    monkeypatch.setattr(evaluation_thresholds, "reject_threshold", spy)
    record = open_set(
        Study(workspace, products, SEED), model, IS_QUERY, OUTSIDERS, measure="euclidean"
    )
    is_removed = np.isin(products.products["articleType"], record["inputs"]["removed"])
    in_gallery = ~IS_QUERY & ~is_removed
    gallery = Gallery(model[0][in_gallery], np.flatnonzero(in_gallery), "euclidean")
    known = gallery.search(model[0][IS_QUERY & ~is_removed], 1).distances[:, 0]
    assert len(halves[0]) == (len(known) + 1) // 2
    checking = np.setdiff1d(known, halves[0])  # no two distances are equal
    assert len(checking) == len(known) // 2
    assert [row["stated false alarm rate"] for row in record["rows"]] == [0.01, 0.05, 0.1]
    for row in record["rows"]:
        limit = row["threshold"] + 1e-6
        assert (halves[0] > limit).mean() <= row["stated false alarm rate"]
        assert row["false alarms on other queries"] == pytest.approx(
            (checking > limit).mean(), abs=1e-6
        )


def test_an_open_set_needs_known_queries_and_outsiders(workspace, products, model, types) -> None:
    is_single = IS_QUERY & (np.array(types) == "Watches")  # the one type, taken out
    with pytest.raises(ParameterError, match="2 known queries and 1 outsider are needed, not 0 an"):
        open_set(Study(workspace, products, SEED), model, is_single, OUTSIDERS, measure="cosine")
    with pytest.raises(ParameterError, match="and 0; ask with more"):
        open_set(Study(workspace, products, SEED), model, IS_QUERY, OUTSIDERS[:0], measure="cosine")


def test_precision_across_models_by_hand(workspace, products, model, types) -> None:
    other = floors.random_embeddings(N, seed=4), floors.random_metadata(4)
    models = {"m": model, "noise": other}
    record = cross_model(Study(workspace, products, SEED), models, IS_QUERY, n_components=8)
    assert (record["kind"], record["name"]) == ("cross_model", "cross-model-m-in-noise")
    assert written(workspace, record)["inputs"]["n_components"] == 8
    precision = {(row["query"], row["gallery"]): row["precision@10"] for row in record["rows"]}
    assert len(precision) == 4
    whitened = {n: fit_whitening(m[~IS_QUERY], 8)(m) for n, (m, _) in models.items()}
    queries = np.flatnonzero(IS_QUERY)
    for asked, searched in (("m", "m"), ("noise", "noise"), ("m", "noise")):
        gallery = Gallery(whitened[searched], range(N), "cosine")
        found = gallery.search(whitened[asked][queries], 10, exclude_ids=queries).ids
        hits = [types[n] == types[q] for q, row in zip(queries, found, strict=True) for n in row]
        assert precision[asked, searched] == pytest.approx(np.mean(hits), abs=1e-6)
    shares = [(types.count(types[q]) - 1) / (N - 1) for q in queries]
    assert precision["chance", "chance"] == pytest.approx(np.mean(shares), abs=1e-6)
    assert precision["m", "m"] > 2 * np.mean(shares)


def test_a_product_without_a_type_matches_nothing(workspace, untyped, model) -> None:
    study = Study(workspace, untyped, SEED)
    assert calibrate(study, model, IS_QUERY, measure="euclidean")["by_query"]
    opened = open_set(study, model, IS_QUERY, OUTSIDERS, measure="euclidean")
    assert opened["counts"]["known"] + opened["counts"]["unknown"] == 40
    models = {"a": model, "b": model}
    rows = cross_model(Study(workspace, untyped, SEED), models, IS_QUERY, n_components=8)["rows"]
    labels = untyped.products["articleType"].tolist()
    shares = [
        0 if q == 0 else (labels.count(labels[q]) - 1) / (N - 1) for q in np.flatnonzero(IS_QUERY)
    ]
    assert rows[-1]["precision@10"] == pytest.approx(np.mean(shares), abs=1e-6)


def test_the_same_seed_gives_the_same_records(workspace, products, model) -> None:
    def run_all(seed: int) -> list[dict]:
        study = Study(workspace, products, seed)
        models = {"a": model, "b": (floors.random_embeddings(N, seed=4), model[1])}
        return [
            replay(study, models, IS_QUERY),
            calibrate(study, model, IS_QUERY, measure="cosine"),
            open_set(study, model, IS_QUERY, OUTSIDERS, measure="cosine"),
            cross_model(study, models, IS_QUERY, n_components=8),
        ]

    first, other = run_all(SEED), run_all(SEED + 1)
    assert first == run_all(SEED)
    assert first[1]["thresholds"] != other[1]["thresholds"]  # other halves
    assert first[2]["inputs"]["removed"] != other[2]["inputs"]["removed"]
