"""choices and reranking_study: validation products choose, test products ask; all is recorded."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog, splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.data.splits import Asking
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.evaluation import rankings
from fashion_rir.search import reranking as search_reranking
from fashion_rir.search import transforms
from fashion_rir.studies import names, scoring
from fashion_rir.studies.choices import choose, type_codes
from fashion_rir.studies.pretrained import reranking as pretrained_reranking
from fashion_rir.studies.pretrained.reranking import (
    concatenate,
    improve,
    k_reciprocal,
    query_expansion,
)
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import joint_name

SEED = 20
N = 80
SMALL_GRIDS = {
    "whitening": [{"n_components": 2}, {"n_components": 4}],
    "database-side": [{"k": 1, "alpha": 3.0}],
    "query-expansion": [{"k": 1, "alpha": 0.0}, {"k": 3, "alpha": 0.0}],
    "k-reciprocal": [{"k1": 4, "k2": 2, "lambda_": 0.3, "candidates": 10}],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return catalog.load(drawn_shop.generate(tmp_path_factory.mktemp("drawn"), n_products=N))


@pytest.fixture(scope="module")
def asking(shop: Catalog) -> Asking:
    parts = splits.split(shop.products, seed=SEED)
    return Asking(parts, n_validation=2, seed=SEED)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "quick")


def model_named(shop: Catalog, name: str, seed: int) -> Embedded:
    """Embeddings in which products of one type lie together, more or less."""
    types = pd.factorize(shop.products["articleType"])[0]
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(N, 6)) + 2 * generator.normal(size=(N, 6))[types]
    metadata = {"model": name, "backbone": name, "image_size": 32, "preprocessing": "resize",
                "weights": "none", "weights_sha256": "a" * 64, "embedding_dim": 6,
                "data_hash": shop.data_hash}  # fmt: skip
    return vectors.astype(np.float32), metadata


@pytest.fixture(scope="module")
def base(shop: Catalog) -> Embedded:
    return model_named(shop, "net", 1)


@pytest.fixture(scope="module")
def other(shop: Catalog) -> Embedded:
    return model_named(shop, "other", 2)


def fail(*_: object, **__: object) -> None:
    raise AssertionError("made again")


def slow_average_precision(ranking: list[int], query: int, codes: np.ndarray) -> float:
    hits, total = 0, 0.0
    for rank, product in enumerate([one for one in ranking if one != query], start=1):
        if codes[product] == codes[query]:
            hits += 1
            total += hits / rank
    return total / hits


def test_mean_average_precision_is_that_of_the_definition(base, shop) -> None:
    codes = type_codes(shop)
    rows = np.arange(N)
    queries = np.array([q for q in range(20) if (codes == codes[q]).sum() > 1])
    blocks = list(query_expansion(base[0], queries, rows, k=2, alpha=1.0))
    found = rankings.mean_average_precision(iter(blocks), codes)
    slow = [
        slow_average_precision(ranking.tolist(), int(query), codes)
        for block, order in blocks
        for query, ranking in zip(block, order, strict=True)
    ]
    assert found == pytest.approx(np.mean(slow))


@pytest.mark.parametrize("rank", [query_expansion, k_reciprocal])
def test_rankings_hold_the_whole_gallery_once(base, rank) -> None:
    rows = np.arange(0, N, 2)  # a gallery that is not the whole catalogue
    queries = rows[[3, 7, 30]]
    options = SMALL_GRIDS["k-reciprocal"][0] if rank is k_reciprocal else {"k": 2, "alpha": 1.0}
    blocks = list(rank(base[0], queries, rows, **options))
    assert np.concatenate([block for block, _ in blocks]).tolist() == queries.tolist()
    for _, order in blocks:
        for ranking in order:
            assert sorted(ranking.tolist()) == rows.tolist()


def test_what_stands_behind_the_candidates_keeps_its_order(base) -> None:
    rows, queries = np.arange(N), np.array([5])
    ((_, order),) = k_reciprocal(base[0], queries, rows, k1=4, k2=2, lambda_=0.3, candidates=10)
    unit = base[0] / np.linalg.norm(base[0], axis=1, keepdims=True)
    plain = [one for one in np.argsort(-(unit @ unit[5]), kind="stable") if one != 5]
    seen = search_reranking.Neighbourhood(candidates=10, k1=4, k2=2, lambda_=0.3)
    expected = search_reranking.k_reciprocal(base[0][[5]], base[0], seen, exclude=np.array([5]))
    assert order[0].tolist() == [5, *expected[0].tolist(), *plain[10:]]


def test_a_small_gallery_is_re_ranked_whole(base) -> None:
    rows = np.arange(8)
    ((_, order),) = k_reciprocal(base[0], rows[:1], rows, k1=2, k2=1, lambda_=1.0, candidates=200)
    assert sorted(order[0].tolist()) == rows.tolist()


@pytest.mark.parametrize("n_learned", [20, 60])  # fewer than dimensions, and more
def test_whitening_is_that_of_the_definition(n_learned) -> None:
    vectors = np.random.default_rng(0).normal(size=(N, 40)).astype(np.float32)
    may_learn = np.arange(N) < n_learned
    found = pretrained_reranking.whitening(vectors, may_learn, n_components=5)
    expected = transforms.fit_whitening(vectors[may_learn], 5)(vectors)
    assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-3)  # directions have no sign
    assert found[may_learn].std(axis=0, ddof=1) == pytest.approx(np.ones(5), abs=1e-3)


@pytest.mark.parametrize("method", SMALL_GRIDS)
def test_a_method_leaves_its_choice_and_its_scores(workspace, shop, asking, base, method) -> None:
    grid = SMALL_GRIDS[method]
    vectors, metadata = improve(Study(workspace, shop, SEED), base, method, asking, grid=grid)
    assert metadata["model"] == f"net+{method}"
    choice = result_records.read(workspace.results, f"choice-net+{method}")
    assert choice["chosen"] in grid
    best = max(row["validation mAP"] for row in choice["rows"])
    (row,) = [r for r in choice["rows"] if choice["chosen"].items() <= r.items()]
    assert row["validation mAP"] == best
    assert choice["inputs"]["n_queries"] == 2
    record = result_records.read(workspace.results, f"net+{method}-cosine")
    assert set(record["protocols"]) == {"held_out", "unseen"}
    assert {key: float(record["inputs"]["model"][key]) for key in choice["chosen"]} == {
        key: float(value) for key, value in choice["chosen"].items()
    }
    assert int(record["inputs"]["model"]["embedding_dim"]) == vectors.shape[1]
    n_test = int(asking.parts.is_test.sum())
    assert record["inputs"]["n_queries"] == n_test
    assert record["protocols"]["unseen"]["n_gallery"] == n_test - 1
    assert record["protocols"]["held_out"]["n_gallery"] == N - 1


def test_rankings_of_the_plain_model_score_as_its_embeddings(
    workspace, shop, asking, base, monkeypatch
) -> None:
    """With lambda_ = 1 k-reciprocal re-ranking keeps the order, so all scores must agree."""
    grid = [{"k1": 4, "k2": 2, "lambda_": 1.0, "candidates": 10}]
    improve(Study(workspace, shop, SEED), base, "k-reciprocal", asking, grid=grid)
    scoring.retrieval(Study(workspace, shop, SEED), base, asking.parts.is_test, measure="cosine",
                          protocols=("held_out", "unseen"))  # fmt: skip
    reranked, plain = (
        result_records.read(workspace.results, f"{name}-cosine")
        for name in ("net+k-reciprocal", "net")
    )
    assert reranked["protocols"] == plain["protocols"]
    compared = scoring.comparison(
        Study(workspace, None, SEED), "net+k-reciprocal-cosine", "net-cosine"
    )
    assert compared["differences"]["mAP"]["value"] == 0


def test_no_test_product_has_a_say_in_the_choice(workspace, shop, asking, base) -> None:
    disturbed = base[0].copy()
    is_test = asking.parts.is_test
    disturbed[is_test] = np.random.default_rng(9).normal(size=(is_test.sum(), 6))
    for method, grid in SMALL_GRIDS.items():
        rows = []
        for number, vectors in enumerate((base[0], disturbed)):
            model = vectors, base[1] | {"model": f"net{number}"}
            improve(Study(workspace, shop, SEED), model, method, asking, grid=grid)
            record = result_records.read(workspace.results, f"choice-net{number}+{method}")
            rows.append(record["rows"])
        assert rows[0] == rows[1], method


def test_a_second_run_makes_nothing_again(workspace, shop, asking, base, monkeypatch) -> None:
    grid = SMALL_GRIDS["query-expansion"]
    improve(Study(workspace, shop, SEED), base, "query-expansion", asking, grid=grid)
    monkeypatch.setitem(pretrained_reranking.RANKING, "query-expansion", fail)
    improve(Study(workspace, shop, SEED), base, "query-expansion", asking, grid=grid)
    with pytest.raises(AssertionError):  # another grid is another choice
        improve(Study(workspace, shop, SEED), base, "query-expansion", asking, grid=grid[:1])


def test_a_sample_of_queries_is_asked_held_out_only(workspace, shop, asking, base) -> None:
    few = dataclasses.replace(asking, n_queries=4)
    improve(
        Study(workspace, shop, SEED), base, "k-reciprocal", few, grid=SMALL_GRIDS["k-reciprocal"]
    )
    record = result_records.read(workspace.results, "net+k-reciprocal-cosine")
    assert list(record["protocols"]) == ["held_out"]
    assert record["inputs"]["n_queries"] == 4
    scoring.retrieval(Study(workspace, shop, SEED), base, asking.parts.is_test, measure="cosine")
    compared = scoring.comparison(
        Study(workspace, None, SEED), "net+k-reciprocal-cosine", "net-cosine"
    )
    assert compared["n_queries"] <= 4


def test_two_models_are_weighted(workspace, shop, asking, base, other) -> None:
    vectors, metadata = concatenate(
        Study(workspace, shop, SEED), [base, other], asking, first_shares=(0.0, 1.0)
    )
    name = f"{joint_name(['net', 'other'])}+weighted"
    assert (metadata["model"], metadata["transform"]) == (name, "weighted")
    share = result_records.read(workspace.results, f"choice-{name}")["chosen"]["share"]
    chosen = base[0] if share == 1 else other[0]
    unit = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
    kept = vectors[:, :6] if share == 1 else vectors[:, 6:]
    assert kept == pytest.approx(unit, abs=1e-6)
    record = result_records.read(workspace.results, f"{name}-cosine")
    assert record["inputs"]["model"]["backbone"] == "net+other"


def test_the_records_of_the_notebook_are_named_as_they_are_written(
    workspace, shop, asking, base, other
) -> None:
    scoring.retrieval(Study(workspace, shop, SEED), base, asking.parts.is_test, measure="cosine")
    for method, grid in SMALL_GRIDS.items():
        improve(Study(workspace, shop, SEED), base, method, asking, grid=grid)
    both = concatenate(Study(workspace, shop, SEED), [base, other], asking, first_shares=(0.5,))
    both = improve(
        Study(workspace, shop, SEED), both, "whitening", asking, grid=SMALL_GRIDS["whitening"]
    )
    improve(
        Study(workspace, shop, SEED),
        both,
        "query-expansion",
        asking,
        grid=SMALL_GRIDS["query-expansion"],
    )
    groups = names.improved_groups("net", "other")
    assert result_records.read_named(workspace.results, [name for (name,) in groups.values()])
    pairs = names.improved_pairs("net", "other")
    assert len(pairs) == 3 * (len(groups) - 1)
    assert {second for _, second, _ in pairs} == {"net-cosine"}


def test_bad_input_is_refused(workspace, shop, asking, base, other) -> None:
    with pytest.raises(ParameterError, match="'k_reciprocal'; did you mean 'k-reciprocal'"):
        improve(Study(workspace, shop, SEED), base, "k_reciprocal", asking)
    with pytest.raises(ParameterError, match="nothing to choose for net[+]whitening"):
        improve(Study(workspace, shop, SEED), base, "whitening", asking, grid=[])
    with pytest.raises(ParameterError, match="PCA can keep 1 to"):
        improve(Study(workspace, shop, SEED), base, "whitening", asking, grid=[{"n_components": 7}])
    with pytest.raises(ParameterError, match="k must be 1 to"):
        improve(
            Study(workspace, shop, SEED),
            base,
            "query-expansion",
            asking,
            grid=[{"k": 0, "alpha": 0.0}],
        )
    with pytest.raises(ParameterError, match="weights of 2 models can be chosen, not of 1"):
        concatenate(Study(workspace, shop, SEED), [base], asking)
    with pytest.raises(ParameterError, match="side by side must be of the same products"):
        concatenate(Study(workspace, shop, SEED), [base, (other[0][:5], other[1])], asking)
    holed = base[0].copy()
    holed[3, 2] = np.nan
    with pytest.raises(StoreError, match="not finite"):
        improve(Study(workspace, shop, SEED), (holed, base[1]), "query-expansion", asking)


def test_nobody_to_choose_is_refused(shop, asking) -> None:
    codes = type_codes(shop)
    for name in ("n_validation", "n_queries"):
        with pytest.raises(ParameterError, match=rf"at least \({name}\), not 0"):
            dataclasses.replace(asking, **{name: 0})
    with pytest.raises(ParameterError, match="There is no validation product with a class"):
        asking.validation_queries(np.full(N, -1))
    with pytest.raises(ParameterError, match="No query shares its class"):
        rankings.mean_average_precision(iter([]), codes)


def test_an_empty_grid_leaves_no_record(workspace, shop, asking) -> None:
    with pytest.raises(ParameterError):
        choose(Study(workspace, shop, SEED), {"model": "net"}, asking, [], fail)
    assert not workspace.results.exists()


def test_an_earlier_choice_is_read_back_equal(workspace, shop, asking) -> None:
    record = choose(
        Study(workspace, shop, SEED), {"model": "net"}, asking, [{"k": 1}], lambda k: 0.5
    )
    again = choose(Study(workspace, shop, SEED), {"model": "net"}, asking, [{"k": 1}], fail)
    assert again == json.loads(json.dumps(record))
