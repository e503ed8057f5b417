"""How well embeddings keep the classes of a label apart: silhouette and class distances.

All of it follows from one table, the sums of the distances from each product to each class. Under
cosine a sum is linear in the embeddings of length 1, sum of (1 - x.y) = n - x.(sum of y), so the
table takes one small matrix product and is exact over any number of products.

The thesis (section 5.2) defines: intra- and inter-class distance, the 'average cosine distance
between images of same vs different categories'; separation ratio, inter over intra; silhouette
(Rousseeuw 1987). We read 'average' as the mean over all pairs of two different products. Two other
readings are measured beside it: the mean over classes, each counting the same (`by_class`), and
distances to and between the classes' mean directions (`centroids`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals, rankings
from fashion_rir.search.gallery import Gallery

BLOCK = 512  # products at a time

ROUNDING = 1e-12  # distances below it are those of equal directions

MEASURED = ("silhouette", "intra_class_distance", "inter_class_distance", "separation_ratio")


@dataclass(frozen=True)
class Separation:
    """How far the classes are apart.

    Attributes:
        estimates: `MEASURED`, with 95 % intervals over products.
        by_class: the same, each class counting the same; classes of one product have a silhouette
            of 0 and no intra-class distance.
        centroids: `intra_class_distance`, from products to the mean direction of their class;
            `inter_class_distance`, between those of two classes; `separation_ratio`.
        classes: one row a class (index: its name): `products`, `silhouette`,
            `intra_class_distance`, `inter_class_distance` (to products of all other classes).
        n_products: that have a class.
        n_without_class: left out.
        n_lone: products that are the only one of their class; their silhouette is 0.
    """

    estimates: dict[str, intervals.Estimate]
    by_class: dict[str, float]
    centroids: dict[str, float]
    classes: pd.DataFrame
    n_products: int
    n_without_class: int
    n_lone: int


def separate(
    embeddings: np.ndarray, products: pd.DataFrame, *, label: str, seed: int
) -> Separation:
    """Silhouette and class distances over all products, exactly.

    Args:
        embeddings: float32, shape (n_products, embedding_dim), one row a product.
        products: the catalogue's table, in the same order.
        label: whose classes are told apart; products without one are left out and counted.
        seed: of the bootstrap.

    Raises:
        ParameterError: lengths that differ, fewer than two classes, no class of two products, or no
            distance within any class.
        StoreError: embeddings that are not finite, or all zeros under cosine; names the product.
    """
    if len(embeddings) != len(products):
        raise ParameterError(
            f"{len(embeddings)} embeddings and {len(products)} products do not belong together."
        )
    rankings.check_classes(products[label], label)
    codes = rankings.class_codes(products[label])
    has_class = codes >= 0
    ids = products["id"].to_numpy()[has_class]
    vectors = Gallery(embeddings[has_class], ids, "cosine").vectors
    codes = codes[has_class].astype(np.int64)
    sizes = np.bincount(codes)
    if sizes.max() < 2:
        raise ParameterError(
            f"No {label} has two products, so there is no distance within a class; take another "
            "label or more products."
        )
    parts = _parts(distance_sums(vectors, codes), codes)
    if not parts["own sum"].any():
        raise ParameterError(
            f"All products of each {label} have the same embedding: a distance between classes is "
            "infinitely many times one within a class; there is no separation ratio to report."
        )
    names = np.sort(products[label].dropna().unique())
    return Separation(
        estimates=_estimates(parts, seed),
        by_class=_mean_over_classes(parts, codes),
        centroids=_between_centroids(vectors, codes),
        classes=_classes(parts, codes, names),
        n_products=len(codes),
        n_without_class=int((~has_class).sum()),
        n_lone=int((sizes == 1).sum()),
    )


def distance_sums(vectors: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sums of the cosine distances from each product to the products of each class.

    Args:
        vectors: float32, shape (n_products, embedding_dim), no row all zeros.
        codes: their classes, 0, 1, ..., shape (n_products,).

    Returns:
        float64, shape (n_products, n_classes). A product's distance to itself counts as 0.
    """
    sizes, directions = np.bincount(codes), _class_sums(vectors, codes)
    blocks = []
    for start in range(0, len(codes), BLOCK):
        sums = sizes - _directions(vectors[start : start + BLOCK]) @ directions.T
        blocks.append(np.where(sums < ROUNDING * sizes, 0, sums))
    return np.concatenate(blocks)


def _parts(sums: np.ndarray, codes: np.ndarray) -> pd.DataFrame:
    """What each product adds: sums and numbers of its pairs, and its silhouette."""
    sizes = np.bincount(codes)
    rows = np.arange(len(codes))
    own = sums[rows, codes]
    parts = pd.DataFrame(
        {
            "own sum": own,
            "own pairs": sizes[codes] - 1,
            "other sum": sums.sum(axis=1) - own,
            "other pairs": len(codes) - sizes[codes],
        }
    )
    within = own / np.maximum(parts["own pairs"], 1)
    means = sums / sizes
    means[rows, codes] = np.inf
    nearest = means.min(axis=1)
    largest = np.maximum(within, nearest)
    is_defined = (sizes[codes] > 1) & (largest > 0)
    parts["silhouette"] = np.where(
        is_defined, (nearest - within) / largest.where(largest > 0, 1), 0
    )
    return parts


def _estimates(parts: pd.DataFrame, seed: int) -> dict[str, intervals.Estimate]:
    """The means over products and pairs, with bootstrap intervals over products.

    A pair counts as often as both its products were drawn. We take that to first order: the sum
    over pairs changes by twice what it changes by the products' own rows (Hájek's projection).
    """
    table = parts.to_numpy()
    totals = table.sum(axis=0)
    generator = np.random.default_rng(seed)
    drawn = np.empty((intervals.N_RESAMPLES, table.shape[1]))
    for row in drawn:
        chosen = generator.integers(len(table), size=len(table))
        row[:] = np.bincount(chosen, minlength=len(table)) @ table
    silhouettes = drawn[:, 4] / len(table)
    drawn = totals + 2 * (drawn - totals)
    centre, resampled = _ratios(totals[None]), _ratios(drawn)
    values = {"silhouette": (totals[4] / len(table), silhouettes)}
    values |= {name: (centre[name][0], resampled[name]) for name in centre}
    tail = 50 * (1 - intervals.LEVEL)
    return {
        name: intervals.Estimate(float(value), *map(float, np.nanpercentile(r, [tail, 100 - tail])))
        for name, (value, r) in values.items()
    }


def _ratios(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Mean distances from sums and numbers of pairs, one row a resample."""
    with np.errstate(divide="ignore", invalid="ignore"):  # few products: a resample without pairs
        intra, inter = totals[:, 0] / totals[:, 1], totals[:, 2] / totals[:, 3]
        return dict(zip(MEASURED[1:], (intra, inter, inter / intra), strict=True))


def _classes(parts: pd.DataFrame, codes: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    grouped = parts.groupby(codes)
    sums = grouped.sum()
    intra = sums["own sum"] / sums["own pairs"].where(sums["own pairs"] > 0)
    table = pd.DataFrame(
        {
            "products": grouped.size(),
            "silhouette": grouped["silhouette"].mean(),
            "intra_class_distance": intra,
            "inter_class_distance": sums["other sum"] / sums["other pairs"],
        }
    )
    return table.set_axis(pd.Index(names, name="class"))


def _mean_over_classes(parts: pd.DataFrame, codes: np.ndarray) -> dict[str, float]:
    table = _classes(parts, codes, np.arange(codes.max() + 1))
    means = table.mean()
    ratio = means["inter_class_distance"] / means["intra_class_distance"]
    return {name: float(means.get(name, ratio)) for name in MEASURED}


def _between_centroids(vectors: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """Cosine distances from products to their class' mean direction, and between those."""
    sums = _class_sums(vectors, codes)
    lengths = np.linalg.norm(sums, axis=1)
    intra = 1 - lengths.sum() / len(codes)  # a product's cosine with s / |s|; they add up to |s|
    means = sums / np.maximum(lengths, ROUNDING)[:, None]
    pairs = np.triu_indices(len(means), k=1)
    inter = 1 - np.mean((means @ means.T)[pairs])
    values = (float(intra), float(inter), float(inter / intra))
    return dict(zip(MEASURED[1:], values, strict=True))


def _class_sums(vectors: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sum of the directions of each class, float64, shape (n_classes, embedding_dim)."""
    sums = np.zeros((codes.max() + 1, vectors.shape[1]))
    for code in range(len(sums)):
        sums[code] = _directions(vectors[codes == code]).sum(axis=0)
    return sums


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Length 1 to the digits of float64, so that equal directions have distance 0."""
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
