"""reduction: the cosine is kept as well as so many numbers of one byte can."""

import numpy as np
import pytest

from fashion_rir.embedding import reduction
from fashion_rir.errors import ParameterError, StoreError


def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.fixture
def embeddings() -> np.ndarray:
    """100 embeddings of 12 numbers that lie near 4 directions, none of them negative."""
    generator = np.random.default_rng(3)
    mixture = generator.random((100, 4)) @ generator.random((4, 12))
    return (5 * mixture + 0.01 * generator.random((100, 12))).astype(np.float32)


def test_the_first_direction_is_the_longest_through_the_origin():
    vectors = np.array([[3, 0, 0], [2, 0, 0], [0, -1, 0]], dtype=np.float32)
    found = reduction.fit(vectors, 2)
    # Scaled to length 1, two lie along the first axis and one against the second.
    np.testing.assert_allclose(found.directions, [[1, 0], [0, -1], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(found(vectors), [[1, 0], [1, 0], [0, 1]], atol=1e-6)


def test_the_length_of_an_embedding_plays_no_part(embeddings):
    found = reduction.fit(embeddings, 4)
    np.testing.assert_allclose(found(7 * embeddings), found(embeddings), atol=1e-6)


def test_cosines_are_kept_where_the_directions_hold_nearly_all(embeddings):
    found = reduction.fit(embeddings, 4)
    reduced = found.decode(found.encode(found(embeddings)))
    assert reduced.shape == (100, 4)
    assert np.abs(cosines(reduced) - cosines(embeddings)).max() < 0.01


def test_what_the_mean_holds_is_kept_unlike_in_a_principal_component_analysis():
    vectors = np.array([[10, 1], [10, -1], [10, 0.5]], dtype=np.float32)
    found = reduction.fit(vectors, 1)(vectors)
    assert (found > 0.99).all()


def test_a_code_is_a_whole_number_of_steps(embeddings):
    found = reduction.fit(embeddings, 4)
    reduced = found(embeddings)
    codes = found.encode(reduced)
    assert codes.dtype == np.int8
    assert (np.abs(found.decode(codes) - reduced) <= 0.5001 * found.steps).all()


def test_a_photo_far_from_all_products_ends_at_the_largest_code_and_does_not_wrap():
    found = reduction.Reduction(np.eye(2, dtype=np.float32), np.array([0.004, 0.004]))
    codes = found.encode(np.array([[1.0, -1.0]]))
    assert codes.tolist() == [[127, -127]]


def test_a_file_gives_back_what_was_written(embeddings, tmp_path):
    found = reduction.fit(embeddings, 3)
    codes = found.encode(found(embeddings))
    reduction.save(found, codes, tmp_path / "a.npz")
    again, codes_again = reduction.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(codes_again, codes)
    np.testing.assert_array_equal(again(embeddings), found(embeddings))
    np.testing.assert_array_equal(again.decode(codes), found.decode(codes))


@pytest.mark.parametrize("n_directions", [0, 13])
def test_more_directions_than_numbers_are_refused(embeddings, n_directions):
    with pytest.raises(ParameterError, match=f"1 to 12 directions .* not {n_directions}"):
        reduction.fit(embeddings, n_directions)


def test_an_embedding_without_direction_is_refused(embeddings):
    embeddings[5] = 0
    with pytest.raises(StoreError, match="row 5 is all zeros"):
        reduction.fit(embeddings, 2)
