"""transforms: by hand, and whitening against scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.transforms import binarise, fit_whitening, l2_normalise, power_normalise


def embeddings(n_rows: int, dim: int, *, seed: int = 0) -> np.ndarray:
    """Correlated, far from zero, each dimension of another size."""
    generator = np.random.default_rng(seed)
    mixed = generator.standard_normal((n_rows, dim)) @ generator.standard_normal((dim, dim))
    return (mixed * np.arange(1, dim + 1) + 5).astype(np.float32)


def test_l2_by_hand() -> None:
    found = l2_normalise(np.array([[3, 4], [0, -2]], dtype=np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [pytest.approx([0.6, 0.8]), [0, -1]]


def test_a_zero_vector_cannot_be_normalised() -> None:
    with pytest.raises(StoreError, match="row 1 is all zeros"):
        l2_normalise(np.array([[1, 0], [0, 0]], dtype=np.float32))


def test_power_keeps_the_sign_and_the_zero() -> None:
    found = power_normalise(np.array([[4, -9, 0, 0.25]], dtype=np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [[2, -3, 0, 0.5]]


def test_whitening_by_hand() -> None:
    # Variances 8 / 3 and 2 / 3 (over n - 1), not correlated; means 1 and 0.
    train = np.array([[3, 0], [-1, 0], [1, 1], [1, -1]], dtype=np.float32)
    whitening = fit_whitening(train, 1)
    assert whitening.mean.tolist() == [1, 0]
    assert np.abs(whitening.projection[:, 0]) == pytest.approx([np.sqrt(3 / 8), 0], abs=1e-6)
    assert np.abs(whitening(np.array([[3.0, 7.0]]))) == pytest.approx(2 * np.sqrt(3 / 8))


@pytest.mark.parametrize("n_components", [1, 5, 12])
def test_whitening_equals_scikit_learn_up_to_the_sign(n_components: int) -> None:
    train, others = embeddings(200, 12), embeddings(30, 12, seed=1)
    oracle = PCA(n_components, whiten=True, svd_solver="full").fit(train.astype(np.float64))
    whitening = fit_whitening(train, n_components)
    found, expected = whitening(others), oracle.transform(others.astype(np.float64))
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, rtol=1e-3, atol=1e-3)
    assert found.dtype == np.float32


def test_whitened_training_products_are_not_correlated() -> None:
    train = embeddings(300, 6)
    whitened = fit_whitening(train, 6)(train)
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(6), atol=1e-3)


def test_a_direction_without_variance_is_not_blown_up() -> None:
    train = embeddings(100, 4)
    train[:, 3] = 2 * train[:, 0]  # only three directions are left
    whitening = fit_whitening(train, 4)
    assert whitening(train).std(axis=0) == pytest.approx([1, 1, 1, 0], abs=0.1)


@pytest.mark.parametrize("n_components", [0, -1, 5])
def test_whitening_keeps_no_more_than_there_is(n_components: int) -> None:
    with pytest.raises(ParameterError, match=f"keep 1 to 4 components here, not {n_components}"):
        fit_whitening(embeddings(10, 4), n_components)
    with pytest.raises(ParameterError, match="1 to 2 components"):
        fit_whitening(embeddings(3, 4), 3)


def test_embeddings_that_are_all_the_same_cannot_be_whitened() -> None:
    with pytest.raises(ParameterError, match="all the same"):
        fit_whitening(np.ones((10, 4), dtype=np.float32), 2)


def test_a_bit_is_one_above_its_threshold_only() -> None:
    found = binarise(np.array([[0.4, 0.5, 0.6], [9, -9, 0.5]]), np.array([0.5, 0.5, 0.4]))
    assert found.tolist() == [[0, 0, 1], [1, 0, 1]]
    assert found.dtype == np.float32


def test_manhattan_between_codes_is_the_hamming_distance() -> None:
    vectors = embeddings(40, 16)
    codes = binarise(vectors, np.median(vectors, axis=0))
    bits = codes.astype(bool)
    hamming = [[int((a ^ b).sum()) for b in bits] for a in bits[:5]]
    assert Gallery(codes, range(40), "manhattan").distances(codes[:5]).tolist() == hamming
    assert codes.mean(axis=0).tolist() == [0.5] * 16  # the median parts them evenly
