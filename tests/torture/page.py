"""docs/trust.md, made from the record that `make torture` wrote."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from fashion_rir.system import write_text

LISTS = ("kills", "disks", "processes", "fuzzing", "study")  # parts that hold several pieces
TESTED = ("cases", "drawn", "alone")  # parts that count what held
PARTS = ("kills", "processes", "disks", "cases", "drawn", "fuzzing", "alone", "study")
NOT_RUN = "Not run this time."


def losses(record: Mapping) -> list[str]:
    """Everything that went wrong, one line each."""
    found = [
        f"{piece['name']}: {loss}"
        for name in LISTS
        for piece in record[name] or ()
        for loss in piece["losses"]
    ]
    return found + [loss for name in TESTED for loss in (record[name] or {"losses": ()})["losses"]]


def totals(record: Mapping) -> str:
    """One line of figures."""
    said = []
    if record["kills"]:
        said.append(f"{sum(piece['kills'] for piece in record['kills'])} kills")
    if record["disks"]:
        said.append(f"{len(record['disks'])} writers on a full and a read-only disk")
    if record["cases"]:
        said.append(f"{record['cases']['passed']} hostile files")
    if record["fuzzing"]:
        said.append(f"{sum(piece['runs'] for piece in record['fuzzing']):,} fuzzed inputs")
    return ", ".join(said)


def text(record: Mapping) -> str:
    """The page."""
    found, made_by = losses(record), record["made_by"]
    sections = {
        "Kills": _kills(record["kills"]),
        "Two processes on one store": _processes(record["processes"]),
        "Full and read-only disks": _disks(record["disks"]),
        "Bad inputs": _inputs(record),
        "Each notebook alone": [
            "Each notebook runs in an empty folder of its own, and what two of "
            f"them record of the same inputs is the same: {_passed(record['alone'])}"
        ],
        "The same numbers twice": _study(record["study"]),
    }
    lines = [
        "# Trust: what this project survives",
        "",
        "Made by `make torture` from the record that it wrote, [trust.json](trust.json); nothing "
        "here is typed in by hand. How each part works stands at the head of its module in "
        "`tests/torture/`.",
        "",
        f"Last run: {totals(record)}. **Losses: {len(found)}.** "
        f"({record['timings']['minutes']} minutes, commit {made_by['commit']}, seed "
        f"{record['inputs']['seed']}.)",
        "",
        *[f"- {loss}" for loss in found],
        *[""] * bool(found),
    ]
    for title, section in sections.items():
        lines += [f"## {title}", "", *section, ""]
    return "\n".join(lines[:-1]) + "\n"


def write(record: Mapping, path: Path) -> None:
    """Write the page."""
    write_text(path, text(record))


def _kills(pieces: Iterable[Mapping] | None) -> list[str]:
    about = (
        "Work is killed (SIGKILL) at random moments, started again, killed again, and then left to "
        "end. Lost is what was reported done and is not there; a row that is there twice; a file "
        "that is half-written; and any difference to the end of work that was not killed."
    )
    if pieces is None:
        return [about, "", NOT_RUN]
    rows = [(p["name"], p["kills"], p["runs"], len(p["losses"])) for p in pieces]
    return [about, "", *_table(("work", "kills", "ends compared", "losses"), rows)]


def _processes(pieces: Iterable[Mapping] | None) -> list[str]:
    about = (
        "Two processes embed the same catalogue into the same store at once. One may be refused in "
        "a sentence; no row may be lost or doubled."
    )
    if pieces is None:
        return [about, "", NOT_RUN]
    n_losses = [len(piece["losses"]) for piece in pieces]
    return [about, "", f"{len(n_losses)} pairs, {sum(n_losses)} losses."]


def _disks(pieces: Iterable[Mapping] | None) -> list[str]:
    about = (
        "Every place that the study writes to, on a disk with no byte left (with nothing there "
        "yet, and with an earlier version) and on a read-only one. It must be one sentence, what "
        "was there must not change, and the same must work once there is space."
    )
    if not pieces:
        reason = NOT_RUN if pieces is None else "Skipped: mounting needs the rights of root."
        return [about, "", reason]
    rows = [(piece["name"], len(piece["losses"])) for piece in pieces]
    return [about, "", *_table(("writer", "losses"), rows)]


def _inputs(record: Mapping) -> list[str]:
    lines = [
        "- Damaged or hostile files (`tests/hostile_inputs.py`), each with the sentence that must "
        f"come, or read as what they are: {_passed(record['cases'])}",
        "- Properties of readers, search and metrics on drawn inputs (`tests/test_properties.py`), "
        f"against slow references: {_passed(record['drawn'])}",
    ]
    if not record["fuzzing"]:
        reason = NOT_RUN if record["fuzzing"] is None else "skipped: atheris is not installed."
        return [*lines, f"- Coverage-guided fuzzing of the readers: {reason}"]
    return lines + [
        f"- Coverage-guided fuzzing of the {piece['name']} reader: {piece['runs']:,} inputs, "
        f"{len(piece['losses'])} findings."
        for piece in record["fuzzing"]
    ]


def _study(pieces: Iterable[Mapping] | None) -> list[str]:
    about = (
        "The study is run twice on each backend, each time in a folder of its own, with "
        "another hash seed. Records and tables are compared, times and commit apart. On JAX, "
        "notebook 10 is left out: its export to ONNX needs TensorFlow."
    )
    if pieces is None:
        return [about, "", NOT_RUN]
    rows = [(p["name"], p.get("records", 0), f"{p.get('tolerance', 0):g}", len(p["losses"]))
            for p in pieces]  # fmt: skip
    header = ("study", "records", "may differ by", "losses")
    return [about, "", *_table(header, rows)]


def _passed(part: Mapping | None) -> str:
    if part is None:
        return "not run this time."
    text = f"{part['passed']} checks held, {len(part['losses'])} did not."
    skipped = part.get("skipped", 0)
    return f"{text} {skipped} were skipped." if skipped else text


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    header = list(header)
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]
