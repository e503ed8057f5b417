"""named_paths: what a variable or a command means, whatever stands around it."""

from pathlib import Path

import pytest

from fashion_rir import errors
from fashion_rir.data.named_paths import named_path
from fashion_rir.embedding import backbones
from fashion_rir.errors import CatalogError
from fashion_rir.workspace import folders


@pytest.mark.parametrize(
    "text", ['"a b/c.zip"', "'a b/c.zip'", "  a b/c.zip\r\n", "“a b/c.zip”", "\" 'a b/c.zip' \""]
)
def test_quotes_and_spaces_around_are_no_part_of_a_path(text):
    assert named_path(text) == Path("a b/c.zip")


@pytest.mark.parametrize("text", [None, "", "  ", '""'])
def test_nothing_names_nothing(text):
    assert named_path(text) is None


def test_the_home_folder_is_known_by_its_mark(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert named_path("~/a.zip") == tmp_path / "a.zip"
    assert named_path('"~/a.zip"') == tmp_path / "a.zip"


def test_an_address_of_a_file_is_its_path(tmp_path):
    path = tmp_path / "ä b.zip"
    assert named_path(path.as_uri()) == path


def test_a_file_whose_name_has_quotes_is_found_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("'a'").write_text("x")
    assert named_path("'a'") == Path("'a'")


def test_the_archive_may_be_named_in_quotes(monkeypatch, tmp_path):
    monkeypatch.setenv(folders.ARCHIVE_VARIABLE, f'"{tmp_path}"')
    assert folders.real_path() == tmp_path
    monkeypatch.setenv(folders.ARCHIVE_VARIABLE, ' "" ')
    with pytest.raises(CatalogError, match="is not set"):
        folders.real_path()


def test_the_project_may_be_named_in_quotes(monkeypatch, tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "profiles" / "quick.yaml").write_text("notebooks: {}", encoding="utf-8")
    monkeypatch.setenv(folders.HOME_VARIABLE, f"'{tmp_path}'")
    assert folders.open_workspace("quick").root == tmp_path


def test_the_weights_may_be_named_in_quotes(monkeypatch, tmp_path):
    monkeypatch.setenv(backbones.WEIGHTS_VARIABLE, f'"{tmp_path}"')
    with pytest.raises(errors.WeightsError, match="holds no weights.json"):
        backbones.build("mobilenetv2", weights="imagenet", image_size=32)
