"""The study in a folder of its own, run by its command as a reader would."""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*.ipynb"))


# Of the exercises, each by the name of its notebook.
SOLUTIONS = ROOT / "notebooks" / "solutions"


def read(path: Path) -> NotebookNode:
    """A notebook's file."""
    return nbformat.read(path, as_version=4)


def committed_profile() -> str:
    """The profile whose outputs the committed notebooks hold."""
    parameters = next(cell for cell in read(NOTEBOOKS[0]).cells
                      if "parameters" in cell.metadata.get("tags", []))  # fmt: skip
    values: dict[str, object] = {}
    exec(parameters.source, values)
    return str(values["profile"])


def executed(folder: Path, notebook: Path) -> Path:
    """Where a study in a folder leaves a notebook that it ran."""
    return folder / "reports" / committed_profile() / "notebooks" / notebook.name


def results(folder: Path) -> Path:
    """Where a study in a folder leaves its records."""
    return folder / "reports" / committed_profile() / "results"


def modules_of_extras() -> list[str]:
    """What `import` may name of the packages that requirements.lock has and the study's lacks."""
    whole, least = (
        {re.sub(r"[-_.]+", "-", name).lower()
         for name in re.findall(r"^([\w.-]+)==", (ROOT / file).read_text(encoding="utf-8"), re.M)}
        for file in ("requirements.lock", "requirements-study.lock")
    )  # fmt: skip
    return sorted(
        module
        for module, packages in importlib.metadata.packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", package).lower() for package in packages} <= whole - least
    )


def without_archive() -> dict[str, str]:
    """This process' environment, where the real catalogue's photos are not at hand."""
    return {name: value for name, value in os.environ.items() if name != "FASHION_RIR_ARCHIVE"}


def start(
    folder: Path,
    *options: str,
    notebooks: Sequence[Path] = tuple(NOTEBOOKS),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen:
    """Begin the study of the committed profile in an empty folder.

    Args:
        folder: made if missing; the photos and records that are committed can be read there.
        options: of `fashion-rir study`.
        notebooks: which there are.
        environment: what to add to the process' own.

    Returns:
        The process; its output is text, to be read line by line.
    """
    for name in ("notebooks", "reports", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        (folder / "notebooks" / path.name).symlink_to(path)
    (folder / "profiles").symlink_to(ROOT / "profiles")
    (folder / "reports" / "full").symlink_to(ROOT / "reports" / "full")
    if (ROOT / "data" / "shipped").exists():
        (folder / "data" / "shipped").symlink_to(ROOT / "data" / "shipped")
    command = [sys.executable, "-m", "fashion_rir", "study", "--profile", committed_profile()]
    return subprocess.Popen(
        [*command, *options], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=without_archive() | {"FASHION_RIR_HOME": str(folder), **(environment or {})},
    )  # fmt: skip
