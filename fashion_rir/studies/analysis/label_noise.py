"""How many articleTypes of the catalogue may be wrong, and what the best model could score by it.

Two witnesses: photos that are the same byte for byte, of which the minority's type is doubted; and
confident learning (Northcutt, Jiang and Chuang 2021): a head that never saw the product says
another type, and is as sure of it as it is on average of products that are labelled so. A score
against the catalogue punishes whoever is right where the catalogue is not. So the honest ceiling is
what an oracle scores that gives every doubted product the other type: if all doubts are right, no
model that knows the truth scores more. Doubts are not all right, so it is a lower bound of the
ceiling; a model above it has learned the catalogue's habits with its labels.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.evaluation import intervals, protocols, rankings
from fashion_rir.evaluation.rankings import View
from fashion_rir.studies.analysis.near_copies import FITTING, N_QUERIES, trained_on
from fashion_rir.studies.study import Study
from fashion_rir.training import heads

N_FOLDS = 4

MOST_NAMED = 15  # pairs of types that are doubted most often


def majority_types(products: pd.DataFrame) -> pd.Series:
    """What most products of a photo are called; of equals the first by name.

    Args:
        products: a catalogue's table (`image_sha256`, `articleType`).

    Returns:
        One type a product, its own where the photo has no other product.
    """
    counts = products.groupby(["image_sha256", "articleType"]).size().reset_index(name="n")
    counts = counts.sort_values(["n", "articleType"], ascending=[False, True], kind="stable")
    most = counts.drop_duplicates("image_sha256").set_index("image_sha256")["articleType"]
    return products["image_sha256"].map(most)


def confident_types(posterior: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Confident learning: the class that a product is confidently counted to.

    Args:
        posterior: of products that the model did not see, shape (n_products, n_classes), rows sum
            to 1; a row of NaN where a product was not asked about.
        codes: the given classes, shape (n_products,); -1 where there is none.

    Returns:
        int64, shape (n_products,): the most likely class, where its posterior is at least the mean
        of that over the products of the class; else the given one. (A class that is merely above
        such a mean does not count: that of a rare one is hardly above 0.)

    Example:
        >>> sure = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.85, 0.15]])
        >>> confident_types(sure, np.array([0, 0, 1, 1])).tolist()
        [0, 0, 1, 0]
    """
    asked = np.isfinite(posterior).all(axis=1) & (codes >= 0)
    limits = np.full(posterior.shape[1], np.inf)
    for code in np.unique(codes[asked]):
        limits[code] = posterior[asked & (codes == code), code].mean()
    best = np.where(asked[:, None], posterior, 0.0).argmax(axis=1)
    is_sure = posterior[np.arange(len(codes)), best] >= limits[best]
    return np.where(asked & is_sure, best, codes)


def measure(study: Study, model: Embedded) -> dict:
    """The types that copies and confident learning doubt, and the ceiling that follows.

    Args:
        study: its products, split, seed and folders.
        model: embeddings and metadata of a pretrained network, which a head learns types from.

    Returns:
        A record of kind `label_noise`: `doubted`, how many products by which witness; `pairs`, the
        types that are confused most often, given and said; `ceilings`, by witness, the scores of
        an oracle that follows it, held out; `accuracy` of the head on products it did not see.
    """
    inputs = study.describe(model.metadata) | {
        "label": "articleType",
        "n_folds": N_FOLDS,
        "epochs": FITTING.epochs,
        "n_queries": N_QUERIES,
        "seed": study.seed,
    }
    return study.record("label_noise", "label-noise", inputs, lambda: _measured(study, model))


def _measured(study: Study, model: Embedded) -> Mapping[str, object]:
    products = study.catalog.products
    given = products["articleType"]
    said, is_right = _said(study, model.vectors)
    by_copies = majority_types(products)
    witnesses = {
        "copies": by_copies,
        "confident learning": said,
        "both": given.where((by_copies == given) | (said == given), said),
        "either": said.where(said != given, by_copies),
    }
    doubted = {name: int((types != given).sum()) for name, types in witnesses.items()}
    pairs = pd.DataFrame({"given": given, "said": said})[said != given].value_counts()
    return {
        "doubted": doubted | {"products": len(products)},
        "pairs": [{"given": a, "said": b, "products": int(n)}
                  for (a, b), n in pairs.head(MOST_NAMED).items()],
        "ceilings": {name: _ceiling(study, types) for name, types in witnesses.items()},
        "accuracy": intervals.rounded(is_right.mean()),
    }  # fmt: skip


def _said(study: Study, vectors: np.ndarray) -> tuple[pd.Series, np.ndarray]:
    """What confident learning calls each product, and whether the head is right as it is."""
    products = study.catalog.products
    types = products["articleType"]
    photos = pd.factorize(products["image_sha256"])[0]
    fold_of_photo = np.random.default_rng(study.seed).integers(N_FOLDS, size=photos.max() + 1)
    fold = fold_of_photo[photos]
    names = sorted(types.dropna().unique())
    codes = pd.Index(names).get_indexer(types)
    posterior = np.full((len(types), len(names)), np.nan, dtype=np.float32)
    for held in range(N_FOLDS):
        logits, _, classes = trained_on(vectors, types, fold != held, seed=study.seed)
        columns = pd.Index(names).get_indexer(classes.names)
        rows = np.flatnonzero(fold == held)
        posterior[rows] = 0.0
        posterior[np.ix_(rows, columns)] = heads.posterior(logits[rows])
    said = pd.Series(np.asarray(names, dtype=object)[confident_types(posterior, codes)],
                     index=types.index)  # fmt: skip
    return said.where(codes >= 0, types), posterior.argmax(axis=1)[codes >= 0] == codes[codes >= 0]


def _ceiling(study: Study, types: pd.Series) -> dict[str, dict[str, float]]:
    """The scores, against the catalogue, of an oracle that gives these types."""
    codes, names = pd.factorize(types, sort=True)
    vectors = np.eye(len(names), dtype=np.float32)[codes]
    asked = splits.sample_queries(study.is_test, N_QUERIES, seed=study.seed)
    ranked = rankings.score_views(vectors, study.catalog.products, {"": View(asked)},
                                  labels=["articleType"])[""]  # fmt: skip
    scores, n_excluded = ranked.scores["articleType"], ranked.n_excluded["articleType"]
    return protocols.score_summary(scores, n_excluded, seed=study.seed)["micro"]
