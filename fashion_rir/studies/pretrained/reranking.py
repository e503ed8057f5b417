"""The experiments of notebook 08 on better rankings from the same pictures and networks.

PCA whitening, query expansion, database-side augmentation, k-reciprocal re-ranking, and two models
side by side (see `reranking` and `transforms` for the papers). The parameters of each are chosen
by validation products (`choices`). Each choice and each score leaves a record.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fashion_rir.data.splits import Asking
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.evaluation import rankings
from fashion_rir.evaluation.rankings import Rankings
from fashion_rir.search import reranking, transforms
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies import scoring
from fashion_rir.studies.choices import choose, score, type_codes
from fashion_rir.studies.names import GRIDS, named
from fashion_rir.studies.study import Study
from fashion_rir.workspace import stores

# What validation products choose from.
FIRST_SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the first of two models


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
        options: see `reranking.Neighbourhood`.
    """
    own = np.searchsorted(rows, queries)
    seen = reranking.Neighbourhood(min(candidates, len(rows) - 1), **options)
    found = reranking.k_reciprocal(vectors[queries], vectors[rows], seen, exclude=own)
    gallery = Gallery(vectors[rows], rows, "cosine")
    for block, order in gallery.rankings(vectors[queries]):
        first = np.column_stack([own[block], found[block]])
        yield queries[block], rows[_moved_to_front(order, first)]


TRANSFORMING = {"whitening": whitening, "database-side": database_side}

RANKING = {"query-expansion": query_expansion, "k-reciprocal": k_reciprocal}


def improve(
    study: Study, model: Embedded, method: str, asking: Asking,
    *, grid: Sequence[Mapping[str, float]] | None = None,
) -> Embedded:  # fmt: skip
    """Choose a method's parameters, apply it to a model, and score what it gives.

    Args:
        study: its products, split, seed and folders.
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
    codes = type_codes(study.catalog)
    queries = asking.validation_queries(codes)
    rows = np.flatnonzero(~parts.is_test)

    def validation_score(**parameters: float) -> float:
        if method in RANKING:
            ranked = RANKING[method](vectors, queries, rows, **parameters)
        else:
            changed = TRANSFORMING[method](vectors, parts.is_fit, **parameters)
            ranked = rankings.rank_rows(changed, queries, rows)
        return rankings.mean_average_precision(ranked, codes)

    grid = GRIDS[method] if grid is None else grid
    chosen = choose(study, named(metadata, method), asking, grid, validation_score)["chosen"]
    metadata = named(metadata, method, **chosen)
    if method in RANKING:
        scoring.score_rankings(study, Embedded(vectors, metadata), asking, RANKING[method], chosen)
        return Embedded(vectors, metadata)
    changed = TRANSFORMING[method](vectors, ~parts.is_test, **chosen)
    metadata |= {"embedding_dim": changed.shape[1]}
    return score(study, Embedded(changed, metadata), asking)


def concatenate(
    study: Study, models: Sequence[Embedded], asking: Asking,
    *, first_shares: Sequence[float] = FIRST_SHARES,
) -> Embedded:  # fmt: skip
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
    codes = type_codes(study.catalog)
    queries = asking.validation_queries(codes)

    def joined(share: float) -> np.ndarray:
        return reranking.concatenate(matrices, weights=[share, 1 - share])

    def validation_score(share: float) -> float:
        rows = np.flatnonzero(~asking.parts.is_test)
        ranked = rankings.rank_rows(joined(share), queries, rows)
        return rankings.mean_average_precision(ranked, codes)

    metadata = named(stores.joint_model(models)[1], "weighted")
    grid = [{"share": share} for share in first_shares]
    chosen = choose(study, metadata, asking, grid, validation_score)["chosen"]
    vectors = joined(**chosen)
    metadata |= chosen | {"embedding_dim": vectors.shape[1]}
    return score(study, Embedded(vectors, metadata), asking)


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
