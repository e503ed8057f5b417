"""How embeddings lie on the sphere: alignment and uniformity, measured on a sample of products."""

import numpy as np

from fashion_rir.evaluation import intervals
from fashion_rir.training import losses

MEASURED_AT_MOST = 2_000  # products, for alignment and uniformity


def spread(
    embeddings: np.ndarray,
    codes: np.ndarray,
    *,
    views: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int,
) -> dict[str, object]:
    """Alignment and uniformity (Wang and Isola 2020) on a sample of products.

    Args:
        embeddings: float32, shape (n_products, dim).
        codes: articleType, shape (n_products,), -1 for missing.
        views: embeddings of two augmented views of some products, row by row.
        seed: of the sample and of each product's partner.

    Returns:
        `alignment of types` and `alignment of views` (mean squared distance of unit vectors, 0 to
        4; of random pairs of one articleType, and of the views; None without any), `uniformity`
        (-8 to 0), and how many products and pairs were measured.
    """
    rows = np.random.default_rng(seed).permutation(len(embeddings))[:MEASURED_AT_MOST]
    vectors, types = embeddings[rows], codes[rows]
    order = np.argsort(types, kind="stable")  # the rows are in random order within a type
    order = order[types[order] >= 0]
    is_pair = types[order[:-1]] == types[order[1:]]
    pairs = vectors[order[:-1][is_pair]], vectors[order[1:][is_pair]]
    return {
        "alignment of types": _alignment(*pairs),
        "alignment of views": None if views is None else _alignment(*views),
        "uniformity": intervals.rounded(losses.uniformity(vectors)),
        "n_products": len(rows),
        "n_pairs": len(pairs[0]),
        "n_view_pairs": 0 if views is None else len(views[0]),
    }


def _alignment(first: np.ndarray, second: np.ndarray) -> float | None:
    return intervals.rounded(losses.alignment(first, second)) if len(first) else None
