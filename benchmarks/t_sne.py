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


def by_scikit_learn(points: np.ndarray) -> np.ndarray:
    """Barnes-Hut, the default."""
    from sklearn.manifold import TSNE

    return TSNE(perplexity=PERPLEXITY, init="pca", random_state=0).fit_transform(points)


if __name__ == "__main__":
    main()
