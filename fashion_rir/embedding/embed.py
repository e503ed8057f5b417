"""Embed a catalogue into a feature store: batch by batch, with progress, resumable.

An engine that uses all cores in one call gets batches that threads decoded ahead, so that it never
waits. One that can be called from several threads at once decodes and embeds a batch in each.
Each batch is committed as a whole; a run that was killed goes on behind the last committed batch.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm.auto import tqdm

from fashion_rir.data import images
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.system import usable_cores

BATCHES_AHEAD = 3  # decoded batches that may wait: bounds the memory

Chunk = list[str]  # the image names of one batch


class Embedder(Protocol):
    """Anything that turns pictures into vectors: a backbone, its ONNX twin, or a floor.

    One whose `embed` may be called from several threads at once says from how many in an attribute
    `calls_at_once`.
    """

    image_size: int

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of the model."""


def check_batch(batch: np.ndarray, image_size: int, whose: str) -> None:
    """Refuse what is no batch of pictures, such as one in [0, 1], which would become black.

    Args:
        batch: should be uint8, shape (n, image_size, image_size, 3), RGB.
        image_size: side of the square in pixels.
        whose: what takes it, for the message.

    Raises:
        ParameterError: another dtype or shape.
    """
    given, size = np.asarray(batch), image_size
    if given.dtype != np.uint8 or given.ndim != 4 or given.shape[1:] != (size, size, 3):
        raise ParameterError(
            f"A batch for {whose} is uint8 of shape (n, {size}, {size}, 3), not {given.dtype} of "
            f"shape {given.shape}; prepare it with `images.fit`."
        )


def embed_catalog(
    catalog: Catalog,
    embedder: Embedder,
    *,
    preprocessing: str,
    path: Path,
    batch_size: int = 64,
    number_format: str = "float32",
) -> FeatureStore:
    """Embed every product that the store does not hold yet.

    Args:
        catalog: the products.
        embedder: the network.
        preprocessing: `resize` or `pad`.
        path: the feature store's file; made if missing, continued if there.
        batch_size: images a step, at least 1.
        number_format: of the store, `float32`, or `float16` in half the space.

    Returns:
        The store; it holds all of the catalogue's products.

    Raises:
        ParameterError: batch size below 1, or unknown preprocessing or number format.
        StoreError: the file belongs to another model, or cannot be written.
        ImageError: a photo that was readable when the catalogue was checked no longer is.
    """
    if batch_size < 1:
        raise ParameterError(f"The batch size must be at least 1, not {batch_size}.")
    if preprocessing not in images.PREPROCESSING:
        raise unknown_name("preprocessing", preprocessing, images.PREPROCESSING)

    def missing(names: list[str]) -> Iterator[tuple[Chunk, np.ndarray]]:
        return embedded(catalog, names, embedder, preprocessing, batch_size=batch_size)

    store = open_store(path, catalog, embedder.metadata(preprocessing), number_format)
    return fill(store, catalog, missing)


def fill(
    store: FeatureStore,
    catalog: Catalog,
    missing: Callable[[list[str]], Iterator[tuple[Chunk, np.ndarray]]],
) -> FeatureStore:
    """Add what a store lacks of a catalogue.

    Args:
        store: where the embeddings go.
        catalog: the products.
        missing: from the names that are not there to their embeddings, batch by batch.

    Returns:
        The store.
    """
    done = set(store.image_names())
    wanted = list(dict.fromkeys(catalog.products["image_name"]))  # two may share a photo
    names = [name for name in wanted if name not in done]
    with tqdm(total=len(wanted), initial=len(wanted) - len(names), desc=store.metadata["model"],
              unit="image", leave=False) as bar:  # fmt: skip
        for batch_names, rows in missing(names):
            store.append(batch_names, rows)
            bar.update(len(batch_names))
    return store


def open_store(
    path: Path, catalog: Catalog, metadata: dict[str, object], number_format: str
) -> FeatureStore:
    """The feature store of a model and a catalogue, made if missing; see `embed_catalog`."""
    said = {} if number_format == "float32" else {"number_format": number_format}
    return FeatureStore.create(path, metadata | {"data_hash": catalog.data_hash} | said)


def embedded(
    catalog: Catalog,
    image_names: Sequence[str],
    embedder: Embedder,
    preprocessing: str,
    *,
    batch_size: int,
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Embeddings batch by batch, in the order of the names.

    Args:
        catalog: where the photos are.
        image_names: which ones.
        embedder: the network.
        preprocessing: `resize` or `pad`.
        batch_size: images a batch.

    Yields:
        The names, and float32 of shape (n_names, embedding_dim).
    """
    n_calls = getattr(embedder, "calls_at_once", 1)
    size = embedder.image_size
    if n_calls == 1:
        for names, batch in batches(catalog, image_names, size, preprocessing,
                                    batch_size=batch_size):  # fmt: skip
            yield names, embedder.embed(batch)[: len(names)]
        return

    def embed_chunk(chunk: Chunk) -> np.ndarray:
        return embedder.embed(_decoded(catalog, chunk, size, preprocessing, len(chunk)))

    yield from in_threads(embed_chunk, chunks_of(image_names, batch_size), n_threads=n_calls)


def embed_image(image: images.Image.Image, embedder: Embedder, *, preprocessing: str) -> np.ndarray:
    """Embed one picture, by the same path as the catalogue.

    Args:
        image: RGB, from `images.decode`.
        embedder: the network.
        preprocessing: `resize` or `pad`.

    Returns:
        float32, shape (embedding_dim,).
    """
    if hasattr(embedder, "embed_picture"):  # it fits the picture itself, to several sizes
        return embedder.embed_picture(image)
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

    def decode(chunk: Chunk) -> np.ndarray:
        return _decoded(catalog, chunk, image_size, preprocessing, batch_size)

    n_threads = min(2, usable_cores())
    yield from in_threads(decode, chunks_of(image_names, batch_size), n_threads=n_threads)


def in_threads(
    work: Callable[[Chunk], np.ndarray], chunks: Sequence[Chunk], *, n_threads: int
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Do the work in threads, a few chunks ahead; in order, so that what follows a fault waits.

    Args:
        work: what is done with a chunk.
        chunks: the parts of the whole.
        n_threads: at least 1.

    Yields:
        Each chunk, and what became of it.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[tuple[Chunk, Future]] = deque()
        for chunk in chunks:
            waiting.append((chunk, pool.submit(work, chunk)))
            if len(waiting) >= n_threads - 1 + BATCHES_AHEAD:
                names, future = waiting.popleft()
                yield names, future.result()
        while waiting:
            names, future = waiting.popleft()
            yield names, future.result()


def chunks_of(image_names: Sequence[str], batch_size: int) -> list[Chunk]:
    """The names cut into batches; the last one may be smaller."""
    return [list(image_names[i : i + batch_size]) for i in range(0, len(image_names), batch_size)]


def _decoded(
    catalog: Catalog, chunk: Chunk, image_size: int, preprocessing: str, n_images: int
) -> np.ndarray:
    """The pictures of a chunk, filled up with black to `n_images`."""
    batch = np.zeros((n_images, image_size, image_size, 3), dtype=np.uint8)
    for row, name in enumerate(chunk):
        picture = catalog.read_image(name, for_size=image_size)
        batch[row] = images.fit(picture, image_size, preprocessing)
    return batch
