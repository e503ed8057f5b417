"""The experiments of notebook 03 on thresholds, 'no match' and mixed models; each a record."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals, thresholds
from fashion_rir.evaluation.thresholds import MAX_GALLERY
from fashion_rir.search import transforms
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study
from fashion_rir.thesis import numbers

PRECISIONS = (0.5, 0.8, 0.9, 0.95)

FALSE_MATCH_RATES = (0.01, 0.001)

FALSE_ALARM_RATES = (0.01, 0.05, 0.10)

MIN_CLASS_QUERIES = 10  # below that a class' own precision says nothing


def replay(study: Study, models: Mapping[str, Embedded], is_query: np.ndarray) -> dict:
    """The thesis' hand-tuned thresholds, each over many queries instead of one.

    Args:
        study: its products, split, seed and folders.
        models: embeddings and metadata by model name.
        is_query: bool, shape (n_products,).

    Returns:
        A record of kind `threshold_replay`: for each model, measure and threshold how many
        matches and misses the queries get (median, 10th and 90th percentile), and the share
        without any match.
    """

    def replayed() -> dict[str, object]:
        rows = []
        for matrix, metadata in models.values():
            key = metadata["backbone"], metadata["preprocessing"]
            for (*model, measure), values in numbers.THESIS_THRESHOLDS.items():
                if tuple(model) == key:
                    counts = _replayed(study.catalog, matrix, is_query, measure, values)
                    rows += [{"model": metadata["model"], "measure": measure} | row
                             for row in counts]  # fmt: skip
        return {"rows": rows}

    inputs = _inputs(study, models, is_query)
    return study.record("threshold_replay", "threshold-replay", inputs, replayed)


def calibrate(study: Study, model: Embedded, is_query: np.ndarray, *, measure: str) -> dict:
    """Thresholds for wanted precisions and false match rates, tried on other queries.

    Half of the queries calibrate, the other half verifies.

    Args:
        study: its products, split, seed and folders.
        model: embeddings and metadata.
        is_query: bool, shape (n_products,).
        measure: one of `gallery.MEASURES`.

    Returns:
        A record of kind `threshold_calibration`: `curve` (thinned to 200 points), `thresholds`
        (each with what it promised and what the other half got), `by_query` and `by_class` (how
        stable the first of them is that can be reached).
    """
    name = str(model[1]["model"])
    inputs = _inputs(study, {name: model}, is_query) | {"measure": measure}
    return study.record(
        "threshold_calibration", f"thresholds-{name}-{measure}", inputs,
        lambda: _calibrated(study, model[0], is_query, measure),
    )  # fmt: skip


def open_set(
    study: Study, model: Embedded, is_query: np.ndarray, outsiders: np.ndarray, *, measure: str
) -> dict:
    """What an upload gets of which the shop has nothing.

    A tenth of the articleTypes is taken out of the gallery: their products are 'unknown'. The
    threshold for 'no match' is set on one half of the known queries and tried on the other half.

    Args:
        study, model, is_query: as for `calibrate`.
        outsiders: embeddings of pictures that are no fashion, by the same model.
        measure: one of `gallery.MEASURES`.

    Returns:
        A record of kind `open_set`: by stated false alarm rate the threshold, the false alarms on
        the other half, and the share of unknown types and of outsiders that come back as 'no
        match'; `auroc` of the nearest distance for both.

    Raises:
        ParameterError: fewer than two known queries, or no outsider.
    """
    (matrix, metadata), products = model, study.catalog.products
    generator = np.random.default_rng(study.seed)
    types = np.array(sorted(products.loc[is_query, "articleType"].dropna().unique()))
    removed = generator.choice(types, max(1, len(types) // 10), replace=False)
    is_removed = products["articleType"].isin(removed).to_numpy()
    n_known = int((is_query & ~is_removed).sum())
    if n_known < 2 or len(outsiders) == 0:
        raise ParameterError(
            f"At least 2 known queries and 1 outsider are needed, not {n_known} and "
            f"{len(outsiders)}; ask with more test products."
        )

    def ask() -> dict[str, object]:
        rows = np.flatnonzero(~is_removed & ~is_query)
        gallery = Gallery(matrix[rows], products["id"].to_numpy()[rows], measure)
        asked = (matrix[is_query & ~is_removed], matrix[is_query & is_removed], outsiders)
        known, *far = (gallery.search(some, 1).distances[:, 0] for some in asked)
        return _told_apart(generator.permutation(known), *far)

    inputs = _inputs(study, {metadata["model"]: model}, is_query) | {
        "measure": measure, "removed": sorted(removed.tolist()), "n_outsiders": len(outsiders),
    }  # fmt: skip
    return study.record("open_set", f"open-set-{metadata['model']}-{measure}", inputs, ask)


def cross_model(
    study: Study, models: Mapping[str, Embedded], is_query: np.ndarray, *, n_components: int
) -> dict:
    """Query by one model, gallery by another (the thesis' model d), their sizes forced equal.

    Args:
        study: its products, split, seed and folders.
        models: two models by name: the query's, and the gallery's.
        is_query: bool, shape (n_products,).
        n_components: dimensions after PCA whitening of each.

    Returns:
        A record of kind `cross_model`: precision@10 by articleType of each model with itself, of
        the mix, and of chance.
    """
    query_model, gallery_model = models
    inputs = _inputs(study, models, is_query) | {"n_components": n_components}
    return study.record(
        "cross_model", f"cross-model-{query_model}-in-{gallery_model}", inputs,
        lambda: {"rows": _mixed(study, models, is_query, n_components)},
    )  # fmt: skip


def _calibrated(
    study: Study, matrix: np.ndarray, is_query: np.ndarray, measure: str
) -> dict[str, object]:
    """The content of the record of `calibrate`."""
    types = study.catalog.products["articleType"].to_numpy()
    generator = np.random.default_rng(study.seed)
    queries = generator.permutation(np.flatnonzero(is_query))
    others = generator.permutation(np.flatnonzero(~is_query))[:MAX_GALLERY]
    gallery = Gallery(matrix[others], study.catalog.products["id"].to_numpy()[others], measure)
    distances = gallery.distances(matrix[queries])
    is_match = types[queries][:, None] == types[others]
    half = len(queries) // 2
    curve = thresholds.threshold_curve(distances[:half], is_match[:half])
    check = thresholds.threshold_curve(distances[half:], is_match[half:])
    rows, first = [], None
    wanted = [("precision", p) for p in PRECISIONS]
    wanted += [("false_match_rate", rate) for rate in FALSE_MATCH_RATES]
    for name, value in wanted:
        row = {"wanted": name.replace("_", " "), "value": value}
        try:
            found = thresholds.calibrate_threshold(curve, **{name: value})
        except ParameterError as error:
            rows.append(row | {"note": str(error)})
            continue
        first = first or found
        rows.append(row | _promise(found, thresholds.at_threshold(check, found.value)))
    stability = _stability(distances[half:], is_match[half:], types[queries[half:]], first)
    return {"curve": thresholds.thinned(curve), "thresholds": rows, **stability}


def _told_apart(known: np.ndarray, unknown: np.ndarray, outside: np.ndarray) -> dict[str, object]:
    """The content of the record of `open_set`.

    Args:
        known: the nearest distances of queries that the gallery has something like, in random
            order; the threshold is set on the first half.
        unknown: of queries whose type was removed.
        outside: of pictures that are no fashion.
    """
    from sklearn.metrics import roc_auc_score

    calibrating, checking = np.array_split(known, 2)
    rows = []
    for rate in FALSE_ALARM_RATES:
        limit = thresholds.reject_threshold(calibrating, false_alarm_rate=rate)
        rows.append({
            "stated false alarm rate": rate,
            "threshold": intervals.rounded(limit),
            "false alarms on other queries": intervals.rounded((checking > limit).mean()),
            "unknown types told 'no match'": intervals.rounded((unknown > limit).mean()),
            "outsiders told 'no match'": intervals.rounded((outside > limit).mean()),
        })  # fmt: skip
    auroc = {
        name: intervals.rounded(
            roc_auc_score(np.r_[np.zeros(len(known)), np.ones(len(far))], np.r_[known, far])
        )
        for name, far in (("unknown types", unknown), ("outsiders", outside))
    }
    counts = {"known": len(known), "unknown": len(unknown), "outsiders": len(outside)}
    return {"rows": rows, "auroc": auroc, "counts": counts}


def _mixed(
    study: Study, models: Mapping[str, Embedded], is_query: np.ndarray, n_components: int
) -> list[dict[str, object]]:
    """The rows of the record of `cross_model`."""
    types = study.catalog.products["articleType"].to_numpy()
    ids = study.catalog.products["id"].to_numpy()
    whitened = {}
    for name, (matrix, _) in models.items():
        whitened[name] = transforms.fit_whitening(matrix[~is_query], n_components)(matrix)
    ours, theirs = models
    rows = []
    for asked, searched in ((ours, ours), (theirs, theirs), (ours, theirs)):
        gallery = Gallery(whitened[searched], ids, "cosine")
        found = gallery.search(whitened[asked][is_query], 10, exclude_ids=ids[is_query]).ids
        row_of = pd.Series(np.arange(len(ids)), index=ids)
        hits = types[row_of[found.ravel()].to_numpy().reshape(found.shape)] == types[is_query, None]
        rows.append({"query": asked, "gallery": searched,
                     "precision@10": intervals.rounded(hits.mean())})  # fmt: skip
    n_of_type = pd.Series(types).value_counts().reindex(types[is_query])
    n_others = n_of_type.fillna(1).to_numpy() - 1  # without a type, nothing is like the query
    chance = intervals.rounded((n_others / (len(ids) - 1)).mean())
    return [*rows, {"query": "chance", "gallery": "chance", "precision@10": chance}]


def _replayed(
    catalog: Catalog, matrix: np.ndarray, is_query: np.ndarray, measure: str, values: tuple
) -> list[dict]:
    types = catalog.products["articleType"].to_numpy()
    queries = np.flatnonzero(is_query)
    gallery = Gallery(matrix, catalog.products["id"].to_numpy(), measure)
    found = {value: ([], []) for value in values}
    for start in range(0, len(queries), 200):
        block = queries[start : start + 200]
        distances = gallery.distances(matrix[block])
        distances[np.arange(len(block)), block] = np.inf
        is_match = types[block][:, None] == types
        for value, (matches, misses) in found.items():
            counts = thresholds.count_matches(distances, is_match, value)
            matches.append(counts[0])
            misses.append(counts[1])
    key_rows = []
    for value, counts in found.items():
        matches, misses = (np.concatenate(c) for c in counts)
        row = {"threshold": value}
        for name, values_ in (("matches", matches), ("misses", misses)):
            low, middle, high = np.percentile(values_, [10, 50, 90])
            row |= {f"{name} median": float(middle), f"{name} 10 %": float(low),
                    f"{name} 90 %": float(high)}  # fmt: skip
        row["queries without a match"] = intervals.rounded((matches == 0).mean())
        key_rows.append(row)
    return key_rows


def _promise(promised: thresholds.Threshold, got: thresholds.Threshold) -> dict[str, float]:
    return {
        "threshold": intervals.rounded(promised.value),
        "precision": intervals.rounded(promised.precision),
        "recall": intervals.rounded(promised.recall),
        "FMR": intervals.rounded(promised.false_match_rate),
        "FNMR": intervals.rounded(promised.false_non_match_rate),
        "precision on other queries": intervals.rounded(got.precision),
        "recall on other queries": intervals.rounded(got.recall),
        "FMR on other queries": intervals.rounded(got.false_match_rate),
    }


def _stability(
    distances: np.ndarray,
    is_match: np.ndarray,
    types: np.ndarray,
    threshold: thresholds.Threshold | None,
) -> dict:
    """Precision of each query, and of each class, at one and the same threshold."""
    if threshold is None:
        return {"by_query": None, "by_class": []}
    matches, misses = thresholds.count_matches(distances, is_match, threshold.value)
    accepted = matches + misses
    by_query = {
        "threshold": intervals.rounded(threshold.value),
        "queries without any result": intervals.rounded((accepted == 0).mean()),
    }
    if accepted.any():
        precision = matches[accepted > 0] / accepted[accepted > 0]
        for percent in (10, 25, 50, 75, 90):
            value = np.percentile(precision, percent)
            by_query[f"precision {percent} %"] = intervals.rounded(value)
    table = pd.DataFrame({"type": types, "matches": matches, "accepted": accepted,
                          "relevant": is_match.sum(axis=1)})  # fmt: skip
    by_class = []
    for name, group in table.groupby("type"):
        if len(group) >= MIN_CLASS_QUERIES and group["accepted"].sum():
            by_class.append({
                "articleType": name, "queries": len(group),
                "precision": intervals.rounded(group["matches"].sum() / group["accepted"].sum()),
                "recall": intervals.rounded(group["matches"].sum() / group["relevant"].sum()),
            })  # fmt: skip
    return {"by_query": by_query, "by_class": sorted(by_class, key=lambda row: -row["precision"])}


def _inputs(study: Study, models: Mapping, is_query: np.ndarray) -> dict:
    return {
        "profile": study.workspace.profile,
        "data_hash": study.catalog.data_hash,
        "n_products": len(study.catalog),
        "n_queries": int(is_query.sum()),
        "models": {
            name: {key: str(value) for key, value in metadata.items() if key != "data_hash"}
            for name, (_, metadata) in models.items()
        },
        "seed": study.seed,
    }
