"""Heads of several attributes on tiny embeddings."""

import numpy as np
import pytest

from fashion_rir.data.labels import LabelClasses
from fashion_rir.errors import ParameterError
from fashion_rir.training import attribute_heads, heads
from fashion_rir.training.attribute_heads import JoinShares
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.training.heads import HeadSettings

SETTINGS = HeadSettings(hidden=8, dropout=0.0, label_smoothing=0.0)
FITTING = TrainingSettings(epochs=30, batch_size=16, learning_rate=0.05)
CLASSES = {
    "articleType": LabelClasses("articleType", ("shirt", "shoe")),
    "baseColour": LabelClasses("baseColour", ("blue", "red")),
}


def products() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """32 products whose first number says the type, whose second one says the colour."""
    features = np.random.default_rng(0).normal(scale=0.1, size=(32, 4)).astype(np.float32)
    codes = {"articleType": np.arange(32) % 2, "baseColour": np.arange(32) // 2 % 2}
    features[:, 0] += codes["articleType"]
    features[:, 1] += codes["baseColour"]
    return features, codes


def train(features, codes, classes=CLASSES, **options):
    return attribute_heads.train_attribute_head(
        features, codes, classes, SETTINGS, FITTING, seed=1, **options
    )


def test_a_head_learns_both_attributes():
    features, codes = products()
    head, curve = train(features, codes)
    logits = head.logits(features)
    for label, known in codes.items():
        assert (logits[label].argmax(axis=1) == known).all()
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]


def test_the_same_seed_gives_the_same_head():
    features, codes = products()
    first, second = (train(features, codes)[0].logits(features) for _ in range(2))
    np.testing.assert_array_equal(first["baseColour"], second["baseColour"])


def test_a_missing_colour_adds_nothing_but_the_type_counts():
    features, codes = products()
    codes["baseColour"] = np.where(np.arange(32) < 16, -1, codes["baseColour"])
    head, curve = train(features, codes, validation=(features, codes))
    assert (head.logits(features)["articleType"].argmax(axis=1) == codes["articleType"]).all()
    assert np.isfinite(curve["val_loss"]).all()


def test_targets_are_smoothed_and_a_missing_one_is_all_zeros():
    targets = attribute_heads._targets(
        2, {"articleType": np.array([1, -1])}, {"articleType": CLASSES["articleType"]}, 0.2
    )
    np.testing.assert_allclose(targets["articleType"], [[0.1, 0.9], [0.0, 0.0]], rtol=1e-6)


def test_the_cosine_of_a_joined_embedding_is_the_weighted_mean_of_its_parts():
    generator = np.random.default_rng(2)
    logits = {
        "articleType": generator.normal(size=(5, 2)),
        "baseColour": generator.normal(size=(5, 2)),
    }
    stored = generator.normal(size=(5, 3)).astype(np.float32)
    shares = JoinShares({"articleType": 2.0, "baseColour": 1.0}, stored=1.0, temperature=0.5)
    joined = attribute_heads.joined_embedding(logits, stored, shares)
    unit = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    posteriors = [heads.posterior(logits[label], temperature=0.5) for label in logits]
    agreements = [np.sqrt(p) @ np.sqrt(p).T for p in posteriors]
    wanted = (2 * agreements[0] + agreements[1] + unit @ unit.T) / 4
    np.testing.assert_allclose(joined @ joined.T, wanted, atol=1e-5)


def test_a_part_without_a_share_is_left_out():
    logits = {"articleType": np.zeros((3, 2)), "baseColour": np.zeros((3, 2))}
    shares = JoinShares({"articleType": 1.0, "baseColour": 0.0})
    assert attribute_heads.joined_embedding(logits, np.ones((3, 7)), shares).shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attributes": {"articleType": -1.0}}, "share of articleType must be at least 0"),
        ({"attributes": {"articleType": float("nan")}}, "share of articleType"),
        ({"attributes": {"articleType": 0.0}}, "All shares are 0"),
        ({"attributes": {"articleType": 1.0}, "temperature": 0.0}, "temperature must be above 0"),
        ({"attributes": {"articleType": 1.0}, "stored": -0.1}, "share of stored"),
    ],
)
def test_shares_out_of_range_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        JoinShares(**options)


def test_an_attribute_that_the_head_does_not_know_is_named():
    shares = JoinShares({"season": 1.0})
    with pytest.raises(ParameterError, match="says nothing of season; it knows articleType"):
        attribute_heads.joined_embedding({"articleType": np.zeros((2, 2))}, np.ones((2, 2)), shares)


def test_bad_input_is_named_before_training():
    features, codes = products()
    with pytest.raises(ParameterError, match="row 3 is not finite"):
        broken = features.copy()
        broken[3, 0] = np.nan
        train(broken, codes)
    with pytest.raises(ParameterError, match="32 embeddings and 5 classes of baseColour"):
        train(features, codes | {"baseColour": codes["baseColour"][:5]})
    with pytest.raises(ParameterError, match="codes of .* and classes of"):
        train(features, {"articleType": codes["articleType"]})
    with pytest.raises(ParameterError, match="None of 32 products has a class of baseColour"):
        train(features, codes | {"baseColour": np.full(32, -1)})
    one_class = CLASSES | {"baseColour": LabelClasses("baseColour", ("blue",))}
    with pytest.raises(ParameterError, match="baseColour has a single one"):
        train(features, codes | {"baseColour": np.zeros(32, dtype=int)}, one_class)


def test_embeddings_of_another_length_are_named():
    features, codes = products()
    head, _ = train(features, codes)
    with pytest.raises(ParameterError, match=r"shape \(n, 4\), not \(2, 3\)"):
        head.logits(np.zeros((2, 3)))
