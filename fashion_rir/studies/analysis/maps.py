"""The experiments of notebook 07: how much of an embedding a map keeps. Each leaves a record.

A map is asked with a sample of products, each against the whole gallery: are its nearest products
on the map those of the embedding (neighbour recall), how far are the others from being so
(trustworthiness; Venna & Kaski 2001), and do they have the query's label as often?
"""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from fashion_rir.data.catalog import Catalog
from fashion_rir.data.catalog import sample as sample_catalog
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.evaluation import intervals
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.analysis import tsne
from fashion_rir.studies.study import Study
from fashion_rir.workspace import maps as stored_maps
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.maps import MapSettings, Projection

N_ASKED = 2_000  # products of the sample

N_NEAREST = 10

SURVIVING = ("recall", "recall of the components", "trustworthiness")

AGREEING_LABELS = ("articleType", "masterCategory", "gender", "baseColour")


def measure(
    study: Study, model: Embedded, made: Projection, *, n_asked: int = N_ASKED, k: int = N_NEAREST
) -> dict:
    """How well neighbours survive on a map, or the record of the same measurement.

    Args:
        study: its products, split, seed and folders.
        model: the embeddings that the map was made from, and metadata.
        made: the map.
        n_asked: so many products ask, drawn at random (all, if there are no more).
        k: nearest products that are looked at, below half of the products.

    Returns:
        A record of kind `projection`, named as the map. It holds `neighbours` (`recall`,
        `recall of the components`, `trustworthiness`), `labels` (by label the share of the k
        nearest that have the query's, in the `embedding`, on the `map`, and their `difference`),
        each with its interval over the products that asked, and `divergence`.

    Raises:
        ParameterError: k out of range, or a label that holds one class.
        StoreError: the map is of another model or catalogue, or an embedding is at fault.
    """
    _require_same(study.catalog, model, made)
    inputs = {**made.about, "n_asked": min(n_asked, len(made)), "k": k,
              "labels": list(AGREEING_LABELS), "sample_seed": study.seed}  # fmt: skip

    def survived() -> dict[str, object]:
        asked = sample_rows(len(made), n_asked, seed=study.seed)
        on_map = nearest_on(made.coordinates, asked, k)
        near = embedding_neighbours(model[0], made.points, on_map, asked, k)
        products, seed = study.catalog.products, study.seed
        return {
            "neighbours": {key: _mean(near[key], seed) for key in SURVIVING},
            "labels": {
                label: _agreement(products[label], label, asked, near, seed)
                for label in AGREEING_LABELS
            },
            "divergence": made.divergence,
            "timings": {"projection_seconds": made.seconds},
        }

    check_nearest(k, len(made))
    return study.record("projection", made.name, inputs, survived)


def overlap(study: Study, maps: Sequence[Projection], name: str) -> dict:
    """How alike several maps of the same embeddings are, as a record.

    Args:
        study: its products, split, seed and folders.
        maps: two at least, of one catalogue and model.
        name: of the record.

    Returns:
        A record of kind `projection-overlap`: `shared` holds, by `<map> | <map>`, the share of a
        product's 10 nearest on the one that are among its 10 nearest on the other.

    Raises:
        ParameterError: fewer than two maps, or of different products.
    """
    if len(maps) < 2 or not all(np.array_equal(maps[0].ids, one.ids) for one in maps):
        raise ParameterError(f"Give two maps at least, all of the same products, not {len(maps)}.")
    n_asked = min(N_ASKED, len(maps[0]))
    inputs = {
        **{key: maps[0].about[key] for key in ("profile", "data_hash", "n_products", "model")},
        "maps": {one.name: result_records.hash_inputs(one.about) for one in maps},
        "n_asked": n_asked, "k": N_NEAREST, "sample_seed": study.seed,
    }  # fmt: skip

    def compare() -> dict[str, object]:
        asked = sample_rows(len(maps[0]), n_asked, seed=study.seed)
        near = {one.name: nearest_on(one.coordinates, asked, N_NEAREST) for one in maps}
        pairs = itertools.combinations(near, 2)
        return {"shared": {f"{first} | {second}": _mean(_share(near[first], near[second]),
                                                        study.seed)
                           for first, second in pairs}}  # fmt: skip

    return study.record("projection-overlap", name, inputs, compare)


def compare_with_sklearn(
    study: Study, model: Embedded, *, n_products: int = 1_000, settings: MapSettings
) -> dict:
    """openTSNE beside the thesis' scikit-learn, on a sample and in one run, as a record.

    Args:
        study: its products, split, seed and folders.
        model: embeddings and metadata.
        n_products: that are laid out, stratified by articleType.
        settings: of both; scikit-learn starts from the principal components too.

    Returns:
        A record of kind `projection-peer`: `recall` by program, and in the timings `seconds` by
        program. One of the same inputs is not made again.

    Raises:
        ParameterError: the perplexity is too large for the sample.
        StoreError: an embedding is not finite or all zeros.
    """
    name = f"tsne-peer-{model[1]['model']}-perplexity{settings.perplexity:g}"
    inputs = tsne.describe(study, model[1], settings) | {"laid_out": n_products}
    return study.record("projection-peer", name, inputs,
                        lambda: _beside_sklearn(study, model[0], n_products, settings))  # fmt: skip


def stored_models(
    study: Study, names: Mapping[str, str]
) -> tuple[dict[str, tuple[Catalog, Embedded]], list[str]]:
    """The models whose embeddings earlier notebooks have stored.

    Args:
        study: its products, split, seed and folders.
        names: of the models, by what to call them.

    Returns:
        By what it is called, the products and the model; and a sentence for each that is missing.
    """
    there, missing = {}, []
    for title, name in names.items():
        if not study.workspace.feature_store(name).exists():
            missing.append(f"{title}: {name} is not stored; run the notebook that makes it.")
            continue
        there[title] = stores.stored_model(study.workspace, study.catalog, name)
    return there, missing


def read_maps(folder: Path) -> list[dict]:
    """The records of all maps of a profile, also of maps of different products.

    Args:
        folder: a profile's results.

    Raises:
        RecordError: there is none, or one is damaged.
    """
    found = result_records.read_kind(folder, "projection")
    if not found:
        raise RecordError("There is no record of a map; run notebook 07 first.")
    return found


def survival_table(records: Iterable[Mapping]) -> pd.DataFrame:
    """What each map keeps, from records of kind `projection`.

    Returns:
        One row a map: `model`, `products`, `perplexity`, `seed`, `start`, `recall`, `recall of the
        components`, `trustworthiness`, `<label> map` and `<label> embedding`, `divergence`,
        `seconds`.

    Raises:
        RecordError: there is none.
    """
    rows = []
    for record in records:
        inputs = record["inputs"]
        row = {"model": inputs["model"]["model"], "products": inputs["n_products"]}
        row |= inputs["settings"]
        row |= {key: found["value"] for key, found in record["neighbours"].items()}
        for label, found in record["labels"].items():
            row |= {f"{label} {where}": found[where]["value"] for where in ("map", "embedding")}
        row |= {"divergence": record["divergence"],
                "seconds": record["timings"]["projection_seconds"]}  # fmt: skip
        rows.append(row)
    if not rows:
        raise RecordError("There is no record of a map; run notebook 07 first.")
    return pd.DataFrame(rows).sort_values(
        ["model", "start", "perplexity", "seed"], ignore_index=True
    )


def sample_rows(n_products: int, n_asked: int, *, seed: int) -> np.ndarray:
    """The rows that ask, sorted: a random sample, or all if there are no more.

    Raises:
        ParameterError: nobody would ask.
    """
    if n_asked < 1:
        raise ParameterError(f"One product must ask at least (n_asked), not {n_asked}.")
    if n_asked >= n_products:
        return np.arange(n_products)
    return np.sort(np.random.default_rng(seed).choice(n_products, n_asked, replace=False))


def check_nearest(k: int, n_products: int) -> None:
    """Refuse a number of nearest products for which trustworthiness is not defined.

    Raises:
        ParameterError: it is below 1, or not below half of the products.
    """
    if not 1 <= k < n_products / 2:
        raise ParameterError(
            f"k must be at least 1 and below half of the {n_products} products, not {k}."
        )


def nearest_on(coordinates: np.ndarray, asked: np.ndarray, k: int) -> np.ndarray:
    """The nearest other products by Euclidean distance, the nearest first.

    Args:
        coordinates: shape (n_products, n_dimensions); quick for a few dimensions.
        asked: rows that ask.
        k: how many, below the number of products.

    Returns:
        Rows, shape (n_asked, k).
    """
    found = cKDTree(coordinates).query(coordinates[asked], k + 1)[1]
    is_own = found == asked[:, None]
    is_own[~is_own.any(axis=1), -1] = True  # more than k products stand at the very same place
    return found[~is_own].reshape(len(asked), k)


def embedding_neighbours(
    embeddings: np.ndarray, points: np.ndarray, on_map: np.ndarray, asked: np.ndarray, k: int
) -> dict[str, np.ndarray]:
    """The products that ask, their nearest on the map against those of the embedding.

    Trustworthiness is that of Venna & Kaski (2001): 1 less the ranks by which the map's neighbours
    miss the first k of the embedding, scaled so that the worst possible map has 0.

    Args:
        embeddings: float32 (n_products, embedding_dim); compared by cosine.
        points: the principal components of the same products.
        on_map: rows, shape (n_asked, k).
        asked: rows that ask.
        k: below half of the products.

    Returns:
        By name, each with one row a product that asked: `recall`, `recall of the components`,
        `trustworthiness` (0 to 1), `on the map` and `in the embedding` (rows of the k nearest).
    """
    n_products = len(embeddings)
    gallery = Gallery(embeddings, range(n_products), "cosine")
    nearest, misses = np.empty_like(on_map), np.empty(len(asked))
    for block, order in gallery.rankings(embeddings[asked]):
        others = order[order != asked[block, None]].reshape(len(order), n_products - 1)
        nearest[block] = others[:, :k]
        ranks = np.empty(order.shape, dtype=np.int32)
        np.put_along_axis(ranks, others, np.arange(1, n_products, dtype=np.int32)[None], axis=1)
        missed = np.take_along_axis(ranks, on_map[block], axis=1) - k
        misses[block] = np.maximum(missed, 0).sum(axis=1)
    before = Gallery(points, range(n_products), "euclidean").search(
        points[asked], k, exclude_ids=asked
    )
    return {
        "recall": _share(on_map, nearest),
        "recall of the components": _share(before.ids, nearest),
        "trustworthiness": 1 - misses * 2 / (k * (2 * n_products - 3 * k - 1)),
        "on the map": on_map,
        "in the embedding": nearest,
    }


def _require_same(catalog: Catalog, model: Embedded, made: Projection) -> None:
    stored_maps.require_model(made, model[1])
    if made.about["data_hash"] != catalog.data_hash or len(model[0]) != len(made):
        raise ParameterError(
            f"The map {made.name} is of {len(made)} products of another catalogue than the "
            f"{len(catalog)} given; make a map of these."
        )


def _agreement(
    values: pd.Series, label: str, asked: np.ndarray, near: Mapping[str, np.ndarray], seed: int
) -> dict[str, dict[str, float]]:
    if values.nunique() < 2:
        raise ParameterError(
            f"All products have the same {label}, so neighbours agree whatever the map; leave "
            f"{label} out."
        )
    codes = pd.factorize(values)[0]  # -1 where there is none
    has_label = codes[asked] >= 0
    own = codes[asked[has_label], None]
    shares = {
        where: (codes[near[key][has_label]] == own).mean(axis=1)
        for where, key in (("embedding", "in the embedding"), ("map", "on the map"))
    }
    shares["difference"] = shares["map"] - shares["embedding"]
    return {where: _mean(values, seed) for where, values in shares.items()}


def _share(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """By row the share of the first's entries that are among the second's."""
    return (first[:, :, None] == second[:, None, :]).any(axis=2).mean(axis=1)


def _mean(values: np.ndarray, seed: int) -> dict[str, float]:
    return intervals.estimate_dict(intervals.bootstrap_mean(values[:, None], seed=seed)[0])


def _beside_sklearn(
    study: Study, vectors: np.ndarray, n_products: int, settings: MapSettings
) -> dict[str, object]:
    """The content of the record of `compare_with_sklearn`."""
    chosen = sample_catalog(study.catalog, min(n_products, len(study.catalog)), seed=settings.seed)
    rows = study.catalog.products["id"].isin(chosen.products["id"]).to_numpy()
    unit = Gallery(vectors[rows], range(rows.sum()), "cosine").vectors
    points = tsne.to_points(unit, *tsne.principal_components(unit))
    tsne.check_perplexity(settings.perplexity, len(points))
    everyone = np.arange(len(points))
    truth = nearest_on(unit, everyone, N_NEAREST)
    recall, seconds = {}, {}
    for program, lay_out in (("openTSNE", tsne.layout), ("scikit-learn", _by_sklearn)):
        start = time.perf_counter()
        coordinates = lay_out(points, settings)[0]
        seconds[program] = round(time.perf_counter() - start, 2)
        near = nearest_on(coordinates, everyone, N_NEAREST)
        recall[program] = _mean(_share(near, truth), settings.seed)
    return {"recall": recall, "timings": {"seconds": seconds}}


def _by_sklearn(points: np.ndarray, settings: MapSettings) -> tuple[np.ndarray, float]:
    """The same map by scikit-learn, with its own defaults, as the thesis makes it."""
    from sklearn.manifold import TSNE

    made = TSNE(perplexity=settings.perplexity, init="pca", random_state=settings.seed, n_jobs=1)
    return made.fit_transform(points), float(made.kl_divergence_)
