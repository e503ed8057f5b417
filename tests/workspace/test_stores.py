"""stores: what an earlier version stored of a trained model is named, and read as nothing else."""

from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog
from fashion_rir.data.drawn import shop
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import StoreError
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> catalog.Catalog:
    return catalog.load(shop.generate(tmp_path_factory.mktemp("drawn") / "shop", n_products=60))


def store(workspace: Workspace, products: catalog.Catalog, name: str, **metadata: str) -> None:
    about = {"model": name, "embedding_dim": 2, "data_hash": products.data_hash, **metadata}
    made = FeatureStore.create(workspace.feature_store(name), about)
    made.append(list(products.products["image_name"]), np.ones((len(products), 2), np.float32))


def test_a_store_of_the_old_layout_is_named(tmp_path: Path, products: catalog.Catalog) -> None:
    workspace = Workspace(tmp_path, "quick")
    store(workspace, products, "label-g-seed20", training="abc")
    with pytest.raises(StoreError, match=r"of the old layout.*study --profile quick` to make it"):
        stores.stored_model(workspace, products, "label-g-seed20")
    store(workspace, products, "label-h-seed20", training="abc", family="label-end-to-end")
    store(workspace, products, "pretrained-" + "x" * 80)
    for name in ("label-h-seed20", "pretrained-" + "x" * 80):
        part, found = stores.stored_model(workspace, products, name)
        assert (len(part), found.metadata["model"]) == (60, name)
