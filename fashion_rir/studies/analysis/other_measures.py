"""One model asked by each similarity measure: how many of the first ten have the query's type."""

from collections.abc import Mapping

import numpy as np

from fashion_rir.data import splits
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.evaluation import intervals, rankings
from fashion_rir.search.gallery import MEASURES, Gallery
from fashion_rir.studies.study import Study

K = 10

N_QUERIES = 1000  # test products that ask, at most


def measure(study: Study, model: Embedded) -> dict:
    """Precision among the first ten by articleType, held out, by each measure.

    Args:
        study: its products, split, seed and folders.
        model: embeddings and metadata.

    Returns:
        A record of kind `other_measures`, named `measures-<model>`: `precision@10` by measure, each
        with its interval over queries.
    """
    vectors, metadata = model
    inputs = study.describe(metadata) | {
        "n_queries": N_QUERIES,
        "seed": study.seed,
    }
    return study.record(
        "other_measures", f"measures-{metadata['model']}", inputs,
        lambda: {f"precision@{K}": _precisions(study, vectors)},
    )  # fmt: skip


def _precisions(study: Study, vectors: np.ndarray) -> Mapping[str, Mapping[str, float]]:
    codes = rankings.class_codes(study.catalog.products["articleType"])
    rows = np.flatnonzero(splits.sample_queries(study.is_test, N_QUERIES, seed=study.seed))
    everyone = np.arange(len(codes))
    found = {}
    for name in MEASURES:
        gallery = Gallery(vectors, everyone, name)
        matches = gallery.search(vectors[rows], K, exclude_ids=rows).ids
        is_hit = (codes[matches] == codes[rows][:, None]) & (codes[rows] >= 0)[:, None]
        estimate = intervals.bootstrap_mean(is_hit.mean(axis=1)[:, None], seed=study.seed)[0]
        found[name] = intervals.estimate_dict(estimate)
    return found
