"""Coverage-guided fuzzing of the readers, by atheris (extra `fuzz`).

    python -m torture.fuzz picture --seconds 120

What is found lands as a file `crash-...`; mend it and add it to tests/hostile_inputs.py. What
reaches new code is kept in tests/torture/corpus/, one input a line in base64, and is read again
by the tests.
"""

import argparse
import base64
import importlib.util
import io
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fashion_rir.errors import CatalogError, ImageError

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
LONGEST = 400  # bytes of a kept input
MOST_KEPT = 150  # inputs of a reader
INSTRUMENTED = (
    "fashion_rir.data.images",
    "fashion_rir.data.sources",
    "fashion_rir.data.catalog",
    "PIL",
    "zipfile",
)


@dataclass
class Result:
    """What came of fuzzing one reader.

    Attributes:
        name: of the reader.
        runs: inputs that it was given.
        findings: what crashed, hung, or passed through unexplained; empty if all is well.
    """

    name: str
    runs: int
    findings: list[str]


def read_picture(data: bytes) -> None:
    """Any bytes are a picture or an ImageError."""
    from fashion_rir.data import images

    try:
        image = images.decode(data)
    except ImageError:
        return
    for preprocessing in images.PREPROCESSING:
        images.fit(image, 8, preprocessing)


def read_table(data: bytes) -> None:
    """Any bytes are a table, each of whose rows is kept or counted, or a CatalogError."""
    from fashion_rir.data import catalog, sources

    class Source:
        path = Path("styles.csv")

        def rows(self):
            return sources._csv_rows(data, self.path)

    try:
        rows, faults, counts = catalog._read_rows(Source())
    except CatalogError:
        return
    assert counts["rows in styles.csv"] == len(rows) + len(faults)


def read_archive(data: bytes) -> None:
    """Any bytes are an archive, or a CatalogError; any entry is bytes, or an ImageError."""
    from fashion_rir.data import sources

    try:
        source = sources.ArchiveSource(io.BytesIO(data))
        list(source.rows())
    except CatalogError:
        return
    for name in source.image_names():
        try:
            source.read(name)
        except ImageError:
            continue


READERS: dict[str, Callable[[bytes], None]] = {
    "picture": read_picture,
    "table": read_table,
    "archive": read_archive,
}


def kept(name: str) -> list[bytes]:
    """The inputs that earlier runs found worth keeping."""
    path = CORPUS / f"{name}.txt"
    if not path.exists():
        return []
    return [base64.b64decode(line) for line in path.read_text(encoding="ascii").splitlines()]


def is_there() -> bool:
    """Whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(name: str, seconds: int) -> Result:
    """Fuzz a reader in a process of its own, and keep what reaches new code.

    Args:
        name: a key of `READERS`.
        seconds: how long.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch)
        for part in ("seeds", "found", "crashes"):
            (folder / part).mkdir()
        for number, data in enumerate([*kept(name), *_seeds(name)]):
            (folder / "seeds" / f"{number}").write_bytes(data)
        limits = ["-timeout=20", "-rss_limit_mb=4096", f"-artifact_prefix={folder}/crashes/"]
        log = _atheris(name, [*limits, f"-max_total_time={seconds}", "-max_len=4096",
                              "-print_final_stats=1", f"{folder}/found",
                              f"{folder}/seeds"])  # fmt: skip
        findings = [path.name for path in (folder / "crashes").iterdir()]
        for path in (folder / "crashes").iterdir():
            (ROOT / path.name).write_bytes(path.read_bytes())
        stated = re.findall(r"number_of_executed_units:\s*(\d+)", log)
        if not stated:
            findings.append(f"the fuzzer stopped: {log[-300:]}")
        new = [path.read_bytes() for path in (folder / "found").iterdir()]
        _keep(name, kept(name) + new)
    return Result(name, int(stated[0]) if stated else 0, findings)


def _keep(name: str, found: list[bytes]) -> None:
    """The shortest inputs, one a line."""
    short = sorted({data for data in found if len(data) <= LONGEST}, key=lambda d: (len(d), d))
    if not short:
        return
    CORPUS.mkdir(exist_ok=True)
    lines = [base64.b64encode(data).decode("ascii") for data in short[:MOST_KEPT]]
    (CORPUS / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


def _seeds(name: str) -> list[bytes]:
    """Small sound inputs to begin with."""
    from PIL import Image

    if name == "table":
        from fashion_rir.data.catalog import COLUMNS

        row = b'1,Men,Apparel,Topwear,Shirts,Blue,Summer,2011,Casual,"A, ""b"""\n'
        header = ",".join(COLUMNS).encode() + b"\n"
        return [header + row, b"\xef\xbb\xbf" + header + row.replace(b"\n", b"\r\n") * 2]
    if name == "archive":
        found = []
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", compression) as archive:
                archive.writestr("styles.csv", "id\n1\n")
                archive.writestr("images/1.jpg", b"x" * 9)
            found.append(buffer.getvalue())
        return found
    found = []
    for mode, kind in (("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"),
                       ("I;16", "PNG"), ("P", "GIF"), ("RGB", "WEBP"), ("1", "TIFF"),
                       ("F", "TIFF"), ("RGB", "BMP"), ("L", "PPM"), ("RGB", "TGA"),
                       ("RGB", "JPEG2000")):  # fmt: skip
        buffer = io.BytesIO()
        Image.new(mode, (5, 4)).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


def _atheris(name: str, arguments: list[str]) -> str:
    command = [sys.executable, "-m", "torture.fuzz", name, "--", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    return answer.stdout + answer.stderr


def _drive(name: str, arguments: list[str]) -> None:
    import atheris

    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from PIL import Image

        import fashion_rir.data.catalog
        import fashion_rir.data.images
        import fashion_rir.data.sources  # noqa: F401

        Image.init()
    atheris.Setup([sys.argv[0], *arguments], READERS[name])
    atheris.Fuzz()


def main() -> None:
    """Fuzz one reader, or be the process that does."""
    if "--" in sys.argv:
        _drive(sys.argv[1], sys.argv[sys.argv.index("--") + 1 :])
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--seconds", type=int, default=120)
    arguments = parser.parse_args()
    if not is_there():
        sys.exit("atheris is not installed; pip install -e '.[fuzz]' (Linux, macOS).")
    print(fuzz(arguments.reader, arguments.seconds))


if __name__ == "__main__":
    main()
