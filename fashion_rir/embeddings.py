"""Embed a catalogue into a feature store: batch by batch, with progress, resumable.

Decoding runs in threads ahead of the network, so that the network never waits. Each batch is
committed as a whole; a run that was killed goes on behind the last committed batch.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm.auto import tqdm

from fashion_rir import images
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.feature_store import FeatureStore

BATCHES_AHEAD = 3  # decoded batches that may wait: bounds the memory


class Embedder(Protocol):
    """Anything that turns pictures into vectors: a backbone, its ONNX twin, or a floor."""

    image_size: int

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of the model."""


def embed_catalog(
    catalog: Catalog,
    embedder: Embedder,
    *,
    preprocessing: str,
    path: Path,
    batch_size: int = 64,
) -> FeatureStore:
    """Embed every product that the store does not hold yet.

    Args:
        catalog: the products.
        embedder: the network.
        preprocessing: `resize` or `pad`.
        path: the feature store's file; made if missing, continued if there.
        batch_size: images a step, at least 1.

    Returns:
        The store; it holds all of the catalogue's products.

    Raises:
        ParameterError: batch size below 1, or unknown preprocessing.
        StoreError: the file belongs to another model, or cannot be written.
        ImageError: a photo that was readable when the catalogue was checked no longer is.
    """
    if batch_size < 1:
        raise ParameterError(f"The batch size must be at least 1, not {batch_size}.")
    if preprocessing not in images.PREPROCESSING:
        raise unknown_name("preprocessing", preprocessing, images.PREPROCESSING)
    metadata = embedder.metadata(preprocessing)
    store = FeatureStore.create(path, metadata | {"data_hash": catalog.data_hash})
    done = set(store.image_names())
    names = [name for name in catalog.products["image_name"] if name not in done]
    bar = tqdm(total=len(catalog), initial=len(catalog) - len(names), desc=str(metadata["model"]),
               unit="image", leave=False)  # fmt: skip
    with bar:
        for batch_names, batch in batches(catalog, names, embedder.image_size, preprocessing,
                                          batch_size=batch_size):  # fmt: skip
            store.append(batch_names, embedder.embed(batch)[: len(batch_names)])
            bar.update(len(batch_names))
    return store


def embed_image(image: images.Image.Image, embedder: Embedder, *, preprocessing: str) -> np.ndarray:
    """Embed one picture, by the same path as the catalogue.

    Args:
        image: RGB, from `images.decode`.
        embedder: the network.
        preprocessing: `resize` or `pad`.

    Returns:
        float32, shape (embedding_dim,).
    """
    return embedder.embed(images.fit(image, embedder.image_size, preprocessing)[np.newaxis])[0]


def batches(
    catalog: Catalog,
    image_names: Sequence[str],
    image_size: int,
    preprocessing: str,
    *,
    batch_size: int,
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Decoded batches, read ahead in threads.

    Args:
        catalog: where the photos are.
        image_names: which ones, in this order.
        image_size: side of the square in pixels.
        preprocessing: `resize` or `pad`.
        batch_size: images a batch.

    Yields:
        The names, and uint8 of shape (batch_size, image_size, image_size, 3). The last batch is
        filled up with black images, so that every batch has one shape and the network is
        compiled once; there are fewer names than images then.
    """
    chunks = [list(image_names[i : i + batch_size]) for i in range(0, len(image_names), batch_size)]

    def decode(chunk: list[str]) -> np.ndarray:
        batch = np.zeros((batch_size, image_size, image_size, 3), dtype=np.uint8)
        for row, name in enumerate(chunk):
            batch[row] = images.fit(catalog.read_image(name), image_size, preprocessing)
        return batch

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        waiting: deque[tuple[list[str], Future]] = deque()
        for chunk in chunks:
            waiting.append((chunk, pool.submit(decode, chunk)))
            if len(waiting) >= BATCHES_AHEAD:
                names, future = waiting.popleft()
                yield names, future.result()
        while waiting:
            names, future = waiting.popleft()
            yield names, future.result()
