"""The environment: pyproject.toml, the two locks and environment.yml say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import fashion_rir

ROOT = Path(__file__).parents[1]
# The tools of the study that are fixed; all else may change.
FIXED = (
    "ipywidgets",
    "jupyterlab",
    "keras",
    "matplotlib",
    "nbval",
    "numpy",
    "pandas",
    "papermill",
    "scikit-learn",
    "seaborn",
    "tensorflow",
)
PYTHONS = ("3.11", "3.12", "3.13")
UNLOCKED_EXTRAS = ("annoy", "fuzz", "peers")  # source only; not for Windows; large
INDEX = re.compile(r"https?://|file://|--(extra-)?index-url|--find-links|index-url\s*=")


def pins(lock: str) -> list[tuple[Requirement, int]]:
    """The lock's entries, each with the number of its hashes."""
    entries = lock.replace("\\\n", " ").splitlines()
    return [
        (Requirement(entry.split("--hash")[0]), entry.count("--hash=sha256:"))
        for entry in entries
        if entry.strip() and not entry.startswith("#")
    ]


def unpinned(requirements: list[str], lock: str) -> list[str]:
    """What is not pinned exactly once, inside its range, for one of the Python versions."""
    faults = []
    locked = [pin for pin, _ in pins(lock)]
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        named = [pin for pin in locked if canonicalize_name(pin.name) == name]
        for python in PYTHONS:
            environment = {"python_version": python, "python_full_version": f"{python}.0"}
            found = [
                specifier.version
                for pin in named
                if pin.marker is None or pin.marker.evaluate(environment)
                for specifier in pin.specifier
                if specifier.operator == "=="
            ]
            if len(found) != 1 or Version(found[0]) not in requirement.specifier:
                faults.append(f"{requirement} on Python {python}: {found}")
    return faults


def without_hash(lock: str) -> list[str]:
    """The names of the lock's entries that pip could not check."""
    return [pin.name for pin, n_hashes in pins(lock) if n_hashes == 0]


def index_lines(text: str) -> list[str]:
    """The lines that name a package index; which one is the reader's own choice."""
    return [line for line in text.splitlines() if INDEX.search(line)]


def allowed_pythons(specifier: str) -> list[str]:
    """The minor versions of Python 3 that a range allows."""
    return [f"3.{minor}" for minor in range(30) if f"3.{minor}" in SpecifierSet(specifier)]


def conda_faults(environment: str) -> list[str]:
    """Where environment.yml is more or less than Python and the lock."""
    faults = []
    *conda, pip = yaml.safe_load(environment)["dependencies"]
    python = {name: rest for name, rest in map(split_name, conda)}
    if sorted(python) != ["pip", "python"]:
        faults.append(f"conda installs {sorted(python)}")
    elif allowed_pythons(python["python"]) != list(PYTHONS):
        faults.append(f"python{python['python']}")
    if pip != {"pip": ["-r requirements-study.lock"]}:
        faults.append(f"pip installs {pip}")
    return faults


def split_name(dependency: str) -> tuple[str, str]:
    """The name and the range of a conda dependency."""
    name = re.match("[a-z0-9_.-]+", dependency).group()
    return name, dependency[len(name) :]


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def study_lock() -> str:
    return (ROOT / "requirements-study.lock").read_text(encoding="utf-8")


def test_every_direct_dependency_is_pinned_inside_its_range(project, lock):
    direct = project["project"]["dependencies"].copy()
    for extra, dependencies in project["project"]["optional-dependencies"].items():
        direct += [] if extra in UNLOCKED_EXTRAS else dependencies
    assert unpinned(direct, lock) == []


def test_the_study_s_lock_is_a_part_of_the_whole_and_enough_for_it(project, lock, study_lock):
    needed = (
        project["project"]["dependencies"] + project["project"]["optional-dependencies"]["onnx"]
    )
    assert unpinned(needed, study_lock) == []
    versions = {(pin.name, str(pin.specifier)) for pin, _ in pins(study_lock)}
    assert versions < {(pin.name, str(pin.specifier)) for pin, _ in pins(lock)}
    assert {
        "jax",
        "ranx",
        "playwright",
        "huggingface-hub",
        "kagglehub",
        "numba",
        "ruff",
    }.isdisjoint(name for name, _ in versions)
    assert without_hash(study_lock) == []


def test_what_is_not_for_every_system_is_not_locked(project, lock):
    locked = {pin.name for pin, _ in pins(lock)}
    for extra in UNLOCKED_EXTRAS:
        dependencies = project["project"]["optional-dependencies"][extra]
        assert locked.isdisjoint(Requirement(entry).name for entry in dependencies)


def test_the_documented_command_locks_all_other_extras(project):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    study, command = re.findall(r"^uv pip compile .*?requirements[a-z-]*\.lock$", text, re.M | re.S)
    extras = set(project["project"]["optional-dependencies"]) - set(UNLOCKED_EXTRAS)
    assert set(re.findall(r"--extra (\S+)", command)) == extras
    assert re.findall(r"--extra (\S+)", study) == ["onnx"]
    assert "--all-extras" not in command


def test_what_builds_the_package_is_pinned_too(project, lock):
    assert unpinned(project["build-system"]["requires"], lock) == []


def test_the_fixed_tools_are_direct_dependencies(project):
    direct = {Requirement(entry).name for entry in project["project"]["dependencies"]}
    assert set(FIXED) <= direct


def test_everything_in_the_lock_has_a_hash(lock):
    assert without_hash(lock) == []


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements-study.lock",
        "environment.yml",
        "pyproject.toml",
        "Makefile",
        ".ci/run",
    ],
)
def test_no_file_names_a_package_index(name):
    assert index_lines((ROOT / name).read_text(encoding="utf-8")) == []


def test_the_range_of_python_is_the_same_for_pip_and_conda(project):
    assert allowed_pythons(project["project"]["requires-python"]) == list(PYTHONS)
    assert conda_faults((ROOT / "environment.yml").read_text(encoding="utf-8")) == []


def test_the_version_is_the_same_everywhere(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["project"]["version"] == fashion_rir.__version__ == citation["version"]


LOCKED = """\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
scikit-learn==1.8.0 \\
    --hash=sha256:dd
"""


def test_a_pin_inside_its_range_is_no_fault():
    assert unpinned(["numpy>=2.1,<3", "Scikit_Learn>=1.6,<2"], LOCKED) == []


@pytest.mark.parametrize(
    ("requirement", "pythons"),
    [
        ("numpy>=2.5,<3", ["3.11"]),
        ("numpy>=2.1,<2.5", ["3.12", "3.13"]),
        ("pandas>=3", ["3.11", "3.12", "3.13"]),
    ],
)
def test_a_pin_that_is_missing_or_outside_its_range_is_found(requirement, pythons):
    faults = unpinned([requirement], LOCKED)
    assert [fault.split("Python ")[1].split(":")[0] for fault in faults] == pythons


def test_a_range_in_the_lock_is_no_pin():
    assert len(unpinned(["keras>=3"], "keras>=3.15 \\\n    --hash=sha256:aa\n")) == 3


def test_two_pins_for_one_python_are_found():
    twice = LOCKED + "scikit-learn==1.7.0 --hash=sha256:ee\n"
    assert len(unpinned(["scikit-learn>=1.6,<2"], twice)) == 3


def test_an_entry_without_a_hash_is_found():
    assert without_hash(LOCKED) == []
    assert without_hash(LOCKED + "keras==3.15.0\ntqdm==4.67.1 --hash=sha256:ff\n") == ["keras"]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url mirror.example/simple",
        "pip install --extra-index-url x keras",
        "keras @ https://mirror.example/keras.whl",
        "--find-links wheels",
    ],
)
def test_a_line_that_names_an_index_is_found(line):
    assert index_lines(f"keras==3.15.0\n{line}\n") == [line]


def conda(*dependencies: object) -> str:
    return yaml.safe_dump({"dependencies": list(dependencies)})


def test_a_conda_environment_that_says_something_else_is_found():
    pip = {"pip": ["-r requirements-study.lock"]}
    assert conda_faults(conda("python>=3.11,<3.14", "pip", pip)) == []
    assert conda_faults(conda("python>=3.11,<3.13", "pip", pip)) == ["python>=3.11,<3.13"]
    assert conda_faults(conda("python>=3.11,<3.14", "keras", "pip", pip)) == [
        "conda installs ['keras', 'pip', 'python']"
    ]
    assert len(conda_faults(conda("python>=3.11,<3.14", "pip", {"pip": ["keras"]}))) == 1


def test_the_minor_versions_of_a_range_are_listed():
    assert allowed_pythons(">=3.11,<3.14") == ["3.11", "3.12", "3.13"]
    assert allowed_pythons("==3.12.*") == ["3.12"]
