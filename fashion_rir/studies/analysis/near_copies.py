"""Photos that are nearly the same: how many stand on both sides of the split, and what that adds.

The split keeps photos together that are the same byte for byte. A photo that was saved twice, or
cut a little differently, is not found so. Here two are near copies if their perceptual hashes
(Zauner 2010) differ in few of 64 bits, and a pretrained network finds them nearly the same as well:
one of the two alone takes plain products of one shape, or of one look, for copies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.data.labels import learn_labels
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.evaluation import protocols, rankings
from fashion_rir.evaluation.rankings import Ranked, View
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.runs import label_scores
from fashion_rir.training import fit, heads
from fashion_rir.training.objectives import Classification

MOST_BITS = 4  # of 64, in which the hashes of near copies may differ

LEAST_SIMILARITY = 0.95  # cosine of their embeddings

GRID = [(bits, similarity) for bits in (0, 2, 4, 6) for similarity in (0.99, 0.97, 0.95, 0.9)]

FITTING = fit.TrainingSettings(epochs=6, batch_size=512, learning_rate=1e-3, schedule="cosine",
                               weight_decay=0.01)  # fmt: skip

N_QUERIES = 1000  # test products that ask, at most

BLOCK = 200  # photos that are compared with all at a time


@dataclass(frozen=True)
class Pairs:
    """Photos that may be near copies, each pair once.

    Attributes:
        rows: int64, shape (n_pairs, 2), the smaller row first.
        bits: in how many their hashes differ, shape (n_pairs,).
        similarity: cosine of their embeddings, shape (n_pairs,).
    """

    rows: np.ndarray
    bits: np.ndarray
    similarity: np.ndarray

    def within(self, most_bits: int, least_similarity: float) -> np.ndarray:
        """The rows of those that are so alike, shape (n, 2)."""
        is_near = (self.bits <= most_bits) & (self.similarity >= least_similarity)
        return self.rows[is_near]


def find_pairs(
    hashes: np.ndarray, vectors: np.ndarray, *, most_bits: int, least_similarity: float
) -> Pairs:
    """All pairs that are alike by hash and by embedding.

    Args:
        hashes: +1 and -1, shape (n_photos, 64).
        vectors: float32, shape (n_photos, dim).
        most_bits: in which the hashes may differ.
        least_similarity: cosine of the embeddings.

    Example:
        >>> hashes = np.array([[1.0] * 64, [1.0] * 63 + [-1.0], [-1.0] * 64])
        >>> vectors = np.array([[1, 0], [1, 0.1], [1, 0]], dtype="float32")
        >>> find_pairs(hashes, vectors, most_bits=2, least_similarity=0.9).rows.tolist()
        [[0, 1]]
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    least_product = hashes.shape[1] - 2 * most_bits
    found = []
    for start in range(0, len(vectors), BLOCK):
        products = hashes[start : start + BLOCK] @ hashes.T
        first, second = np.nonzero(products >= least_product)
        chosen = second > first + start
        first, second = first[chosen], second[chosen]
        near = np.einsum("ij,ij->i", unit[first + start], unit[second])
        chosen = near >= least_similarity
        first, second, near = first[chosen], second[chosen], near[chosen]
        found.append((first + start, second, products[first, second], near))
    first, second, products, near = (np.concatenate(parts) for parts in zip(*found, strict=True))
    bits = np.rint((hashes.shape[1] - products) / 2).astype(int)
    return Pairs(np.column_stack([first, second]), bits, near)


def groups(n_photos: int, pairs: np.ndarray, same: Iterable[object]) -> np.ndarray:
    """Photos that hang together by pairs, or are the same anyway.

    Args:
        n_photos: how many.
        pairs: rows, shape (n_pairs, 2).
        same: what is the same of photos that belong together anyway, one a photo.

    Returns:
        A number for each photo, the same within a group, shape (n_photos,).

    Example:
        >>> groups(4, np.array([[0, 2]]), ["a", "b", "b", "c"]).tolist()
        [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes = pd.factorize(np.asarray(same, dtype=object))[0]
    firsts = pd.Series(np.arange(n_photos)).groupby(codes).transform("first").to_numpy()
    edges = np.concatenate([pairs, np.column_stack([firsts, np.arange(n_photos)])])
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(n_photos, n_photos))
    return connected_components(graph, directed=False)[1]


def audit(study: Study, model: Embedded, hashes: np.ndarray) -> dict:
    """Near copies across the split, and the scores once they stay on one side.

    Args:
        study: its products, split, seed and folders.
        model: embeddings and metadata of a pretrained network.
        hashes: of `descriptors.PerceptualHash`, shape (n_products, 64).

    Returns:
        A record of kind `near_copies`: `grid`, pairs, groups and test products with a near copy
        on the other side, by both limits; `groups` at the chosen limits, and how many disagree in
        a label; `pretrained`, the scores with and without near copies in the gallery; `head`, those
        of a label head on these embeddings, trained on the split as it is and on one that keeps
        near copies together, each asked among test products only.
    """
    inputs = study.describe(model.metadata) | {
        "most_bits": MOST_BITS,
        "least_similarity": LEAST_SIMILARITY,
        "grid": [list(cell) for cell in GRID],
        "epochs": FITTING.epochs,
        "n_queries": N_QUERIES,
        "seed": study.seed,
    }
    return study.record("near_copies", "near-copies", inputs, lambda: _audit(study, model, hashes))


def _audit(study: Study, model: Embedded, hashes: np.ndarray) -> Mapping[str, object]:
    products, vectors = study.catalog.products, model.vectors
    pairs = find_pairs(hashes, vectors, most_bits=max(bits for bits, _ in GRID),
                       least_similarity=min(similarity for _, similarity in GRID))  # fmt: skip
    photos = products["image_sha256"]
    found = groups(len(products), pairs.within(MOST_BITS, LEAST_SIMILARITY), photos)
    together = products.assign(image_sha256=found)
    is_test = study.is_test
    asked = splits.sample_queries(is_test, N_QUERIES, seed=study.seed)
    as_it_is = _ranked(vectors, products, {"held_out": View(asked)})
    without = _ranked(vectors, together, {"without near copies": View(asked, hidden="copies")})
    return {
        "grid": [_cell(study, pairs, *limits) for limits in GRID],
        "groups": _described(products, found, is_test),
        "pretrained": _scores(as_it_is | without, study.seed),
        "head": {"split as it is": _head(study, vectors, products),
                 "near copies together": _head(study, vectors, together)},
    }  # fmt: skip


def _cell(study: Study, pairs: Pairs, most_bits: int, least_similarity: float) -> dict:
    products = study.catalog.products
    chosen = pairs.within(most_bits, least_similarity)
    found = groups(len(products), chosen, products["image_sha256"])
    sizes = np.bincount(found)
    types = products["articleType"].to_numpy()
    return {
        "most bits": most_bits, "least similarity": least_similarity, "pairs": len(chosen),
        "pairs of one type": int((types[chosen[:, 0]] == types[chosen[:, 1]]).sum()),
        "photos in a group": int(sizes[sizes > 1].sum()), "largest group": int(sizes.max()),
        "test products with one in training": _crossing(found, study.is_test),
    }  # fmt: skip


def _crossing(found: np.ndarray, is_test: np.ndarray) -> int:
    """Test products that share a group with a training product."""
    return int(np.isin(found[is_test], found[~is_test]).sum())


def _described(products: pd.DataFrame, found: np.ndarray, is_test: np.ndarray) -> dict:
    sizes = pd.Series(found).map(pd.Series(found).value_counts()).to_numpy()
    several = products[sizes > 1].groupby(found[sizes > 1])
    disagree = {
        f"groups that disagree in {label}": int((several[label].nunique(dropna=False) > 1).sum())
        for label in ("articleType", "gender", "baseColour")
    }
    return {
        "groups": several.ngroups,
        "photos": int((sizes > 1).sum()),
        "largest group": int(sizes.max()),
        "test products": int(is_test.sum()),
        "test products with one in training": _crossing(found, is_test),
        **disagree,
    }


def _ranked(
    vectors: np.ndarray, products: pd.DataFrame, views: Mapping[str, View]
) -> dict[str, Ranked]:
    return rankings.score_views(vectors, products, views, labels=["articleType"])


def _scores(ranked: Mapping[str, Ranked], seed: int) -> dict[str, dict]:
    """The means over queries, by the names of the views."""
    return {
        name: protocols.score_summary(
            one.scores["articleType"], one.n_excluded["articleType"], seed=seed
        )["micro"]
        for name, one in ranked.items()
    }


def _head(study: Study, vectors: np.ndarray, products: pd.DataFrame) -> dict[str, object]:
    """The scores of a label head, trained on a split that keeps equal `image_sha256` together."""
    parts = splits.split(products, seed=study.seed)
    logits, codes, classes = trained_on(
        vectors, products["articleType"], parts.is_fit, seed=study.seed
    )
    scores = label_scores(logits[parts.is_test], codes[parts.is_test], classes)
    embedding = heads.posterior_embedding(logits)
    is_query = splits.sample_queries(parts.is_test, N_QUERIES, seed=study.seed)
    views = {"held_out": View(is_query), "unseen": View(is_query, parts.is_test)}
    return {
        "accuracy": scores["accuracy"],
        "n_test": int(parts.is_test.sum()),
        **_scores(_ranked(embedding, products, views), study.seed),
    }


def trained_on(vectors: np.ndarray, labels: pd.Series, is_fit: np.ndarray, *, seed: int) -> tuple:
    """A label head of 512 on some products, and what it says of all.

    Args:
        vectors: float32, shape (n_products, dim).
        labels: one a product; those that no fitted product has are left out.
        is_fit: bool, shape (n_products,): trained on.
        seed: of weights and order.

    Returns:
        Logits (n_products, n_classes), codes (n_products,), -1 where there is none, and classes.
    """
    name = labels.name
    classes, codes = learn_labels(labels.to_frame(), [name], is_fit)
    settings = heads.HeadSettings(label_smoothing=0.0)
    head, _ = heads.train_head(
        (vectors[is_fit], {name: codes[name][is_fit]}),
        Classification(classes, settings.label_smoothing, settings.balance),
        settings, fit.Training(FITTING, seed),
    )  # fmt: skip
    return head.outputs(vectors, name)[name], codes[name], classes[name]
