import numpy as np
import pytest

from fashion_rir.embedding.photo_head import (
    PhotoHead,
    alike_vectors,
    averaged,
    label_scores,
    mean_of_views,
    softmax,
)
from fashion_rir.errors import ParameterError, StoreError

CLASSES = {"articleType": ("Caps", "Jeans"), "baseColour": ("Blue", "Red")}


def drawn_head() -> PhotoHead:
    """Says Jeans where the first number is large, Red where the second is."""
    arrays = {
        "mean": np.zeros(2, np.float32),
        "scale": np.ones(1, np.float32),
        "hidden": np.eye(2, dtype=np.float32),
        "hidden_bias": np.zeros(2, np.float32),
        "articleType": np.array([[0, 1], [0, 0]], np.float32),
        "articleType_bias": np.zeros(2, np.float32),
        "baseColour": np.array([[0, 0], [0, 1]], np.float32),
        "baseColour_bias": np.zeros(2, np.float32),
    }
    return PhotoHead(CLASSES, arrays, {"networks": ["drawn"]})


def test_a_head_says_what_its_weights_say():
    found = drawn_head().posteriors(np.float32([[np.log(3), -5]]))
    assert found["articleType"][0].tolist() == pytest.approx([1 / 4, 3 / 4])
    assert found["baseColour"][0].tolist() == pytest.approx([1 / 2, 1 / 2])


def test_a_saved_head_says_the_same(tmp_path):
    features = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    drawn_head().save(tmp_path / "head.npz")
    loaded = PhotoHead.load(tmp_path / "head.npz")
    assert loaded.classes == CLASSES and loaded.about == {"networks": ["drawn"]}
    for label, found in loaded.posteriors(features).items():
        assert np.allclose(found, drawn_head().posteriors(features)[label], atol=5e-3)


@pytest.mark.parametrize("content", [b"", b"no archive", None], ids=["empty", "text", "missing"])
def test_a_damaged_head_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "head.npz").write_bytes(content)
    with pytest.raises(StoreError, match="head.npz"):
        PhotoHead.load(tmp_path / "head.npz")


def test_embeddings_of_another_length_are_refused():
    with pytest.raises(ParameterError, match="drawn"):
        drawn_head().posteriors(np.zeros((1, 3), np.float32))


def test_two_views_that_agree_are_as_sure_as_one():
    view = {"articleType": np.array([[0.8, 0.2]])}
    assert mean_of_views([view, view])["articleType"][0] == pytest.approx([0.8, 0.2])


def test_alike_vectors_have_the_coefficients_as_their_cosine():
    first = {"articleType": np.array([[1.0, 0]]), "baseColour": np.array([[0.5, 0.5]])}
    other = {"articleType": np.array([[1.0, 0]]), "baseColour": np.array([[1.0, 0]])}
    cosine = (alike_vectors(first) @ alike_vectors(other).T).item()
    assert np.linalg.norm(alike_vectors(first)) == pytest.approx(1)
    assert cosine == pytest.approx((1 + 0.3 * np.sqrt(0.5)) / 1.3)


def test_products_are_ranked_by_the_probability_of_their_labels():
    asked = {"articleType": np.array([[0.1, 0.9]]), "baseColour": np.array([[0.7, 0.3]])}
    codes = {"articleType": np.array([1, 1, 0, 1]), "baseColour": np.array([1, 0, 0, -1])}
    scores = label_scores(asked, codes)[0]
    assert np.argsort(-scores)[0] == 1
    assert scores[1] == pytest.approx(np.log(0.9) + 0.3 * np.log(0.7), abs=1e-5)
    assert scores[3] < scores[0]


def test_a_type_is_as_probable_as_its_kind_allows():
    arrays = drawn_head().arrays | {
        "kind": np.array([[3, 0, 0], [0, 0, 0]], np.float32),
        "kind_bias": np.zeros(3, np.float32),
    }
    classes = CLASSES | {"kind": ("hat", "pants", "other")}
    kinds = {"hat": ["Caps"], "pants": ["Jeans"]}
    head = PhotoHead(classes, arrays, {"networks": ["drawn"]}, kinds)
    types = head.posteriors(np.float32([[1, 0]]))["articleType"][0]
    # Jeans are e times as probable as Caps, but pants e**-3 times as probable as hats.
    assert types[1] / types[0] == pytest.approx(np.exp(1 - 3), rel=1e-5)
    assert types.sum() == pytest.approx(1, abs=1e-6)


def test_a_head_rounded_is_what_is_read_back(tmp_path):
    drawn_head().save(tmp_path / "head.npz")
    loaded = PhotoHead.load(tmp_path / "head.npz")
    for name, array in drawn_head().rounded().arrays.items():
        assert (loaded.arrays[name] == array).all()


def test_softmax_stands_large_numbers():
    assert softmax(np.array([[1e4, 0.0]])).tolist() == [[1.0, 0.0]]


def test_several_heads_as_one_answer_with_their_geometric_mean():
    generator = np.random.default_rng(3)

    def random_head() -> PhotoHead:
        arrays = {
            name: generator.normal(size=a.shape).astype(np.float32)
            for name, a in drawn_head().arrays.items()
        }
        return PhotoHead(CLASSES, arrays, {"seed": 0})

    heads = [random_head() for _ in range(3)]
    features = generator.normal(size=(7, 2)).astype(np.float32)
    together = averaged(heads).posteriors(features)
    apart = mean_of_views([head.posteriors(features) for head in heads])
    for label in CLASSES:
        assert np.allclose(together[label], apart[label], atol=1e-5)
