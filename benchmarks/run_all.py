"""All benchmarks, one after the other, in one run: `make bench`. Tables go to the screen and to
`reports/benchmarks.txt`.

    python benchmarks/run_all.py [--real] [--page]

`--real` takes the catalogue named by FASHION_RIR_ARCHIVE instead of the drawn one. `--page` writes
`docs/benchmarks.md` too, which is committed, unless a script failed: run it with the peers there,
and nothing else running.
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import limits

from fashion_rir.system import usable_cores

HERE = Path(__file__).parent
TABLES = HERE.parent / "reports" / "benchmarks.txt"
PAGE = HERE.parent / "docs" / "benchmarks.md"
HEAD = """# Speed, beside what one could pick instead

Written by `python benchmarks/run_all.py --real --page`; `make bench` measures the same on any \
machine. Ratios are of one run, the sides taking turns; each script's head says what its sides do \
and which limit stands beside them. Nothing here depends on trained weights. What the onnx engine \
lacks to its speed in memory is reading, decoding and resizing, which take their time of the same \
cores. A side that is slower than its CPU time says has left a core idle.
"""
SCRIPTS = (
    ("embedding.py", "--products", "512"),
    ("search.py",),
    ("evaluation.py",),
    ("t_sne.py",),
    ("storefront.py",),
)


def main() -> int:
    """Run all; the exit code counts the scripts that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    is_real = arguments.real
    catalogue = ("--catalogue", "real" if is_real else "drawn")
    about = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {usable_cores()} cores "
        f"({limits.processor()}), Python {platform.python_version()}; catalogue: {catalogue[1]}; "
        f"load of the machine before: {os.getloadavg()[0]:.1f}"
    )
    print(about)
    parts, page, n_failed = [about], [HEAD.strip(), about], 0
    for script, *options in SCRIPTS:
        if script in ("embedding.py", "evaluation.py"):
            options += catalogue
        if script == "storefront.py":
            options += ("--profile", "full" if is_real else "quick")
        done = subprocess.run(
            [sys.executable, HERE / script, *options], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1"},
        )  # fmt: skip
        n_failed += done.returncode != 0
        text = done.stdout if done.returncode == 0 else done.stdout + "failed; see the screen\n"
        parts.append(f"== {script} ==\n\n{text}")
        page.append(f"## `benchmarks/{script}`\n\n```text\n{text.strip()}\n```")
        print(f"\n{parts[-1]}", flush=True)
    TABLES.parent.mkdir(exist_ok=True)
    TABLES.write_text("\n\n".join(parts), encoding="utf-8")
    if arguments.page and not n_failed:
        PAGE.write_text("\n\n".join(page) + "\n", encoding="utf-8")
    return n_failed


if __name__ == "__main__":
    sys.exit(main())
