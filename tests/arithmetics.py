"""Run the study as other processors would add it up, and compare with the committed notebooks.

    python -m arithmetics [--all] [--keep FOLDER] [--write]

Each arithmetic has a folder and one core of its own. What is printed is, by notebook, the largest
difference of numbers with decimals, and whatever is beyond the tolerance, which stands in
`notebook_comparison.py`.
"""

import argparse
import contextlib
import functools
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import study_runs
from notebook_comparison import TOLERANCE, WIDER, WIDER_PATH, compare_notebooks
from study_runs import NOTEBOOKS, read

from fashion_rir.system import usable_cores

AVX2 = {"DNNL_MAX_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
        "FAISS_OPT_LEVEL": "AVX2"}  # fmt: skip

ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
                     "TF_NUM_INTEROP_THREADS"), "1")  # fmt: skip

# The tests run the study as the machine adds; these are run beside it.
ARITHMETICS = {
    "oneDNN, AVX2, one thread": {"TF_ENABLE_ONEDNN_OPTS": "1", **AVX2, **ONE},
    "no oneDNN, one thread": {"TF_ENABLE_ONEDNN_OPTS": "0", "OPENBLAS_CORETYPE": "SkylakeX", **ONE},
    "no oneDNN, AVX2, two threads": {"TF_ENABLE_ONEDNN_OPTS": "0", **AVX2},
    "oneDNN, two threads": {"TF_ENABLE_ONEDNN_OPTS": "1", "OPENBLAS_CORETYPE": "SkylakeX"},
}
# Run in every arithmetic. The others train or map for minutes; `--all` runs them, too.
LIGHT = ("01", "03", "06", "06b")

FARTHEST = 0.1  # what is farther apart is another choice, not another sum: it stays a fault

USUAL = 2  # how many of them are run if not all are asked for


def main() -> None:
    """Run them, and fail where a notebook differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"all notebooks in all of them, not the light ones in the first {USUAL}",
    )
    parser.add_argument("--write", action="store_true", help="derive the wider tolerances anew")
    parser.add_argument("--keep", type=Path, help="run there, and take what an earlier run left")
    given = parser.parse_args()
    names = list(ARITHMETICS)[: None if given.all else USUAL]
    chosen = [path for path in NOTEBOOKS if given.all or path.stem.partition("-")[0] in LIGHT]
    with place(given.keep) as folder, ThreadPoolExecutor(usable_cores()) as pool:
        homes = [folder / name.replace(", ", "-").replace(" ", "-") for name in names]
        list(pool.map(functools.partial(run, notebooks=chosen), names, homes))
        if given.write:
            write_tolerances(homes, chosen)
        faults = [fault for name, home in zip(names, homes, strict=True)
                  for fault in differences(name, home, chosen)]  # fmt: skip
    print(*faults, sep="\n")
    sys.exit(bool(faults))


@contextlib.contextmanager
def place(kept: Path | None) -> Iterator[Path]:
    """Where the studies run: a folder that stays, or one that goes."""
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="arithmetics-") as folder:
        yield Path(folder)


def run(name: str, folder: Path, *, notebooks: list[Path]) -> None:
    """Run notebooks in an arithmetic, if they were not run there before."""
    if study_runs.executed(folder, notebooks[-1]).exists():
        return
    begun = time.monotonic()
    environment = variables(name)
    with study_runs.start(folder, notebooks=notebooks, environment=environment) as process:
        said = [f"{name}: {line}" for line in process.stdout]
    if process.returncode:
        sys.exit("".join(said[-3:]))
    print(f"{name}: {len(notebooks)} notebooks in {time.monotonic() - begun:.0f} s", flush=True)


def variables(name: str) -> dict[str, str]:
    """What makes the libraries add so; a processor without AVX-512 does so by itself."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    wide = [one for one in __cpu_dispatch__
            if __cpu_features__.get(one) and ("AVX512" in one or one == "X86_V4")]  # fmt: skip
    found = dict(ARITHMETICS[name])
    if not wide:
        found.pop("OPENBLAS_CORETYPE", None)
    elif "AVX2" in name:
        found["NPY_DISABLE_CPU_FEATURES"] = " ".join(wide)
    return found


def write_tolerances(homes: list[Path], notebooks: list[Path]) -> None:
    """Write for each cell whose numbers are farther apart than half the tolerance: twice as far.

    A number that is farther than `FARTHEST` from the committed one does not count.
    """
    largest: dict[str, float] = {}
    for home, path in itertools.product(homes, notebooks):
        compared = compare_notebooks(read(study_runs.executed(home, path)), read(path))
        for cell, one in compared.items():
            if one.tolerance:  # and not a committed record's, where only rounding differs
                distances = (near.distance for near in one.numbers)
                apart = max((far for far in distances if far <= FARTHEST), default=0.0)
                largest[cell] = max(largest.get(cell, 0.0), apart)
    wider = {cell: math.ceil(2000 * apart) / 1000
             for cell, apart in sorted(largest.items()) if apart > TOLERANCE / 2}  # fmt: skip
    WIDER.clear()
    WIDER.update(wider)
    WIDER_PATH.write_text(json.dumps(wider, indent=1) + "\n", encoding="utf-8")
    print(f"{len(wider)} cells of {len(largest)} have a tolerance of their own, "
          f"{max(wider.values(), default=0)} at most: {WIDER_PATH}")  # fmt: skip


def differences(name: str, folder: Path, notebooks: list[Path]) -> list[str]:
    """Print how far each notebook is from the committed one.

    Returns:
        What is beyond the tolerance, one line each.
    """
    faults = []
    for path in notebooks:
        found = compare_notebooks(read(study_runs.executed(folder, path)), read(path))
        pairs = [(near.distance, near, cell) for cell, one in found.items() for near in one.numbers]
        if pairs:
            distance, near, cell = max(pairs, key=lambda pair: pair[0])
            print(f"{name}: {path.stem}: {len(pairs)} numbers, at most {distance:.5f} apart "
                  f"({near.found} for {near.committed} in cell {cell})")  # fmt: skip
        faults += [f"{name}: {path.stem}, cell {cell}: {fault}"
                   for cell, one in found.items() for fault in one.faults]  # fmt: skip
    return faults


if __name__ == "__main__":
    main()
