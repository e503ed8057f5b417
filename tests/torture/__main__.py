"""Everything that is too long for the ordinary tests; its figures go to docs/trust.md.

    python -m torture [--minutes 30] [--kills 60] [--seed 1] [--only kills --only disks]

Kills, full and read-only disks, two processes, hostile and drawn inputs, fuzzing (where atheris is
installed), each notebook alone, and the study twice. Of `--minutes` the kills and the fuzzing take
their shares; on 2 quiet cores the studies take about the rest. `--only` names parts; the page says
which were not run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import study_runs
from study_runs import NOTEBOOKS

from fashion_rir.workspace import records as result_records
from torture import comparison, disks, fuzz, kills, page

ROOT = Path(__file__).parents[2]
# Share of the kills that each piece of work gets; the study's command takes long to start.
KILLS = {"embedding": 0.4, "record and ledger writing": 0.25, "index saving": 0.2,
         "study step": 0.05, "head training": 0.05, "study command": 0.05}  # fmt: skip
KILLING = 0.27  # share of the time, at most; the studies take about as much as is left
FUZZING = 0.1
BACKENDS = {"tensorflow": 0.0, "jax": 1e-5}  # how far numbers may differ, absolute
NOT_ON = {"jax": ("10-storefront",)}  # its export to ONNX needs TensorFlow


def main() -> None:
    """Run it all, write the record and its page; exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=page.PARTS)
    arguments = parser.parse_args()
    start = time.monotonic()
    seconds = 60 * arguments.minutes
    parts = {
        "kills": lambda: killed(arguments.kills, arguments.seed, KILLING * seconds),
        "disks": full_and_read_only,
        "processes": two_processes,
        "cases": lambda: tested(
            "tests/test_hostile_inputs.py", "tests/workspace/test_parameters.py"
        ),
        "drawn": lambda: tested("tests/test_properties.py", "--hypothesis-profile=more"),
        "fuzzing": lambda: fuzzed(FUZZING * seconds),
        "alone": each_notebook_alone,
        "study": quick_study_twice,
    }
    inputs = {"profile": "quick", "data_hash": "drawn", "kills": arguments.kills,
              "seed": arguments.seed, "minutes": arguments.minutes}  # fmt: skip
    found: dict[str, object] = dict.fromkeys(page.PARTS)
    for name in page.PARTS:
        if name in (arguments.only or page.PARTS):
            found[name] = said(name, parts[name])
            record = kept(inputs, found, time.monotonic() - start)
    losses = page.losses(record)
    print(f"{page.totals(record)}\nlosses: {len(losses)}", *losses, sep="\n")
    sys.exit(bool(losses))


def kept(inputs: dict, found: dict, seconds: float) -> dict:
    """The record of what was run so far, and its page."""
    timings = {"minutes": round(seconds / 60, 1)}
    record = result_records.make_record("torture", "trust", inputs, **found, timings=timings)
    result_records.write(record, ROOT / "docs")
    page.write(record, ROOT / "docs" / "trust.md")
    return record


def said(name: str, part: Callable[[], object]) -> object:
    """Run a part, with a line before and after."""
    start = time.monotonic()
    print(f"{name} ...", flush=True)
    found = part()
    print(f"{name} done in {time.monotonic() - start:.0f} s", flush=True)
    return found


def killed(n_kills: int, seed: int, seconds: float) -> list[dict]:
    """Each piece of work, killed and compared."""
    found, until = [], time.monotonic() + seconds
    for name, share in KILLS.items():
        n_wanted = max(1, round(share * n_kills))
        if time.monotonic() > until:
            print(f"  {name}: no time left", flush=True)
            continue
        with kills.ForkServer(trains=name == "head training") as server:
            result = kills.torment(server, name, n_wanted, seed=seed, until=until)
        print(f"  {name}: {result.kills} kills, {len(result.losses)} losses",
              *result.losses[:3], sep="\n    ", flush=True)  # fmt: skip
        found.append(asdict(result))
    return found


def full_and_read_only() -> list[dict]:
    """Every writer on a full and a read-only disk; none without the rights to mount one."""
    if not disks.can_mount():
        print("  skipped: mounting a small disk needs the rights of root")
        return []
    return [{"name": name, "losses": disks.faults(name)} for name in disks.WRITERS]


def two_processes() -> list[dict]:
    """Two processes on one store, several times."""
    found = []
    for number in range(3):
        with tempfile.TemporaryDirectory() as folder:
            losses = kills.two_at_once(Path(folder) / "shop")
        found.append({"name": f"pair {number + 1}", "losses": losses})
    return found


def tested(*arguments: str) -> dict:
    """A file of the tests, run by pytest with these arguments; what failed is a loss."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", *arguments]
    every = {"FASHION_RIR_EVERY_PARAMETER": "1"}  # see `test_parameters`
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                            env=os.environ | every)  # fmt: skip
    lines = answer.stdout.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    if answer.returncode and not failed:
        failed = [" ".join(lines[-3:]) or "pytest did not start"]
    words = (lines or [""])[-1].replace(",", "").split()
    passed, skipped = (
        int(words[words.index(word) - 1]) if word in words else 0 for word in ("passed", "skipped")
    )
    return {"passed": passed, "skipped": skipped, "losses": failed}


def fuzzed(seconds: float) -> list[dict]:
    """Every reader, fuzzed for its share of the time."""
    if not fuzz.is_there():
        print("  skipped: atheris is not installed (extra fuzz)")
        return []
    share = max(10, int(seconds / len(fuzz.READERS)))
    found = [fuzz.fuzz(name, share) for name in fuzz.READERS]
    return [{"name": r.name, "runs": r.runs, "losses": r.findings} for r in found]


def each_notebook_alone() -> dict:
    """Each notebook in an empty folder of its own: it makes what it needs. What two notebooks
    record of the same inputs must be the same."""
    numbers = [path.stem.partition("-")[0] for path in NOTEBOOKS]
    with tempfile.TemporaryDirectory(prefix="alone-") as scratch:
        folders = {number: Path(scratch) / number for number in numbers}

        def run(number: str) -> str:
            process = start_study(folders[number], "tensorflow", 0, "--only", number)
            words = process.communicate()[0]
            return f"notebook {number}: {words[-300:]}" if process.returncode else ""

        with ThreadPoolExecutor(max_workers=2) as pool:
            failed = [fault for fault in pool.map(run, numbers) if fault]
        places = [study_runs.results(folder) for folder in folders.values()]
        return {"passed": len(numbers) - len(failed),
                "losses": failed + comparison.contradictions(places)}  # fmt: skip


def quick_study_twice() -> list[dict]:
    """The whole quick study, twice on each backend, in folders of their own: the same records."""
    return [studied(backend, tolerance) for backend, tolerance in BACKENDS.items()]


def studied(backend: str, tolerance: float) -> dict:
    """Two studies on one backend, side by side, and where they differ."""
    name = f"the quick study on {backend}"
    with tempfile.TemporaryDirectory(prefix="study-") as scratch:
        folders = [Path(scratch) / name for name in ("one", "two")]
        started = [start_study(folder, backend, n) for n, folder in enumerate(folders)]
        said = [process.communicate()[0] for process in started]
        failed = [text[-300:] for process, text in zip(started, said, strict=True)
                  if process.returncode]  # fmt: skip
        if failed:
            return {"name": name, "losses": failed}
        places = [study_runs.results(folder) for folder in folders]
        n_records = len(list(places[0].glob("*.json")))
        return {"name": name, "records": n_records, "tolerance": tolerance,
                "losses": comparison.differences(*places, tolerance)}  # fmt: skip


def start_study(folder: Path, backend: str, hash_seed: int, *options: str) -> subprocess.Popen:
    """The study's command in an empty folder."""
    return study_runs.start(
        folder, *options,
        notebooks=[path for path in NOTEBOOKS if path.stem not in NOT_ON.get(backend, ())],
        environment={"KERAS_BACKEND": backend, "PYTHONHASHSEED": str(hash_seed)},
    )  # fmt: skip


if __name__ == "__main__":
    main()
