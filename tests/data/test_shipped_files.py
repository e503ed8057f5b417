"""The shipped files: checked when read, and small enough to travel."""

import hashlib
import json
from pathlib import Path

import pytest

from fashion_rir.data import shipped_files
from fashion_rir.data.named_paths import HOME_VARIABLE
from fashion_rir.errors import ParameterError, ShippedError

CONTENT = b"photos"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A project's shipped files: one, `a.zip`."""
    folder = tmp_path / shipped_files.FOLDER
    folder.mkdir(parents=True)
    (folder / "a.zip").write_bytes(CONTENT)
    about = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT)}
    manifest = {"schema": 1, "files": {"a.zip": about}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return folder


def test_a_file_that_is_as_shipped_is_found(folder):
    assert shipped_files.path("a.zip") == folder / "a.zip"


def test_a_missing_file_is_named_with_the_command_that_restores_it(folder):
    (folder / "a.zip").unlink()
    with pytest.raises(
        ShippedError, match=r"a.zip is missing.*`git checkout -- data/shipped/a.zip"
    ):
        shipped_files.path("a.zip")


@pytest.mark.parametrize("content", [b"Photos", b"photos and more", b""])
def test_a_changed_file_is_named_with_the_command_that_restores_it(folder, content):
    (folder / "a.zip").write_bytes(content)
    with pytest.raises(
        ShippedError, match=r"a.zip has changed.*`git checkout -- data/shipped/a.zip"
    ):
        shipped_files.path("a.zip")


def test_a_pointer_of_git_lfs_is_told_from_a_changed_file(folder):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 6\n"
    (folder / "a.zip").write_text(pointer)
    with pytest.raises(ShippedError, match=r"a.zip is a pointer of Git LFS.*`git lfs pull`"):
        shipped_files.path("a.zip")


def test_a_file_that_is_not_shipped_is_refused_with_the_nearest_name(folder):
    with pytest.raises(ParameterError, match="did you mean 'a.zip'"):
        shipped_files.path("b.zip")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 2, "files": {}}', '{"schema": 1, "files": {"a.zip": {}}}']
)
def test_a_broken_manifest_is_named_with_the_command_that_restores_it(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ShippedError, match=r"`git checkout -- data/shipped/manifest.json`"):
        shipped_files.path("a.zip")


def test_an_installed_package_alone_says_where_the_files_are_expected(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "fashion_rir" / "data" / "shipped_files.py"
    monkeypatch.setattr(shipped_files, "__file__", str(installed))
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert not shipped_files.is_here()
    with pytest.raises(ShippedError, match=f"clone the repository .* in {HOME_VARIABLE}"):
        shipped_files.path("a.zip")


# --- the project's own files ---


@pytest.fixture(autouse=True)
def no_home_of_the_reader(monkeypatch):
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


def test_every_shipped_file_is_whole_and_says_licence_and_source():
    for name, about in shipped_files.manifest().items():
        assert shipped_files.path(name).stat().st_size == about["bytes"]
        assert all(about[key] for key in ("what", "licence", "source")), name


def test_the_readme_names_every_file():
    text = (shipped_files.folder() / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in shipped_files.manifest())


def test_the_licences_that_must_be_passed_on_are_there():
    folder = shipped_files.folder() / "licences"
    licences = {about["licence"] for about in shipped_files.manifest().values()}
    assert licences == {"CC0 1.0", "MIT", "Apache-2.0"}
    assert "Permission is hereby granted" in (folder / "MIT.txt").read_text(encoding="utf-8")
    assert "Version 2.0" in (folder / "Apache-2.0.txt").read_text(encoding="utf-8")


def test_nothing_else_lies_beside_the_shipped_files():
    there = {file.name for file in shipped_files.folder().iterdir() if file.is_file()}
    known = {*shipped_files.manifest(), "manifest.json", "README.md", "make.py"}
    assert there == known


def test_the_files_are_small_enough_to_travel():
    sizes = [file.stat().st_size for file in shipped_files.folder().rglob("*") if file.is_file()]
    assert max(sizes) <= shipped_files.LARGEST_FILE == 8_000_000
    assert sum(sizes) <= shipped_files.LARGEST_TOTAL == 30_000_000
