"""phone_search: what phone photos find is counted by kind and by type, photo by photo."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog
from fashion_rir.data.drawn import shop
from fashion_rir.embedding import floors
from fashion_rir.studies.pretrained import phone_search
from fashion_rir.studies.study import Study
from fashion_rir.workspace.folders import Workspace

GROUPS = {"t-shirt": ["Tshirts"], "hat": ["Caps", "Hat"]}


def test_precision_by_class_counted_by_hand() -> None:
    photos = pd.DataFrame({"source_class": ["hat", "hat", "t-shirt"],
                           "articleType": ["Caps", "Hat", "Tshirts"]})  # fmt: skip
    found = np.array([["Caps", "Hat"], ["Tshirts", "Caps"], ["Hat", "Hat"]])
    types = np.array(["Caps", "Hat", "Tshirts", "Tshirts", "Ties", "Ties", "Ties", "Ties"])
    rows = {row["class"]: row for row in phone_search.by_class(photos, found, types, GROUPS)}
    assert rows["hat"] == {"class": "hat", "photos": 2, "same kind": 0.75, "same type": 0.25,
                           "share of the shop": 0.25}  # fmt: skip
    assert rows["t-shirt"]["same kind"] == rows["t-shirt"]["same type"] == 0
    assert rows["all"]["photos"] == 3
    assert rows["all"]["same kind"] == pytest.approx(0.5)


def test_photos_ask_the_shop_by_the_same_model(tmp_path: Path) -> None:
    products = catalog.load(shop.generate(tmp_path / "shop", n_products=60))
    study = Study(Workspace(tmp_path, "quick"), products, catalogue="drawn")
    floor = floors.MeanColour()
    model = study.embed(floor, "resize")
    is_asked = np.arange(60) < 12
    photos = products.subset(is_asked)
    photos.products["source_class"] = photos.products["articleType"]
    vectors = phone_search.embed_photos(photos, floor, "resize")
    assert np.allclose(vectors, model.vectors[is_asked], atol=1e-5)
    found = phone_search.nearest(model.vectors, vectors, k=1)
    assert (found[:, 0] == np.arange(12)).mean() > 0.8  # itself; a copy may stand before it
