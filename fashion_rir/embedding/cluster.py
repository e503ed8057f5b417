"""Embed a catalogue on several processes or machines, by dask.distributed.

The client reads the photos and is the only one that writes the feature store, in the catalogue's
order; workers decode and embed. So the store does not depend on the number of workers, and a
worker that dies costs nothing but the time in which its batches are done again.

Before the first batch every worker shows that it has the client's versions, and builds the network
from its own weights; all must have the same. Needs the extra `distributed`.
"""

import importlib.metadata
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import fashion_rir
from fashion_rir.data import images
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones, embed, onnx_engine
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ClusterError, FashionRirError, ParameterError, unknown_name
from fashion_rir.system import usable_cores

LOCAL = "local"

NEEDS_EXTRA = "Several workers need the extra: pip install -e '.[distributed]'."

PATIENCE = 5  # seconds to find the scheduler, and a first worker

LOST_PATIENCE = 60  # seconds without any worker, in which a restarted one may come back

TASKS_AHEAD = 3  # batches that wait for each thread of a worker: bounds the client's memory

# What makes the same picture another embedding; a worker must have the client's versions.
PACKAGES = ("numpy", "pillow", "keras", "tensorflow", "onnxruntime")


@dataclass(frozen=True)
class Plan:
    """What a worker needs to know to build the same network as all others.

    Attributes:
        backbone: key in `backbones.BACKBONES`.
        weights: `imagenet` or a path, looked for on the worker's own machine.
        image_size: side of the square input in pixels; the network's usual one if None.
        preprocessing: `resize` or `pad`.
        engine: `keras`, or `onnx` (exported by each worker; one core a thread).

    Raises:
        ParameterError: an unknown name, or random weights.
    """

    backbone: str
    weights: str
    image_size: int | None = None
    preprocessing: str = "resize"
    engine: str = "keras"

    def __post_init__(self) -> None:
        for what, name, known in (
            ("backbone", self.backbone, backbones.BACKBONES),
            ("preprocessing", self.preprocessing, images.PREPROCESSING),
            ("engine", self.engine, ("keras", "onnx")),
        ):
            if name not in known:
                raise unknown_name(what, name, known)
        if self.weights == "none":  # a worker's other threads draw from Python's generator too
            raise ParameterError(
                "Random weights would differ from worker to worker; take 'imagenet', or save them "
                "to a file with Keras' save_weights and give its path."
            )


@contextmanager
def connect(scheduler: str = LOCAL, *, n_workers: int | None = None) -> Iterator[Any]:
    """A client of a running scheduler, or of a cluster on this machine that ends with it.

    Args:
        scheduler: an address such as `tcp://127.0.0.1:8786`, or `local`.
        n_workers: of a local cluster, one thread each; as many as cores if None.

    Yields:
        A `distributed.Client` with at least one worker.

    Raises:
        ParameterError: no worker asked for.
        ClusterError: nobody answers at the address, no worker has joined, or the extra is missing.
    """
    try:
        import distributed
    except ImportError as error:
        raise ClusterError(NEEDS_EXTRA) from error
    if n_workers is not None and n_workers < 1:
        raise ParameterError(f"The number of workers must be at least 1, not {n_workers}.")
    if scheduler == LOCAL:
        with (
            distributed.LocalCluster(n_workers=n_workers or usable_cores(),
                                     threads_per_worker=1, dashboard_address=None,
                                     silence_logs=logging.ERROR) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = distributed.Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"No scheduler answers at {scheduler!r} ({type(error).__name__}); start one with "
            "`dask scheduler` and give the address that it prints, or 'local'."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise ClusterError(
                f"No worker has joined the scheduler at {scheduler}; start one with "
                f"`dask worker {scheduler}` on each machine."
            ) from error
        yield client


def embed_catalog(
    client: Any,
    catalog: Catalog,
    plan: Plan,
    *,
    path: Path,
    batch_size: int = 64,
    number_format: str = "float32",
) -> FeatureStore:
    """As `embed.embed_catalog`, by the workers of a cluster.

    Args:
        client: from `connect`.
        catalog: the products; only the client needs it.
        plan: the network.
        path: the feature store's file; made if missing, continued if there.
        batch_size: images a task, at least 1; a task costs milliseconds, however few they are.
        number_format: of the store.

    Returns:
        The store; it holds all of the catalogue's products.

    Raises:
        ParameterError: batch size below 1, or unknown number format.
        ClusterError: a worker of another version, without the weights, or with other weights: all
            before the first batch; or all workers, or the scheduler, were lost on the way.
        StoreError: the file belongs to another model, or cannot be written.
        ImageError: a photo that was readable when the catalogue was checked no longer is.
    """
    if batch_size < 1:
        raise ParameterError(f"The batch size must be at least 1, not {batch_size}.")
    metadata = check_workers(client, plan)

    def missing(names: list[str]) -> Iterator[tuple[embed.Chunk, np.ndarray]]:
        chunks = embed.chunks_of(names, batch_size)
        jobs = ((plan, metadata, chunk, [catalog.source.read(name) for name in chunk])
                for chunk in chunks)  # fmt: skip
        return zip(chunks, in_order(client, _embed_photos, jobs), strict=True)

    store = embed.open_store(path, catalog, metadata, number_format)
    return embed.fill(store, catalog, missing)


def check_workers(client: Any, plan: Plan) -> dict[str, object]:
    """Let every worker build the network, and compare what they say of it.

    Args:
        client: from `connect`.
        plan: the network.

    Returns:
        What the feature store says of the model.

    Raises:
        ClusterError: names the first worker that cannot take part, and why.
    """
    versions = installed_versions(plan.engine)
    asked = {
        worker: client.submit(_prepare, plan, versions, workers=[worker], pure=False, retries=0)
        for worker in client.nthreads()
    }
    found: dict[str, dict[str, object]] = {}
    for worker, future in asked.items():
        try:
            found[worker] = future.result()
        except FashionRirError as error:
            raise ClusterError(f"The worker {worker} cannot take part: {error}") from error
        except Exception as error:  # whatever an installation without this package raises
            raise ClusterError(
                f"The worker {worker} cannot take part ({type(error).__name__}: {error}); install "
                f"fashion-rir {fashion_rir.__version__} there, as on this machine."
            ) from error
    (first, metadata), *others = found.items()
    for worker, other in others:
        if other != metadata:
            key = next(key for key in metadata if metadata[key] != other.get(key))
            raise ClusterError(
                f"The workers {first} and {worker} would embed differently: {key} is "
                f"{metadata[key]!r} and {other.get(key)!r}; give all of them the same weights."
            )
    return metadata


def in_order(
    client: Any, work: Callable[..., Any], jobs: Iterator[tuple] | Sequence[tuple]
) -> Iterator[Any]:
    """Results of the jobs in their order, a few of them ahead.

    Args:
        client: from `connect`.
        work: a function that workers can import.
        jobs: the arguments of each call; they are made only when they are sent.

    Yields:
        What each call returns.

    Raises:
        ClusterError: all workers, or the scheduler, were lost, or one job ends every worker that
            takes it up.
    """
    n_ahead = TASKS_AHEAD * max(1, sum(client.nthreads().values()))
    waiting: deque[Any] = deque()
    for job in jobs:
        waiting.append(client.submit(work, *job, pure=False))
        if len(waiting) >= n_ahead:
            yield _result(client, waiting.popleft())
    while waiting:
        yield _result(client, waiting.popleft())


def installed_versions(engine: str) -> dict[str, str]:
    """The versions that decide what an embedding is, by package."""
    found = {"fashion-rir": fashion_rir.__version__}
    for package in PACKAGES:
        if package == "onnxruntime" and engine != "onnx":
            continue
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _result(client: Any, future: Any) -> Any:
    import distributed

    while True:
        try:
            return future.result(timeout=LOST_PATIENCE)
        except TimeoutError as error:
            if client.nthreads():
                continue  # a long job
            raise ClusterError(
                "No worker is left; what is finished is stored. Start workers, then run the same "
                "command again."
            ) from error
        except distributed.KilledWorker as error:
            raise ClusterError(
                f"A job ended every worker that took it up ({error}); what is finished is stored. "
                "See the workers' own messages: too little memory?"
            ) from error
        except (CancelledError, OSError) as error:
            raise ClusterError(
                f"The scheduler was lost ({type(error).__name__}); what is finished is stored. "
                "Start scheduler and workers, then run the same command again."
            ) from error


# --- what runs on a worker ---

_building = threading.Lock()  # threads of one worker share a network


def _prepare(plan: Plan, versions: dict[str, str]) -> dict[str, object]:
    """Compare versions and build the network; what is said of it."""
    for package, here in installed_versions(plan.engine).items():
        if here != versions[package]:
            raise ClusterError(
                f"it has {package} {here}, the client {versions[package]}; install the client's "
                "version there."
            )
    return _embedder_of(plan).metadata(plan.preprocessing)


def _embed_photos(
    plan: Plan, metadata: dict[str, object], image_names: Sequence[str], photos: Sequence[bytes]
) -> np.ndarray:
    """Decode and embed; a worker that joined late proves its weights here."""
    embedder = _embedder_of(plan)
    if embedder.metadata(plan.preprocessing) != metadata:
        raise ClusterError(
            "A worker that joined later has other weights than the others; what is finished is "
            "stored. Give it the same weights, then run the same command again."
        )
    size = embedder.image_size
    pictures = [
        images.fit(images.decode(photo, name, for_size=size), size, plan.preprocessing)
        for name, photo in zip(image_names, photos, strict=True)
    ]
    return embedder.embed(np.stack(pictures))


def _embedder_of(plan: Plan) -> embed.Embedder:
    with _building:
        return _build(plan)


@lru_cache(maxsize=1)
def _build(plan: Plan) -> embed.Embedder:
    from distributed import get_worker

    worker = get_worker()
    # Workers share a machine; each takes the cores that it has been given. TensorFlow reads this
    # when it is first imported.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(worker.state.nthreads))
    network = backbones.build(plan.backbone, weights=plan.weights, image_size=plan.image_size)
    if plan.engine == "keras":
        return network
    export = f"{network.name}-{network.image_size}-{network.weights_sha256[:12]}.onnx"
    return onnx_engine.OnnxBackbone(network, Path(worker.local_directory) / export)
