"""What most trainings of these tests learn from."""

import pytest

from fashion_rir.data import catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.workspace.folders import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("study"), "quick")


@pytest.fixture(scope="module")
def shop(workspace: Workspace) -> Catalog:
    """80 drawn products."""
    return catalog.load(drawn_shop.generate(workspace.data / "raw" / "drawn", n_products=80))
