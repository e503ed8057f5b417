"""docs/trust.md, made from the record that `make torture` wrote."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from fashion_rir.whole_files import write_text

LISTS = ("kills", "disks", "processes", "fuzzing", "study")


def losses(record: Mapping) -> list[str]:
    """Everything that went wrong, one line each."""
    found = [f"{part['name']}: {loss}" for name in LISTS for part in record[name]
             for loss in part["losses"]]  # fmt: skip
    return found + [loss for name in ("cases", "drawn", "notebooks")
                    for loss in record[name]["losses"]]  # fmt: skip


def totals(record: Mapping) -> str:
    """One line of figures."""
    n_kills = sum(part["kills"] for part in record["kills"])
    n_runs = sum(part["runs"] for part in record["fuzzing"])
    return (f"{n_kills} kills, {len(record['disks'])} writers on a full and a read-only disk, "
            f"{record['cases']['passed']} hostile files, {n_runs:,} fuzzed inputs")  # fmt: skip


def text(record: Mapping) -> str:
    """The page."""
    found = losses(record)
    inputs, made_by = record["inputs"], record["made_by"]
    lines = [
        "# Trust: what this project survives",
        "",
        "Made by `make torture` from the record that it wrote, [trust.json](trust.json); nothing "
        "here is typed in by hand. How each part works stands at the head of its module in "
        "`torture/`.",
        "",
        f"Last run: {totals(record)}. **Losses: {len(found)}.** "
        f"({record['timings']['minutes']} minutes, commit {made_by['commit']}, seed "
        f"{inputs['seed']}.)",
        "",
        *[f"- {loss}" for loss in found],
        *[""] * bool(found),
        "## Kills",
        "",
        "Work is killed (SIGKILL) at random moments, started again, killed again, and then left to "
        "end. Lost is what was reported done and is not there; a row that is there twice; a file "
        "that is half-written; and any difference to the end of work that was not killed.",
        "",
        *_table(("work", "kills", "ends compared", "losses"),
                ((p["name"], p["kills"], p["runs"], len(p["losses"])) for p in record["kills"])),
        "",
        "## Full and read-only disks",
        "",
        "Every place that the study writes to, on a disk with no byte left (with nothing there "
        "yet, and with an earlier version) and on a read-only one. It must be one sentence, what "
        "was there must not change, and the same must work once there is space.",
        "",
        *(_table(("writer", "losses"), ((p["name"], len(p["losses"])) for p in record["disks"]))
          if record["disks"] else ["Skipped: mounting a small disk needs the rights of root."]),
        "",
        "## Two processes on one store",
        "",
        "Two processes embed the same catalogue into the same store at once. One may be refused "
        "in a sentence; no row may be lost or doubled.",
        "",
        f"{len(record['processes'])} pairs, "
        f"{sum(len(p['losses']) for p in record['processes'])} losses.",
        "",
        "## Bad inputs",
        "",
        f"- {record['cases']['passed'] - 1} damaged or hostile files (`tests/hostile_inputs.py`), "
        "each with the sentence that must come, or read as what they are.",
        f"- {record['drawn']['passed']} properties of readers, search and metrics on drawn inputs "
        "(`tests/test_properties.py`), against slow references.",
        *(_fuzzing(record["fuzzing"])),
        "",
        "## Notebooks",
        "",
        f"{record['notebooks']['passed']} checks of parameters that were set to wrong values "
        "(`tests/test_notebook_parameters.py`), each answered by one sentence.",
        "",
        "## The same numbers twice",
        "",
        *([f"The demo study, run twice: {p['records']} records, {len(p['losses'])} differ "
           "(times and commit left out)." for p in record["study"] if "records" in p]
          or ["The demo study was not run twice this time (`--quick`, or it failed)."]),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def write(record: Mapping, path: Path) -> None:
    """Write the page."""
    write_text(path, text(record))


def _fuzzing(parts: Iterable[Mapping]) -> list[str]:
    parts = list(parts)
    if not parts:
        return ["- Fuzzing was skipped: atheris is not installed (extra `fuzz`)."]
    return [
        f"- Coverage-guided fuzzing of the {part['name']} reader: {part['runs']:,} inputs, "
        f"{len(part['losses'])} findings."
        for part in parts
    ]


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    header = list(header)
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]
