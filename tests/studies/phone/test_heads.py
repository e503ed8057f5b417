import numpy as np
import pandas as pd

from fashion_rir.embedding.photo_head import KIND, kinds_of
from fashion_rir.studies.phone import heads
from fashion_rir.studies.phone.heads import VIEWS, CatalogueSample, PhonePhotos, Setting, Trial
from fashion_rir.training.one_of import Settings

CLASSES = {"articleType": ("Caps", "Hat", "Jeans"), "baseColour": ("Blue", "Red")}
GROUPS = {"hat": ["Caps", "Hat"], "pants": ["Jeans"]}
CENTRES = np.array([[4.0, 0], [0, 4], [-4, -4]])

SETTINGS = Settings(
    hidden=16, dropout=0.0, input_dropout=0.0, epochs=40, batch_size=8, learning_rate=1e-2
)


def drawn_photos(n: int, seed: int) -> PhonePhotos:
    """Photos of caps, hats and jeans, whose embeddings lie in three clouds."""
    types = np.arange(n) % 3
    generator = np.random.default_rng(seed)
    views = {
        name: (CENTRES[types] + generator.normal(size=(n, 2))).astype(np.float32) for name in VIEWS
    }
    table = pd.DataFrame(
        {
            "source_file": [f"{i}.jpg" for i in range(n)],
            "source_class": np.array(["hat", "hat", "pants"])[types],
            "articleType": np.array(CLASSES["articleType"])[types],
            "baseColour": None,
            "garment": np.arange(n) // 2,
        }
    )
    return PhonePhotos(table, views)


def drawn_setting() -> Setting:
    """Forty photos ask; the catalogue has its caps where the photos have their jeans."""
    products = drawn_photos(60, seed=9)
    codes = {"articleType": (np.arange(60) + 1) % 3, "baseColour": np.full(60, -1)}
    sample = CatalogueSample(products.views["whole"], codes, n_products=60)
    photos = drawn_photos(40, seed=1)
    return Setting(
        heads.with_kinds(CLASSES, GROUPS), GROUPS, sample, np.ones(60, bool), photos, photos
    )


def accuracy(found: dict[str, np.ndarray]) -> float:
    return float((found["articleType"].argmax(axis=1) == np.arange(40) % 3).mean())


def test_photos_that_look_alike_are_one_group_also_over_others():
    angles = np.radians([0, 10, 20, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = heads.alike_groups(vectors, np.cos(np.radians(12)))
    assert len(set(found[:3])) == 1 and found[3] != found[0]


def test_photos_of_one_garment_share_a_fold():
    fold = heads.folds(np.repeat(np.arange(50), 3), seed=4)
    assert (fold.reshape(50, 3) == fold[::3, None]).all()
    assert np.bincount(fold[::3]).tolist() == [10] * 5


def test_phone_labels_teach_what_the_catalogue_has_wrong():
    setting = drawn_setting()
    without = heads.cross_validated(setting, Trial("none", SETTINGS), seed=0)
    fine = heads.cross_validated(setting, Trial("fine", SETTINGS, weight=10.0), seed=0)
    assert accuracy(without["shipped"]) < 0.2 < 0.8 < accuracy(fine["shipped"])


def test_a_photo_is_not_asked_by_a_head_that_was_trained_on_it(monkeypatch):
    setting, asked = drawn_setting(), []

    def spied(setting, trial, is_trained, *, seed):
        asked.append(set(setting.more.table["garment"][is_trained]))
        return train(setting, trial, is_trained, seed=seed)

    train = heads.train
    monkeypatch.setattr(heads, "train", spied)
    quick = Settings(hidden=4, epochs=1)
    heads.cross_validated(setting, Trial("fine", quick), seed=0)
    everybody = set(setting.more.table["garment"])
    left_out = [everybody - trained for trained in asked]
    assert set().union(*left_out) == everybody
    assert sum(map(len, left_out)) == len(everybody)


def test_coarse_labels_say_the_kind_and_no_colour():
    classes = heads.with_kinds(CLASSES, GROUPS)
    trial = Trial("coarse", SETTINGS, weight=2.0)
    is_of = kinds_of(CLASSES["articleType"], GROUPS)
    examples = drawn_photos(6, 0).examples(classes, is_of, trial)
    assert examples.allowed["articleType"][:3].tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]
    assert examples.allowed["baseColour"].all()
    assert examples.allowed[KIND][:3].argmax(axis=1).tolist() == [0, 0, 1]
    assert examples.allowed[KIND].sum() == len(examples.features) == 12
    assert (examples.weights == 2).all()


def test_each_photo_keeps_its_own_answer_over_the_folds():
    setting = drawn_setting()
    found = heads.cross_validated(setting, Trial("fine", SETTINGS, weight=10.0), seed=1)
    assert list(found) == list(heads.WAYS)
    for way in ("whole photo only", "not mirrored"):
        assert accuracy(found[way]) > 0.8


def test_only_so_many_photos_are_trained_on():
    setting = drawn_setting()
    trial = Trial("fine", Settings(hidden=4, epochs=1), n_photos=7)
    head = heads.train(setting, trial, np.ones(40, bool), seed=0)
    assert head.about["n_photos"] == 7
