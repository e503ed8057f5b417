"""joined: the parts of the vector, and queries that are changed."""

import numpy as np
import pytest
from drawn_joined import BLUE, RED, joined_model

from fashion_rir.embedding import joined
from fashion_rir.errors import ParameterError, WeightsError


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_each_part_has_its_place_and_its_share():
    model = joined_model()
    (vector,) = model.vectors([RED])
    assert list(model.parts) == ["articleType", "baseColour", "looks", "words"]
    lengths = {name: np.square(vector[place]).sum() for name, place in model.parts.items()}
    assert lengths == pytest.approx(model.shares)
    certain = 1 / (1 + np.exp(-4))
    expected = np.sqrt(0.6 * np.array([1 - certain, certain]))
    np.testing.assert_allclose(vector[:2], expected, rtol=1e-5)


def test_it_is_the_embedding_of_the_study():
    from fashion_rir.search import transforms
    from fashion_rir.training.heads import JoinShares, joined_embedding

    model = joined_model()
    generator = np.random.default_rng(0)
    given = [generator.standard_normal((20, 2)).astype(np.float32)]
    features = transforms.joint_features(given)
    hidden = model.hidden(features)
    logits = {name: hidden @ model.arrays[f"out-{name}"][:-1] for name in model.classes}
    shares = JoinShares({name: model.shares[name] for name in model.classes},
                        stored=model.shares["looks"], temperature=model.temperature)  # fmt: skip
    expected = joined_embedding(logits, features, shares)
    found = model.vectors(given)[:, : model.parts["words"].start]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_another_colour_takes_the_old_one_s_place_and_keeps_the_type():
    model = joined_model()
    red, blue = model.vectors([RED])[0], model.vectors([BLUE])[0]
    query = model.changed(red, values={"baseColour": "Blue"})
    type_part, colour_part = model.parts["articleType"], model.parts["baseColour"]
    assert alike(query[colour_part], blue[colour_part]) > 0.98
    assert alike(query[type_part], red[type_part]) == pytest.approx(1)


def test_two_attributes_are_changed_as_firmly_as_one():
    model = joined_model()
    red, blue = model.vectors([RED])[0], model.vectors([BLUE])[0]
    query = model.changed(red, values={"baseColour": "Blue", "articleType": "Casual Shoes"})
    lengths = [np.linalg.norm(query[model.parts[name]]) * np.sqrt(model.shares[name])
               for name in model.classes]  # fmt: skip
    assert lengths[0] == pytest.approx(lengths[1])
    assert query @ blue > query @ red


def test_weights_and_words_change_what_counts():
    model = joined_model()
    red, blue = model.vectors([RED])[0], model.vectors([BLUE])[0]
    without = model.changed(red, weights={"articleType": 0.0})
    assert not without[model.parts["articleType"]].any()
    by_words = model.changed(np.zeros(model.dim), text="Blue SHOES")
    assert alike(by_words, blue) > alike(by_words, red)
    both = model.changed(red, text="blue")
    np.testing.assert_array_equal(both[:4], red[:4])


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"values": {"colour": "Blue"}}, "did you mean 'baseColour'"),
     ({"values": {"baseColour": "blu"}}, "did you mean 'Blue'"),
     ({"weights": {"look": 2}}, "did you mean 'looks'"), ({"text": "..."}, "Nothing is left")],
)  # fmt: skip
def test_what_is_not_there_cannot_be_changed(change, fault):
    model = joined_model()
    with pytest.raises(ParameterError, match=fault):
        model.changed(np.zeros(model.dim, np.float32), **change)


def test_a_kept_model_is_the_same_to_half_precision(tmp_path):
    model = joined_model()
    model.save(tmp_path / "joined.npz")
    again = joined.load(tmp_path / "joined.npz")
    np.testing.assert_allclose(again.vectors([RED]), model.vectors([RED]), atol=1e-3)
    assert (again.classes, again.quality) == (model.classes, model.quality)
    assert len(again.sha256) == 64
    (tmp_path / "joined.npz").write_bytes(b"damaged")
    for path in (tmp_path / "joined.npz", tmp_path / "none.npz"):
        with pytest.raises(WeightsError, match="no whole joined model"):
            joined.load(path)
