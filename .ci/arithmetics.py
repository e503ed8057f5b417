"""Run the study as other processors would add it up, and compare with the committed notebooks.

Each arithmetic has a folder of its own in .venv/arithmetics, on one core, as many at once as there
are cores. What is printed is, by notebook, the largest difference of numbers with decimals as a
share of the tolerance (fashion_rir/reporting/comparison.py), and what is beyond it.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

from fashion_rir.reporting.comparison import compare_notebooks
from fashion_rir.system import usable_cores

ROOT = Path(__file__).resolve().parents[1]

AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"

AVX2 = {"DNNL_MAX_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
        "FAISS_OPT_LEVEL": "AVX2"}  # fmt: skip

ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
                     "TF_NUM_INTEROP_THREADS"), "1")  # fmt: skip

ARITHMETICS = {
    "oneDNN, AVX2, one thread": {"TF_ENABLE_ONEDNN_OPTS": "1", **AVX2, **ONE},
    "no oneDNN, SkylakeX, one thread": {
        "TF_ENABLE_ONEDNN_OPTS": "0", "OPENBLAS_CORETYPE": "SkylakeX", **ONE},
    "no oneDNN, AVX2, two threads": {"TF_ENABLE_ONEDNN_OPTS": "0", **AVX2},
    "oneDNN, SkylakeX, two threads": {
        "TF_ENABLE_ONEDNN_OPTS": "1", "OPENBLAS_CORETYPE": "SkylakeX"},
}  # fmt: skip


def main() -> None:
    """Run what the command line names, and fail where a notebook differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="what to run; the first two if nothing is named")
    parser.add_argument("--profile", default="demo", help="of the committed notebooks")
    parser.add_argument("--keep", action="store_true", help="compare what an earlier run left")
    parser.add_argument("--at-once", type=int, default=usable_cores(), help="studies side by side")
    given = parser.parse_args()
    names = given.names or list(ARITHMETICS)[:2]
    with ThreadPoolExecutor(given.at_once) as pool:
        done = list(pool.map(lambda name: study(name, given.profile, given.keep), names))
    faults = [fault for name, home in zip(names, done, strict=True)
              for fault in report(name, home, given.profile)]  # fmt: skip
    print(*faults, sep="\n")
    sys.exit(bool(faults))


def study(name: str, profile: str, is_kept: bool) -> Path:
    """Run all notebooks in a folder of their own.

    Returns:
        The folder.
    """
    home = ROOT / ".venv" / "arithmetics" / name.replace(", ", "-").replace(" ", "-")
    if is_kept and home.exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "notebooks", "profiles", "data", "reports"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for file in filter(None, tracked):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, home / file)
    environment = os.environ | environment_of(name) | {"FASHION_RIR_HOME": str(home)}
    start = time.perf_counter()
    with open(home / "log.txt", "w", encoding="utf-8") as log:
        subprocess.run([sys.executable, "-m", "fashion_rir", "study", "--profile", profile],
                       env=environment, cwd=home, stdout=log, stderr=log, check=True)  # fmt: skip
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return home


def environment_of(name: str) -> dict[str, str]:
    """The variables that make the libraries add so; what the processor cannot do is left out."""
    wanted = dict(ARITHMETICS[name])
    has_avx512 = "avx512f" in _flags()
    if not has_avx512:
        wanted.pop("OPENBLAS_CORETYPE", None)
    elif "AVX2" in name:
        wanted["NPY_DISABLE_CPU_FEATURES"] = " ".join(set(AVX512.split()) & _dispatched())
    return wanted


def report(name: str, home: Path, profile: str) -> list[str]:
    """Print how far each notebook is from the committed one.

    Returns:
        What is beyond the tolerance, one line each.
    """
    faults = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        executed = home / "reports" / profile / "notebooks" / path.name
        found = compare_notebooks(nbformat.read(executed, 4), nbformat.read(path, 4))
        pairs = [(near.distance, near, cell) for cell, one in found.items() for near in one.numbers]
        farthest = max(pairs, key=lambda pair: pair[0], default=None)
        if farthest is not None:
            distance, near, cell = farthest
            print(f"{name}: {path.stem}: {len(pairs)} numbers, at most {distance:.2f} of the "
                  f"tolerance ({near.found} for {near.committed} in {cell})")  # fmt: skip
        faults += [f"{name}: {path.stem}, {cell}: {fault}"
                   for cell, one in found.items() for fault in one.faults]  # fmt: skip
    return faults


def _flags() -> str:
    """What the processor can do, as Linux says it."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text() if cpuinfo.exists() else platform.processor()


def _dispatched() -> set[str]:
    """What NumPy may be told to do without."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return {name for name in __cpu_dispatch__ if __cpu_features__.get(name)}


if __name__ == "__main__":
    main()
