"""How many images a second on a GPU, in single and in mixed precision?

    KERAS_BACKEND=jax python benchmarks/device.py [--catalogue real] [--products 512] [--rounds 3]

For each network, in turn, round by round: pictures that lie ready in memory, and `embed_catalog`
(read, decode, resize, network, SQLite), both in float32 and under Keras' mixed policy, float16 on
a GPU and bfloat16 elsewhere. Mixed precision is no engine of the study: its embeddings differ from
the reference by more than 1e-4. The largest difference is printed, as a share of the largest
number, with random weights. Runs on a CPU too, where it says little.
"""

import argparse
import os
import statistics
from collections.abc import Callable

import limits
import numpy as np
from embedding import BATCH_SIZE, NETWORKS, drawn_pictures, embed_all, median_ratio

from fashion_rir.data import catalog
from fashion_rir.embedding import backbones
from fashion_rir.workspace.folders import open_workspace


def main() -> None:
    """Measure both networks and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--catalogue", default="drawn", help="drawn or real")
    parser.add_argument("--products", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    products = open_workspace("quick").load_catalog(arguments.catalogue)
    products = products.subset(np.arange(len(products)) < arguments.products)
    import keras

    devices = keras.distribution.list_devices()
    print(f"Keras {keras.__version__} on {keras.backend.backend()}: {', '.join(devices)}; load "
          f"before {os.getloadavg()[0]:.1f}")  # fmt: skip
    is_cpu = all(device.startswith("cpu") for device in devices)
    mixed = "mixed_bfloat16" if is_cpu else "mixed_float16"
    for name, size, _ in NETWORKS:
        built = {policy: build(name, size, policy) for policy in ("float32", mixed)}
        sides = {
            f"{policy}, {what}": work
            for policy, backbone in built.items()
            for what, work in sides_of(products, backbone).items()
        }
        print(f"\n{name}, {size} pixels, {len(products)} photos")
        print_speeds(measured(sides, arguments.rounds), len(products))
        print(f"largest difference of the embeddings: {difference(built.values(), size):.2g}")


def build(name: str, size: int, policy: str) -> backbones.Backbone:
    """A network with random weights, the same under each policy."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return backbones.build(name, weights="none", image_size=size)
    finally:
        keras.config.set_dtype_policy(before)


def sides_of(
    products: catalog.Catalog, backbone: backbones.Backbone
) -> dict[str, Callable[[], object]]:
    """What is measured of a network, by name."""
    ready = drawn_pictures(len(products), backbone.image_size)
    return {
        "in memory": lambda: backbone.model.predict(ready, batch_size=BATCH_SIZE, verbose=0),
        "all of it": lambda: embed_all(products, backbone),
    }


def measured(sides: dict[str, Callable[[], object]], n_rounds: int) -> dict[str, list[float]]:
    """Seconds by side and round, the sides taking turns; a round before compiles."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(n_rounds + 1):
        for side, work in sides.items():
            taken = limits.seconds_of(work)
            if number:
                seconds[side].append(taken)
    return seconds


def print_speeds(seconds: dict[str, list[float]], n_products: int) -> None:
    """Images a second, and the ratio to the first side, medians over rounds."""
    first = next(iter(seconds.values()))
    print(f"{'':<28}{'images/s':>10}{'times float32':>15}")
    for side, taken in seconds.items():
        speed = n_products / statistics.median(taken)
        print(f"{side:<28}{speed:>10.1f}{median_ratio(first, taken):>15.2f}")


def difference(built: object, size: int) -> float:
    """Largest difference of two networks' embeddings, as a share of the largest number."""
    one, other = (backbone.embed(drawn_pictures(BATCH_SIZE, size)) for backbone in built)
    return float(np.abs(one - other).max() / np.abs(one).max())


if __name__ == "__main__":
    main()
