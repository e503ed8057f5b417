"""What a search must beat to be worth anything: embeddings that know nothing of objects.

`MeanColour` and `RawPixels` go through the same path as a network (`embed.embed_catalog`);
`random_embeddings` is chance. `name_accuracy` asks how much a product's name tells without any
picture.
"""

import numpy as np
import pandas as pd

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import CatalogError
from fashion_rir.system import sha256_of

N_WORDS = 2048  # of the product names' vocabulary, the most frequent

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
        "weights_sha256": sha256_of(name),
        "embedding_dim": embedding_dim,
    }


def name_embeddings(products: pd.DataFrame, is_train: np.ndarray) -> Embedded:
    """The floor of the product name alone: TF-IDF of its words (Spärck Jones 1972), no picture.

    Args:
        products: a catalogue's table (`productDisplayName`).
        is_train: bool, shape (n_products,): words and their rarity are learned on these.

    Returns:
        float32, shape (n_products, n_words + 1), and metadata. The last number is 1 for a name
        without a known word, which would have no direction otherwise, and 0 for all others.

    Raises:
        CatalogError: the names hold no word to learn from.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = products["productDisplayName"].fillna("")
    words = TfidfVectorizer(max_features=N_WORDS, dtype=np.float32)
    try:
        words.fit(names[is_train])
    except ValueError as error:  # an empty vocabulary
        raise CatalogError(
            "The column productDisplayName holds no word to learn from; fill it."
        ) from error
    known = words.transform(names).toarray()
    is_unknown = ~known.any(axis=1)
    vectors = np.column_stack([known, is_unknown]).astype(np.float32)
    metadata = floor_metadata("product-name", 0, "none", vectors.shape[1])
    about = {"model": "product-name", "n_unknown": int(is_unknown.sum())}
    return Embedded(vectors, metadata | about)


def oracle_embeddings(products: pd.DataFrame, label: str) -> Embedded:
    """The ceiling of anything that sees the photo only: it knows the class of every photo.

    Identical photos get one class, the most frequent among their products (of equals the first by
    name), so a product whose twin is labelled otherwise may be misplaced. What the label itself
    would reach is 1.

    Args:
        products: a catalogue's table (`image_sha256`).
        label: the class that it knows.

    Returns:
        float32, shape (n_products, n_classes), a single 1 in each row; and metadata.

    Raises:
        CatalogError: a photo's products have no class.
    """
    known = products.groupby("image_sha256")[label].agg(lambda values: values.mode().get(0))
    classes = products["image_sha256"].map(known)
    if classes.isna().any():
        lone = products["id"][classes.isna()].iloc[0]
        raise CatalogError(f"Product {lone} has no {label}, so no oracle can know it; fill it.")
    codes, names = pd.factorize(classes, sort=True)
    metadata = floor_metadata(f"photo-oracle-{label}", 0, "none", len(names))
    n_twins_disagree = int((classes != products[label]).sum())
    about = {"model": f"photo-oracle-{label}", "n_twins_disagree": n_twins_disagree}
    return Embedded(np.eye(len(names), dtype=np.float32)[codes], metadata | about)
