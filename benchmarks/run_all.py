"""All benchmarks, one after the other, in one run: `make bench`. Tables go to the screen and to
`reports/benchmarks.txt`.

    python benchmarks/run_all.py [--real]

`--real` takes the catalogue named by FASHION_RIR_ARCHIVE instead of the drawn one.
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
TABLES = HERE.parent / "reports" / "benchmarks.txt"
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
    is_real = parser.parse_args().real
    catalogue = ("--catalogue", "real" if is_real else "demo")
    about = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}; catalogue: {catalogue[1]}; "
        f"load of the machine before: {os.getloadavg()[0]:.1f}"
    )
    print(about)
    parts, n_failed = [about], 0
    for script, *options in SCRIPTS:
        if script in ("embedding.py", "evaluation.py"):
            options += catalogue
        if script == "storefront.py":
            options += ("--profile", "full" if is_real else "demo")
        done = subprocess.run(
            [sys.executable, HERE / script, *options], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1"},
        )  # fmt: skip
        n_failed += done.returncode != 0
        text = done.stdout if done.returncode == 0 else done.stdout + "failed; see the screen\n"
        parts.append(f"== {script} ==\n\n{text}")
        print(f"\n{parts[-1]}", flush=True)
    TABLES.parent.mkdir(exist_ok=True)
    TABLES.write_text("\n\n".join(parts), encoding="utf-8")
    return n_failed


if __name__ == "__main__":
    sys.exit(main())
