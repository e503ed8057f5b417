"""How much of the network's own speed is left when a catalogue is embedded?

    python benchmarks/embedding.py [--catalogue real] [--products 1024]

Both sides run in this process, in turn: `embed_catalog` (read, decode, resize, network, SQLite)
against `model.predict` on batches of the same size that lie ready in memory. Prints the ratio of
their throughputs, the median of several rounds, and the process' memory before and after.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from fashion_rir import backbones, catalog, embeddings
from fashion_rir.workspace import open_workspace

ROUNDS = 5
BATCH_SIZE = 64
NETWORKS = (("mobilenetv2", 128, 1), ("resnet50", 224, 8))  # name, pixels, fewer products by


def main() -> None:
    """Measure both networks and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", default="demo", help="demo or real")
    parser.add_argument("--products", type=int, default=576)
    arguments = parser.parse_args()
    products = open_workspace("demo").load_catalog(arguments.catalogue)
    print(f"{'network':<14}{'images':>8}{'catalogue/s':>13}{'predict/s':>11}{'ratio':>7}{'MiB':>7}")
    for name, size, fewer in NETWORKS:
        backbone = backbones.build(name, weights="none", image_size=size)
        n_products = arguments.products // fewer // BATCH_SIZE * BATCH_SIZE
        chosen = products.subset(np.arange(len(products)) < n_products)
        whole, bare = compare(chosen, backbone)
        ratio = statistics.median(w / b for w, b in zip(whole, bare, strict=True))
        print(f"{name:<14}{n_products:>8}{statistics.median(whole):>13.1f}"
              f"{statistics.median(bare):>11.1f}{ratio:>7.2f}{memory_mib():>7.0f}")  # fmt: skip


def compare(
    products: catalog.Catalog, backbone: backbones.Backbone
) -> tuple[list[float], list[float]]:
    """Images a second, round by round: the whole way, and the bare network."""
    shape = (len(products), backbone.image_size, backbone.image_size, 3)
    ready = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    backbone.model.predict(ready[:BATCH_SIZE], batch_size=BATCH_SIZE, verbose=0)  # compile
    backbone.embed(ready[:BATCH_SIZE])
    whole, bare = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            embeddings.embed_catalog(
                products, backbone, preprocessing="pad", path=Path(folder) / "store.sqlite",
                batch_size=BATCH_SIZE,
            )  # fmt: skip
            whole.append(len(products) / (time.perf_counter() - start))
        start = time.perf_counter()
        backbone.model.predict(ready, batch_size=BATCH_SIZE, verbose=0)
        bare.append(len(products) / (time.perf_counter() - start))
    return whole, bare


def memory_mib() -> float:
    """Resident memory of this process in MiB (Linux), or 0 elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
