"""How fast is the t-SNE map, beside scikit-learn's?

    python benchmarks/t_sne.py [--products 2000]

Both lay out the same points (clouds of random vectors, reduced by PCA to 50 numbers) at the same
perplexity, with as many iterations, in this process, in turn.
"""

import argparse

import limits
import numpy as np

from fashion_rir.studies.analysis import tsne
from fashion_rir.workspace import maps

PERPLEXITY = 30

NEIGHBOURS = 3  # times the perplexity, as both keep them

ITERATIONS = tsne.METHOD["iterations"] + tsne.METHOD["early_iterations"]


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=2000)
    n_products = parser.parse_args().products
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((20, 50))
    points = centres[generator.integers(0, 20, n_products)]
    points = (points + 0.5 * generator.standard_normal(points.shape)).astype(np.float32)
    settings = maps.MapSettings(perplexity=PERPLEXITY)
    ours = limits.seconds_of(lambda: tsne.layout(points, settings))
    theirs = limits.seconds_of(lambda: by_scikit_learn(points))
    print(f"{n_products} points, perplexity {PERPLEXITY}")
    print(f"{'fashion_rir (openTSNE)':<26}{ours:>8.1f} s")
    print(f"{'scikit-learn':<26}{theirs:>8.1f} s{theirs / ours:>8.2f} times ours")
    least = attraction_seconds(n_products)
    print(f"{'reading who is near whom':<26}{least:>8.2f} s: the limit, of which ours reaches "
          f"{least / ours:.0%}")  # fmt: skip


def attraction_seconds(n_products: int) -> float:
    """What every way must do: read each point's neighbours and their weights in each iteration."""
    n_bytes = n_products * NEIGHBOURS * PERPLEXITY * (4 + 8)
    return ITERATIONS * n_bytes / limits.bandwidth()


def by_scikit_learn(points: np.ndarray) -> np.ndarray:
    """Barnes-Hut, the default."""
    from sklearn.manifold import TSNE

    return TSNE(perplexity=PERPLEXITY, init="pca", random_state=0).fit_transform(points)


if __name__ == "__main__":
    main()
