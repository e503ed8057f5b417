"""The experiments of notebook 06: what a protocol adds to a score, and what a score is worth.

Each leaves a record: an audit of the thesis' protocol on one model, its full ranking, how well it
keeps the types apart, and which of several models differ beyond noise. Floors and ceilings go the
same way as every model (`scoring.retrieval`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.evaluation import intervals, protocols, rankings, separation
from fashion_rir.evaluation.rankings import RANKED_LABELS, Ranked, View
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.thesis.numbers import THESIS_TABLES
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.records import Record

# What an audit tries, the mildest first; see `audit`.
AUDITED = ("thesis", "held_out", "no_copies", "years")

FLAWS = {
    "the query in its own gallery": ("thesis", "held_out"),
    "identical photos in the gallery": ("held_out", "no_copies"),
}

CLASS_METRICS = ("mAP", "precision@10", "hit_rate@1")

QUANTILES = (5, 25, 50, 75, 95)


def thesis_models(second: str, *, trained: Sequence[str]) -> dict[str, str]:
    """Our models that stand for those of the thesis' tables, by the rows of `THESIS_TABLES`.

    Args:
        second: the padded pretrained network, with its image size, such as `resnet50-224`.
        trained: the names of models i, h and g, as notebooks 04 and 05 store them.

    Raises:
        ParameterError: not three names.

    Example:
        >>> thesis_models("resnet50-224", trained=["model-i", "model-h", "model-g"])["label-tuned"]
        'model-g'
    """
    if len(trained) != len(THESIS_TABLES) - 1:
        raise ParameterError(
            f"The thesis trained three models (i, h, g); name ours in this order, not {trained}."
        )
    return dict(zip(THESIS_TABLES.index, (*trained, f"{second}-pad"), strict=True))


def audit(
    study: Study, model: Embedded, is_query: np.ndarray, *, labels: Sequence[str] = RANKED_LABELS
) -> dict:
    """What each flaw of the thesis' protocol adds to the scores of one model.

    The test products ask under `AUDITED`: as in the thesis, finding themselves; held out; without
    any product of the query's own photo; and with products of odd years asking among those of even
    years, so that nothing of the same season's shooting is found.

    Args:
        study: its products, split, seed and folders.
        model: of the catalogue, by cosine.
        is_query: bool, shape (n_products,): the test products.
        labels: what makes a product relevant; each must have two classes.

    Returns:
        A record of kind `audit`: `protocols` as those of `scoring.retrieval`; `added` by flaw
        and label, the paired differences; `single_queries`, how one query's score scatters.

    Raises:
        ParameterError: see `rankings.score_views`.
    """
    metadata = model[1]
    is_odd, is_even = _years(study.catalog.products)
    inputs = study.describe(metadata) | {
        "measure": "cosine",
        "n_queries": int(is_query.sum()),
        "n_without_year": int((~is_odd & ~is_even).sum()),
        "labels": list(labels),
        "seed": study.seed,
    }
    views = {
        "thesis": View(is_query, hidden="nothing"),
        "held_out": View(is_query),
        "no_copies": View(is_query, hidden="copies"),
        "years": View(is_query & is_odd, is_even),
    }
    return study.record("audit", f"audit-{metadata['model']}", inputs,
                        lambda: _audited(study, model, views, labels))  # fmt: skip


def rank_everything(
    study: Study, model: Embedded, *, labels: Sequence[str] = RANKED_LABELS
) -> dict:
    """Every product asks for every other (leave-one-out): scores by label and class.

    Meant for models that were not trained on this catalogue: of others, most queries were seen.

    Args:
        study: its products, split, seed and folders.
        model: of the catalogue, by cosine.
        labels: what makes a product relevant; each must have two classes.

    Returns:
        A record of kind `full-ranking`: `labels` with `micro`, `macro` and `classes`, a list with
        `class`, `queries` and `CLASS_METRICS`.

    Raises:
        ParameterError: see `rankings.score_views`.
    """
    vectors, metadata = model
    inputs = study.describe(metadata) | {
        "measure": "cosine",
        "n_queries": len(study.catalog),
        "labels": list(labels),
        "seed": study.seed,
    }

    def rank() -> dict[str, object]:
        products = study.catalog.products
        ranked = rankings.score_views(
            vectors, products, {"": rankings.everyone(products)}, labels=labels
        )[""]
        summary = _summary(ranked, study.seed)
        for label, scores in ranked.scores.items():
            summary["labels"][label]["classes"] = _by_class(scores)
        return summary

    return study.record("full-ranking", f"full-ranking-{metadata['model']}", inputs, rank)


def separate_types(
    study: Study, model: Embedded, is_test: np.ndarray, *, label: str = "articleType"
) -> dict:
    """Silhouette and class distances of a model, over all products and over test products.

    Args:
        study: its products, split, seed and folders.
        model: of the catalogue.
        is_test: bool, shape (n_products,): those that a trained model has not seen.
        label: whose classes are told apart.

    Returns:
        A record of kind `separation`: `separation.MEASURED` by cosine over all products, each with
        its interval; `of_test`, the same over test products; `by_class`, `centroids` and `classes`
        (see `separation.Separation`).

    Raises:
        ParameterError, StoreError: see `separation.separate`.
    """
    vectors, metadata = model
    inputs = study.describe(metadata) | {
        "measure": "cosine", "label": label, "n_test": int(is_test.sum()), "seed": study.seed,
    }  # fmt: skip

    def separate() -> dict[str, object]:
        products, options = study.catalog.products, {"label": label, "seed": study.seed}
        found = separation.separate(vectors, products, **options)
        tested = separation.separate(vectors[is_test], products[is_test], **options)
        return {
            **_estimates(found),
            "of_test": _estimates(tested),
            "by_class": {key: intervals.rounded(value) for key, value in found.by_class.items()},
            "centroids": {key: intervals.rounded(value) for key, value in found.centroids.items()},
            "classes": result_records.rows(found.classes.reset_index()),
            "n_with_class": found.n_products,
            "n_without_class": found.n_without_class,
            "n_lone": found.n_lone,
        }

    return study.record("separation", f"separation-{metadata['model']}", inputs, separate)


def audit_trained(
    study: Study, names: Sequence[str], beside: Embedded, *, labels: Sequence[str] = RANKED_LABELS
) -> list[str]:
    """Audit and separate the models that earlier notebooks trained, each on what it saw.

    Args:
        study: its products, split, seed and folders; a model may have seen a sample of them.
        names: of the models, as notebooks 04 and 05 store them.
        beside: the pretrained network, which is asked on the same products.
        labels: as for `audit`.

    Returns:
        What is missing, or could not be separated, a sentence each.
    """
    said = []
    for name in names:
        try:
            part, model = stores.stored_model(study.workspace, study.catalog, name)
        except StoreError:
            said.append(f"There are no embeddings of {name}; run the notebook that trains it.")
            continue
        of_part = replace(study, catalog=part)
        for one in (model, stores.on_part(beside, study.catalog, part)):
            audit(of_part, one, of_part.is_test, labels=labels)
            try:
                separate_types(of_part, one, of_part.is_test)
            except ParameterError as error:  # a training that made all products alike
                said.append(f"{one.metadata['model']} has no separation: {error}")
    return said


def retrieval_summary(folder: Path, models: Mapping[str, str]) -> pd.DataFrame:
    """Table 5.2.1 in the thesis' shape: hit rates and mAP, by its protocol and held out.

    Args:
        folder: a profile's results.
        models: from `thesis_models`; each audit must be there.

    Returns:
        Index: the thesis' names; columns as the pairs `(protocol, metric)`.

    Raises:
        RecordError: a record is missing or damaged.
    """
    shown = ("hit_rate@1", "hit_rate@5", "hit_rate@10", "mAP")
    rows = {}
    for row, model in models.items():
        record = result_records.read(folder, f"audit-{model}")
        rows[row] = {
            (said, metric): record.estimate(protocol, "articleType", metric).value
            for protocol, said in (("thesis", "query inside"), ("held_out", "held out"))
            for metric in shown
        }
    return pd.DataFrame.from_dict(rows, orient="index")


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
        found, absent = result_records.there(folder, [f"audit-{model}"])
        missing += absent
        if found:
            cells |= _audit_cells(found[0])
            of_part = f"audit-{pretrained}-of-{cells['products']}"
            beside, absent = (
                ([], []) if model == pretrained else result_records.there(folder, [of_part])
            )
            missing += absent
            if beside:
                cells["mAP, pretrained, held out"] = _audit_cells(beside[0])["mAP, held out"]
        found, absent = result_records.there(folder, [f"separation-{model}"])
        missing += absent
        for name in separation.MEASURED:
            cells[f"{name}, thesis"] = thesis[name]
            cells[name] = found[0][name]["value"] if found else np.nan
        rows[row] = cells
    return pd.DataFrame.from_dict(rows, orient="index"), missing


def _audited(
    study: Study, model: Embedded, views: Mapping[str, View], labels: Sequence[str]
) -> dict[str, object]:
    """The content of an audit; what `scoring.retrieval` has scored is not scored again."""
    vectors, metadata = model
    products = study.catalog.products
    ranked: dict[str, Ranked] = {}
    for protocol in ("thesis", "held_out"):
        is_query = views[protocol].is_query
        kept = scoring.kept_scores(study, metadata, is_query, protocol, labels)
        if kept is not None:
            n_excluded = {label: int(is_query.sum()) - len(table) for label, table in kept.items()}
            ranked[protocol] = Ranked(kept, n_excluded, len(products))
    # Those of odd years ask by themselves: with others beside them distances round differently,
    # which is another order where a collapsed training has made all products alike.
    for others in (("thesis", "held_out", "no_copies"), ("years",)):
        left = {protocol: views[protocol] for protocol in others if protocol not in ranked}
        ranked |= rankings.score_views(vectors, products, left, labels=labels)
    return {
        "protocols": {protocol: _summary(ranked[protocol], study.seed) for protocol in views},
        "added": {
            flaw: _added(ranked[with_flaw], ranked[without], study.seed)
            for flaw, (with_flaw, without) in FLAWS.items()
        },
        "single_queries": {label: _scatter(ranked["held_out"].scores[label]) for label in labels},
    }


def _audit_cells(record: Record) -> dict[str, object]:
    cells: dict[str, object] = {"products": record["inputs"]["n_products"]}
    for protocol, said in (("thesis", "its protocol"), ("held_out", "held out")):
        for metric in ("mAP", "hit_rate@1"):
            cells[f"{metric}, {said}"] = record.estimate(protocol, "articleType", metric).value
    return cells


def _years(products: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Products of odd and of even years; a missing year is neither."""
    years = products["year"].astype("Float64")
    is_odd, is_even = ((years % 2 == rest).fillna(False).to_numpy(bool) for rest in (1, 0))
    return is_odd, is_even


def _summary(ranked: Ranked, seed: int) -> dict[str, object]:
    labels = {
        label: protocols.score_summary(scores, ranked.n_excluded[label], seed=seed)
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
            metric: intervals.estimate_dict(estimate)
            for metric, estimate in zip(difference.columns, estimates, strict=True)
        }
    return added


def _scatter(scores: pd.DataFrame) -> dict[str, object]:
    """How far a single query's score is from the mean over all."""
    hits = (scores["precision@10"] * 10).round().astype(int)
    shares = hits.value_counts(normalize=True).reindex(range(11), fill_value=0)
    return {
        "hits_among_10": {str(n): intervals.rounded(share) for n, share in shares.items()},
        "mAP": {str(q): intervals.rounded(np.percentile(scores["mAP"], q)) for q in QUANTILES},
        "deviation": {
            metric: intervals.rounded(scores[metric].std()) for metric in ("mAP", "precision@10")
        },
    }


def _by_class(scores: pd.DataFrame) -> list[dict[str, object]]:
    grouped = scores.groupby("label")
    table = grouped[list(CLASS_METRICS)].mean()
    table.insert(0, "queries", grouped.size())
    return result_records.rows(table.rename_axis("class").reset_index())


def _estimates(found: separation.Separation) -> dict[str, dict[str, float]]:
    return {name: intervals.estimate_dict(found.estimates[name]) for name in separation.MEASURED}
