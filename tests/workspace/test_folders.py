"""folders: the project is found from anywhere in it, and no catalogue stands for another."""

from pathlib import Path

import drawn_catalog
import pytest

from fashion_rir.data.drawn import shop
from fashion_rir.errors import CatalogError, FashionRirError, ParameterError
from fashion_rir.workspace import folders
from fashion_rir.workspace.folders import Workspace, open_workspace
from fashion_rir.workspace.parameters import profile_parameters

PROFILE = """
notebooks:
  01-first:
    seed: 20
    catalogue: drawn
  02-second:
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with two profiles, and nobody's environment variables."""
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "profiles").mkdir()
    for profile in ("quick", "full"):
        (root / "profiles" / f"{profile}.yaml").write_text(PROFILE, encoding="utf-8")
    for variable in (folders.ARCHIVE_VARIABLE, folders.HOME_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(root)
    return root


def test_a_profile_has_its_own_places(project: Path) -> None:
    found = open_workspace("full")
    assert (found.root, found.profile) == (project, "full")
    assert found.results == project / "reports" / "full" / "results"
    assert found.figures == project / "reports" / "full" / "figures"
    assert found.scores == project / "data" / "scores" / "full"
    assert found.feature_store("m") == project / "data" / "features" / "full" / "m.sqlite"


def test_the_root_is_found_from_a_subfolder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = project / "notebooks" / "deep" / "er"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert open_workspace("quick").root == project


def test_the_root_can_be_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(folders.HOME_VARIABLE, str(project))
    assert open_workspace("quick").root == project
    assert open_workspace("quick", root=project).root == project


def test_a_relative_name_of_the_root_holds_in_its_notebooks_too(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(folders.HOME_VARIABLE, ".")
    monkeypatch.chdir(project / "notebooks")  # where a notebook's kernel runs
    assert open_workspace("quick").root == project


def test_outside_the_project_one_sentence_says_what_to_do(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FashionRirError, match="not inside the project .* FASHION_RIR_HOME"):
        open_workspace("quick")


def test_an_unknown_profile_offers_the_nearest(project: Path) -> None:
    with pytest.raises(ParameterError, match="profile 'qiuck'; did you mean 'quick'"):
        open_workspace("qiuck")


@pytest.mark.parametrize("value", [None, ""])
def test_the_real_catalogue_is_never_replaced_by_the_drawn_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    def drawn(*_: object, **__: object) -> None:
        raise AssertionError("the drawn catalogue was drawn")

    monkeypatch.setattr(shop, "generate", drawn)
    if value is not None:
        monkeypatch.setenv(folders.ARCHIVE_VARIABLE, value)
    with pytest.raises(CatalogError, match="FASHION_RIR_ARCHIVE is not set; download"):
        open_workspace("full").load_catalog("real")


def test_an_archive_that_is_not_there_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(folders.ARCHIVE_VARIABLE, str(project / "gone.zip"))
    with pytest.raises(CatalogError, match=r"no catalogue at .*gone\.zip"):
        open_workspace("full").load_catalog("real")


def test_the_real_catalogue_is_the_one_that_is_named(
    project: Path, catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(folders.ARCHIVE_VARIABLE, str(catalog_folder))
    found = open_workspace("full").load_catalog("real")
    assert found.products["id"].tolist() == list(range(1001, 1013))
    sampled = open_workspace("full").load_catalog("real", sample_size=6, seed=1)
    assert 6 <= len(sampled) < 12


def test_the_drawn_catalogue_is_drawn_on_first_use(
    project: Path, catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop, "generate", lambda folder: catalog_folder)
    monkeypatch.setenv(folders.ARCHIVE_VARIABLE, str(project / "gone.zip"))  # of no concern
    assert len(open_workspace("quick").load_catalog("drawn")) == 12
    assert any((project / "data" / "catalog").iterdir())  # what was learned of the photos


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(project: Path, seed: int) -> None:
    with pytest.raises(ParameterError, match=rf"0 or more and below 2\^32, not {seed}"):
        open_workspace("quick").load_catalog("drawn", seed=seed)


def test_an_unknown_catalogue_offers_the_nearest(project: Path) -> None:
    with pytest.raises(ParameterError, match="catalogue 'reel'; did you mean 'real'"):
        open_workspace("full").load_catalog("reel")


def test_a_value_of_the_wrong_kind_is_named_with_its_file(project: Path) -> None:
    quick_profile = project / "profiles" / "quick.yaml"
    quick_profile.write_text("notebooks: {01-eda: {seed: twenty}}", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"^quick\.yaml: seed of 01-eda must be a whole"):
        profile_parameters(open_workspace("quick"), "01-eda")


def test_parameters_of_a_notebook(project: Path) -> None:
    found = open_workspace("quick")
    assert profile_parameters(found, "01-first") == {
        "profile": "quick",
        "seed": 20,
        "catalogue": "drawn",
    }
    assert profile_parameters(found, "02-second") == {"profile": "quick"}


def test_a_notebook_that_the_profile_forgot_is_refused(project: Path) -> None:
    # It would run on the values in its own cell, which are the profile quick's.
    with pytest.raises(ParameterError, match=r"full\.yaml says nothing of the notebook 03-third"):
        profile_parameters(open_workspace("full"), "03-third")


@pytest.mark.parametrize(
    "text",
    ["", "notebooks: [", "other: 1", "notebooks:", "- a", "notebooks: 5",
     "notebooks:\n  01-first: [1, 2]", "notebooks:\n  01-first: 5", "caf\xe9"],
)  # fmt: skip
def test_a_broken_profile_is_named(project: Path, text: str) -> None:
    (project / "profiles" / "quick.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ParameterError, match=r"quick\.yaml is no profile: it needs a mapping"):
        profile_parameters(Workspace(project, "quick"), "01-first")


def test_the_shipped_catalogues_have_names(project: Path) -> None:
    workspace = open_workspace("quick")
    photos, table = (workspace.load_catalog(name) for name in ("phone", "shipped"))
    assert (len(photos), photos.has_photos) == (1000, True)
    assert (len(table), table.has_photos) == (44_072, False)
    assert len(workspace.load_catalog("shipped", sample_size=500, seed=1)) < 700


def test_the_archive_takes_the_place_of_the_shipped_table(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = drawn_catalog.product_row(15970)  # an id of the real catalogue's, of something else
    folder = drawn_catalog.write_catalog(tmp_path / "real", [row], [drawn_catalog.photo(1)])
    monkeypatch.setenv(folders.ARCHIVE_VARIABLE, str(folder))
    with pytest.warns(UserWarning, match="takes the place of the shipped table, and differs"):
        found = open_workspace("quick").load_catalog("shipped")
    assert found.products["productDisplayName"].tolist() == [row[-1]]
    assert found.counts["products of the shipped table that are not here"] == 44_071
    assert found.counts["products whose photo is another in the shipped table"] == 1


def test_what_was_called_demo_is_named_with_what_took_its_place(project: Path) -> None:
    with pytest.raises(ParameterError, match="now called 'drawn'"):
        open_workspace("quick").load_catalog("demo")
    with pytest.raises(ParameterError, match="gave way to 'quick'"):
        open_workspace("demo")
