"""What this machine can do at most, measured now; the other benchmarks are set beside it."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fashion_rir.studies.pretrained.index_speed import stream_seconds
from fashion_rir.system import usable_cores

ROUNDS = 5

SIDES = (512, 1536, 3072)  # of the matrices that are multiplied

INSTRUCTIONS = ("AVX2", "AVX512F", "AVX512_ICL", "AVX512_SPR", "NEON", "ASIMD", "SVE")


def processor() -> str:
    """The processor's name, and the widest instructions that NumPy found in it."""
    from numpy._core._multiarray_umath import __cpu_features__

    cpuinfo, name = Path("/proc/cpuinfo"), platform.processor()
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines
                     if line.startswith("model name")), name)  # fmt: skip
    found = [one for one in INSTRUCTIONS if __cpu_features__.get(one)]
    return f"{name or platform.machine()}, {found[-1] if found else 'no wide instructions'}"


def peak_flops() -> float:
    """Floating-point operations a second of float32 matrix products on all cores: the most that
    any size reaches, by NumPy or by ONNX Runtime, which adds up otherwise."""
    generator, most = np.random.default_rng(0), 0.0
    for side in SIDES:
        matrix = generator.random((side, side), dtype=np.float32)
        for product in (lambda m: m @ m, *_by_onnxruntime()):
            product(matrix)  # wakes the threads
            seconds = min(seconds_of(lambda p=product, m=matrix: p(m)) for _ in range(ROUNDS))
            most = max(most, 2 * side**3 / seconds)
    return most


def _by_onnxruntime() -> list[Callable[[np.ndarray], object]]:
    """The square of a matrix by ONNX Runtime, where it is installed."""
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return []
    shape = onnx.helper.make_tensor_value_info("m", onnx.TensorProto.FLOAT, (None, None))
    answer = onnx.helper.make_tensor_value_info("p", onnx.TensorProto.FLOAT, (None, None))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["m", "m"], ["p"])], "square", [shape], [answer]
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return [lambda matrix: session.run(None, {"m": matrix})]


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
