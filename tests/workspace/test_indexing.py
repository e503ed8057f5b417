"""indexing: a folder of one's own is embedded once, and followed when it changes."""

import numpy as np
import pytest
from drawn_shop import picture

from fashion_rir.embedding.floors import MeanColour
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import CatalogError, ImageError, ParameterError
from fashion_rir.workspace import indexing
from fashion_rir.workspace.folders import open_own, open_workspace, own_names

PARAMETERS = {
    "catalogue": "my-shop", "sample_size": None, "seed": 20, "weights": "none",
    "backbone": "mean-colour", "image_size": 32, "preprocessing": "resize", "engine": "keras",
}  # fmt: skip
MODEL = "mean-colour-32-resize"


class Counting(MeanColour):
    """Says how many photos it was given, and dies after some of them if told so."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.n_given, self.dies_after = 0, dies_after

    def embed(self, batch: np.ndarray) -> np.ndarray:
        if self.dies_after is not None and self.n_given >= self.dies_after:
            raise KeyboardInterrupt
        self.n_given += len(batch)
        return super().embed(batch)


@pytest.fixture
def project(tmp_path):
    """A project's folder, beside a folder with five photos."""
    for name in ("profiles", "notebooks", "photos"):
        (tmp_path / name).mkdir()
    (tmp_path / "profiles" / "quick.yaml").touch()
    for number in range(5):
        write(tmp_path, f"SKU-{number:03d}", number)
    return tmp_path


def write(project, name: str, number: int) -> None:
    data = picture((number * 40, 20, 30), kind="PNG")
    (project / "photos" / f"{name}.png").write_bytes(data)


def index(project, embedder: MeanColour):
    workspace = open_own("my-shop", project)
    said: list[str] = []
    listing = indexing.list_products(project / "photos", None, None, said.append)
    return indexing.index(workspace, listing, embedder, PARAMETERS, said.append), said


def vectors(project, catalog) -> np.ndarray:
    store = FeatureStore.open(open_own("my-shop", project).feature_store(MODEL))
    assert sorted(store.image_names()) == sorted(catalog.products["image_name"])
    return store.load(list(catalog.products["image_name"]))[1]


def test_what_is_new_is_embedded_what_is_gone_is_removed_the_rest_stays(project):
    first, _ = index(project, Counting())
    before = dict(zip(first.products["shown_id"], vectors(project, first), strict=True))
    (project / "photos" / "SKU-001.png").unlink()
    write(project, "SKU-900", 6)
    write(project, "SKU-003", 5)  # another picture under an old name
    filled_up = Counting()
    second, said = index(project, filled_up)
    assert filled_up.n_given == 64  # one batch, filled up
    assert any("2 embedded now, 3 were, 2 removed" in line for line in said)
    ids = second.products["shown_id"].tolist()
    assert ids == ["SKU-000", "SKU-002", "SKU-003", "SKU-004", "SKU-900"]
    after = dict(zip(ids, vectors(project, second), strict=True))
    for name in ("SKU-000", "SKU-002", "SKU-004"):
        np.testing.assert_array_equal(before[name], after[name])
    assert not np.array_equal(before["SKU-003"], after["SKU-003"])


def test_a_second_run_without_changes_embeds_nothing(project):
    index(project, Counting())
    again = Counting()
    index(project, again)
    assert again.n_given == 0


def test_a_killed_run_is_gone_on_with_and_the_catalogue_is_there_only_at_its_end(project):
    for number in range(5, 100):
        write(project, f"SKU-{number:03d}", number % 7)
    with pytest.raises(KeyboardInterrupt):
        index(project, Counting(dies_after=64))
    assert own_names(project) == []
    second = Counting()
    catalog, _ = index(project, second)
    assert second.n_given == 64  # 36 are left, in a batch that is filled up
    assert (len(catalog), own_names(project)) == (100, ["my-shop"])


def test_two_products_may_share_a_photo(project):
    table = project / "t.csv"
    table.write_text("sku,file\n1,SKU-001\n2,SKU-001\n", encoding="utf-8")
    listing = indexing.list_products(project / "photos", table, None)
    workspace = open_own("my-shop", project)
    catalog = indexing.index(workspace, listing, MeanColour(), PARAMETERS)
    assert catalog.products["shown_id"].tolist() == ["1", "2"]
    assert catalog.products["image_name"].nunique() == 1


def test_a_catalogue_of_one_s_own_opens_as_a_profile_does(project):
    index(project, MeanColour())
    workspace = open_workspace("my-shop", project)
    assert len(workspace.load_catalog("my-shop")) == 5
    with pytest.raises(ParameterError, match="did you mean 'my-shop'"):
        open_workspace("my-shp", project)


def test_a_draft_is_written_once_and_read_from_then_on(project):
    table = project / "t.csv"
    table.write_text("sku,Colour\nSKU-001,red\nSKU-002,blue\n", encoding="utf-8")
    said: list[str] = []
    indexing.list_products(project / "photos", table, None, said.append)
    draft = project / "t.columns.yaml"
    assert "colour: Colour" in draft.read_text(encoding="utf-8")
    draft.write_text("id: sku\n", encoding="utf-8")
    listing = indexing.list_products(project / "photos", table, None, said.append)
    assert listing.products["baseColour"].isna().all()
    assert draft.read_text(encoding="utf-8") == "id: sku\n"
    assert any("3  photos without a row" in line for line in said)


def test_few_products_are_said_so_and_columns_need_a_table(project):
    said: list[str] = []
    indexing.list_products(project / "photos", None, None, said.append)
    assert said[-1] == "Only 5 products: every search will show all of them."
    with pytest.raises(ParameterError, match="name it by --table"):
        indexing.list_products(project / "photos", None, project / "my.yaml")


@pytest.mark.parametrize("name", ["quick", "Real", "../x", "", "a b", "x" * 61])
def test_a_name_that_is_taken_or_none_is_refused(project, name):
    with pytest.raises(ParameterError, match="no name for a catalogue"):
        open_own(name, project)


def test_photos_that_all_cannot_be_read_are_an_error(project):
    for path in (project / "photos").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(CatalogError, match="None of the 5 photos"):
        index(project, MeanColour())


def test_a_photo_that_went_since_is_named(project):
    catalog, _ = index(project, MeanColour())
    (project / "photos" / "SKU-000.png").unlink()
    with pytest.raises(ImageError, match="run `fashion-rir index` again"):
        catalog.read_image(catalog.products["image_name"].iloc[0])
