"""What a search must beat to be worth anything: embeddings that know nothing of objects.

`MeanColour` and `RawPixels` go through the same path as a network (`embeddings.embed_catalog`);
`random_embeddings` is chance. `name_accuracy` asks how much a product's name tells without any
picture.
"""

import hashlib

import numpy as np
import pandas as pd

from fashion_rir.errors import CatalogError, ParameterError

RAW_PIXEL_SIZE = 16  # side in pixels: 16 * 16 * 3 = 768 numbers


class MeanColour:
    """The mean of each colour channel: three numbers, 0 to 255, plus a constant.

    The constant gives a black picture a direction, so that cosine similarity is defined; its
    size (128) lets bright and dark greys differ in direction too.
    """

    image_size = 32

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, 3) to float32 (n, 4)."""
        colour = batch.reshape(len(batch), -1, 3).mean(axis=1)
        return np.column_stack([colour, np.full(len(batch), 128)]).astype(np.float32)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it."""
        return floor_metadata("mean-colour", self.image_size, preprocessing, 4)


class RawPixels:
    """The picture itself, scaled down, plus a constant (see `MeanColour`)."""

    image_size = RAW_PIXEL_SIZE

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, 3) to float32 (n, size * size * 3 + 1)."""
        pixels = batch.reshape(len(batch), -1)
        return np.column_stack([pixels, np.full(len(batch), 128)]).astype(np.float32)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it."""
        dim = 3 * RAW_PIXEL_SIZE**2 + 1
        return floor_metadata("raw-pixels", self.image_size, preprocessing, dim)


def random_embeddings(n_products: int, *, seed: int) -> np.ndarray:
    """Chance: directions that have nothing to do with the pictures.

    Args:
        n_products: how many.
        seed: of the draw.

    Returns:
        float32, shape (n_products, 32).
    """
    return np.random.default_rng(seed).standard_normal((n_products, 32), dtype=np.float32)


def random_metadata(seed: int) -> dict[str, object]:
    """What a result record says of `random_embeddings`."""
    return floor_metadata("chance", 0, "none", 32) | {
        "model": "chance",
        "weights": f"seed{seed}",
    }


def floor_metadata(
    name: str, image_size: int, preprocessing: str, embedding_dim: int
) -> dict[str, object]:
    """What a feature store says of an embedder without weights.

    Args:
        name: the embedder's.
        image_size: side of its square input in pixels.
        preprocessing: `resize` or `pad`.
        embedding_dim: numbers an embedding.

    Returns:
        The entries that a backbone's metadata has, too.
    """
    return {
        "model": f"{name}-{image_size}-{preprocessing}",
        "backbone": name,
        "image_size": image_size,
        "preprocessing": preprocessing,
        "weights": "none",
        "weights_sha256": hashlib.sha256(name.encode()).hexdigest(),
        "embedding_dim": embedding_dim,
    }


def name_accuracy(products: pd.DataFrame, is_test: np.ndarray, *, without_type: bool) -> float:
    """How often a Naive Bayes on the words of the product name finds the articleType.

    Args:
        products: a catalogue's table (`productDisplayName`, `articleType`); a product without
            an articleType does not count.
        is_test: bool, shape (n_products,): scored on these, trained on the others.
        without_type: take the words of the type's own name out of the product name first.

    Returns:
        Accuracy on the test products, in [0, 1].

    Raises:
        ParameterError: no product to train on, or none to test.
        CatalogError: the names hold no word to learn from.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    names = products["productDisplayName"].fillna("").str.lower()
    types = products["articleType"]
    if without_type:
        names = pd.Series(
            [_without(name, kind) for name, kind in zip(names, types, strict=True)],
            index=products.index,
        )
    test, train = types.notna() & is_test, types.notna() & ~is_test
    if not test.any() or not train.any():
        raise ParameterError(
            f"The split holds {train.sum()} products to train on and {test.sum()} to test; both "
            "are needed."
        )
    words = CountVectorizer(binary=True)
    try:
        counts = words.fit_transform(names[train])
    except ValueError as error:  # an empty vocabulary
        raise CatalogError(
            "The column productDisplayName holds no word to learn from; fill it."
        ) from error
    model = MultinomialNB(alpha=0.1).fit(counts, types[train])
    return float(model.score(words.transform(names[test]), types[test]))


def _without(name: str, article_type: str) -> str:
    """`puma men grey t-shirt` without the words that begin like those of `Tshirts`."""
    stems = {word.rstrip("s")[:5] for word in str(article_type).lower().split()}
    words = name.replace("t-shirt", "tshirt").split()
    return " ".join(word for word in words if not any(word.startswith(stem) for stem in stems))
