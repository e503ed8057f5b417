"""The experiments of notebook 08 on better rankings from the same pictures and networks.

PCA whitening, query expansion, database-side augmentation, k-reciprocal re-ranking, and two models
side by side (see `reranking` and `transforms` for the papers). The parameters of each are chosen
by validation products (`choices`). Each choice and each score leaves a record.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from fashion_rir import (
    evaluation,
    experiments,
    head_study,
    metrics,
    reranking,
    results,
    transforms,
)
from fashion_rir.catalog import Catalog
from fashion_rir.choices import PROTOCOLS, Asking, Model, choose, named, score, type_codes
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.retrieval import Gallery
from fashion_rir.workspace import Workspace

# Rows of the products that ask, and for each of them all rows of the gallery, the best first.
Rankings = Iterator[tuple[np.ndarray, np.ndarray]]

# What validation products choose from.
FIRST_SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the first of two models
GRIDS = {
    "whitening": [{"n_components": n} for n in (32, 64, 128, 256, 512)],
    "database-side": [{"k": k, "alpha": 3.0} for k in (2, 5, 10)],
    "query-expansion": [{"k": k, "alpha": alpha} for alpha in (0.0, 3.0) for k in (1, 3, 5, 10)],
    "k-reciprocal": [
        {"k1": k1, "k2": 6, "lambda_": lambda_, "candidates": 200}
        for k1 in (10, 20, 40)
        for lambda_ in (0.1, 0.3, 0.6)
    ],
}


def whitening(vectors: np.ndarray, may_learn: np.ndarray, *, n_components: int) -> np.ndarray:
    """PCA whitening, learned on some products: float32 (n_products, n_components).

    Args:
        vectors: float32, shape (n_products, embedding_dim).
        may_learn: bool, shape (n_products,).
        n_components: dimensions to keep.
    """
    learned = vectors[may_learn]
    if len(learned) < vectors.shape[1]:  # in the space that they span all is the same, and quick
        mean = learned.mean(axis=0)
        vectors = (vectors - mean) @ np.linalg.qr((learned - mean).T)[0]
    return transforms.fit_whitening(vectors[may_learn], n_components)(vectors)


def database_side(
    vectors: np.ndarray, may_learn: np.ndarray, *, k: int, alpha: float
) -> np.ndarray:
    """Every embedding, also that of a product that asks, moved towards its neighbours.

    Args:
        vectors: float32, shape (n_products, embedding_dim).
        may_learn: bool, shape (n_products,): the neighbours that it may move to.
        k, alpha: see `reranking.expand_database`.
    """
    return reranking.expand_database(vectors, k=k, alpha=alpha, where=may_learn)


def improved_groups(base: str, other: str) -> dict[str, list[str]]:
    """The retrieval records of notebook 08's section on re-ranking, by what to call them.

    Args:
        base: name of the model that is improved.
        other: of the one that is put beside it.
    """
    joined = f"{base}+{other}+weighted"
    names = {"as it is": base}
    names |= {f"with {method}": f"{base}+{method}" for method in GRIDS}
    names |= {
        "beside the other model": joined,
        "both, whitened": f"{joined}+whitening",
        "both, whitened, with query-expansion": f"{joined}+whitening+query-expansion",
    }
    return {shown: [f"{name}-cosine"] for shown, name in names.items()}


def improved_pairs(base: str, other: str) -> list[tuple[str, str, str]]:
    """What is compared query by query: two records and a label, each method with none."""
    plain, *improved = [names[0] for names in improved_groups(base, other).values()]
    labels = ("articleType", "baseColour", evaluation.GRADED)
    return [(record, plain, label) for record in improved for label in labels]


def query_expansion(
    vectors: np.ndarray, queries: np.ndarray, rows: np.ndarray, *, k: int, alpha: float
) -> Rankings:
    """Rankings by queries that were moved towards their neighbours in the gallery.

    Args:
        vectors: float32, shape (n_products, embedding_dim).
        queries: the products that ask; they are in the gallery too.
        rows: of the gallery's products.
        k, alpha: see `reranking.expand_queries`.
    """
    asked = reranking.expand_queries(
        vectors[queries], vectors[rows], k=k, alpha=alpha, exclude=np.searchsorted(rows, queries)
    )
    gallery = Gallery(vectors[rows], rows, "cosine")
    for block, order in gallery.rankings(asked):
        yield queries[block], rows[order]


def k_reciprocal(
    vectors: np.ndarray, queries: np.ndarray, rows: np.ndarray, *, candidates: int, **options: float
) -> Rankings:
    """Rankings whose first candidates are re-ranked; what stands behind them stays.

    Args:
        vectors, queries, rows: as for `query_expansion`.
        candidates: how many are re-ranked; a smaller gallery's all.
        options: see `reranking.k_reciprocal`.
    """
    own = np.searchsorted(rows, queries)
    candidates = min(candidates, len(rows) - 1)
    found = reranking.k_reciprocal(
        vectors[queries], vectors[rows], candidates=candidates, exclude=own, **options
    )
    gallery = Gallery(vectors[rows], rows, "cosine")
    for block, order in gallery.rankings(vectors[queries]):
        first = np.column_stack([own[block], found[block]])
        yield queries[block], rows[_moved_to_front(order, first)]


TRANSFORMING = {"whitening": whitening, "database-side": database_side}
RANKING = {"query-expansion": query_expansion, "k-reciprocal": k_reciprocal}


def improve(
    workspace: Workspace, catalog: Catalog, model: Model, method: str, asking: Asking,
    *, grid: Sequence[Mapping[str, float]] | None = None,
) -> Model:  # fmt: skip
    """Choose a method's parameters, apply it to a model, and score what it gives.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: embeddings (n_products, embedding_dim) and metadata.
        method: key in `GRIDS`.
        asking: who chooses, and who asks.
        grid: what to choose from; the method's in `GRIDS` if None.

    Returns:
        The new embeddings and their metadata. A method of `RANKING` leaves the embeddings as they
        were: what it gives are rankings. The records are `choice-<model>+<method>` and
        `<model>+<method>-cosine`.

    Raises:
        ParameterError: unknown method, an empty grid, or a parameter out of range.
    """
    if method not in GRIDS:
        raise unknown_name("method", method, GRIDS)
    vectors, metadata = model
    parts = asking.parts
    codes = type_codes(catalog)
    queries = asking.validation_queries(codes)
    rows = np.flatnonzero(~parts.is_test)

    def validation_score(**parameters: float) -> float:
        if method in RANKING:
            return mean_average_precision(
                RANKING[method](vectors, queries, rows, **parameters), codes
            )
        changed = TRANSFORMING[method](vectors, parts.is_fit, **parameters)
        return head_study.mean_average_precision(changed, codes, queries, ~parts.is_test)

    grid = GRIDS[method] if grid is None else grid
    chosen = choose(workspace, catalog, named(metadata, method), asking, grid, validation_score)[
        "chosen"
    ]
    metadata = named(metadata, method, **chosen)
    if method in RANKING:
        score_rankings(workspace, catalog, (vectors, metadata), asking, RANKING[method], chosen)
        return vectors, metadata
    changed = TRANSFORMING[method](vectors, ~parts.is_test, **chosen)
    metadata |= {"embedding_dim": changed.shape[1]}
    return score(workspace, catalog, (changed, metadata), asking)


def concatenate(
    workspace: Workspace, catalog: Catalog, models: Sequence[Model], asking: Asking,
    *, first_shares: Sequence[float] = FIRST_SHARES,
) -> Model:  # fmt: skip
    """Two models side by side, their weights chosen, scored like any other.

    Args:
        workspace, catalog, asking: as for `improve`.
        models: two of them.
        first_shares: weights of the first model to choose from, 0 to 1; the second has the rest.

    Returns:
        As `improve`.

    Raises:
        ParameterError: not two models, or of other products; a weight out of range.
    """
    if len(models) != 2:
        raise ParameterError(f"The weights of 2 models can be chosen, not of {len(models)}.")
    matrices = [vectors for vectors, _ in models]
    codes = type_codes(catalog)
    queries = asking.validation_queries(codes)

    def joined(share: float) -> np.ndarray:
        return reranking.concatenate(matrices, weights=[share, 1 - share])

    def validation_score(share: float) -> float:
        return head_study.mean_average_precision(
            joined(share), codes, queries, ~asking.parts.is_test
        )

    metadata = named(head_study.joint_model(models)[1], "weighted")
    grid = [{"share": share} for share in first_shares]
    chosen = choose(workspace, catalog, metadata, asking, grid, validation_score)["chosen"]
    vectors = joined(**chosen)
    metadata |= chosen | {"embedding_dim": vectors.shape[1]}
    return score(workspace, catalog, (vectors, metadata), asking)


def score_rankings(
    workspace: Workspace,
    catalog: Catalog,
    model: Model,
    asking: Asking,
    rank: Callable[..., Rankings],
    parameters: Mapping[str, float],
) -> dict:
    """Score rankings as `experiments.retrieval` scores embeddings, or take the same run's record.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: what is ranked by, and the metadata of what comes out.
        asking: who asks.
        rank: one of `RANKING`.
        parameters: of `rank`.

    Returns:
        A record of kind `retrieval`, and the single queries' scores beside the features. Under
        `unseen` the gallery that is ranked, and whose neighbours vote, holds test products only.
    """
    vectors, metadata = model
    is_query = asking.is_query()
    protocols = PROTOCOLS if asking.n_queries is None else PROTOCOLS[:1]
    inputs = {
        **experiments.describe(workspace, catalog, metadata),
        "n_queries": int(is_query.sum()),
        "measure": "cosine",
        "protocols": list(protocols),
        "labels": list(evaluation.EVALUATED_LABELS),
        "graded_labels": list(evaluation.GRADED_LABELS),
        "seed": asking.seed,
    }
    name = f"{metadata['model']}-cosine"
    scores_path = workspace.scores / f"{name}.parquet"
    if (
        scores_path.exists()
        and (record := results.read_same(workspace.results, name, inputs)) is not None
    ):
        return record
    start = time.perf_counter()
    galleries = {"held_out": np.ones(len(catalog), dtype=bool), "unseen": asking.parts.is_test}
    found = {}
    for protocol in protocols:
        rows = np.flatnonzero(galleries[protocol])
        scorer = evaluation.Scorer(catalog.products, is_query, (protocol,))
        for queries, order in rank(vectors, np.flatnonzero(is_query), rows, **parameters):
            scorer.add(queries, order)
        found[protocol] = scorer.result(protocol)
    summaries = {p: results.summarise(one, seed=asking.seed) for p, one in found.items()}
    seconds = time.perf_counter() - start
    experiments.write_scores(found, scores_path)
    record = results.make_record("retrieval", name, inputs, protocols=summaries,
                                 timings={"evaluation_seconds": round(seconds, 1)})  # fmt: skip
    results.write(record, workspace.results)
    return record


def mean_average_precision(rankings: Rankings, codes: np.ndarray) -> float:
    """mAP of rankings, each without the query itself.

    Args:
        rankings: of products by products.
        codes: classes, shape (n_products,); -1 where there is none.

    Returns:
        The mean over the queries that share a class with another product of the gallery.

    Raises:
        ParameterError: there is no such query.

    Example:
        >>> rankings = [(np.array([0]), np.array([[0, 1, 2]]))]
        >>> mean_average_precision(rankings, np.array([5, 6, 5]))
        0.5
    """
    scores = []
    for queries, order in rankings:
        for query, ranking in zip(queries, order, strict=True):
            is_hit = codes[ranking[ranking != query]] == codes[query]
            if codes[query] >= 0 and is_hit.any():
                scores.append(metrics.average_precision(metrics.relevant_ranks(is_hit)))
    if not scores:
        raise ParameterError(
            "No query shares its class with another product of the gallery, so there is no mAP; "
            "take more products."
        )
    return float(np.mean(scores))


def _moved_to_front(order: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Rankings that begin with some of their members, the others behind in their old order.

    Args:
        order: each row all numbers below its length, shape (n, n_gallery).
        first: some of them, shape (n, n_first), none twice.
    """
    is_first = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(is_first, first, True, axis=1)
    is_behind = ~np.take_along_axis(is_first, order, axis=1)
    behind = order[is_behind].reshape(len(order), -1)
    return np.hstack([first, behind])
