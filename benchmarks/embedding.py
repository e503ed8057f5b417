"""How fast is a catalogue embedded, beside what a user would pick instead?

    python benchmarks/embedding.py [--catalogue real] [--products 512] [--rounds 3]

In one process, in turn, round by round: `embed_catalog` (read, decode, resize, network, SQLite)
by both engines and by two worker processes; the engines on batches that lie ready in memory; and
Keras' `model.predict` over `image_dataset_from_directory`, which stores nothing. With torch and
torchvision (extra `peers`) the same network of theirs too, in a process beside. Random weights:
they do not matter to the speed. The ratios are medians over rounds. Where others use the machine
too, the CPU time of this process tells more than the clock; both are shown.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import limits
import numpy as np

from fashion_rir.data import catalog
from fashion_rir.embedding import backbones, cluster, embed
from fashion_rir.embedding.onnx_engine import OnnxBackbone
from fashion_rir.workspace.folders import open_workspace

BATCH_SIZE = 64
# Name, pixels, fewer products by; two batches at least, as the onnx engine shares them out.
NETWORKS = (("mobilenetv2", 128, 1), ("resnet50", 224, 2))
TORCH = {"mobilenetv2": "mobilenet_v2", "resnet50": "resnet50"}
REFERENCE = "keras engine, all of it"
BY_TORCH = "torchvision over a DataLoader"
CPU = ", CPU seconds"  # behind a side's name
KEPT: dict[str, object] = {}  # networks of torch by name, in their own process


def main() -> None:
    """Measure both networks and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", default="drawn", help="drawn or real")
    parser.add_argument("--products", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-workers", action="store_true")
    arguments = parser.parse_args()
    products = open_workspace("quick").load_catalog(arguments.catalogue)
    for name, size, fewer in NETWORKS:
        n_products = max(2 * BATCH_SIZE, arguments.products // fewer // BATCH_SIZE * BATCH_SIZE)
        chosen = products.subset(np.arange(len(products)) < n_products)
        found = measure(chosen, name, size, arguments.rounds, not arguments.without_workers)
        print_table(name, size, n_products, *found)


def measure(
    products: catalog.Catalog, name: str, size: int, n_rounds: int, with_workers: bool
) -> tuple[dict[str, list[float]], float, dict[str, float]]:
    """Images a second by side and round; the network's operations a picture; the limits."""
    backbone = backbones.build(name, weights="none", image_size=size)
    n_flops, machine = limits.network_flops(backbone.model), limits.describe()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sides = sides_of(products, backbone, folder)
        found: dict[str, list[float]] = {side + unit: [] for side in sides for unit in ("", CPU)}
        for work in sides.values():  # compile, and wake the threads
            work()
        for _ in range(n_rounds):
            for side, work in sides.items():
                start = time.process_time()
                found[side].append(len(products) / limits.seconds_of(work))
                found[side + CPU].append(len(products) / (time.process_time() - start))
        if with_workers:
            found |= by_workers(products, backbone, folder, n_rounds)
    # A shared machine is now quick, now slow: the limit is the most of it that was ever seen.
    afterwards = limits.describe()
    machine |= {key: max(machine[key], afterwards[key]) for key in machine if "/s" in key}
    return found, n_flops, machine


def sides_of(
    products: catalog.Catalog, backbone: backbones.Backbone, folder: Path
) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    size = backbone.image_size
    ready = drawn_pictures(len(products), size)
    onnx = OnnxBackbone(backbone, folder / "network.onnx")
    chunks = [list(range(i, i + BATCH_SIZE)) for i in range(0, len(ready), BATCH_SIZE)]

    def onnx_in_memory() -> None:
        list(embed.in_threads(lambda rows: onnx.embed(ready[rows]), chunks,
                                   n_threads=onnx.calls_at_once))  # fmt: skip

    photos = folder / "photos"
    photos.mkdir()
    for image_name in products.products["image_name"]:
        (photos / image_name).write_bytes(products.source.read(image_name))

    def keras_dataset() -> None:
        import keras

        pictures = keras.utils.image_dataset_from_directory(
            photos, labels=None, image_size=(size, size), batch_size=BATCH_SIZE, shuffle=False,
            verbose=False,
        )  # fmt: skip
        backbone.model.predict(pictures, verbose=0)

    return {
        REFERENCE: lambda: embed_all(products, backbone),
        "onnx engine, all of it": lambda: embed_all(products, onnx),
        "keras engine, in memory": lambda: backbone.model.predict(
            ready, batch_size=BATCH_SIZE, verbose=0
        ),
        "onnx engine, in memory": onnx_in_memory,
        "predict over image_dataset_from_directory": keras_dataset,
        **by_torch(photos, backbone.name, size),
    }


def drawn_pictures(n_pictures: int, size: int) -> np.ndarray:
    """Random pixels, uint8, shape (n_pictures, size, size, 3)."""
    return np.random.default_rng(0).integers(0, 256, (n_pictures, size, size, 3), np.uint8)


def embed_all(products: catalog.Catalog, embedder: embed.Embedder) -> None:
    """Read, decode, resize and embed all products, into a store that is thrown away."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "store.sqlite"
        embed.embed_catalog(
            products, embedder, preprocessing="resize", path=path, batch_size=BATCH_SIZE
        )


def by_torch(photos: Path, name: str, size: int) -> dict[str, Callable[[], object]]:
    """torchvision's network of the same name over a DataLoader; nothing where it is missing.

    In a process of its own, as the libraries of torch and TensorFlow clash in one.
    """
    worker = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        worker.submit(torch_network, name).result()
    except (ImportError, OSError, BrokenProcessPool):  # OSError: a build for another machine
        return {}
    return {BY_TORCH: lambda: worker.submit(torch_embeds, photos, name, size).result()}


def torch_network(name: str) -> None:
    """Build torchvision's network, and keep it for `torch_embeds`."""
    from torchvision import models

    KEPT[name] = getattr(models, TORCH[name])(weights=None).eval()


def torch_embeds(photos: Path, name: str, size: int) -> None:
    """Read, resize and embed all photos."""
    import torch
    from PIL import Image

    class Photos(torch.utils.data.Dataset):
        files = sorted(photos.iterdir())

        def __len__(self) -> int:
            return len(self.files)

        def __getitem__(self, place: int) -> torch.Tensor:
            picture = Image.open(self.files[place]).convert("RGB").resize((size, size))
            return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1

    with torch.inference_mode():
        for batch in torch.utils.data.DataLoader(Photos(), batch_size=BATCH_SIZE):
            KEPT[name](batch)


def by_workers(
    products: catalog.Catalog, backbone: backbones.Backbone, folder: Path, n_rounds: int
) -> dict[str, list[float]]:
    """Two worker processes with the onnx engine, beside one process of two threads, in turn."""
    weights = folder / "random.weights.h5"
    backbone.network.save_weights(weights)
    plan = cluster.Plan(backbone.name, str(weights), backbone.image_size, engine="onnx")
    onnx = OnnxBackbone(backbone, folder / "network.onnx")
    found: dict[str, list[float]] = {"onnx, one process": [], "onnx, two dask workers": []}
    with cluster.connect(n_workers=2) as client:
        cluster.check_workers(client, plan)
        for number in range(n_rounds + 1):
            alone, shared = folder / f"a{number}.sqlite", folder / f"b{number}.sqlite"
            asked = {"batch_size": BATCH_SIZE}
            one = limits.seconds_of(lambda path=alone, asked=asked: embed.embed_catalog(
                products, onnx, preprocessing="resize", path=path, **asked))  # fmt: skip
            two = limits.seconds_of(lambda path=shared, asked=asked: cluster.embed_catalog(
                client, products, plan, path=path, **asked))  # fmt: skip
            if number:  # the first round wakes both
                found["onnx, one process"].append(len(products) / one)
                found["onnx, two dask workers"].append(len(products) / two)
    return found


def print_table(
    name: str,
    size: int,
    n_products: int,
    found: dict[str, list[float]],
    n_flops: float,
    machine: dict[str, float],
) -> None:
    """Ratios to the reference engine, and the share of the peak that is reached."""
    print(f"\n{name}, {size} pixels, {n_products} photos, {n_flops / 1e9:.2f} GFLOP each; "
          + ", ".join(f"{key} {value:.1f}" for key, value in machine.items()))  # fmt: skip
    print(f"{'':<44}{'images/s':>10}{'times keras':>13}{'by CPU time':>13}{'of the peak':>13}")
    for side, speeds in found.items():
        if side.endswith(CPU):
            continue
        speed = statistics.median(speeds)
        ratio = median_ratio(speeds, found[REFERENCE])
        share = speed * n_flops / machine["peak GFLOP/s"] / 1e9
        shown = f"{'-':>13}"  # workers, and torch, are other processes
        if side + CPU in found and side != BY_TORCH:
            shown = f"{median_ratio(found[side + CPU], found[REFERENCE + CPU]):>13.2f}"
        print(f"{side:<44}{speed:>10.1f}{ratio:>13.2f}{shown}{share:>13.0%}")
    if BY_TORCH not in found:
        print("torchvision: not installed (extra 'peers')")
    for what, side, other in (
        ("onnx, of its own speed in memory", "onnx engine, all of it", "onnx engine, in memory"),
        ("keras, of its own speed in memory", REFERENCE, "keras engine, in memory"),
        ("two workers, of one process", "onnx, two dask workers", "onnx, one process"),
    ):
        if side in found:
            cpu = ""
            if side + CPU in found:
                ratio = median_ratio(found[side + CPU], found[other + CPU])
                cpu = f", by CPU time {ratio:.0%}"
            print(f"{what:<44}{median_ratio(found[side], found[other]):>10.0%}{cpu}")
    if "onnx, two dask workers" in found:
        one, two = (statistics.median(found[side]) for side in
                    ("onnx, one process", "onnx, two dask workers"))  # fmt: skip
        print(f"{'overhead of the workers an image':<44}{1000 / two - 1000 / one:>8.2f} ms")


def median_ratio(speeds: list[float], others: list[float]) -> float:
    """Median over rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(speeds, others, strict=True))


if __name__ == "__main__":
    main()
