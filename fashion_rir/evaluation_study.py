"""The experiments of notebook 06: what a protocol adds to a score, and what a score is worth.

Each leaves a record: an audit of the thesis' protocol on one model, its full ranking, how well it
keeps the types apart, and which of several models differ beyond noise. Floors and ceilings go the
same way as every model (`experiments.retrieval`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir import experiments, floors, full_ranking, intervals, results, separation
from fashion_rir.catalog import Catalog
from fashion_rir.errors import CatalogError, ParameterError, RecordError, StoreError
from fashion_rir.feature_store import FeatureStore
from fashion_rir.full_ranking import RANKED_LABELS, Ranked
from fashion_rir.workspace import Workspace

Model = tuple[np.ndarray, Mapping[str, object]]  # embeddings and metadata, as `experiments.embed`

N_WORDS = 2048  # of the product names' vocabulary, the most frequent
# What an audit tries, the mildest first; see `audit`.
AUDITED = ("thesis", "held_out", "no_copies", "years")
FLAWS = {
    "the query in its own gallery": ("thesis", "held_out"),
    "identical photos in the gallery": ("held_out", "no_copies"),
}
CLASS_METRICS = ("mAP", "precision@10", "hit_rate@1")
QUANTILES = (5, 25, 50, 75, 95)
# Tables 5.2.1 and 5.2.2 of the thesis, in their order.
THESIS_TABLES = pd.DataFrame(
    {
        "mAP": [0.378605, 0.459474, 0.541431, 0.708221],
        "silhouette": [-0.453485, -0.270317, -0.515556, -0.078462],
        "intra_class_distance": [0.767261, 0.709757, 0.054785, 0.168644],
        "inter_class_distance": [0.990459, 0.996486, 0.203822, 0.359602],
        "separation_ratio": [1.290903, 1.403981, 3.720384, 2.132321],
    },
    index=pd.Index(["scratch", "contrastive", "label-tuned", "pretrained, padded"], name="thesis"),
)


def thesis_models(resnet50_image_size: int, *, trained: Sequence[str]) -> dict[str, str]:
    """Our models that stand for those of the thesis' tables, by the rows of `THESIS_TABLES`.

    Args:
        resnet50_image_size: side of the padded pretrained network's input in pixels.
        trained: the names of models i, h and g, as notebooks 04 and 05 store them.

    Raises:
        ParameterError: not three names.

    Example:
        >>> thesis_models(224, trained=["model-i", "model-h", "model-g"])["label-tuned"]
        'model-g'
    """
    if len(trained) != len(THESIS_TABLES) - 1:
        raise ParameterError(
            f"The thesis trained three models (i, h, g); name ours in this order, not {trained}."
        )
    return dict(
        zip(THESIS_TABLES.index, (*trained, f"resnet50-{resnet50_image_size}-pad"), strict=True)
    )


def stored_model(workspace: Workspace, catalog: Catalog, name: str) -> tuple[Catalog, Model]:
    """A model whose embeddings an earlier notebook has stored, with the products that it saw.

    Args:
        workspace: says where the store lies.
        catalog: all products; the store may hold a sample of them.
        name: of the model, such as `label-g-seed20`.

    Returns:
        The products of the store, in the catalogue's order, and their embeddings and metadata.

    Raises:
        StoreError: there is none, or it was made from another catalogue.
    """
    store = FeatureStore.open(workspace.feature_store(name))
    is_there = catalog.products["image_name"].isin(store.image_names()).to_numpy()
    if not is_there.any():
        raise StoreError(f"{store.path} holds no product of this catalogue; build it again.")
    part = catalog if is_there.all() else catalog.subset(is_there)
    store.require({"data_hash": part.data_hash})
    return part, (store.load(list(part.products["image_name"]))[1], store.metadata)


def on_part(model: Model, catalog: Catalog, part: Catalog) -> Model:
    """A model of the whole catalogue on a sample of it, under a name that says so.

    Args:
        model: embeddings of `catalog`.
        catalog: all products.
        part: some of them, in the same order.
    """
    vectors, metadata = model
    chosen = catalog.products["id"].isin(part.products["id"]).to_numpy()
    return vectors[chosen], {**metadata, "model": f"{metadata['model']}-of-{len(part)}"}


def name_embeddings(products: pd.DataFrame, is_train: np.ndarray) -> Model:
    """The floor of the product name alone: TF-IDF of its words (Spärck Jones 1972), no picture.

    Args:
        products: a catalogue's table (`productDisplayName`).
        is_train: bool, shape (n_products,): words and their rarity are learned on these.

    Returns:
        float32, shape (n_products, n_words + 1), and metadata. The last number is 1 for a name
        without a known word, which would have no direction otherwise, and 0 for all others.

    Raises:
        CatalogError: the names hold no word to learn from.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = products["productDisplayName"].fillna("")
    words = TfidfVectorizer(max_features=N_WORDS, dtype=np.float32)
    try:
        words.fit(names[is_train])
    except ValueError as error:  # an empty vocabulary
        raise CatalogError(
            "The column productDisplayName holds no word to learn from; fill it."
        ) from error
    known = words.transform(names).toarray()
    is_unknown = ~known.any(axis=1)
    vectors = np.column_stack([known, is_unknown]).astype(np.float32)
    metadata = floors.floor_metadata("product-name", 0, "none", vectors.shape[1])
    return vectors, metadata | {"model": "product-name", "n_unknown": int(is_unknown.sum())}


def oracle_embeddings(products: pd.DataFrame, label: str) -> Model:
    """The ceiling of anything that sees the photo only: it knows the class of every photo.

    Identical photos get one class, the most frequent among their products (of equals the first by
    name), so a product whose twin is labelled otherwise may be misplaced. What the label itself
    would reach is 1.

    Args:
        products: a catalogue's table (`image_sha256`).
        label: the class that it knows.

    Returns:
        float32, shape (n_products, n_classes), a single 1 in each row; and metadata.

    Raises:
        CatalogError: a photo's products have no class.
    """
    known = products.groupby("image_sha256")[label].agg(lambda values: values.mode().get(0))
    classes = products["image_sha256"].map(known)
    if classes.isna().any():
        lone = products["id"][classes.isna()].iloc[0]
        raise CatalogError(f"Product {lone} has no {label}, so no oracle can know it; fill it.")
    codes, names = pd.factorize(classes, sort=True)
    metadata = floors.floor_metadata(f"photo-oracle-{label}", 0, "none", len(names))
    return np.eye(len(names), dtype=np.float32)[codes], metadata | {
        "model": f"photo-oracle-{label}",
        "n_twins_disagree": int((classes != products[label]).sum()),
    }


def audit(
    workspace: Workspace,
    catalog: Catalog,
    model: Model,
    is_query: np.ndarray,
    *,
    labels: Sequence[str] = RANKED_LABELS,
    seed: int,
) -> dict:
    """What each flaw of the thesis' protocol adds to the scores of one model.

    The test products ask under `AUDITED`: as in the thesis, finding themselves; held out; without
    any product of the query's own photo; and with products of odd years asking among those of even
    years, so that nothing of the same season's shooting is found.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: of the catalogue, by cosine.
        is_query: bool, shape (n_products,): the test products.
        labels: what makes a product relevant; each must have two classes.
        seed: of the bootstrap.

    Returns:
        A record of kind `audit`: `protocols` as those of `experiments.retrieval`; `added` by flaw
        and label, the paired differences; `single_queries`, how one query's score scatters.

    Raises:
        ParameterError: see `full_ranking.score_rankings`.
    """
    vectors, metadata = model
    name = f"audit-{metadata['model']}"
    is_odd, is_even = _years(catalog.products)
    inputs = experiments.describe(workspace, catalog, metadata) | {
        "measure": "cosine",
        "n_queries": int(is_query.sum()),
        "n_without_year": int((~is_odd & ~is_even).sum()),
        "labels": list(labels),
        "seed": seed,
    }
    kept = results.read_same(workspace.results, name, inputs)
    if kept is not None:
        return kept
    options = {
        "thesis": {"is_query": is_query, "hidden": "nothing"},
        "held_out": {"is_query": is_query},
        "no_copies": {"is_query": is_query, "hidden": "copies"},
        "years": {"is_query": is_query & is_odd, "is_gallery": is_even},
    }
    ranked = {
        protocol: full_ranking.score_rankings(vectors, catalog.products, labels=labels, **chosen)
        for protocol, chosen in options.items()
    }
    record = results.make_record(
        "audit", name, inputs,
        protocols={protocol: _summary(found, seed) for protocol, found in ranked.items()},
        added={
            flaw: _added(ranked[with_flaw], ranked[without], seed)
            for flaw, (with_flaw, without) in FLAWS.items()
        },
        single_queries={label: _scatter(ranked["held_out"].scores[label]) for label in labels},
    )  # fmt: skip
    results.write(record, workspace.results)
    return record


def rank_everything(
    workspace: Workspace,
    catalog: Catalog,
    model: Model,
    *,
    labels: Sequence[str] = RANKED_LABELS,
    seed: int,
) -> dict:
    """Every product asks for every other (leave-one-out): scores by label and class.

    Meant for models that were not trained on this catalogue: of others, most queries were seen.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: of the catalogue, by cosine.
        labels: what makes a product relevant; each must have two classes.
        seed: of the bootstrap.

    Returns:
        A record of kind `full-ranking`: `labels` with `micro`, `macro` and `classes`, a list with
        `class`, `queries` and `CLASS_METRICS`.

    Raises:
        ParameterError: see `full_ranking.score_rankings`.
    """
    vectors, metadata = model
    name = f"full-ranking-{metadata['model']}"
    inputs = experiments.describe(workspace, catalog, metadata) | {
        "measure": "cosine", "n_queries": len(catalog), "labels": list(labels), "seed": seed,
    }  # fmt: skip
    kept = results.read_same(workspace.results, name, inputs)
    if kept is not None:
        return kept
    ranked = full_ranking.score_rankings(vectors, catalog.products, labels=labels)
    summary = _summary(ranked, seed)
    for label, scores in ranked.scores.items():
        summary["labels"][label]["classes"] = _by_class(scores)
    record = results.make_record("full-ranking", name, inputs, **summary)
    results.write(record, workspace.results)
    return record


def separate_types(
    workspace: Workspace,
    catalog: Catalog,
    model: Model,
    is_test: np.ndarray,
    *,
    label: str = "articleType",
    seed: int,
) -> dict:
    """Silhouette and class distances of a model, over all products and over test products.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: of the catalogue.
        is_test: bool, shape (n_products,): those that a trained model has not seen.
        label: whose classes are told apart.
        seed: of the bootstrap.

    Returns:
        A record of kind `separation`: `separation.MEASURED` by cosine over all products, each with
        its interval; `of_test`, the same over test products; `by_class`, `centroids` and `classes`
        (see `separation.Separation`).

    Raises:
        ParameterError, StoreError: see `separation.separate`.
    """
    vectors, metadata = model
    name = f"separation-{metadata['model']}"
    inputs = experiments.describe(workspace, catalog, metadata) | {
        "measure": "cosine", "label": label, "n_test": int(is_test.sum()), "seed": seed,
    }  # fmt: skip
    kept = results.read_same(workspace.results, name, inputs)
    if kept is not None:
        return kept
    products = catalog.products
    found = separation.separate(vectors, products, label=label, seed=seed)
    tested = separation.separate(vectors[is_test], products[is_test], label=label, seed=seed)
    record = results.make_record(
        "separation", name, inputs, **_estimates(found), of_test=_estimates(tested),
        by_class={key: results.rounded(value) for key, value in found.by_class.items()},
        centroids={key: results.rounded(value) for key, value in found.centroids.items()},
        classes=results.rows(found.classes.reset_index()), n_with_class=found.n_products,
        n_without_class=found.n_without_class, n_lone=found.n_lone,
    )  # fmt: skip
    results.write(record, workspace.results)
    return record


def compare_all(
    workspace: Workspace,
    names: Sequence[str],
    *,
    protocol: str = "held_out",
    label: str = "articleType",
    metric: str = "mAP",
    seed: int,
) -> dict:
    """The paired differences between all of some experiments, in one record.

    Args:
        workspace: of the profile.
        names: of retrieval records that were asked the same queries of the same catalogue.
        protocol: one of `evaluation.PROTOCOLS`.
        label: what makes a product relevant, or `graded`.
        metric: one of `evaluation.metrics_of(label)`.
        seed: of the bootstrap.

    Returns:
        A record of kind `comparison-matrix`: `pairs`, a list with `first`, `second`, `value`, `low`
        and `high` of the mean of first - second, and the share of queries for which the first is
        `better` and `worse`.

    Raises:
        RecordError: one is missing, or they are of different data or queries.
    """
    parents = dict(zip(names, results.read_named(workspace.results, names), strict=True))
    scores = {
        name: experiments.read_scores(workspace, name, protocol=protocol, label=label)[metric]
        for name in names
    }
    first_name, reference = next(iter(scores.items()))
    for name, values in scores.items():
        if not values.index.equals(reference.index):
            raise RecordError(
                f"{first_name} and {name} were asked different queries and cannot be compared; run "
                "both with the same split."
            )
    pairs = [
        _pair(first, second, scores[first].to_numpy(), scores[second].to_numpy(), seed)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    ]
    inputs = {
        "profile": workspace.profile,
        "data_hash": parents[first_name]["inputs"]["data_hash"],
        "parents": {name: parent["inputs_hash"] for name, parent in parents.items()},
        "protocol": protocol,
        "label": label,
        "metric": metric,
        "seed": seed,
    }
    name = f"matrix-{protocol}-{label}-{metric}"
    record = results.make_record("comparison-matrix", name, inputs, models=list(names),
                                 pairs=pairs, n_queries=len(reference))  # fmt: skip
    results.write(record, workspace.results)
    return record


def matrix_tables(record: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pairs of a record from `compare_all` as squares.

    Returns:
        Row less column, and whether that is noise (the interval holds 0); the diagonal is 0, and
        noise.
    """
    names = record["models"]
    difference = pd.DataFrame(0.0, index=names, columns=names)
    is_noise = pd.DataFrame(True, index=names, columns=names)
    for pair in record["pairs"]:
        first, second = pair["first"], pair["second"]
        difference.loc[first, second], difference.loc[second, first] = pair["value"], -pair["value"]
        is_noise.loc[first, second] = pair["low"] <= 0 <= pair["high"]
        is_noise.loc[second, first] = is_noise.loc[first, second]
    return difference, is_noise


def there(folder: Path, names: Sequence[str]) -> tuple[list[dict], list[str]]:
    """The records that a study has made so far, and the names of those that it has not.

    Args:
        folder: a profile's results.
        names: of records.

    Returns:
        The records, checked to be about the same data, and the missing names, in the same order.

    Raises:
        RecordError: a record is damaged, or two are of different profiles or catalogues.
    """
    is_there = {name: (folder / f"{name}.json").exists() for name in names}
    found = results.read_named(folder, [name for name in names if is_there[name]])
    return found, [name for name in names if not is_there[name]]


def thesis_table(folder: Path, models: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """Tables 5.2.1 and 5.2.2: the thesis' numbers beside ours, on the products that a model saw.

    The trained models may have seen samples of different sizes; each row says of how many products
    it is, and what the pretrained network reaches on the same ones.

    Args:
        folder: a profile's results.
        models: from `thesis_models`.

    Returns:
        One row a model of the thesis: its mAP there; ours by its protocol and held out, hit rate@1
        likewise; the pretrained network's held-out mAP on the same products; then, of silhouette,
        distances and ratio, theirs and ours. Missing where a record is; and the missing records.

    Raises:
        RecordError: a record is damaged.
    """
    pretrained, rows, missing = list(models.values())[-1], {}, []
    for row, model in models.items():
        thesis = THESIS_TABLES.loc[row]
        cells: dict[str, object] = {"model": model, "mAP, thesis": thesis["mAP"]}
        found, absent = there(folder, [f"audit-{model}"])
        missing += absent
        if found:
            cells |= _audit_cells(found[0])
            of_part = f"audit-{pretrained}-of-{cells['products']}"
            beside, absent = ([], []) if model == pretrained else there(folder, [of_part])
            missing += absent
            if beside:
                cells["mAP, pretrained, held out"] = _audit_cells(beside[0])["mAP, held out"]
        found, absent = there(folder, [f"separation-{model}"])
        missing += absent
        for name in separation.MEASURED:
            cells[f"{name}, thesis"] = thesis[name]
            cells[name] = found[0][name]["value"] if found else np.nan
        rows[row] = cells
    return pd.DataFrame.from_dict(rows, orient="index"), missing


def _audit_cells(record: Mapping) -> dict[str, object]:
    cells: dict[str, object] = {"products": record["inputs"]["n_products"]}
    for protocol, said in (("thesis", "its protocol"), ("held_out", "held out")):
        micro = record["protocols"][protocol]["labels"]["articleType"]["micro"]
        for metric in ("mAP", "hit_rate@1"):
            cells[f"{metric}, {said}"] = micro[metric]["value"]
    return cells


def _years(products: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Products of odd and of even years; a missing year is neither."""
    years = products["year"].astype("Float64")
    is_odd, is_even = ((years % 2 == rest).fillna(False).to_numpy(bool) for rest in (1, 0))
    return is_odd, is_even


def _summary(ranked: Ranked, seed: int) -> dict[str, object]:
    labels = {
        label: results.score_summary(scores, ranked.n_excluded[label], seed=seed)
        for label, scores in ranked.scores.items()
    }
    return {"labels": labels, "n_gallery": ranked.n_gallery}


def _added(with_flaw: Ranked, without: Ranked, seed: int) -> dict[str, dict[str, object]]:
    """By label, the paired differences of all metrics over the queries that both scored."""
    added = {}
    for label, scores in with_flaw.scores.items():
        first, second = scores.drop(columns="label"), without.scores[label].drop(columns="label")
        both = first.index.intersection(second.index)
        difference = first.loc[both] - second.loc[both]
        estimates = intervals.bootstrap_mean(difference.to_numpy(), seed=seed)
        added[label] = {"n_queries": len(both)} | {
            metric: results.estimate_dict(estimate)
            for metric, estimate in zip(difference.columns, estimates, strict=True)
        }
    return added


def _scatter(scores: pd.DataFrame) -> dict[str, object]:
    """How far a single query's score is from the mean over all."""
    hits = (scores["precision@10"] * 10).round().astype(int)
    shares = hits.value_counts(normalize=True).reindex(range(11), fill_value=0)
    return {
        "hits_among_10": {str(n): results.rounded(share) for n, share in shares.items()},
        "mAP": {str(q): results.rounded(np.percentile(scores["mAP"], q)) for q in QUANTILES},
        "deviation": {
            metric: results.rounded(scores[metric].std()) for metric in ("mAP", "precision@10")
        },
    }


def _by_class(scores: pd.DataFrame) -> list[dict[str, object]]:
    grouped = scores.groupby("label")
    table = grouped[list(CLASS_METRICS)].mean()
    table.insert(0, "queries", grouped.size())
    return results.rows(table.rename_axis("class").reset_index())


def _estimates(found: separation.Separation) -> dict[str, dict[str, float]]:
    return {name: results.estimate_dict(found.estimates[name]) for name in separation.MEASURED}


def _pair(
    first: str, second: str, ours: np.ndarray, theirs: np.ndarray, seed: int
) -> dict[str, object]:
    estimate = intervals.paired_difference(ours, theirs, seed=seed)
    return {
        "first": first,
        "second": second,
        **results.estimate_dict(estimate),
        "better": results.rounded((ours > theirs).mean()),
        "worse": results.rounded((ours < theirs).mean()),
    }
