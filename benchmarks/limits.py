"""What this machine can do at most, measured now; the other benchmarks are set beside it."""

import os
import time

import numpy as np

from fashion_rir.studies.pretrained.index_speed import stream_seconds
from fashion_rir.system import usable_cores

ROUNDS = 5


def peak_flops() -> float:
    """Floating-point operations a second of float32 matrix products on all cores; best of five."""
    matrix = np.random.default_rng(0).random((1536, 1536), dtype=np.float32)
    matrix @ matrix  # wakes the threads
    seconds = min(seconds_of(lambda: matrix @ matrix) for _ in range(ROUNDS))
    return 2 * len(matrix) ** 3 / seconds


def bandwidth() -> float:
    """Bytes a second that all cores read from memory together."""
    matrix = np.ones((2**14, 2**12), dtype=np.float32)  # 256 MiB, larger than the caches
    return matrix.nbytes / stream_seconds(matrix)


def describe() -> dict[str, float]:
    """Cores, measured limits, and how many other processes wanted a core meanwhile."""
    return {
        "cores": usable_cores(),
        "peak GFLOP/s": peak_flops() / 1e9,
        "bandwidth GB/s": bandwidth() / 1e9,
        "load before": os.getloadavg()[0],
    }


def network_flops(model: object) -> float:
    """Floating-point operations of a Keras network for one picture: its convolutions and dense
    layers, a multiplication and an addition each."""
    total = 0.0
    for layer in model.layers:
        if getattr(layer, "layers", None):
            total += network_flops(layer)
        elif hasattr(layer, "kernel"):
            places = np.prod(layer.output.shape[1:-1], initial=1)
            total += 2 * float(places) * float(np.prod(layer.kernel.shape))
    return total


def seconds_of(work: object) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
