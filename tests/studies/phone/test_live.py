from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.studies.phone import live
from fashion_rir.studies.phone.heads import CatalogueSample, PhonePhotos, Setting, Trial, with_kinds
from fashion_rir.studies.phone.relevance import relevance
from fashion_rir.studies.study import Study
from fashion_rir.training.one_of import Settings
from fashion_rir.workspace.folders import Workspace

GROUPS = {"hat": ["Caps"], "pants": ["Jeans"]}
TRIAL = Trial("fine", Settings(hidden=8, dropout=0, input_dropout=0, epochs=40, batch_size=8,
                               learning_rate=1e-2), weight=10.0)  # fmt: skip


def small_study() -> live.SmallStudy:
    """Caps lie to the right, jeans to the left; the catalogue has it the other way round."""
    types = np.array(["Caps", "Jeans"] * 20)
    products = pd.DataFrame({"articleType": types, "baseColour": "Blue"})
    photos = products.assign(
        source_class=np.where(types == "Caps", "hat", "pants"),
        source_file=[f"{i}.jpg" for i in range(40)],
    )
    places = np.where(types == "Caps", 4.0, -4.0)[:, None] * np.ones((1, 2), np.float32)
    relevant = relevance(photos, products, GROUPS)
    sample = CatalogueSample(-places.astype(np.float32), relevant.product_codes, 40)
    everybody = PhonePhotos(photos, {"whole": places.astype(np.float32)})
    asks = np.arange(40) >= 30
    setting = Setting(with_kinds(relevant.classes, GROUPS), GROUPS, sample, np.ones(40, bool),
                      everybody.rows(~asks), everybody.rows(asks))  # fmt: skip
    return live.SmallStudy(setting, asks, relevant.of_rows(asks), seed=0)


def test_labelled_photos_bring_back_what_the_catalogue_has_wrong():
    curve, head = small_study().curve(TRIAL, [0, 30])
    assert curve["articleType"].tolist() == [0.0, 1.0]
    assert head.about["n_photos"] == 30


@pytest.mark.parametrize("count", [-1, 31])
def test_no_more_photos_can_be_trained_on_than_there_are(count):
    with pytest.raises(ParameterError, match="0 to 30 phone photos"):
        small_study().curve(TRIAL, [count])


def test_photos_are_drawn_once_and_in_order():
    study = Study(Workspace(Path(), "quick"), seed=1)
    rows = live.drawn(study, 50, 20)
    assert len(set(rows)) == 20 and (np.diff(rows) > 0).all()
    for wrong in (0, -1, 51):
        with pytest.raises(ParameterError, match="1 to 50 photos"):
            live.drawn(study, 50, wrong)
